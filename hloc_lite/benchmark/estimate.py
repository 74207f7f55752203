"""Estimate of the time, disk space and memory of a benchmark run, measured on its first images."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.benchmark.options import BenchmarkOptions
from hloc_lite.benchmark.parts import answer_part, chosen_part, map_part, surface_part
from hloc_lite.clock import peak_memory_mb
from hloc_lite.config import Config, config_from_dict
from hloc_lite.config.pair_spec import parse_pair_spec
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import HlocLiteError
from hloc_lite.io.temporary_folders import temporary_folder

SAMPLE_IMAGES, SAMPLE_QUERIES = 6, 2
"""Images of the measured sample: 15 pairs are enough to time a pair, and take seconds."""
MIN_COSINE = 0.7
"""Cosine of the angle between two optical axes from which on images look the same way: 45 deg."""
PER_PAIR = ("matching", "verification", "reconstruction")
"""Stages of mapping whose time grows with the pairs; the others grow with the images."""


@dataclass(frozen=True)
class Cost:
    """Estimated cost of a whole run."""

    num_map_images: int
    num_pairs: int
    num_queries: int
    map_s: float
    queries_s: float
    disk_bytes: float
    memory_bytes: float

    def __str__(self) -> str:
        return (
            f"{self.num_map_images} map images with {self.num_pairs} pairs: about "
            f"{duration(self.map_s)}; {self.num_queries} queries: about "
            f"{duration(self.queries_s)}; disk {size(self.disk_bytes)}, memory "
            f"{size(self.memory_bytes)} (measured on {SAMPLE_IMAGES} images)"
        )


def estimate_cost(
    parts: Sequence[Dataset], config: Config, options: BenchmarkOptions
) -> Cost | None:
    """Cost of a run by a small map of the first images, and a few queries in it.

    Args:
        parts: all parts; the sample is of the first.

    Returns:
        None if the sample gave no map, as for images that do not overlap.
    """
    first = parts[0]
    names = sample_images(first)
    few = dict(list(first.query_cameras.items())[:SAMPLE_QUERIES])
    sample = Dataset(
        name=first.name, image_folder=first.image_folder, map_image_names=names,
        reference=first.reference, queries={"sample": few}, ground_truth={},
        is_metric=first.is_metric, depth=first.depth,
    )  # fmt: skip
    quiet = BenchmarkOptions(
        profile=options.profile, device=options.device, offline=options.offline
    )
    exhaustive = config_from_dict(
        {**config.model_dump(mode="json"), "pairs": {"spec": "exhaustive"}}
    )
    with temporary_folder() as folder:
        try:
            sfm_map = map_part(chosen_part(sample, quiet), folder, exhaustive, quiet)
            start = time.perf_counter()
            sfm_map = surface_part(sample, sfm_map, folder)
            surface_s = time.perf_counter() - start
            start = time.perf_counter()
            answer_part(sample, sfm_map, folder, quiet)
        except HlocLiteError:
            return None
        query_s = (time.perf_counter() - start) / max(len(few), 1)
        stored = sum(
            os.path.getsize(os.path.join(at, name))
            for at, _, files in os.walk(folder)
            for name in files
        )
    timings = sfm_map.report["timings_s"]
    num_sample_pairs = len(names) * (len(names) - 1) / 2
    pair_s = sum(timings.get(stage, 0.0) for stage in PER_PAIR) / max(num_sample_pairs, 1)
    image_s = sum(s for stage, s in timings.items() if stage not in PER_PAIR) / len(names)
    image_s += surface_s / len(names)
    num_images = sum(len(part.map_image_names) for part in parts)
    num_queries = sum(len(part.query_names) for part in parts)
    num_pairs = sum(expected_pairs(part, config) for part in parts)
    per_image = stored / len(names)
    largest = max(len(part.map_image_names) for part in parts)
    return Cost(
        num_images, num_pairs, num_queries,
        (1 + config.self_test.max_time_share) * (image_s * num_images + pair_s * num_pairs),
        query_s * num_queries, per_image * num_images,
        (peak_memory_mb() or 0.0) * 2**20 + per_image * largest,
    )  # fmt: skip


def sample_images(part: Dataset) -> tuple[str, ...]:
    """Map images of the sample: the first, and those next to it that look the same way.

    Without poses, the first ones of the list.
    """
    images = () if part.reference is None else part.reference.images
    poses = {image.name: image.cam_from_world for image in images}
    known = [name for name in part.map_image_names if name in poses]
    if not known:
        return part.map_image_names[:SAMPLE_IMAGES]
    first = poses[known[0]]
    axis = first.rotation[2]

    def is_behind(name: str) -> bool:
        return float(poses[name].rotation[2] @ axis) < MIN_COSINE

    def distance(name: str) -> float:
        return float(np.linalg.norm(poses[name].center - first.center))

    return tuple(sorted(known, key=lambda name: (is_behind(name), distance(name)))[:SAMPLE_IMAGES])


def expected_pairs(part: Dataset, config: Config) -> int:
    """Number of image pairs that a config matches in a part; each image's pairs partly repeat."""
    count = len(part.map_image_names)
    num_points = None if part.reference is None else part.reference.num_points
    spec = parse_pair_spec(config.pairs, count, num_points)
    if spec.kind == "exhaustive" or spec.file is not None:
        return count * (count - 1) // 2
    return min(count * spec.k, count * (count - 1) // 2)


def duration(seconds: float) -> str:
    """Duration for people: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def size(num_bytes: float) -> str:
    """Number of bytes for people: ``300 MB``, ``4.2 GB``."""
    if num_bytes < 1e9:
        return f"{math.ceil(num_bytes / 1e6)} MB"
    return f"{num_bytes / 1e9:.1f} GB"
