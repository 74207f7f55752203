"""How long a map takes, the peer's way and ours, and what queries make of both maps.

    python -m pipelines.benchmarks.mapping_speed -o OUT --map 480 --queries 50 --sample 0

One rendered town, the same pairs (retrieval), the same features (ALIKED-n16) and known poses. The
peer's way, as hloc does it: kornia's ALIKED one image after another, LightGlue on every pair,
matches checked against the poses, pycolmap triangulates. (Its LightGlue is ours, which with fused
attention is faster than kornia's; what it has of ours besides, reading and writing, is too.)

An image and a pair cost the peer the same wherever they are: ``--sample N`` times that many of
each, spread evenly over the town, and multiplies. Its map, hence its recall, needs ``--sample 0``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from hloc_lite import registry
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
from pipelines.matched_towns import is_right

STAGES = ("features", "retrieval", "matching", "verification", "reconstruction")
SETTINGS = ("features.max_side_px=1024", "features.max_keypoints=1024")
EVERY_PAIR = {"matching": {"two_pass": False}}
Row = dict[str, float]


class KorniaAliked:
    """kornia's own forward pass, dense feature map and all, in place of ours."""

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
        """One photo after another."""
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
                lambda rows, each=each: each.descriptors.numpy()[rows],
            )
            for each in found
        ]


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--town", type=click.Path(path_type=Path, exists=True), help="Instead of a new one.")
@click.option("--map", "num_map", default=120, show_default=True, help="Images.")
@click.option("--queries", "num_queries", default=40, show_default=True, help="Each condition.")
@click.option("--seed", default=7, show_default=True)
@click.option("--first", type=int, help="Only so many of the map images; queries near them.")
@click.option("--sample", default=20, show_default=True, help="0: build the peer's map.")
@click.option("--set", "settings", multiple=True, help="KEY=VALUE of both maps.")
@click.option("--query-set", "query_settings", multiple=True, default=("matching.name=mutual-nn",),
              show_default=True, help="KEY=VALUE of the localizer of both.")  # fmt: skip
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
) -> None:
    """Print seconds per stage and recalls of both maps; keep the maps and the figures in OUTPUT."""
    if town is None:
        render = TownConfig(seed=seed, num_map=num_map, num_queries=num_queries)
        town = write_dataset(output / "town", render, with_depth=False, with_labels=False)
    names = read_image_list(town / "map_images.txt")[:first]
    config = load_config(settings=[*SETTINGS, *settings])
    ours, row = build(town, names, config, output / "ours")
    report: dict[str, Any] = {"images": len(names), "ours": row, "pairs": dict(matchers(ours))}
    recalls = {"ours": recall(town, names, ours, query_settings)}
    if sample:
        report["peer"] = sampled(town, names, config, ours, row, sample)
    else:
        every = load_config(base=config, overrides=EVERY_PAIR)
        with kornia_aliked():
            peers, report["peer"] = build(town, names, every, output / "peer")
        recalls["peer"] = recall(town, names, peers, query_settings)
    report["recall"] = recalls
    (output / "mapping_speed.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    click.echo(table(report, sample))


def build(town: Path, names: Sequence[str], config: Config, folder: Path) -> tuple[Map, Row]:
    """A map, always anew, and the wall seconds of its stages; CPU seconds in all."""
    inputs = MapInputs(reference=read_model(town / "model"), names=names)
    start, cpu = time.perf_counter(), time.process_time()
    place = build_map(
        town / "images", config, inputs=inputs, output=fresh(folder), overwrite=True, progress=True
    )
    total = {"total": time.perf_counter() - start, "CPU": time.process_time() - cpu}
    return place, {**place.report["timings_s"], **total}


def fresh(folder: Path) -> Path:
    """The folder; a map or what was left of one in it is not to be resumed from."""
    number = 0
    while (folder / str(number)).exists():
        number += 1
    return folder / str(number)


@contextmanager
def kornia_aliked() -> Iterator[None]:
    """For a while ``aliked-n16`` is kornia's own; its maps are open to queries of ours."""
    table: dict[str, str] = registry.FEATURES  # type: ignore[assignment]
    before = table["aliked-n16"]
    table["aliked-n16"] = "pipelines.benchmarks.mapping_speed:KorniaAliked"
    try:
        yield
    finally:
        table["aliked-n16"] = before


def matchers(place: Map) -> Mapping[str, int]:
    """Name -> pairs that it matched."""
    found: Mapping[str, int] = place.report["pairs_by_matcher"]
    return found


def sampled(
    town: Path, names: Sequence[str], config: Config, ours: Map, row: Row, sample: int
) -> Row:
    """The peer's seconds by what some images and pairs take; the stages that both share, as ours.

    That is to the peer's advantage: matches of LightGlue are more, and take longer to triangulate.
    """
    runtime = Runtime(WeightsStore())
    with kornia_aliked():
        extractor, _ = create_recorded(FEATURES, "aliked-n16", config.features, runtime)
    matcher, _ = create_recorded(MATCHERS, matcher_name(config), config.matching, runtime)
    images = [
        read_photo(town / "images" / name, name, config.images) for name in spread(names, sample)
    ]
    pairs = pairs_of(ours, config)
    loaded = [(ours.features[a], ours.features[b]) for a, b in spread(pairs, sample)]
    extractor.extract(images[:1]), matcher.match(loaded[:1])  # the first ones are slower
    cpu = time.process_time()
    per_image = seconds(lambda: extractor.extract(images)) / len(images)
    cpu_image, cpu = (time.process_time() - cpu) / len(images), time.process_time()
    per_pair = seconds(lambda: [matcher.match([pair]) for pair in loaded]) / len(loaded)
    cpu_pair = (time.process_time() - cpu) / len(loaded)
    shared = {stage: row[stage] for stage in ("retrieval", "verification", "reconstruction")}
    estimated = {"features": per_image * len(names), "matching": per_pair * len(pairs), **shared}
    cpu_s = cpu_image * len(names) + cpu_pair * len(pairs)
    return {**estimated, "total": sum(estimated.values()), "CPU": cpu_s + sum(shared.values())}


def pairs_of(place: Map, config: Config) -> list[tuple[str, str]]:
    """The pairs that were chosen for a map."""
    names = place.global_names
    index = RetrievalIndex(names, place.global_descriptors)
    spec = parse_pair_spec(config.pairs, len(names))
    return choose_pairs(
        spec, names, config.pairs, place.model,
        lambda k: index.search(place.global_descriptors, k, exclude=names),
    )  # fmt: skip


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """So many of them, evenly."""
    rows = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[row] for row in np.unique(rows)]


