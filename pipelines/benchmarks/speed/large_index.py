"""An index of up to a million descriptors on disk: time to build, to search, recall and memory.

    python -m pipelines.benchmarks.speed.large_index FOLDER [--sizes 10000,100000,1000000]

Descriptors are made, not computed. Places are random points of 64 dimensions. Photos of a place, 50
each, lie about it with half its spread. A random projection takes them to 512 dimensions.
Queries are further photos of some places. The recall is the share of the 50 nearest by exact search
that are found. While the largest index is built, the process is killed and started again. A million
need 1.2 GB of disk.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from hloc_lite.io.python_process import python_command, python_environment
from hloc_lite.retrieval.large_index import LargeIndex, LargeIndexConfig
from hloc_lite.types import Float32
from pipelines.benchmarks.table import Table, results_option

DIM, LATENT_DIM = 512, 64
PHOTOS_OF_PLACE = 50
WITHIN, NOISE = 0.5, 0.05
"""Spread of a place's photos, and of each dimension, where places have a spread of 1."""
BATCH = 16384
NUM_QUERIES, K = 200, 50
CHANGED = 10_000
"""Descriptors that are added and removed at the end."""


def projection() -> Float32:
    """(64, 512) random projection."""
    rng = np.random.default_rng(1)
    return (rng.normal(size=(LATENT_DIM, DIM)) / np.sqrt(LATENT_DIM)).astype(np.float32)


def photos(rng: np.random.Generator, scenes: np.ndarray, size: int) -> Float32:
    """(N, 512) unit descriptors of a photo of each of N scenes, of ``size`` in all."""
    latent = np.random.default_rng([2, size]).normal(
        size=(max(1, size // PHOTOS_OF_PLACE), LATENT_DIM)
    )
    seen = latent[scenes % len(latent)] + WITHIN * rng.normal(size=(len(scenes), LATENT_DIM))
    vectors = seen.astype(np.float32) @ projection()
    vectors += NOISE * rng.standard_normal(vectors.shape, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def batches(size: int, start: int = 0) -> Iterator[tuple[list[str], Float32]]:
    """Names and descriptors from ``start`` to ``size``; a batch is the same whenever it is made."""
    for first in range(start - start % BATCH, size, BATCH):
        numbers = np.arange(first, min(first + BATCH, size))
        vectors = photos(np.random.default_rng([3, first]), numbers, size)
        keep = numbers >= start
        yield [f"{number:09d}.jpg" for number in numbers[keep]], vectors[keep]


def exact(queries: Float32, size: int) -> np.ndarray:
    """(Q, 50) numbers of the nearest descriptors by exact search."""
    best = np.full((len(queries), K), -2.0, np.float32)
    numbers = np.full((len(queries), K), -1)
    first = 0
    for names, vectors in batches(size):
        both = np.concatenate([best, queries @ vectors.T], axis=1)
        ids = np.concatenate(
            [numbers, np.tile(first + np.arange(len(names)), (len(queries), 1))], 1
        )
        chosen = np.argpartition(-both, K, axis=1)[:, :K]
        best, numbers = (np.take_along_axis(each, chosen, 1) for each in (both, ids))
        first += len(names)
    return numbers


def resident_mb() -> float:
    """Memory of this process that no file backs, MB."""
    text = Path("/proc/self/smaps_rollup").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Anonymous:"))
    return int(line.split()[1]) / 1000


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sizes", default="10000,100000,1000000", show_default=True)
@results_option
def main(folder: Path, sizes: str, results: Path | None) -> None:
    """Build and search an index of each size below FOLDER."""
    columns = ("descriptors", "build / s", "kills", "search / ms", f"recall@{K}", "bytes each",
               "memory / MB", "peak while building / MB", f"add {CHANGED} / s",
               f"remove {CHANGED} / s")  # fmt: skip
    notes = (
        "Clustered descriptors of 512 dimensions, made as the module says. Memory is what no file "
        "backs, after the searches, in the process of the benchmark."
    )
    table = Table("Index of many descriptors", columns, notes)
    counts = [int(each) for each in sizes.split(",")]
    for size in counts:
        index_folder = folder / str(size)
        start = time.perf_counter()
        kills, peak = build(index_folder, size, kill=size == max(counts) and size > BATCH)
        built_s = time.perf_counter() - start
        table.add(size, round(built_s, 1), kills, *measure(index_folder, size, peak))
    table.write(results)


def build(folder: Path, size: int, *, kill: bool) -> tuple[int, float]:
    """Build in a child process; kill it once after half of its segments if asked.

    Returns:
        number of kills, and the peak memory of the child, MB.
    """
    command = [*python_command("pipelines.benchmarks.speed.large_index_worker", folder, str(size))]
    environment = {**python_environment(), "PYTHONPATH": str(Path(__file__).parents[3])}
    kills = 0
    if kill:
        process = subprocess.Popen(command, env=environment)
        while process.poll() is None and len(list(folder.glob("segment-*"))) < 3:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills = 1
    process = subprocess.Popen(command, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"building ended with {status}")
    return kills, usage.ru_maxrss / 1000


def measure(folder: Path, size: int, peak_mb: float) -> tuple[object, ...]:
    """Cells of the table after the build."""
    index = LargeIndex(folder, config_of(size))
    assert len(index) == size, (len(index), size)
    rng = np.random.default_rng(4)
    queries = photos(rng, rng.integers(0, size, NUM_QUERIES), size)
    index.search(queries[:5], K)  # files are checked at the first search
    start = time.perf_counter()
    found = [index.search(query[None], K)[0].names for query in queries]
    search_ms = 1000 * (time.perf_counter() - start) / NUM_QUERIES
    memory = resident_mb()
    nearest = exact(queries, size)
    recall = np.mean(
        [
            len({int(name[:9]) for name in names} & set(row.tolist())) / K
            for names, row in zip(found, nearest, strict=True)
        ]
    )
    num_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / size
    new = photos(rng, np.arange(CHANGED), size)
    start = time.perf_counter()
    index.add([([f"new {number}" for number in range(CHANGED)], new)])
    added_s = time.perf_counter() - start
    assert index.search(new[:1], 1)[0].names == ("new 0",)
    start = time.perf_counter()
    index.remove(f"new {number}" for number in range(CHANGED))
    removed_s = time.perf_counter() - start
    assert len(index) == size and not index.search(new[:1], 1)[0].names[0].startswith("new")
    return (
        round(search_ms, 2), round(float(recall), 4), round(num_bytes), round(memory),
        round(peak_mb), round(added_s, 2), round(removed_s, 2),
    )  # fmt: skip


def config_of(size: int) -> LargeIndexConfig:
    """Config of an index of that size."""
    return LargeIndexConfig(expected_rows=size)


if __name__ == "__main__":
    main()
