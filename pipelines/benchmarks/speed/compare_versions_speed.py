"""Times of two versions, measured in turns: median ratios with their 95 % intervals.

    python -m pipelines.benchmarks.speed.compare_versions_speed --old CHECKOUT --new CHECKOUT \\
        --case DIR --town DIR --work DIR

Case and town are those of ``accuracy.compare_versions``. One pair is a run of each version, right
after each other, in alternating order; its ratio is new over old. The first pair is not counted.
WORK gets compare_versions_speed.json. Exit code 1 if an interval lies wholly above ``--limit``.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import numpy as np

from hloc_lite.io.versions import processor
from pipelines.benchmarks.checkouts import Checkout

TIMED_QUERIES = Path(__file__).with_name("timed_queries.py")
FEATURES = {
    "rootsift": ("--features", "rootsift", "--set", "features.max_keypoints=2048"),
    "aliked": ("--features", "aliked-n16"),
}
SMALLER = ("--set", "features.max_side_px=640")
"""Settings of the case's maps, so that 15 pairs of everything take ten minutes on two cores."""
TOWN_IMAGES, TOWN_QUERIES = 24, 10
Measure = Callable[[str], float]
"""Version -> seconds."""


@click.command()
@click.option("--old", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--new", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--case", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--town", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--pairs", default=15, show_default=True)
@click.option("--threads", default=2, show_default=True, help="Threads of native libraries.")
@click.option("--limit", default=1.03, show_default=True, help="Largest ratio allowed.")
def main(
    old: Path, new: Path, case: Path, town: Path, work: Path, pairs: int, threads: int, limit: float
) -> None:
    """Measure all tasks, print a table and write the times of every run."""
    versions = {"old": Checkout(old, threads), "new": Checkout(new, threads)}
    scratch = work / "speed"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    rows = {}
    click.echo("| task | old, s | new, s | new / old | 95 % interval |")
    click.echo("|---" * 5 + "|")
    with ExitStack() as stack:
        for task, measure in tasks(versions, case.resolve(), town.resolve(), scratch, stack):
            row = rows[task] = compare(measure, pairs)
            low, high = row["interval"]
            click.echo(
                f"| {task} | {row['old']:.3f} | {row['new']:.3f} | {row['ratio']:.3f} "
                f"| {low:.3f} to {high:.3f} |"
            )
    report = {
        "commits": {name: checkout.commit for name, checkout in versions.items()},
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "threads": threads},
        "python": platform.python_version(),
        "tasks": rows,
    }
    target = work / "compare_versions_speed.json"
    target.write_text(json.dumps(report, indent=1), encoding="utf-8")
    slower = [task for task, row in rows.items() if row["interval"][0] > limit]
    if slower:
        click.echo(f"slower than {limit:g} times: {', '.join(slower)}")
        sys.exit(1)


def tasks(
    versions: Mapping[str, Checkout], case: Path, town: Path, scratch: Path, stack: ExitStack
) -> Sequence[tuple[str, Measure]]:
    """Name and measurement of each task; maps are made by the version that localizes in them."""
    lists = {"map_images.txt": TOWN_IMAGES, "queries_day.txt": TOWN_QUERIES}
    for name, count in lists.items():
        lines = (town / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (scratch / name).write_text("".join(lines[:count]), encoding="utf-8")
    found: list[tuple[str, Measure]] = []

    def timed(*arguments: object) -> Measure:
        return lambda version: run(versions[version], arguments, scratch / version)

    def add_queries(name: str, root: Path, queries: Path) -> None:
        arguments = ("-m", "hloc_lite", "localize", "{out}/" + name, "--images", root / "images",
                     "--queries", queries, "-o", "{out}/poses.txt")  # fmt: skip
        found.append((f"localize, process, {name}", timed(*arguments)))
        workers = {
            version: start_worker(checkout, [root, scratch / version / name, queries], stack)
            for version, checkout in versions.items()
        }
        number = len(queries.read_text(encoding="utf-8").splitlines())
        found.append(
            (f"localize, one query, {name}", lambda version: ask(workers[version]) / number)
        )

    found.append(("import hloc_lite", timed("-c", "import hloc_lite")))
    found.append(("hloc-lite --help", timed("-m", "hloc_lite", "--help")))
    for feature, options in FEATURES.items():
        making = ("-m", "hloc_lite", "map", case / "images", "-o", f"{{out}}/case-{feature}",
                  "--image-list", case / "map_images.txt", "--reference", case / "model",
                  *options, *SMALLER)  # fmt: skip
        found.append((f"map, case-{feature}", timed(*making)))
        for version in versions:
            timed(*making)(version)
        add_queries(f"case-{feature}", case, case / "queries.txt")
    for version in versions:
        timed("-m", "hloc_lite", "map", town / "images", "-o", "{out}/town-rootsift",
              "--image-list", scratch / "map_images.txt", "--reference", town / "model",
              *FEATURES["rootsift"])(version)  # fmt: skip
    add_queries("town-rootsift", town, scratch / "queries_day.txt")
    return found


def run(checkout: Checkout, arguments: Sequence[object], out: Path) -> float:
    """Wall seconds of ``python ARGUMENTS``; a map that it writes is made anew."""
    given = [str(each).replace("{out}", str(out)) for each in arguments]
    if "map" in given:
        shutil.rmtree(given[given.index("-o") + 1], ignore_errors=True)
    start = time.perf_counter()
    checkout.run(given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def start_worker(
    checkout: Checkout, arguments: Sequence[object], stack: ExitStack
) -> subprocess.Popen[str]:
    """A process of ``timed_queries``, which ends with the stack."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    worker = stack.enter_context(checkout.start([TIMED_QUERIES, *arguments], **pipes))
    assert worker.stdin is not None
    stack.callback(worker.stdin.close)
    return worker


def ask(worker: subprocess.Popen[str]) -> float:
    """Seconds of all queries of a worker."""
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
    return float(worker.stdout.readline()) / 1000


def compare(measure: Measure, pairs: int) -> dict[str, Any]:
    """Times of both versions, and the median of their ratios with a bootstrap interval."""
    times: dict[str, list[float]] = {"old": [], "new": []}
    for pair in range(pairs + 1):
        for version in ("old", "new") if pair % 2 else ("new", "old"):
            times[version].append(measure(version))
    old, new = np.array(times["old"])[1:], np.array(times["new"])[1:]
    ratios = new / old
    samples = np.random.default_rng(0).choice(ratios, (10000, pairs))
    low, high = np.percentile(np.median(samples, axis=1), [2.5, 97.5])
    return {
        "old": float(np.median(old)),
        "new": float(np.median(new)),
        "ratio": float(np.median(ratios)),
        "interval": [float(low), float(high)],
        "times": {"old": old.tolist(), "new": new.tolist()},
    }


if __name__ == "__main__":
    main()
