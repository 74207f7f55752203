"""Size, memory and query time as the map grows, on simulated streets of any length.

    python -m pipelines.benchmarks.speed.map_size -o OUT --images 120 --images 1920 --images 20000

A street has N images in a row, which see 300 of 30 N landmarks each, with random descriptors of 128
floats. Its compact map is written, and opened in another process. Queries are taken between the
images: 1024 keypoints, half of them of landmarks, with noise of 1 px and on the descriptors.
Features and global descriptors of queries are simulated too: only time that depends on the map is
measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from hloc_lite.clock import StageClock, peak_memory_mb
from hloc_lite.config import Config, load_config
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.query import Predictions, Query
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.map import Map
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, LocalFeatures, Photo, Rigid3
from pipelines.benchmarks.table import Table, results_option
from pipelines.towns.matched_towns import is_correct

CAMERA = Camera("PINHOLE", 1024, 768, np.array([600.0, 600.0, 512.0, 384.0]))
LANDMARKS_PER_M = 30
"""Landmarks per metre of street, which is one image."""
NUM_OBSERVED = 300
"""Landmarks that an image observes."""
DIM, GLOBAL_DIM = 128, 1024
KEYPOINTS = 1024
QUERIES = 50


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--images", "counts", type=int, multiple=True, default=(120, 480, 1920, 20000))
@click.option("--measure", "measured", type=int, hidden=True)
@results_option
def main(output: Path, counts: tuple[int, ...], measured: int | None, results: Path | None) -> None:
    """Print a row for each size."""
    if measured is not None:
        print(json.dumps(measure(output / str(measured), measured)))
        return
    table = Table(
        "Growth with the number of map images",
        ["map images", "landmarks", "size, MB", "opens in, s", "memory, MB", "search, ms",
         "rest of a query, ms", "correct"],
        f"Simulated streets in compact maps; {QUERIES} queries. Times start after local features "
        f"and global descriptor.",
    )  # fmt: skip
    for count in counts:
        folder = output / str(count)
        if not (folder / "map.json").is_file():
            compress_map(make_street(count), folder)
        command = [sys.executable, "-m", __spec__.name, "-o", str(output), "--measure", str(count)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        table.add(
            count,
            count * LANDMARKS_PER_M,
            round(size / 1e6, 1),
            round(found["open_s"], 2),
            found["memory_mb"],
            round(found["search_ms"], 2),
            round(found["rest_ms"], 1),
            f"{found['correct']} of {QUERIES}",
        )
    table.write(results)


def make_street(count: int) -> Map:
    """Make the map of ``count`` images one metre apart that look across the street."""
    rng = np.random.default_rng(count)
    number = count * LANDMARKS_PER_M
    along = np.arange(number) / LANDMARKS_PER_M + rng.uniform(-1, 1, number)
    xyz = np.stack([along, rng.uniform(-3, 3, number), rng.uniform(6, 12, number)], axis=1)
    descriptors = rng.standard_normal((number, DIM), np.float32)
    images = []
    for index in range(count):
        first = max(0, index * LANDMARKS_PER_M + LANDMARKS_PER_M // 2 - NUM_OBSERVED // 2)
        points = np.arange(first, min(first + NUM_OBSERVED, number))
        pose = pose_at(index + 0.5)
        xy = img_from_cam(CAMERA, pose.apply(xyz[points]))
        images.append(SfmImage(index + 1, f"{index:06d}.jpg", 1, pose, xy, points))
    model = SfmModel(
        {1: CAMERA},
        tuple(images),
        np.arange(number) + 1,
        xyz,
        np.zeros((number, 3), np.uint8),
        np.full(number, 0.5),
    )
    return Map(
        model=model,
        features=_Features(model),
        global_names=tuple(image.name for image in images),
        global_descriptors=global_descriptors(count),
        retrieval_state={},
        config=load_config(settings=["retrieval.name=gem-lite0"], base=Config()),
        fingerprint=f"street{count}",
        weights={},
        landmark_descriptors=LandmarkDescriptors(descriptors, np.arange(number + 1)),
    )


class _Features(dict[str, LocalFeatures]):
    """Features without descriptors: maps check that they exist, but they are not used here."""

    def __init__(self, model: SfmModel) -> None:
        super().__init__()
        for image in model.images:
            assert image.keypoints is not None  # the street has some
            n = len(image.keypoints)
            nothing = np.zeros((n, 1), np.float32)
            self[image.name] = LocalFeatures(
                image.keypoints.astype(np.float32), nothing, nothing[:, 0], (1024, 768)
            )


def pose_at(metre: float) -> Rigid3:
    """Pose of a camera that looks across the street."""
    return Rigid3(np.eye(3), -np.array([metre, 0.0, 0.0]))


def global_descriptors(count: int) -> np.ndarray:
    """(N, D) unit descriptors that change slowly along the street."""
    rng = np.random.default_rng(1)
    knots = rng.standard_normal((count // 5 + 2, GLOBAL_DIM), np.float32)
    position = np.arange(count) / 5
    share = (position % 1)[:, None].astype(np.float32)
    first = position.astype(int)
    rows = (1 - share) * knots[first] + share * knots[first + 1]
    unit: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Measure times and memory of queries in the compact map of a street."""
    before = time.perf_counter()
    sfm_map = Map.open(folder)
    open_s = time.perf_counter() - before
    pipeline = Localizer(sfm_map).pipeline
    rng, search_s, rest_s, correct = np.random.default_rng(7), [], [], 0
    for _ in range(QUERIES):
        metre = float(rng.uniform(5, count - 5))
        descriptor = sfm_map.global_descriptors[int(metre)][None]
        noise = rng.standard_normal(descriptor.shape, np.float32)
        descriptor = descriptor + noise * np.float32(0.005)
        descriptor /= np.linalg.norm(descriptor)
        before = time.perf_counter()
        hits = pipeline.retrieve(descriptor)
        search_s.append(time.perf_counter() - before)
        query = make_query(metre, sfm_map, rng)
        before = time.perf_counter()
        result = pipeline.localize(query, hits, "query", StageClock())
        rest_s.append(time.perf_counter() - before)
        correct += is_correct(result, pose_at(metre))
    memory_mb = peak_memory_mb()
    return {
        "open_s": open_s,
        "memory_mb": None if memory_mb is None else round(memory_mb),
        "search_ms": 1000 * float(np.median(search_s)),
        "rest_ms": 1000 * float(np.median(rest_s)),
        "correct": int(correct),
    }


