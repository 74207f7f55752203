"""Reading of large files of every format: time and memory, beside the plainest reading.

    python -m pipelines.benchmarks.speed.format_reading -o FOLDER

Each file is made, read in a new process by its reader and by a plain parse, and removed. A small
file of the same kind is read first, so that imports do not count. The time is the processor's.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from pipelines.benchmarks.speed import city_files, city_model, format_readers, plain_readers
from pipelines.benchmarks.speed.city_model import City, make_city
from pipelines.benchmarks.speed.fresh_process import Cost, measure
from pipelines.benchmarks.table import Table, results_option

Writer = Callable[[City, Path], None]
Reader = Callable[[Path], object]
SMALL = (100, 10_000)
"""Images and observations of the small city, which is read first."""


class Case(NamedTuple):
    """File, its reader, and its plain reading."""

    write: Writer
    read: Reader
    plain: Reader
    title: str = ""
    """Title of the row; empty for the reader's own."""


def _poses(write: Callable[[int, Path], None], count: int) -> Writer:
    """Writer of so many poses; of a small city, of one for each image."""
    return lambda city, path: write(min(count, 50 * len(city.centers)), path)


def _cases() -> list[Case]:
    comma_pairs = partial(city_files.write_pairs, separator=", ")
    read, plain, files, model = format_readers, plain_readers, city_files, city_model
    long, short = _poses(files.write_pose_list, 10**6), _poses(files.write_pose_list, 12_000)
    return [
        Case(model.write_colmap_text, read.colmap_text, plain.colmap_text),
        Case(model.write_nvm, read.nvm, plain.numbers_behind_cameras),
        Case(model.write_bundler, read.bundler, plain.bundler),
        Case(model.write_kapture, read.kapture, plain.kapture),
        Case(model.write_kapture_tables, read.kapture_tables, plain.tables),
        Case(files.write_matches_tar, read.kapture_matches, plain.kapture_matches),
        Case(comma_pairs, read.kapture_pairs, plain.comma_lines),
        Case(model.write_capture, read.capture, plain.tables),
        Case(files.write_transforms, read.transforms, plain.whole_json),
        Case(files.write_colmap_database, read.colmap_database, plain.colmap_database),
        Case(files.write_hloc_features, read.hloc_features, plain.h5),
        Case(files.write_hloc_matches, read.hloc_matches, plain.h5),
        Case(files.write_hloc_global_descriptors, read.hloc_global_descriptors, plain.h5),
        Case(files.write_pairs, read.retrieval, plain.lines),
        Case(files.write_pairs, read.retrieval_known, plain.lines),
        Case(files.write_pairs, read.pairs, plain.lines),
        Case(_poses(files.write_tum, 10**6), read.tum, plain.numbers),
        Case(_poses(files.write_euroc, 10**6), read.euroc, plain.comma_numbers),
        Case(_poses(files.write_kitti, 10**6), read.kitti, plain.numbers),
        Case(short, read.poses, plain.named_numbers, "hloc pose list, 12,000 lines"),
        Case(long, read.poses, plain.named_numbers, "hloc pose list, 1,000,000 lines"),
        Case(short, read.submission, plain.named_numbers, "submission, read, 12,000 lines"),
        Case(long, read.submission, plain.named_numbers, "submission, read, 1,000,000 lines"),
        Case(long, read.submission_check, plain.named_numbers, "submission, checked, 1,000,000"),
        Case(_poses(files.write_seven_scenes, 20_000), read.seven_scenes, plain.pose_files),
    ]


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--images", "num_images", default=20_000, show_default=True)
@click.option("--observations", default=10_000_000, show_default=True)
@click.option("--runs", default=3, show_default=True, help="Runs of each reader, in turn.")
@click.option("--only", default="", help="Only readers whose function begins like this.")
@results_option
def main(
    output: Path, num_images: int, observations: int, runs: int, only: str, results: Path | None
) -> None:
    """Write each file, read it in turn by both readers, and print a row."""
    table = Table(
        "Reading of large files of every format",
        ("reader", "file, MB", "seconds", "peak memory, MB", "time over plain parse's",
         "memory over plain parse's", "memory over file"),
        f"{num_images} images; {observations} observations where the format has any; medians of "
        f"{runs} runs each. A plain parse by numpy, csv, json, h5py, sqlite3 or tarfile keeps the "
        f"numbers and checks nothing.",
    )  # fmt: skip
    cities = make_city(num_images, observations), make_city(*SMALL)
    for case in _cases():
        if case.read.__name__.startswith(only):
            folder = output / case.read.__name__
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _add_row(table, case, cities, folder, runs)
            shutil.rmtree(folder)
            table.write(results)  # after each row: the whole takes long


def _add_row(table: Table, case: Case, cities: tuple[City, City], folder: Path, runs: int) -> None:
    path, warm = folder / "large", folder / "small"
    for city, target in zip(cities, (path, warm), strict=True):
        case.write(city, target)
    size = sum(file.stat().st_size for file in folder.glob("large*") if file.is_file())
    size += sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    costs: dict[Reader, list[Cost]] = {case.read: [], case.plain: []}
    for _ in range(runs):
        for reader, found in costs.items():
            found.append(measure(f"{reader.__module__}:{reader.__name__}", path, warm))
    _, seconds, megabytes = np.median(costs[case.read], axis=0)
    _, plain_seconds, plain_megabytes = np.median(costs[case.plain], axis=0)
    table.add(
        case.title or (case.read.__doc__ or "").rstrip("."), round(size / 1e6),
        round(seconds, 1), round(megabytes), round(seconds / plain_seconds, 1),
        round(megabytes / max(plain_megabytes, 1), 1), round(megabytes * 2**20 / size, 1),
    )  # fmt: skip


if __name__ == "__main__":
    main()
