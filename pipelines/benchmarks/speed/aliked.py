"""Our ALIKED against kornia's, with the same weights and photos: times and differences.

    python -m pipelines.benchmarks.speed.aliked FOLDER ... --profile

Both run in turn on each photo, resized to the same pixels. They are timed with a limit of
keypoints, but compared without one, as they rank keypoints differently (kornia before sub-pixel
refinement, we after it). ALIKED reads a descriptor's patch at the integer pixel below the keypoint.
If that coordinate is an integer up to rounding, rounding decides which pixel, in both. Such
keypoints are counted separately ("on a pixel").
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import click
import numpy as np
import torch
from kornia.feature import ALIKED
from scipy.spatial import cKDTree
from torch import nn

from hloc_lite.config import FeaturesConfig, ImagesConfig
from hloc_lite.features import aliked
from hloc_lite.features.aliked import SCORE_THRESHOLD, AlikedExtractor
from hloc_lite.io.image_names import list_images
from hloc_lite.io.image_resizing import resize, resized_size
from hloc_lite.io.images import read_photo
from hloc_lite.io.weights import WeightsStore
from hloc_lite.registry import Runtime
from hloc_lite.types import Photo
from pipelines.benchmarks.table import Table, percent, results_option

MAX_KEYPOINTS = 20000
"""Limit of keypoints above any photo's; kornia's own upper limit."""
SAME_PX = 0.05
"""Distance within which keypoints of both count as the same."""
ON_A_PIXEL_PX = 1e-3
"""Distance from an integer within which a coordinate counts as one."""
BLOCKS = ("block1", "block2", "block3", "block4", "score_head", "dkd", "desc_head")
STAGES = ("scores_and_features", "_refined_maxima", "describe")
Features = tuple[np.ndarray, np.ndarray]
"""(N, 2) keypoints with pixel centres at half pixels, and (N, D) descriptors."""
Extract = Callable[[Photo], Features]


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--photos", "limit", default=20, show_default=True, help="Most photos.")
@click.option("--weights", "name", default="aliked-n16", show_default=True)
@click.option("--side", default=1024, show_default=True, help="Longer side, px.")
@click.option("--keypoints", default=1024, show_default=True, help="Limit in the timed runs.")
@click.option("--profile", is_flag=True, help="Also print the time of each block.")
@results_option
def main(
    folders: tuple[Path, ...],
    limit: int,
    name: str,
    side: int,
    keypoints: int,
    profile: bool,
    results: Path | None,
) -> None:
    """Print times and differences over the photos in FOLDERS."""
    photos = [photo for folder in folders for photo in resized_photos(folder, side)][:limit]
    timed = [kornia_extract(name, keypoints), our_extract(name, keypoints, side)]
    unlimited = [kornia_extract(name, MAX_KEYPOINTS), our_extract(name, MAX_KEYPOINTS, side)]
    for extract in timed:
        extract(photos[0])  # warm up memory and caches
    times = np.array([time_in_turn(timed, photo, i) for i, photo in enumerate(photos)])
    table = Table(
        "ALIKED against kornia's",
        ["what", "figure"],
        f"{len(photos)} photos of {side} px, {torch.get_num_threads()} threads, {name}. Times are "
        f"medians per photo.",
    )
    add_times(table, times)
    add_differences(table, [compare(*(run(photo) for run in unlimited)) for photo in photos])
    table.write(results)
    if profile:
        for title, profiled in (("kornia", profile_kornia), ("hloc_lite", profile_ours)):
            seconds = profiled(name, keypoints, side, photos[0])
            parts = ", ".join(f"{part} {1000 * s:.0f}" for part, s in seconds.items())
            click.echo(f"{title}, CPU ms: {parts}")


def resized_photos(folder: Path, side: int) -> Iterator[Photo]:
    """Read the photos of a folder, the longer side at most ``side`` px."""
    for name in list_images(folder):
        photo = read_photo(folder / name, name, ImagesConfig())
        size = resized_size(photo.width, photo.height, side)
        yield Photo(name, resize(photo.pixels, size))


def kornia_network(name: str, keypoints: int) -> ALIKED:
    """kornia's ALIKED with the authors' weights and our detection threshold."""
    network = ALIKED(name, max_num_keypoints=keypoints, detection_threshold=SCORE_THRESHOLD)
    state = torch.load(WeightsStore(offline=True).path(name), weights_only=True)
    state.setdefault("dkd.hw_grid", network.dkd.hw_grid)
    network.load_state_dict(state, strict=True)
    return network.eval()


def kornia_extract(name: str, keypoints: int) -> Extract:
    """Extraction with kornia in inference mode."""
    network = kornia_network(name, keypoints)

    def extract(photo: Photo) -> Features:
        with torch.inference_mode():
            found = network(as_tensor(photo))[0]
        return found.keypoints.numpy() + 0.5, found.descriptors.numpy()

    return extract


def as_tensor(photo: Photo) -> torch.Tensor:
    """(1, 3, H, W) tensor in [0, 1]."""
    return torch.tensor(photo.pixels).permute(2, 0, 1)[None].float() / 255


def our_extract(name: str, keypoints: int, side: int) -> Extract:
    """Extraction with hloc_lite."""
    extractor = our_extractor(name, keypoints, side)

    def extract(photo: Photo) -> Features:
        found = extractor.extract([photo])[0]
        return found.keypoints, found.descriptors

    return extract


def our_extractor(name: str, keypoints: int, side: int) -> AlikedExtractor:
    """Our extractor with the authors' detection threshold."""
    config = FeaturesConfig(name=name, max_keypoints=keypoints, max_side_px=side)
    return AlikedExtractor(name, config, Runtime(WeightsStore(offline=True)))


