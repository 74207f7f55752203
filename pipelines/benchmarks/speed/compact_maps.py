"""Size against recall: compact maps of a rendered town, whole and cut, beside the full map.

    python -m pipelines.benchmarks.speed.compact_maps TOWN MAP -o OUT

MAP is a full map of TOWN. hloc's size is that of what it keeps for the same images and features:
float16 descriptors, keypoints and scores of all keypoints (features.h5), int16 matches0 and float16
matching_scores0 for each keypoint of the first image of each pair (matches.h5), and the COLMAP
model. HDF5's overhead and global descriptors are left out, although our sizes contain the latter.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from hloc_lite.io.python_process import python_environment
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.map import Map
from hloc_lite.maps.quantization import Coding
from hloc_lite.maps.summary import summarize_map
from hloc_lite.synthetic.config import CONDITIONS
from pipelines.benchmarks.table import Table, results_option
from pipelines.towns.described_queries import DescribedQuery, correct_queries, describe_queries
from pipelines.towns.matched_towns import query_config

SHARES = (1.0, 0.5, 0.25, 0.1)
"""Byte budgets, as shares of the whole compact map in int8."""
COLUMNS = (
    "map", "bytes", "hloc's bytes / bytes", "landmarks", "minimum landmarks per image",
    *(f"correct, {condition}" for condition in CONDITIONS), "lost", "gained", "opening, ms",
    "opening CPU, ms", "memory when opened, MB", "memory when read, MB",
)  # fmt: skip
OPEN_AND_READ = """
import sys, time, json
from pathlib import Path
import hloc_lite.maps.compact
from hloc_lite.maps.map import Map
page = 4096
def resident(): return int(Path("/proc/self/statm").read_text().split()[1]) * page
before, start, cpu = resident(), time.perf_counter(), time.process_time()
sfm_map = Map.open(sys.argv[1])
wall, cpu, opened = time.perf_counter() - start, time.process_time() - cpu, resident()
for image in sfm_map.model.images: sfm_map.features[image.name]
print(json.dumps([wall, cpu, opened - before, resident() - before]))
"""


@click.command()
@click.argument("town", type=click.Path(path_type=Path, exists=True))
@click.argument("full", type=click.Path(path_type=Path, exists=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--coding", "codings", multiple=True, default=("float16", "int8", "pq"))
@click.option("--share", "shares", type=float, multiple=True, default=SHARES, show_default=True)
@click.option("--cut", "cut", multiple=True, default=("int8", "pq"), help="Codings with budgets.")
@click.option("--matcher", help="Matcher in place of the map's own.")
@click.option("--retrieved", default=10, show_default=True, help="Retrieved images per query.")
@click.option("--every", default=2, show_default=True, help="Use every n-th query.")
@results_option
def main(
    town: Path,
    full: Path,
    output: Path,
    codings: Sequence[str],
    shares: Sequence[float],
    cut: Sequence[str],
    matcher: str | None,
    retrieved: int,
    every: int,
    results: Path | None,
) -> None:
    """Print the table of sizes and recalls."""
    sfm_map = Map.open(full)
    queries = describe_queries(town, sfm_map, output / "queries")[::every]
    settings = ["localize.matching=images"]  # coarse-to-fine matching would hide the matcher's loss
    settings += [] if matcher is None else [f"matching.name={matcher}"]

    def localize(opened: Map) -> np.ndarray:
        localizer = Localizer(opened, query_config(opened, settings))
        return np.array(correct_queries(localizer, queries, retrieved))

    hloc_bytes = bytes_of_hloc(sfm_map, full)
    table = Table(
        "Compact maps",
        COLUMNS,
        f"{sfm_map.config.features.name}, {matcher or 'own matcher'}, {retrieved} retrieved "
        f"images, {len(queries)} queries; hloc: {hloc_bytes:,} bytes. Lost and gained: queries "
        f"compared with the full map.",
    )
    reference = localize(sfm_map)
    table.add(*row("full", full, sfm_map, reference, reference, queries, hloc_bytes))
    whole = whole_bytes(sfm_map, output)
    for coding in codings:
        for share in shares if coding in cut else shares[:1]:
            folder = output / f"{coding}-{share:g}"
            budget = None if share == 1 else int(share * whole)
            compress_map(sfm_map, folder, coding=Coding(coding), max_bytes=budget, overwrite=True)
            opened = Map.open(folder)
            label = coding if budget is None else f"{coding}, {share:g} of the bytes"
            correct = localize(opened)
            table.add(*row(label, folder, opened, correct, reference, queries, hloc_bytes))
    table.write(results)


def row(
    label: str,
    folder: Path,
    sfm_map: Map,
    correct: np.ndarray,
    reference: np.ndarray,
    queries: Sequence[DescribedQuery],
    hloc_bytes: int,
) -> list[object]:
    """Cells of the table for one map."""
    summary = summarize_map(folder, sfm_map)
    header = json.loads((folder / "map.json").read_text(encoding="utf-8"))
    by_condition = [np.array([q.condition == c for q in queries]) for c in CONDITIONS]
    command = [sys.executable, "-P", "-c", OPEN_AND_READ, str(folder)]
    measured = subprocess.run(
        command, check=True, capture_output=True, text=True, env=python_environment()
    ).stdout
    wall_s, cpu_s, opened, read = json.loads(measured)
    return [
        label,
        summary.total_bytes,
        round(hloc_bytes / summary.total_bytes, 1),
        summary.num_landmarks,
        header.get("least"),
        *(f"{correct[rows].sum()} of {rows.sum()}" for rows in by_condition),
        (reference & ~correct).sum(),
        (correct & ~reference).sum(),
        round(1e3 * wall_s),
        round(1e3 * cpu_s),
        round(opened / 1e6, 1),
        round(read / 1e6, 1),
    ]


def whole_bytes(sfm_map: Map, output: Path) -> int:
    """Size of the compact map in int8 with all landmarks."""
    compress_map(sfm_map, output / "int8-1", overwrite=True)
    return summarize_map(output / "int8-1").total_bytes


def bytes_of_hloc(sfm_map: Map, folder: Path) -> int:
    """Size of what hloc keeps on disk for the same images and features."""
    counts = [len(image.point3D_idxs) for image in sfm_map.model.images]
    dim = sfm_map.features[sfm_map.model.images[0].name].descriptors.shape[1]
    features = sum(counts) * 2 * (dim + 2 + 1)
    matches = int(sfm_map.report["pairs_tried"] * np.mean(counts) * (2 + 2))
    model = sum(path.stat().st_size for path in (folder / "sfm").glob("*.bin"))
    return features + matches + model


if __name__ == "__main__":
    main()
