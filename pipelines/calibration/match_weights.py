"""Fits the exponents of the cues on rendered towns that are used for nothing else.

    python -m pipelines.calibration.match_weights -o OUT --seed 101 --seed 102 --seed 103

A match is correct if its landmark projects within the inlier bound of its keypoint under the true
pose.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from hloc_lite.clock import StageClock
from hloc_lite.consistency.cue_calibration import calibrate_exponents
from hloc_lite.consistency.cue_combination import CUE_NAMES
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.weighting import MatchCues
from hloc_lite.pose.inlier_model import max_error_px
from hloc_lite.types import Bool
from pipelines.towns.matched_towns import (
    MatchedQuery,
    map_town,
    match_town,
    query_config,
    render_town,
    with_labels,
)
from pipelines.towns.noisy_cues import CUE_KINDS, cue_sources


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--towns", type=click.Path(path_type=Path), help="Rendered towns.  [default: OUT]")
@click.option("--seed", "seeds", type=int, multiple=True, required=True)
@click.option("--features", multiple=True, default=("rootsift",), show_default=True)
@click.option("--retrieved", default=10, show_default=True, help="Retrieved images per query.")
@click.option("--kind", type=click.Choice(CUE_KINDS), default="noisy", show_default=True)
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
    correct: list[np.ndarray] = []
    for seed in seeds:
        town = render_town((towns or output) / str(seed), seed, 120, 40)
        for name in features:
            folder = output / f"{seed}-{name}"
            sfm_map = map_town(town, folder / "map", name)
            matched = match_town(town, sfm_map, folder / "matches", max(50, retrieved))
            labels, depth = cue_sources(town, folder, (kind,))[kind]
            sfm_map = with_labels(sfm_map, town, labels)
            off = json.dumps([cue for cue in CUE_NAMES if cue not in factors])
            settings = [f"semantics.source={labels}", f"weighting.off={off}"]
            if depth is not None:
                values = "metric" if kind == "exact" else "relative"
                settings += [f"depth.source={depth}", f"depth.values={values}"]
            localizer = Localizer(sfm_map, query_config(sfm_map, settings))
            for each in tqdm(matched.queries, desc=f"{seed} {name}", disable=None):
                found = match_cues(localizer, each.first_hits(retrieved))
                computed = {cue.name: cue.factors for cue in found.cues}
                for cue, parts in factors.items():
                    parts.append(computed.get(cue, np.ones(len(found.matches))))
                correct.append(are_correct(localizer, each, found))
    fitted = calibrate_exponents(
        {name: np.concatenate(parts) for name, parts in factors.items()}, np.concatenate(correct)
    )
    fitted.write(output / "weights.toml")
    click.echo(fitted.to_toml())


def match_cues(localizer: Localizer, each: MatchedQuery) -> MatchCues:
    """Compute the cues about the stored matches of a query."""
    pipeline = localizer.pipeline
    query = each.describe(pipeline)
    cues = pipeline.compute_cues(query, each.matches.hits, (each.matches,), StageClock())
    return cues.joined


def are_correct(localizer: Localizer, each: MatchedQuery, cues: MatchCues) -> Bool:
    """(R,) True for matches whose landmark projects near the keypoint, in front of the camera."""
    matches, camera = cues.matches, each.camera
    points = each.cam_from_world.apply(localizer.map.model.xyz[matches.point3D_idxs])
    pixels = img_from_cam(camera, points)
    keypoints = each.matches.features.keypoints[matches.keypoint_idxs]
    with np.errstate(invalid="ignore"):
        errors = np.linalg.norm(pixels - keypoints, axis=1)
        bound = max_error_px(camera, localizer.config.pose)
        return np.asarray((errors <= bound) & (points[:, 2] > 0))


if __name__ == "__main__":
    main()