def time_in_turn(
    extractors: Sequence[Extract], photo: Photo, turn: int
) -> list[tuple[float, float]]:
    """Wall and CPU seconds of each extractor; the first one alternates."""
    seconds = [(0.0, 0.0)] * len(extractors)
    for index in np.roll(np.arange(len(extractors)), turn).tolist():
        wall, cpu = time.perf_counter(), time.process_time()
        extractors[index](photo)
        seconds[index] = time.perf_counter() - wall, time.process_time() - cpu
    return seconds


def add_times(table: Table, times: np.ndarray) -> None:
    """Add the medians of (photos, extractors, wall and CPU) seconds."""
    medians = np.median(times, axis=0)
    ratios = times[:, 0] / times[:, 1]
    for kind, name in enumerate(("wall", "CPU")):
        table.add(f"kornia, {name} s", round(medians[0, kind], 3))
        table.add(f"hloc_lite, {name} s", round(medians[1, kind], 3))
        table.add(f"times faster, {name}", round(float(np.median(ratios[:, kind])), 1))
        table.add(f"times faster at least, {name}", round(float(ratios[:, kind].min()), 1))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Keypoints of one photo that both have found."""

    counts: tuple[int, int]
    """Number of keypoints of kornia, and of ours."""
    distances: np.ndarray
    """(K,) distance of kornia's keypoints to ours, within ``SAME_PX``."""
    descriptors: np.ndarray
    """(K,) largest difference of a descriptor component."""
    on_a_pixel: np.ndarray
    """(K,) True if a coordinate is an integer up to rounding."""


def compare(theirs: Features, ours: Features) -> Comparison:
    """Compare each of kornia's keypoints with the nearest of ours."""
    distances, nearest = cKDTree(ours[0]).query(theirs[0])
    same = distances < SAME_PX
    grid = theirs[0][same] - 0.5
    on_a_pixel = (np.abs(grid - np.round(grid)) < ON_A_PIXEL_PX).any(axis=1)
    difference = np.abs(theirs[1][same] - ours[1][nearest[same]]).max(axis=1)
    return Comparison((len(theirs[0]), len(ours[0])), distances[same], difference, on_a_pixel)


def add_differences(table: Table, compared: Sequence[Comparison]) -> None:
    """Add the differences over all photos together."""
    theirs, ours = np.sum([each.counts for each in compared], axis=0)
    distances = np.concatenate([each.distances for each in compared])
    differences = np.concatenate([each.descriptors for each in compared])
    on_a_pixel = np.concatenate([each.on_a_pixel for each in compared])
    elsewhere, there = differences[~on_a_pixel], differences[on_a_pixel]
    table.add("keypoints of kornia", theirs)
    table.add("keypoints of hloc_lite", ours)
    table.add(f"within {SAME_PX} px", percent(len(distances) / theirs, 3))
    table.add("median distance, px", f"{np.median(distances):.1e}")
    table.add("largest distance, px", f"{distances.max():.1e}")
    table.add("descriptor differences, 99 % below", f"{np.quantile(elsewhere, 0.99):.1e}")
    table.add("largest descriptor difference", f"{elsewhere.max():.1e}")
    table.add("descriptor differences below 1e-3", percent((elsewhere < 1e-3).mean(), 3))
    if len(there):
        table.add("keypoints on a pixel", len(there))
        table.add("of these, differences below 1e-3", percent((there < 1e-3).mean()))
        table.add("of these, largest difference", f"{there.max():.1e}")


def profile_kornia(name: str, keypoints: int, side: int, photo: Photo) -> dict[str, float]:
    """CPU seconds of each block; rest: upsampling, concatenation, normalization, padding."""
    network = kornia_network(name, keypoints)
    pixels = as_tensor(photo)
    with torch.inference_mode():
        network(pixels)
        with hooked(network, BLOCKS) as seconds:
            start = time.process_time()
            network(pixels)
            return with_rest(seconds, time.process_time() - start)


def profile_ours(name: str, keypoints: int, side: int, photo: Photo) -> dict[str, float]:
    """CPU seconds of each block; rest: conversion, selection of keypoints."""
    extractor = our_extractor(name, keypoints, side)
    extractor.extract([photo])
    with hooked(extractor._network, BLOCKS[:4]) as seconds, ExitStack() as stages:
        for stage in STAGES:
            timed = clocked(getattr(aliked, stage), stage, seconds)
            stages.enter_context(mock.patch.object(aliked, stage, timed))
        start = time.process_time()
        extractor.extract([photo])
        total = time.process_time() - start
    seconds["score head"] = seconds.pop(STAGES[0]) - sum(seconds[block] for block in BLOCKS[:4])
    return with_rest(seconds, total)


def clocked(
    function: Callable[..., object], name: str, seconds: dict[str, float]
) -> Callable[..., object]:
    """Wrap a function so that its CPU time is added to ``seconds[name]``."""

    def run(*arguments: object, **named: object) -> object:
        start = time.process_time()
        result = function(*arguments, **named)
        seconds[name] += time.process_time() - start
        return result

    return run


@contextmanager
def hooked(network: nn.Module, names: Sequence[str]) -> Iterator[dict[str, float]]:
    """Measure the CPU seconds spent in some of the network's modules."""
    seconds: dict[str, float] = defaultdict(float)
    forwards = {name: getattr(network, name).forward for name in names}
    for name, forward in forwards.items():
        getattr(network, name).forward = clocked(forward, name, seconds)
    try:
        yield seconds
    finally:
        for name in names:
            del getattr(network, name).forward


def with_rest(seconds: dict[str, float], total: float) -> dict[str, float]:
    """Add the rest and the total."""
    return {**seconds, "rest": total - sum(seconds.values()), "total": total}


if __name__ == "__main__":
    main()
