"""Mapping time with two-pass matching and as hloc does it, and recall with both maps.

    python -m pipelines.benchmarks.speed.mapping -o OUT --map 480 --queries 50 --sample 0

One rendered town, the same pairs (retrieval), the same features (ALIKED-n16) and known poses. The
baseline works as hloc does: kornia's ALIKED one image after another, LightGlue on every pair,
matches verified with the known poses, triangulation with pycolmap. It shares our LightGlue (with
fused attention, faster than kornia's), reading and writing.

For the baseline all images and all pairs take the same time. ``--sample N`` therefore times N of
each, spread evenly over the town, and extrapolates. Its map, and hence its recall, needs
``--sample 0``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np
from tqdm import tqdm

from hloc_lite.config import Config, FeaturesConfig, load_config
from hloc_lite.config.pair_spec import parse_pair_spec
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc_lists import read_image_list, read_poses, read_queries
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.images import read_photo
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.pairs import choose_pairs
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.models import create_recorded, matcher_name
from hloc_lite.registry import FEATURES, MATCHERS, Runtime
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.synthetic.config import CONDITIONS, TownConfig
from hloc_lite.synthetic.dataset import write_dataset
from hloc_lite.types import LocalFeatures, Photo, UInt8
from pipelines.benchmarks.table import Table, results_option
from pipelines.towns.matched_towns import is_correct

STAGES = ("features", "retrieval", "matching", "verification", "reconstruction")
SETTINGS = ("features.max_side_px=1024", "features.max_keypoints=1024")
EVERY_PAIR = {"matching": {"two_pass": False}}
Seconds = dict[str, float]
"""Stage -> seconds, with the stages "total" and "CPU"."""
TWO_PASS, BASELINE = "two-pass matching", "kornia's ALIKED, LightGlue on every pair"


def _rows_of(descriptors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some rows of the descriptors of a photo."""
    return descriptors[rows]


class KorniaAliked:
    """ALIKED with kornia's own forward pass, including its dense feature map."""

    def __init__(self, name: str, config: FeaturesConfig, runtime: Runtime) -> None:
        from kornia.feature import ALIKED

        from hloc_lite.io.torch_checkpoints import load_parameters, read_checkpoint

        path = runtime.weights.path(name)
        network = ALIKED(name, max_num_keypoints=config.max_keypoints)
        state = read_checkpoint(path)
        state.setdefault("dkd.hw_grid", network.dkd.hw_grid)
        self._network = load_parameters(network, state, runtime.device)
        self._config, self.descriptor_dim = config, 128

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        """Extract the features of one photo after another."""
        from hloc_lite.features.candidates import extract_with

        return [
            extract_with(self._detect, self.descriptor_dim, [photo], self._config)[0]
            for photo in photos
        ]

    def _detect(self, images: Sequence[UInt8]) -> list[Any]:
        import torch

        from hloc_lite.features.candidates import Candidates
        from hloc_lite.features.networks import pad_with_edge, to_tensor

        with torch.inference_mode():
            found = self._network(to_tensor(images, "cpu", 1, pad_with_edge))
        return [
            Candidates(
                each.keypoints.numpy(),
                each.keypoint_scores.numpy(),
                partial(_rows_of, each.descriptors.numpy()),
            )
            for each in found
        ]


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option(
    "--town",
    type=click.Path(path_type=Path, exists=True),
    help="Use this town instead of rendering one.",
)
@click.option("--map", "num_map", default=120, show_default=True, help="Number of map images.")
@click.option("--queries", "num_queries", default=40, show_default=True, help="Per condition.")
@click.option("--seed", default=7, show_default=True)
@click.option("--first", type=int, help="Use the first N map images, and queries near them.")
@click.option("--sample", default=20, show_default=True, help="0: build the baseline's map.")
@click.option("--set", "settings", multiple=True, help="KEY=VALUE for both maps.")
@click.option("--query-set", "query_settings", multiple=True, default=("matching.name=mutual-nn",),
              show_default=True, help="KEY=VALUE for the queries of both.")  # fmt: skip
@results_option
def main(
    output: Path,
    town: Path | None,
    num_map: int,
    num_queries: int,
    seed: int,
    first: int | None,
    sample: int,
    settings: tuple[str, ...],
    query_settings: tuple[str, ...],
    results: Path | None,
) -> None:
    """Print seconds per stage and recalls of both maps; the maps are kept in OUTPUT."""
    if town is None:
        render = TownConfig(seed=seed, num_map=num_map, num_queries=num_queries)
        town = write_dataset(output / "town", render, with_depth=False, with_labels=False)
    names = read_image_list(town / "map_images.txt")[:first]
    config = load_config(settings=[*SETTINGS, *settings])
    ours, our_s = build_timed(town, names, config, output / "ours")
    our_recall = recall(town, names, ours, query_settings)
    baseline_recall: dict[str, str] = {}
    if sample:
        baseline_s = extrapolate(town, names, config, ours, our_s, sample)
    else:
        every = load_config(base=config, overrides=EVERY_PAIR)
        with kornia_aliked():
            theirs, baseline_s = build_timed(town, names, every, output / "baseline")
        baseline_recall = recall(town, names, theirs, query_settings)
    pairs = ", ".join(f"{n} by {name}" for name, n in ours.report["pairs_by_matcher"].items())
    how = f"extrapolated from {sample} images and pairs" if sample else "built in full"
    table = Table(
        f"Mapping {len(names)} images",
        ["how", *(f"{stage}, s" for stage in (*STAGES, "total", "CPU")),
         *(f"correct, {condition}" for condition in CONDITIONS), "times faster"],
        f"Pairs matched in two passes: {pairs}. The baseline is {how}.",
    )  # fmt: skip
    ratio = round(baseline_s["total"] / our_s["total"], 1)
    for how, seconds_of, recalls, faster in (
        (TWO_PASS, our_s, our_recall, ratio),
        (BASELINE, baseline_s, baseline_recall, None),
    ):
        times = [round(seconds_of[stage], 1) for stage in (*STAGES, "total", "CPU")]
        table.add(how, *times, *(recalls.get(condition) for condition in CONDITIONS), faster)
    table.write(results)


