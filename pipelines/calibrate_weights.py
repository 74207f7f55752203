"""Exponents of the cues, fitted on towns that nothing is measured on.

python -m pipelines.calibrate_weights -o OUT --seed 101 --seed 102 --seed 103

A match is right if its landmark lies within the inlier bound of its keypoint under the true pose.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from hloc_lite.consistency.cue_calibration import calibrate_exponents
from hloc_lite.consistency.cue_combination import CUE_NAMES
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.weighting import Evidence
from hloc_lite.pose.inlier_model import max_error_px
from hloc_lite.types import Bool
from pipelines.benchmarks.ablation import cue_sources
from pipelines.matched_towns import (
    TownQuery,
    build,
    first_hits,
    labelled,
    match_town,
    query_config,
    render,
)


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--towns", type=click.Path(path_type=Path), help="Rendered towns.  [default: OUT]")
@click.option("--seed", "seeds", type=int, multiple=True, required=True)
@click.option("--features", multiple=True, default=("rootsift",), show_default=True)
@click.option("--retrieved", default=10, show_default=True)
@click.option("--kind", default="noisy", show_default=True, help="exact, noisy or network.")
@click.option("--cues", default="score,semantics,depth,track,retrieval", show_default=True)
def main(
    output: Path,
    towns: Path | None,
    seeds: tuple[int, ...],
    features: tuple[str, ...],
    retrieved: int,
    kind: str,
    cues: str,
) -> None:
    """Write OUT/weights.toml, a config file, and print it."""
    factors: dict[str, list[np.ndarray]] = {name: [] for name in cues.split(",")}
    right: list[np.ndarray] = []
    for seed in seeds:
        town = render((towns or output) / str(seed), seed, 120, 40)
        for name in features:
            folder = output / f"{seed}-{name}"
            place = build(town, folder / "map", name)
            matched = match_town(town, place, folder / "matches", max(50, retrieved))
            labels, depth = cue_sources(town, folder, (kind,))[kind]
            place = labelled(place, town, labels)
            off = json.dumps([cue for cue in CUE_NAMES if cue not in factors])
            settings = [f"semantics.source={labels}", f"weighting.off={off}"]
            if depth is not None:
                values = "metric" if kind == "exact" else "relative"
                settings += [f"depth.source={depth}", f"depth.values={values}"]
            localizer = Localizer(place, query_config(place, settings))
            for each in tqdm(matched.queries, desc=f"{seed} {name}", disable=None):
                evidence = localizer.evidence(first_hits(each.query, retrieved))
                said = {cue.name: cue.factors for cue in evidence.cues}
                for cue, found in factors.items():
                    found.append(said.get(cue, np.ones(len(evidence.sightings))))
                right.append(is_right(localizer, each, evidence))
    fitted = calibrate_exponents(
        {name: np.concatenate(found) for name, found in factors.items()}, np.concatenate(right)
    )
    fitted.write(output / "weights.toml")
    click.echo(fitted.to_toml())


def is_right(localizer: Localizer, each: TownQuery, evidence: Evidence) -> Bool:
    """(R,) whether each match's landmark is where it should be, in front of the camera."""
    sightings, camera = evidence.sightings, each.query.camera
    points = each.cam_from_world.apply(localizer.map.model.xyz[sightings.point3D_idxs])
    pixels = img_from_cam(camera, points)
    with np.errstate(invalid="ignore"):
        errors = np.linalg.norm(pixels - evidence.keypoints[sightings.keypoint_idxs], axis=1)
        bound = max_error_px(camera, localizer.config.pose)
        return np.asarray((errors <= bound) & (points[:, 2] > 0))


if __name__ == "__main__":
    main()
