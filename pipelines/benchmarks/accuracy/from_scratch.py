"""Maps from scratch against the truth, beside plain COLMAP and hloc's way on the same photos.

    python -m pipelines.benchmarks.accuracy.from_scratch CASE ... --work WORK --results FILE

CASE holds images/, model/ (COLMAP, true poses of the map images) and map_images.txt; rendered towns
have this form. hloc's way is ALIKED with LightGlue on all pairs, and COLMAP's incremental mapper
with its defaults. A camera is right within 5 % of the mean camera spread and 2 degrees, after a
robust similarity alignment.

Each map is made in a process of its own, within a time limit. Rows that FILE has already are kept,
so that a benchmark that was interrupted goes on where it ended. WORK keeps the maps and their logs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import numpy as np

from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.formats.hloc_lists import read_poses
from pipelines.benchmarks.accuracy.aligned_cameras import (
    MAX_ANGLE_DEG,
    MAX_ERROR_PERCENT,
    Poses,
    camera_errors,
    wrong_cameras,
)
from pipelines.benchmarks.accuracy.scratch_methods import METHODS
from pipelines.benchmarks.results import Cell, read_results
from pipelines.benchmarks.table import Table, results_option

COLUMNS = (
    "case", "photos", "focal length", "method", "registered", "within 5 %", "right", "wrong",
    "doubtful", "silent wrong", "exit code", "worst error, %", "seconds",
)  # fmt: skip
KEY = ("case", "focal length", "method")


@click.command()
@click.argument("cases", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--work", required=True, type=click.Path(path_type=Path), help="Folder of the maps.")
@click.option(
    "--method", "methods", multiple=True, type=click.Choice(METHODS), default=METHODS,
    show_default=True,
)  # fmt: skip
@click.option("--known-focal", is_flag=True, help="Give the true focal lengths, as EXIF would.")
@click.option("--threads", default=1, show_default=True, help="Threads of each method.")
@click.option("--time-limit", default=900.0, show_default=True, help="Seconds for each map.")
@click.option("--set", "settings", multiple=True, help="Settings of ours.")
@results_option
def main(
    cases: tuple[Path, ...],
    work: Path,
    methods: tuple[str, ...],
    known_focal: bool,
    threads: int,
    time_limit: float,
    settings: tuple[str, ...],
    results: Path | None,
) -> None:
    """Map the photos of each CASE from scratch by each method."""
    rows = _earlier_rows(results)
    focal = "known" if known_focal else "not given"
    options = ["--threads", str(threads), *(["--known-focal"] if known_focal else [])]
    options += [part for each in settings for part in ("--set", each)]
    for case in cases:
        for method in methods:
            key = (case.name, focal, method)
            if any(_key(row) == key for row in rows):
                continue
            folder = work / _name(key)
            stored = _stored_options(work, case, method)
            rows.append(measured_row(case, method, focal, folder, options + stored, time_limit))
            print(*rows[-1], sep=" | ", flush=True)
            _table(rows, threads, time_limit).write(results)
    for line in summary(rows):
        print(line)


def _stored_options(work: Path, case: Path, method: str) -> list[str]:
    """Options by which a method uses the features and matches that a map of ours has stored."""
    if method == "colmap":
        return []
    for focal in ("not given", "known"):
        stored = work / _name((case.name, focal, "ours")) / "map" / "work"
        if (stored / "matches").exists():
            return ["--stored", str(stored)]
    return []


def _name(key: tuple[str, str, str]) -> str:
    return "-".join(key).replace(" ", "-")


def measured_row(
    case: Path, method: str, focal: str, folder: Path, options: Sequence[str], time_limit: float
) -> list[Cell]:
    """Map one case by one method, and compare the cameras with the truth."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "poses.txt").unlink(missing_ok=True)
    true = _true_poses(case)
    module = "pipelines.benchmarks.accuracy.scratch_methods"
    command = [sys.executable, "-m", module, str(case), method, str(folder), *options]
    threads = options[options.index("--threads") + 1]
    start = time.monotonic()
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        try:
            code = subprocess.run(
                command, stdout=log, stderr=log, timeout=time_limit, check=False,
                env={**os.environ, "OMP_NUM_THREADS": threads},
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            return [case.name, len(true), focal, method, *[None] * 8, f"over {time_limit:g}"]
    seconds = round(time.monotonic() - start)
    if not (folder / "poses.txt").is_file():
        print(f"{case.name}, {method}: exit code {code}, see {folder / 'log.txt'}", file=sys.stderr)
        return [case.name, len(true), focal, method, *[None] * 8, "failed"]
    poses = read_poses(folder / "poses.txt")
    errors = camera_errors(poses, true)
    wrong = wrong_cameras(errors)
    distances = [error for error, _ in errors.values()]
    worst, near = max(distances, default=float("inf")), np.less_equal(distances, MAX_ERROR_PERCENT)
    doubts: list[Cell] = [None, None, None]
    if method == "ours":
        doubtful = set(json.loads((folder / "doubtful.json").read_text(encoding="utf-8")))
        doubts = [len(doubtful), len(wrong - doubtful), code]
    return [
        case.name, len(true), focal, method, len(poses), int(near.sum()),
        len(errors) - len(wrong), len(wrong),
        *doubts, round(worst, 1) if worst < float("inf") else None, seconds,
    ]  # fmt: skip


def summary(rows: Iterable[Sequence[Cell]]) -> list[str]:
    """Lines about all rows: silent wrong cameras, false doubts, and cases lost to a peer."""
    named = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    ours = [each for each in named if each["method"] == "ours" and each["registered"] is not None]
    maps = [each for each in ours if each["registered"]]
    right = [each for each in maps if not each["wrong"]]
    doubted = sum(each["exit code"] != 0 for each in right)
    silent = sum(int(each["silent wrong"] or 0) for each in maps)
    lost = []
    for each in ours:
        peers = [
            int(other["within 5 %"] or 0)
            for other in named
            if other["method"] != "ours"
            and (other["case"], other["focal length"]) == (each["case"], each["focal length"])
        ]
        if peers and int(each["within 5 %"] or 0) < max(peers):
            lost.append(f"{each['case']} (focal length {each['focal length']})")
    return [
        f"Ours: {len(maps)} maps of {len(ours)} cases. Silent wrong cameras: {silent}.",
        f"Maps whose cameras are all right: {len(right)}, of these called doubtful: {doubted}.",
        f"Fewer images within 5 % than the better peer: {', '.join(lost) or 'none'}.",
    ]


def _table(rows: Iterable[Sequence[Cell]], threads: int, time_limit: float) -> Table:
    notes = (
        f"Right: within {MAX_ERROR_PERCENT:g} % of the mean camera spread and {MAX_ANGLE_DEG:g} "
        f"degrees, after robust alignment. Silent wrong: wrong, and not called doubtful. Known "
        f"focal length: the true one, as EXIF would give it. Threads: {threads}; at most "
        f"{time_limit:g} s for a map. Features and matches of ALIKED and LightGlue are made once "
        f"for each case. Only the first row that uses them has their time. "
    )
    table = Table("Maps from scratch", COLUMNS, notes + " ".join(summary(rows)))
    table.rows = [list(row) for row in rows]
    return table


def _earlier_rows(results: Path | None) -> list[Sequence[Cell]]:
    if results is None or not results.exists():
        return []
    found = read_results(results)
    if found.columns != COLUMNS:
        raise SystemExit(f"{results} has other columns: give another file")
    return list(found.rows)


def _key(row: Sequence[Cell]) -> tuple[Cell, ...]:
    return tuple(row[COLUMNS.index(column)] for column in KEY)


def _true_poses(case: Path) -> Poses:
    dataset = read_dataset_folder(case)
    if dataset.reference is None:
        raise SystemExit(f"{case.name} needs model/ with the true poses")
    wanted = set(dataset.map_image_names)
    return {i.name: i.cam_from_world for i in dataset.reference.images if i.name in wanted}


if __name__ == "__main__":
    main()
