"""ALIKED here and in kornia, on the same weights and the same real photos: times and differences.

    python pipelines/benchmarks/extraction.py FOLDER ... --profile

Both run in turn on each photo, resized to the same pixels. Times are with the limit of keypoints
that is asked for; outputs are compared without one, since the two sides rank peaks differently
(kornia before the sub-pixel refinement, here after it). ALIKED cuts a descriptor's patch at the
whole pixel below the keypoint: where that coordinate is a whole number up to rounding, rounding
decides which, on either side. Such keypoints are counted apart ("on a pixel").
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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

EVERY_PEAK = 20000
"""kornia's own upper limit."""
SAME_PX = 0.05
ON_A_PIXEL_PX = 1e-3
BLOCKS = ("block1", "block2", "block3", "block4", "score_head", "dkd", "desc_head")
STAGES = ("scores_and_features", "_refined_maxima", "describe")
Found = tuple[np.ndarray, np.ndarray]
"""(N, 2) keypoints, the centre of the first pixel at (0.5, 0.5), and (N, D) descriptors."""
Side = Callable[[Photo], Found]


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--photos", "limit", default=20, show_default=True, help="At most so many.")
@click.option("--weights", "name", default="aliked-n16", show_default=True)
@click.option("--side", default=1024, show_default=True, help="Longer side, px.")
@click.option("--keypoints", default=1024, show_default=True, help="Limit of the timed runs.")
@click.option("--profile", is_flag=True, help="Also the time of each block, on the first photo.")
def main(
    folders: tuple[Path, ...], limit: int, name: str, side: int, keypoints: int, profile: bool
) -> None:
    """Print times and differences over the photos below FOLDERS."""
    photos = [photo for folder in folders for photo in resized_photos(folder, side)][:limit]
    timed_sides = [kornia_side(name, keypoints), our_side(name, keypoints, side)]
    full_sides = [kornia_side(name, EVERY_PEAK), our_side(name, EVERY_PEAK, side)]
    for run in timed_sides:
        run(photos[0])  # what is first pays for memory and caches
    times = np.array([in_turn(timed_sides, photo, i) for i, photo in enumerate(photos)])
    click.echo(f"{len(photos)} photos, {side} px, {torch.get_num_threads()} threads, {name}")
    click.echo(table_of_times(times))
    compared = [compare(*(run(photo) for run in full_sides)) for photo in photos]
    click.echo(table_of_differences(compared))
    if profile:
        for title, profiled in (("kornia", profile_kornia), ("hloc_lite", profile_ours)):
            seconds = profiled(name, keypoints, side, photos[0])
            parts = ", ".join(f"{part} {1000 * s:.0f}" for part, s in seconds.items())
            click.echo(f"{title}, CPU ms: {parts}")


def resized_photos(folder: Path, side: int) -> Iterator[Photo]:
    """The folder's images, the longer side at most ``side`` px."""
    for name in list_images(folder):
        photo = read_photo(folder / name, name, ImagesConfig())
        size = resized_size(photo.width, photo.height, side)
        yield Photo(name, resize(photo.pixels, size))


def kornia_network(name: str, keypoints: int) -> ALIKED:
    """kornia's ALIKED with the authors' weights, detecting as ours does."""
    network = ALIKED(name, max_num_keypoints=keypoints, detection_threshold=SCORE_THRESHOLD)
    state = torch.load(WeightsStore(offline=True).path(name), weights_only=True)
    state.setdefault("dkd.hw_grid", network.dkd.hw_grid)
    network.load_state_dict(state, strict=True)
    return network.eval()


def kornia_side(name: str, keypoints: int) -> Side:
    """kornia as its documentation says, in inference mode."""
    network = kornia_network(name, keypoints)

    def run(photo: Photo) -> Found:
        with torch.inference_mode():
            found = network(as_tensor(photo))[0]
        return found.keypoints.numpy() + 0.5, found.descriptors.numpy()

    return run


def as_tensor(photo: Photo) -> torch.Tensor:
    return torch.tensor(photo.pixels).permute(2, 0, 1)[None].float() / 255


def our_side(name: str, keypoints: int, side: int) -> Side:
    """The extractor of this project."""
    extractor = our_extractor(name, keypoints, side)

    def run(photo: Photo) -> Found:
        found = extractor.extract([photo])[0]
        return found.keypoints, found.descriptors

    return run


def our_extractor(name: str, keypoints: int, side: int) -> AlikedExtractor:
    """With kornia's detection threshold, which is the authors'."""
    config = FeaturesConfig(name=name, max_keypoints=keypoints, max_side_px=side)
    return AlikedExtractor(name, config, Runtime(WeightsStore(offline=True)))


def in_turn(sides: Sequence[Side], photo: Photo, turn: int) -> list[tuple[float, float]]:
    """Wall and CPU seconds of each side; who begins alternates."""
    seconds = [(0.0, 0.0)] * len(sides)
    for index in np.roll(np.arange(len(sides)), turn):
        wall, cpu = time.perf_counter(), time.process_time()
        sides[index](photo)
        seconds[index] = time.perf_counter() - wall, time.process_time() - cpu
    return seconds