def seconds(call: Any) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def recall(
    town: Path, names: Sequence[str], place: Map, settings: Sequence[str]
) -> dict[str, list[int]]:
    """Condition -> right queries (``is_right``), and all that the images of the map see."""
    localizer = Localizer(place, load_config(base=place.config, settings=settings))
    reference = {image.name: image.cam_from_world for image in place.model.images}
    found = {}
    for condition in CONDITIONS:
        truth = read_poses(town / f"gt_{condition}.txt")
        cameras = read_queries(town / f"queries_{condition}.txt")
        if len(names) < len(read_image_list(town / "map_images.txt")):
            cameras = {n: c for n, c in cameras.items() if is_near(truth[n], reference.values())}
        right = 0
        for name, camera in tqdm(cameras.items(), desc=condition, disable=None):
            result = localizer.localize(town / "images" / name, camera, name=name)
            right += is_right(result, truth[name])
        found[condition] = [int(right), len(cameras)]
    return found


def is_near(pose: Any, others: Any) -> bool:
    """Whether one of the others is within 8 m and 30 degrees."""
    errors = [pose_errors(pose, other) for other in others]
    return any(distance < 8 and angle_deg < 30 for distance, angle_deg in errors)


def table(report: Mapping[str, Any], sample: int) -> str:
    """Markdown."""
    rows, recalls = {who: report[who] for who in ("peer", "ours")}, report["recall"]
    lines = [
        f"{report['images']} map images; pairs by matcher (ours): {report['pairs']}",
        f"peer: from a sample of {sample} images and pairs" if sample else "peer: built in full",
        "",
        "| seconds | " + " | ".join((*STAGES, "total", "CPU", *CONDITIONS)) + " |",
        "|---" * (3 + len(STAGES) + len(CONDITIONS)) + "|",
    ]
    for who, row in rows.items():
        cells = [f"{row[stage]:.1f}" for stage in (*STAGES, "total", "CPU")]
        cells += [
            "{} of {}".format(*recalls[who][c]) if who in recalls else "not built"
            for c in CONDITIONS
        ]
        lines.append(f"| {who} | " + " | ".join(cells) + " |")
    ratios = [rows["peer"][key] / rows["ours"][key] for key in ("total", "CPU")]
    lines += ["", "ours is {:.1f} times faster (wall), {:.1f} times (CPU)".format(*ratios)]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
