"""LightGlue's early exit and point pruning (Lindenberger 2023) against the full network.

    python -m pipelines.benchmarks.speed.lightglue FOLDER ...

Pairs are neighbours in the list of each folder's images, with ALIKED features. Matches are compared
with those of the full network.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from unittest import mock

import click
import numpy as np
import torch

from hloc_lite.config import FeaturesConfig, ImagesConfig, MatchingConfig
from hloc_lite.features.aliked import AlikedExtractor
from hloc_lite.io.image_names import list_images
from hloc_lite.io.images import read_photo
from hloc_lite.io.weights import WeightsStore
from hloc_lite.matching import lightglue
from hloc_lite.matching.lightglue import ADAPTIVITY, Adaptivity, LightGlueMatcher
from hloc_lite.registry import Runtime
from hloc_lite.types import LocalFeatures
from pipelines.benchmarks.table import Table, percent, results_option

MATCHER = "lightglue-aliked"
VARIANTS = {
    "all layers, all points": Adaptivity(-1, -1),
    "early exit": Adaptivity(ADAPTIVITY[MATCHER].depth_confidence, -1),
    "early exit and pruning": ADAPTIVITY[MATCHER],
}
"""The first one is the reference."""
Pair = tuple[LocalFeatures, LocalFeatures]
MatchSet = set[tuple[int, int]]


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--pairs", "limit", default=6, show_default=True, help="Most pairs per folder.")
@click.option("--keypoints", default=1024, show_default=True)
@results_option
def main(folders: tuple[Path, ...], limit: int, keypoints: int, results: Path | None) -> None:
    """Print times and matches of each variant over pairs of the photos in FOLDERS."""
    pairs = [pair for folder in folders for pair in feature_pairs(folder, limit, keypoints)]
    runtime = Runtime(WeightsStore(offline=True))
    matchers = {}
    for title, adaptivity in VARIANTS.items():
        with mock.patch.dict(lightglue.ADAPTIVITY, {MATCHER: adaptivity}):
            matchers[title] = LightGlueMatcher(MATCHER, MatchingConfig(), runtime)
    found: dict[str, list[MatchSet]] = {title: [] for title in matchers}
    seconds: dict[str, list[tuple[float, float]]] = {title: [] for title in matchers}
    for matcher in matchers.values():
        matcher.match(pairs[:1])  # warm up memory and caches
    for pair in pairs:
        for title, matcher in matchers.items():
            wall, cpu = time.perf_counter(), time.process_time()
            (matches,) = matcher.match([pair])
            seconds[title].append((time.perf_counter() - wall, time.process_time() - cpu))
            found[title].append({(int(a), int(b)) for a, b in matches.indices})
    table = Table(
        "LightGlue: early exit and point pruning",
        ["variant", "wall, s/pair", "CPU, s/pair", "matches", "kept", "least kept", "added"],
        f"{len(pairs)} pairs, {keypoints} keypoints, {torch.get_num_threads()} threads. Kept and "
        f"added: matches compared with the full network.",
    )
    reference = found[next(iter(VARIANTS))]
    for title in VARIANTS:
        wall, cpu = np.median(seconds[title], axis=0)
        num_matches = sum(map(len, found[title]))
        shares = compare(found[title], reference)
        table.add(title, round(wall, 3), round(cpu, 3), num_matches, *map(percent, shares))
    table.write(results)


def feature_pairs(folder: Path, limit: int, keypoints: int) -> list[Pair]:
    """Features of neighbouring images."""
    config = FeaturesConfig(max_keypoints=keypoints)
    extractor = AlikedExtractor("aliked-n16", config, Runtime(WeightsStore(offline=True)))
    names = list_images(folder)[: limit + 1]
    photos = [read_photo(folder / name, name, ImagesConfig()) for name in names]
    return list(pairwise(extractor.extract([photo])[0] for photo in photos))


def compare(found: list[MatchSet], reference: list[MatchSet]) -> tuple[float, float, float]:
    """Share of the reference's matches kept, the least of any pair, and share added."""
    total = max(sum(map(len, reference)), 1)
    kept = [len(a & b) for a, b in zip(found, reference, strict=True)]
    added = sum(len(a - b) for a, b in zip(found, reference, strict=True))
    shares = [k / len(b) for k, b in zip(kept, reference, strict=True) if b]
    return sum(kept) / total, min(shares, default=0.0), added / total


if __name__ == "__main__":
    main()
