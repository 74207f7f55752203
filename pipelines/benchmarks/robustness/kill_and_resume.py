"""``map`` killed (SIGKILL) at random moments and resumed: is the map the same?

    python -m pipelines.benchmarks.robustness.kill_and_resume --kills 20 --views 40

A map is built without a kill first. Then, for each row of the table, a new map is begun and killed
once or twice at random moments (uniform over the time of the first map), and the same command is
run again to its end. Images, features and matches must be equal, the number of points within 2 %.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from hloc_lite.formats.colmap import read_model
from hloc_lite.io.bank import Bank
from hloc_lite.io.python_process import python_command, python_environment
from hloc_lite.io.temporary_folders import temporary_folder
from hloc_lite.synthetic.planes import make_planes
from pipelines.benchmarks.table import Table, results_option

MAX_POINTS_CHANGE = 0.02
MAX_ATTEMPTS = 5
"""A round whose map was finished before the kill is repeated."""


@dataclass(frozen=True)
class MapContents:
    """Contents of a map that are compared."""

    images: tuple[str, ...]
    points: int
    features: dict[str, bytes]
    matches: dict[str, bytes]
    verified: dict[str, bytes]


@dataclass(frozen=True)
class Round:
    """One map that was killed and resumed."""

    killed_at_s: tuple[float, ...]
    resumed_s: float
    kept: int
    """Shards of features and matches that were left after the last kill."""
    problems: tuple[str, ...]
    points: int


def start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the command in its own process, with its output in a file."""
    with log.open("ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env=python_environment())


def finish(command: Sequence[str], log: Path) -> float:
    """Run the command to its end; returns the seconds.

    Raises:
        RuntimeError: the exit code is not 0.
    """
    begin = time.monotonic()
    code = start(command, log).wait()
    if code != 0:
        raise RuntimeError(f"exit code {code}: {log.read_text(errors='replace')[-2000:]}")
    return time.monotonic() - begin


def read_contents(folder: Path) -> MapContents:
    """Read a map that was built with --keep-work."""
    model = read_model(folder / "sfm")
    stores = []
    for name in ("features", "matches", "verified"):
        found: dict[str, bytes] = {}
        for path in sorted((folder / "work" / name).glob("*.h5")):
            bank = Bank(path)
            for key in bank:
                found[key] = b"".join(bank[key][field].tobytes() for field in sorted(bank[key]))
            bank.close()
        stores.append(found)
    names = tuple(image.name for image in model.images)
    return MapContents(names, model.num_points, *stores)


def differences(built: MapContents, clean: MapContents) -> tuple[str, ...]:
    """Names of the contents that differ."""
    found = [
        name
        for name in ("images", "features", "matches", "verified")
        if getattr(built, name) != getattr(clean, name)
    ]
    if abs(built.points - clean.points) > MAX_POINTS_CHANGE * clean.points:
        found.append("points")
    return tuple(found)


def kill_and_resume(
    command: Sequence[str], folder: Path, moments_s: Sequence[float], clean: MapContents
) -> Round:
    """Kill the command at each of the moments, then run it to its end and compare the map."""
    log = folder.parent / "log.txt"
    killed = []
    for moment_s in moments_s:
        process = start(command, log)
        begin = time.monotonic()
        try:
            process.wait(moment_s)
        except subprocess.TimeoutExpired:
            killed.append(time.monotonic() - begin)
            process.kill()
            process.wait()
    kept = len(list(folder.glob("work/*/*.h5")))
    resumed_s = finish(command, log)
    built = read_contents(folder)
    partial = [path.name for path in folder.rglob("*.partial")]
    problems = (*differences(built, clean), *(("partial files",) if partial else ()))
    return Round(tuple(killed), resumed_s, kept, problems, built.points)


def run(
    workspace: Path,
    program: Sequence[str],
    options: Sequence[str],
    *,
    views: int,
    size: tuple[int, int],
    kills: int,
    seed: int,
) -> tuple[float, MapContents, list[Round]]:
    """Seconds and contents of the map without a kill, and one round for each killed map."""
    scene = make_planes(views, seed=seed, size=size)
    scene.write_images(workspace / "images", {f"{i:03d} ü.jpg": i for i in range(views)})
    rng = np.random.default_rng(seed)

    def command(folder: Path) -> list[str]:
        return [*program, "map", str(workspace / "images"), "-o", str(folder), "--keep-work",
                *options]  # fmt: skip

    clean_s = finish(command(workspace / "clean" / "map"), _log(workspace / "clean"))
    clean = read_contents(workspace / "clean" / "map")
    rounds = []
    for number in range(kills):
        for attempt in range(MAX_ATTEMPTS):
            folder = workspace / f"round{number:02d}_{attempt}"
            _log(folder)
            moments_s = rng.uniform(0, clean_s, size=2 if number % 4 == 3 else 1).tolist()
            found = kill_and_resume(command(folder / "map"), folder / "map", moments_s, clean)
            if found.killed_at_s or found.problems:
                break  # else the map was finished before the kill
        rounds.append(found)
    return clean_s, clean, rounds


def _log(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder / "log.txt"


@click.command()
@click.option("--kills", default=20, show_default=True)
@click.option("--views", default=40, show_default=True, help="Map images.")
@click.option("--features", default="rootsift", show_default=True)
@click.option("--retrieval", default="gem-lite0", show_default=True)
@click.option("--seed", default=0, show_default=True)
@results_option
def main(
    kills: int, views: int, features: str, retrieval: str, seed: int, results: Path | None
) -> None:
    """Print a table of the killed maps; exit code 1 if one differs from the map without a kill."""
    options = [
        "--features", features, "--retrieval", retrieval, "--pairs", "exhaustive", "--offline",
        "--set", "features.max_keypoints=1000", "--set", "mapping.threads=1",
    ]  # fmt: skip
    program = python_command("hloc_lite")
    with temporary_folder() as temporary:
        clean_s, clean, rounds = run(
            temporary, program, options,
            views=views, size=(640, 480), kills=kills, seed=seed,
        )  # fmt: skip
    table = Table(
        "Mapping killed and resumed",
        [
            "killed at, s",
            "shards kept",
            "resumed run, s",
            "points",
            "equal to the map without a kill",
        ],
        f"Without a kill: {clean_s:.1f} s, {len(clean.images)} of {views} images, {clean.points} "
        f"points, {len(clean.matches)} pairs.",
    )
    for each in rounds:
        moments = ", ".join(f"{moment_s:.1f}" for moment_s in each.killed_at_s) or "too late"
        equal = "no: " + ", ".join(each.problems) if each.problems else "yes"
        table.add(moments, each.kept, round(each.resumed_s, 1), each.points, equal)
    table.write(results)
    sys.exit(any(each.problems for each in rounds))


if __name__ == "__main__":
    main()
