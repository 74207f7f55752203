"""LightGlue's early exit and point pruning (Lindenberger 2023) against all layers on all points.

    python pipelines/benchmarks/lightglue.py FOLDER ...

Pairs are neighbours in the list of each folder's images (ALIKED, one after the other). The full
network is the reference: what share of its matches the adaptive one keeps, and what it adds.
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

MATCHER = "lightglue-aliked"
VARIANTS = {
    "all layers, all points": Adaptivity(-1, -1),
    "early exit": Adaptivity(ADAPTIVITY[MATCHER].depth_confidence, -1),
    "early exit and pruning": ADAPTIVITY[MATCHER],
}
Pair = tuple[LocalFeatures, LocalFeatures]


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--pairs", "limit", default=6, show_default=True, help="Of each folder, at most.")
@click.option("--keypoints", default=1024, show_default=True)
def main(folders: tuple[Path, ...], limit: int, keypoints: int) -> None:
    """Print times and matches of each variant over pairs of the photos below FOLDERS."""
    pairs = [pair for folder in folders for pair in pairs_of(folder, limit, keypoints)]
    runtime = Runtime(WeightsStore(offline=True))
    matchers = {}
    for title, adaptivity in VARIANTS.items():
        with mock.patch.dict(lightglue.ADAPTIVITY, {MATCHER: adaptivity}):
            matchers[title] = LightGlueMatcher(MATCHER, MatchingConfig(), runtime)
    found: dict[str, list[set[tuple[int, int]]]] = {title: [] for title in matchers}
    seconds: dict[str, list[tuple[float, float]]] = {title: [] for title in matchers}
    for matcher in matchers.values():
        matcher.match(pairs[:1])  # what is first pays for memory and caches
    for pair in pairs:
        for title, matcher in matchers.items():
            wall, cpu = time.perf_counter(), time.process_time()
            (matches,) = matcher.match([pair])
            seconds[title].append((time.perf_counter() - wall, time.process_time() - cpu))
            found[title].append({(int(a), int(b)) for a, b in matches.indices})
    click.echo(f"{len(pairs)} pairs, {keypoints} keypoints, {torch.get_num_threads()} threads")
    click.echo("| LightGlue | wall s/pair | CPU s/pair | matches | kept | least kept | added |")
    click.echo("|---" * 7 + "|")
    reference = found[next(iter(VARIANTS))]
    for title in VARIANTS:
        click.echo(row(title, seconds[title], found[title], reference))


def pairs_of(folder: Path, limit: int, keypoints: int) -> list[Pair]:
    """Features of neighbouring images."""
    config = FeaturesConfig(max_keypoints=keypoints)
    extractor = AlikedExtractor("aliked-n16", config, Runtime(WeightsStore(offline=True)))
    names = list_images(folder)[: limit + 1]
    photos = [read_photo(folder / name, name, ImagesConfig()) for name in names]
    return list(pairwise(extractor.extract([photo])[0] for photo in photos))


def row(
    title: str,
    seconds: list[tuple[float, float]],
    found: list[set[tuple[int, int]]],
    reference: list[set[tuple[int, int]]],
) -> str:
    """One line of the table; medians of the times, sums of the matches."""
    wall, cpu = np.median(seconds, axis=0)
    total = sum(map(len, reference))
    kept = [len(a & b) for a, b in zip(found, reference, strict=True)]
    added = sum(len(a - b) for a, b in zip(found, reference, strict=True))
    shares = [k / len(b) for k, b in zip(kept, reference, strict=True) if b]
    return (
        f"| {title} | {wall:.3f} | {cpu:.3f} | {sum(map(len, found))} "
        f"| {100 * sum(kept) / max(total, 1):.1f} % | {100 * min(shares, default=0):.1f} % "
        f"| {100 * added / max(total, 1):.1f} % |"
    )


if __name__ == "__main__":
    main()