def make_query(metre: float, sfm_map: Map, rng: np.random.Generator) -> Query:
    """Simulate a query: half of its keypoints are of landmarks in view, the others random."""
    pose = pose_at(metre)
    first = int(max(0, metre * LANDMARKS_PER_M - NUM_OBSERVED))
    points = np.arange(first, min(first + 2 * NUM_OBSERVED, sfm_map.model.num_points))
    xy = img_from_cam(CAMERA, pose.apply(sfm_map.model.xyz[points]))
    inside = ((xy > 0) & (xy < [CAMERA.width, CAMERA.height])).all(axis=1)
    points, xy = points[inside][: KEYPOINTS // 2], xy[inside][: KEYPOINTS // 2]
    assert sfm_map.landmark_descriptors is not None
    descriptors, _ = sfm_map.landmark_descriptors.rows_of(points)
    descriptors = descriptors + 0.06 * rng.standard_normal(descriptors.shape, np.float32)
    more = KEYPOINTS - len(points)
    size = [CAMERA.width, CAMERA.height]
    keypoints = np.concatenate(
        [xy + rng.standard_normal(xy.shape), rng.uniform(0, size, (more, 2))]
    )
    rows = np.concatenate([descriptors, rng.standard_normal((more, DIM), np.float32)])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    features = LocalFeatures(
        keypoints.astype(np.float32), rows, np.ones(KEYPOINTS, np.float32), (1024, 768)
    )
    photo = Photo("query", np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8))
    return Query(photo, CAMERA, True, (features,), Predictions(None, None))


if __name__ == "__main__":
    main()
