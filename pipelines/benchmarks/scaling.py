"""How bytes and time of a query grow with the map: simulated streets of any length.

    python -m pipelines.benchmarks.scaling -o OUT --images 120 --images 1920 --images 20000

A street of N images in a row, each of which sees 300 of 30 N landmarks with random descriptors of
128 floats; its compact map is written, opened in a process of its own, and answers queries taken
between the images: 1024 keypoints, half of them of landmarks, noise of 1 px and on the descriptors.
Features and global descriptors of queries are made up too, so only what depends on the map counts.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import Config, load_config
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.localize.cascade import SeenQuery
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.map import Map
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, LocalFeatures, Photo, RetrievalHits, Rigid3
from pipelines.matched_towns import is_right

CAMERA = Camera("PINHOLE", 1024, 768, np.array([600.0, 600.0, 512.0, 384.0]))
STEP = 30
"""Landmarks an image, a metre of street."""
SEEN = 300
DIM, GLOBAL_DIM = 128, 1024
KEYPOINTS = 1024
QUERIES = 50


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--images", "counts", type=int, multiple=True, default=(120, 480, 1920, 20000))
@click.option("--measure", type=int, hidden=True)
def main(output: Path, counts: tuple[int, ...], measure: int | None) -> None:
    """Print a line for each size."""
    if measure is not None:
        print(json.dumps(measured(output / str(measure), measure)))
        return
    print(
        "| images | landmarks | MB | opens in s | memory MB | search ms | after search ms | right |"
    )
    print("|---" * 8 + "|")
    for count in counts:
        folder = output / str(count)
        if not (folder / "map.json").is_file():
            compress_map(street(count), folder)
        command = [sys.executable, "-m", __spec__.name, "-o", str(output), "--measure", str(count)]
        row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(
            f"| {count} | {count * STEP} | {size / 1e6:.1f} | {row['open_s']:.2f} | "
            f"{row['memory_mb']:.0f} | {row['search_ms']:.2f} | {row['answer_ms']:.1f} | "
            f"{row['right']} of {QUERIES} |",
            flush=True,
        )


def street(count: int) -> Map:
    """The map of ``count`` images a metre apart, which look across the street."""
    rng = np.random.default_rng(count)
    number = count * STEP
    along = np.arange(number) / STEP + rng.uniform(-1, 1, number)
    xyz = np.stack([along, rng.uniform(-3, 3, number), rng.uniform(6, 12, number)], axis=1)
    descriptors = rng.standard_normal((number, DIM), np.float32)
    images = []
    for index in range(count):
        first = max(0, index * STEP + STEP // 2 - SEEN // 2)
        points = np.arange(first, min(first + SEEN, number))
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
    """A map checks that its images have features, and how many; nobody reads them here."""

    def __init__(self, model: SfmModel) -> None:
        super().__init__()
        for image in model.images:
            n = len(image.keypoints)
            nothing = np.zeros((n, 1), np.float32)
            self[image.name] = LocalFeatures(
                image.keypoints.astype(np.float32), nothing, nothing[:, 0], (1024, 768)
            )


def pose_at(metre: float) -> Rigid3:
    """Of a camera that looks across the street from there."""
    return Rigid3(np.eye(3), -np.array([metre, 0.0, 0.0]))


def global_descriptors(count: int) -> np.ndarray:
    """(N, D) unit rows that change slowly along the street."""
    rng = np.random.default_rng(1)
    knots = rng.standard_normal((count // 5 + 2, GLOBAL_DIM), np.float32)
    place = np.arange(count) / 5
    share = (place % 1)[:, None].astype(np.float32)
    rows = (1 - share) * knots[place.astype(int)] + share * knots[place.astype(int) + 1]
    unit: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def measured(folder: Path, count: int) -> dict[str, float]:
    """Times and memory of queries in the compact map of a street."""
    before = time.perf_counter()
    place = Map.open(folder)
    opened = time.perf_counter() - before
    localizer = Localizer(place)
    rng, searches, answers, right = np.random.default_rng(7), [], [], 0
    for _ in range(QUERIES):
        metre = float(rng.uniform(5, count - 5))
        described = place.global_descriptors[int(metre)][None] + rng.standard_normal(
            (1, place.global_descriptors.shape[1]), np.float32
        ) * np.float32(0.005)
        described /= np.linalg.norm(described)
        before = time.perf_counter()
        hits = localizer.search(described)
        searches.append(time.perf_counter() - before)
        seen = query_at(metre, place, hits, rng)
        before = time.perf_counter()
        result = localizer.answer(seen, "query", StageClock())
        answers.append(time.perf_counter() - before)
        right += is_right(result, pose_at(metre))
    return {
        "open_s": opened,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "search_ms": 1000 * float(np.median(searches)),
        "answer_ms": 1000 * float(np.median(answers)),
        "right": int(right),
    }


def query_at(metre: float, place: Map, hits: RetrievalHits, rng: np.random.Generator) -> SeenQuery:
    """Half of the keypoints those of landmarks in view, the rest anywhere."""
    pose = pose_at(metre)
    first = int(max(0, metre * STEP - SEEN))
    points = np.arange(first, min(first + 2 * SEEN, place.model.num_points))
    xy = img_from_cam(CAMERA, pose.apply(place.model.xyz[points]))
    inside = ((xy > 0) & (xy < [CAMERA.width, CAMERA.height])).all(axis=1)
    points, xy = points[inside][: KEYPOINTS // 2], xy[inside][: KEYPOINTS // 2]
    assert place.landmark_descriptors is not None
    descriptors, _ = place.landmark_descriptors.rows_of(points)
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
    return SeenQuery(photo, CAMERA, True, (features,), hits)


if __name__ == "__main__":
    main()