def table_of_times(times: np.ndarray) -> str:
    """Medians of (photos, sides, wall and CPU) seconds."""
    medians = np.median(times, axis=0)
    ratios = np.median(times[:, 0] / times[:, 1], axis=0)
    lines = [
        "| median per photo | kornia s | hloc_lite s | ratio | least ratio |",
        "|---" * 5 + "|",
    ]
    for kind, what in enumerate(("wall", "CPU")):
        least = (times[:, 0, kind] / times[:, 1, kind]).min()
        lines.append(
            f"| {what} | {medians[0, kind]:.3f} | {medians[1, kind]:.3f} | {ratios[kind]:.1f} "
            f"| {least:.1f} |"
        )
    return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Keypoints of one photo that both sides have."""

    counts: tuple[int, int]
    """All keypoints of either side."""
    distances: np.ndarray
    """(K,) pixels, of kornia's keypoints that have ours within ``SAME_PX``."""
    descriptors: np.ndarray
    """(K,) largest difference of a component."""
    on_a_pixel: np.ndarray
    """(K,) bool: a coordinate is a whole number up to rounding."""


def compare(theirs: Found, ours: Found) -> Comparison:
    """Each of kornia's keypoints with the nearest of ours."""
    distances, nearest = cKDTree(ours[0]).query(theirs[0])
    same = distances < SAME_PX
    grid = theirs[0][same] - 0.5
    on_a_pixel = (np.abs(grid - np.round(grid)) < ON_A_PIXEL_PX).any(axis=1)
    difference = np.abs(theirs[1][same] - ours[1][nearest[same]]).max(axis=1)
    return Comparison((len(theirs[0]), len(ours[0])), distances[same], difference, on_a_pixel)


def table_of_differences(compared: Sequence[Comparison]) -> str:
    """Over all photos together."""
    theirs, ours = np.sum([each.counts for each in compared], axis=0)
    distances = np.concatenate([each.distances for each in compared])
    differences = np.concatenate([each.descriptors for each in compared])
    on_a_pixel = np.concatenate([each.on_a_pixel for each in compared])
    elsewhere, there = differences[~on_a_pixel], differences[on_a_pixel]
    within = 100 * (elsewhere < 1e-3).mean()
    lines = [
        f"keypoints: kornia {theirs}, hloc_lite {ours}; within {SAME_PX} px "
        f"{100 * len(distances) / theirs:.3f} %, median {np.median(distances):.1e} px, "
        f"largest {distances.max():.1e} px",
        f"descriptors: 99 % below {np.quantile(elsewhere, 0.99):.1e}, "
        f"largest {elsewhere.max():.1e}, below 1e-3 {within:.3f} %",
    ]
    if len(there):
        lines.append(
            f"on a pixel: {len(there)} keypoints, descriptors below 1e-3 "
            f"{100 * (there < 1e-3).mean():.1f} %, largest {there.max():.1e}"
        )
    return "\n".join(lines)


def profile_kornia(name: str, keypoints: int, side: int, photo: Photo) -> dict[str, float]:
    """CPU seconds of each block; rest: upsampling, joining, normalizing, padding."""
    network = kornia_network(name, keypoints)
    pixels = as_tensor(photo)
    with torch.inference_mode():
        network(pixels)
        with hooked(network, BLOCKS) as seconds:
            start = time.process_time()
            network(pixels)
            return with_rest(seconds, time.process_time() - start)


def profile_ours(name: str, keypoints: int, side: int, photo: Photo) -> dict[str, float]:
    """CPU seconds of each block; rest: conversion, choice of keypoints."""
    extractor = our_extractor(name, keypoints, side)
    extractor.extract([photo])
    with hooked(extractor._network, BLOCKS[:4]) as seconds, mock.patch.multiple(
        aliked, **{stage: clocked(getattr(aliked, stage), stage, seconds) for stage in STAGES}
    ):  # fmt: skip
        start = time.process_time()
        extractor.extract([photo])
        total = time.process_time() - start
    seconds["score head"] = seconds.pop(STAGES[0]) - sum(seconds[block] for block in BLOCKS[:4])
    return with_rest(seconds, total)


def clocked(function: Callable, name: str, seconds: dict[str, float]) -> Callable:  # type: ignore[type-arg]
    """The same function, its CPU time added to ``seconds``."""

    def run(*arguments: object, **named: object) -> object:
        start = time.process_time()
        result = function(*arguments, **named)
        seconds[name] += time.process_time() - start
        return result

    return run


@contextmanager
def hooked(network: nn.Module, names: Sequence[str]) -> Iterator[dict[str, float]]:
    """CPU seconds spent within some of the network's modules."""
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
    return {**seconds, "rest": total - sum(seconds.values()), "total": total}


if __name__ == "__main__":
    main()