def build_timed(
    town: Path, names: Sequence[str], config: Config, folder: Path
) -> tuple[Map, Seconds]:
    """Build a map, always anew, and time its stages."""
    inputs = MapInputs(reference=read_model(town / "model"), names=names)
    start, cpu = time.perf_counter(), time.process_time()
    sfm_map = build_map(
        town / "images",
        config,
        inputs=inputs,
        output=fresh_folder(folder),
        overwrite=True,
        progress=True,
    )
    total = {"total": time.perf_counter() - start, "CPU": time.process_time() - cpu}
    return sfm_map, {**sfm_map.report["timings_s"], **total}


def fresh_folder(folder: Path) -> Path:
    """New subfolder, so that mapping does not resume from an earlier run."""
    number = 0
    while (folder / str(number)).exists():
        number += 1
    return folder / str(number)


def kornia_aliked() -> AbstractContextManager[object]:
    """Let ``aliked-n16`` stand for kornia's ALIKED; our extractor can query its maps."""
    entry = replace(FEATURES["aliked-n16"], factory=KorniaAliked)
    return mock.patch.dict(FEATURES.builtin, {"aliked-n16": entry})


def extrapolate(
    town: Path, names: Sequence[str], config: Config, ours: Map, our_s: Seconds, sample: int
) -> Seconds:
    """Extrapolate the baseline's seconds from some images and pairs.

    The other stages count as ours. That favours the baseline: LightGlue on every pair gives more
    matches, which take longer to triangulate.
    """
    runtime = Runtime(WeightsStore())
    with kornia_aliked():
        extractor, _ = create_recorded(FEATURES, "aliked-n16", config.features, runtime)
    matcher, _ = create_recorded(MATCHERS, matcher_name(config), config.matching, runtime)
    images = [
        read_photo(town / "images" / name, name, config.images)
        for name in evenly_spread(names, sample)
    ]
    pairs = chosen_pairs(ours, config)
    loaded = [(ours.features[a], ours.features[b]) for a, b in evenly_spread(pairs, sample)]
    extractor.extract(images[:1]), matcher.match(loaded[:1])  # warm up
    cpu = time.process_time()
    per_image = seconds(lambda: extractor.extract(images)) / len(images)
    cpu_image, cpu = (time.process_time() - cpu) / len(images), time.process_time()
    per_pair = seconds(lambda: [matcher.match([pair]) for pair in loaded]) / len(loaded)
    cpu_pair = (time.process_time() - cpu) / len(loaded)
    shared = {stage: our_s[stage] for stage in ("retrieval", "verification", "reconstruction")}
    estimated = {"features": per_image * len(names), "matching": per_pair * len(pairs), **shared}
    cpu_s = cpu_image * len(names) + cpu_pair * len(pairs)
    return {**estimated, "total": sum(estimated.values()), "CPU": cpu_s + sum(shared.values())}


def chosen_pairs(sfm_map: Map, config: Config) -> list[tuple[str, str]]:
    """Pairs that were chosen for a map."""
    names = sfm_map.global_names
    index = RetrievalIndex(names, sfm_map.global_descriptors)
    spec = parse_pair_spec(config.pairs, len(names), num_reference_points=None)
    return choose_pairs(
        spec, names, config.pairs, sfm_map.model,
        lambda k: index.search(sfm_map.global_descriptors, k, exclude=names),
    )  # fmt: skip


def evenly_spread(items: Sequence[Any], count: int) -> list[Any]:
    """Choose ``count`` items, evenly spread."""
    rows = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[row] for row in np.unique(rows)]


def seconds(call: Any) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def recall(
    town: Path, names: Sequence[str], sfm_map: Map, settings: Sequence[str]
) -> dict[str, str]:
    """Condition -> number of correct queries, as in ``40 of 40``."""
    localizer = Localizer(sfm_map, load_config(base=sfm_map.config, settings=settings))
    reference = {image.name: image.cam_from_world for image in sfm_map.model.images}
    found = {}
    for condition in CONDITIONS:
        truth = read_poses(town / f"gt_{condition}.txt")
        cameras = read_queries(town / f"queries_{condition}.txt")
        if len(names) < len(read_image_list(town / "map_images.txt")):
            cameras = {n: c for n, c in cameras.items() if is_near(truth[n], reference.values())}
        correct = 0
        for name, camera in tqdm(cameras.items(), desc=condition, disable=None):
            result = localizer.localize(town / "images" / name, camera, name=name)
            correct += is_correct(result, truth[name])
        found[condition] = f"{int(correct)} of {len(cameras)}"
    return found


def is_near(pose: Any, others: Any) -> bool:
    """Return True if one of the others is within 8 m and 30 degrees."""
    errors = [pose_errors(pose, other) for other in others]
    return any(distance < 8 and angle_deg < 30 for distance, angle_deg in errors)


if __name__ == "__main__":
    main()
