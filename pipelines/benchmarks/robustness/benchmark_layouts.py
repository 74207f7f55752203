"""Every benchmark's pipeline on a rendered town in that benchmark's own layout.

    python -m pipelines.benchmarks.robustness.benchmark_layouts TOWN -o OUT [--kill 5]

The town is written as the authors distribute each benchmark, then ``hloc-lite benchmark`` runs on
it in a process of its own: map, localization, submission and its check. With ``--kill`` the process
is killed so often at random moments, and started again; nothing that was finished may be repeated,
and the poses must be those of a run that was left alone.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np

from hloc_lite.datasets.benchmarks import benchmark_names, read_benchmark, write_benchmark
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.files import read_json, write_json_atomic
from hloc_lite.io.python_process import python_command, python_environment
from hloc_lite.types import Rigid3
from pipelines.benchmarks.table import Table, results_option

COLUMNS = (
    "benchmark", "queries", "with pose", "within 0.25 m, 2 deg", "exit code", "submission",
    "kills", "seconds",
)  # fmt: skip
WITH_DEPTH = {"inloc", "mapfree"}
"""Benchmarks whose maps are made from depth: left out if the data set has none."""


@click.command()
@click.argument("town", type=click.Path(path_type=Path, exists=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--only", multiple=True, help="Only these benchmarks.")
@click.option("--subset", default=5, show_default=True, help="Queries per condition.")
@click.option("--profile", default="fast", show_default=True)
@click.option("--kill", "num_kills", default=0, show_default=True, help="Kills per run.")
@click.option("--seed", default=0, show_default=True)
@results_option
def main(
    town: Path,
    output: Path,
    only: tuple[str, ...],
    subset: int,
    profile: str,
    num_kills: int,
    seed: int,
    results: Path | None,
) -> None:
    """Run the benchmarks on TOWN in their own layouts."""
    dataset = read_dataset_folder(town)
    truth = {name: pose for each in dataset.ground_truth.values() for name, pose in each.items()}
    rng = random.Random(seed)
    note = f"town of {len(dataset.map_image_names)} map images; {subset} queries per condition"
    table = Table("Benchmarks in their own layouts", COLUMNS, note)
    left_out = WITH_DEPTH if dataset.depth_folder is None else set()
    for name in only or [each for each in benchmark_names() if each not in left_out]:
        root = output / name / "data"
        names_file = output / name / "names.json"
        if not names_file.is_file():
            write_json_atomic(names_file, write_benchmark(name, dataset, root))
        true = _true_poses(name, root, read_json(names_file), truth)
        command = python_command(
            "hloc_lite", "-q", "benchmark", name, "--root", root, "-o", output / name / "results",
            "--profile", profile, "--subset", subset,
        )  # fmt: skip
        start = time.monotonic()
        kills = [_killed(command, rng) for _ in range(num_kills)]
        with (output / name / "log.txt").open("w", encoding="utf-8") as log:
            code = subprocess.run(
                command, stdout=log, stderr=log, env=python_environment(), check=False
            ).returncode
        seconds = round(time.monotonic() - start)
        poses_file = output / name / "results" / "poses.txt"
        poses = read_poses(poses_file) if poses_file.is_file() else {}
        errors = [
            pose_errors(pose, true[_known(query, true)])
            for query, pose in poses.items()
            if _known(query, true)
        ]
        within = sum(distance <= 0.25 and angle <= 2 for distance, angle in errors)
        log_text = (output / name / "log.txt").read_text(encoding="utf-8")
        checked = [line for line in log_text.splitlines() if line.startswith("submission: ")]
        findings = checked[-1].removeprefix("submission: ") if checked else "none"
        table.add(name, len(errors), len(poses), within, code, findings, sum(kills), seconds)
        table.write(results)


def _killed(command: list[str], rng: random.Random) -> bool:
    """Run a command and kill it (SIGKILL) after 2 to 30 s; False if it ended before."""
    silent = subprocess.DEVNULL
    environment = python_environment()
    with subprocess.Popen(command, stdout=silent, stderr=silent, env=environment) as process:
        try:
            process.wait(timeout=float(np.exp(rng.uniform(np.log(2), np.log(30)))))
        except subprocess.TimeoutExpired:
            process.kill()
            return True
    return False


def _true_poses(
    name: str, root: Path, names: Mapping[str, str], truth: Mapping[str, Rigid3]
) -> dict[str, Rigid3]:
    """True poses by name in the layout, in the frame that the benchmark asks for.

    Args:
        names: name in the town -> name in the layout.
        truth: name in the town -> cam_from_world.
    """
    if name == "mapfree":  # scenes have equal names, and each the frame of its reference
        return {
            f"{part.name}/{query}": pose
            for part in read_benchmark(name, root)
            for poses in part.ground_truth.values()
            for query, pose in poses.items()
        }
    true = {new: truth[old] for old, new in names.items() if old in truth}
    if (root / "gt.txt").is_file():  # InLoc's floors have frames of their own
        true |= read_poses(root / "gt.txt")
    return true


def _known(query: str, true: Mapping[str, Rigid3]) -> str:
    """Name of a query as the writer has called it, with or without its part; empty if unknown."""
    if query in true:
        return query
    without_part = query.partition("/")[2]
    return without_part if without_part in true else ""


if __name__ == "__main__":
    main()
