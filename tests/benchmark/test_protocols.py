"""Scores by the protocols of Map-free and RIO10, on data written in their layouts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hloc_lite.benchmark.protocols import dcre_table, map_free_table
from hloc_lite.cli.evaluate import command
from hloc_lite.datasets.benchmarks import read_benchmark, write_benchmark
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.hloc_lists import write_poses
from hloc_lite.formats.submissions.forms import submission_form
from hloc_lite.formats.submissions.reader import Submission
from hloc_lite.formats.submissions.writer import write_submission
from hloc_lite.types import Rigid3
from tests.datasets.layouts.made_dataset import made_dataset

NUM = 12
"""Queries with public poses."""


def truth_of(part: Dataset) -> dict[str, Rigid3]:
    return {name: pose for poses in part.ground_truth.values() for name, pose in poses.items()}


def shifted(pose: Rigid3, x: float) -> Rigid3:
    return Rigid3(pose.rotation, pose.translation + np.array([x, 0, 0]))


def evaluate(*arguments: object) -> str:
    found = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert found.exit_code == 0
    return found.output


@pytest.fixture
def mapfree(tmp_path: Path) -> Path:
    write_benchmark("mapfree", made_dataset(tmp_path / "made"), tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture(scope="module")
def rio10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data set whose queries see a wall 2 m away."""
    tmp_path = tmp_path_factory.mktemp("rio10")
    folder = tmp_path / "depth"
    made = made_dataset(tmp_path / "made", depth_folder=folder)
    for name in made.query_names:
        path = folder / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.full((48, 64), 2.0, np.float32))
    write_benchmark("rio10", made, tmp_path / "data")
    return tmp_path / "data"


def test_map_free_submission(mapfree: Path, tmp_path: Path) -> None:
    parts = read_benchmark("mapfree", mapfree)
    val = parts[0]
    names = val.submission_names
    right = {names[name]: pose for name, pose in truth_of(val).items()}
    # the three least confident are 1 m off, and one frame is left out
    order = list(right)
    poses = {n: shifted(right[n], 1.0 if n in order[:3] else 0.0) for n in order[:-1]}
    confidences = {name: float(row) for row, name in enumerate(poses)}
    form = submission_form("mapfree")
    written = write_submission(poses, form, tmp_path / "submission.zip", confidences=confidences)
    out = evaluate(written.path, "--dataset", "mapfree", "--root", mapfree)
    assert f"{NUM - 1} estimates of {NUM} frames in 1 scene" in out
    row = next(line for line in out.splitlines() if line.startswith("pose below")).split()
    # precision is 1 until the recall of 8 of 12
    assert row[6:8] == ["8", f"{8 / NUM:.4f}"]
    assert 8 / NUM <= float(row[8]) < 11 / NUM


def test_dcre_of_poses_and_of_a_submission(rio10: Path, tmp_path: Path) -> None:
    (part,) = read_benchmark("rio10", rio10)
    truth = truth_of(part)
    (camera,) = {id(camera): camera for camera in part.queries["validation"].values()}.values()
    # a wall at 2 m moves by f * x / 2 pixels: here by 10 % of the diagonal
    diagonal = np.hypot(camera.width, camera.height)
    x = 0.1 * diagonal * 2 / camera.params[0]
    poses = {n: shifted(p, x if i < 4 else 0) for i, (n, p) in enumerate(truth.items())}
    poses.pop(list(poses)[-1])
    write_poses(tmp_path / "poses.txt", poses)
    out = evaluate(tmp_path / "poses.txt", "--dataset", "rio10", "--root", rio10)
    found = out.splitlines()[-1].split()
    assert found[:6] == ["seq01", "12", "1", f"{700 / NUM:.1f}", f"{1100 / NUM:.1f}", "0.0"]
    assert float(found[7]) == pytest.approx(0.1 * 4 / 11, rel=0.01)
    submission = tmp_path / "submission.txt"
    write_submission(poses, submission_form("rio10"), submission)
    assert evaluate(submission, "--dataset", "rio10", "--root", rio10) == out


def test_dcre_needs_depth(rio10: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(rio10, bare, ignore=shutil.ignore_patterns("*.rendered.depth.png"))
    (part,) = read_benchmark("rio10", bare)
    truth = truth_of(part)
    assert dcre_table([part], truth) is None
    write_poses(tmp_path / "poses.txt", truth)
    with pytest.raises(HlocLiteError, match="needs the depth of the queries"):
        evaluate(tmp_path / "poses.txt", "--dataset", "rio10", "--root", bare)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "rio10"], "are given together"),
        (["gt.txt", "--dataset", "rio10", "--root", "DATA"], "give no TRUTH files"),
        (["--strict", "--dataset", "rio10", "--root", "DATA"], "no other options"),
        (["--dataset", "rio10", "--root", "DATA"], "none of the 1 names is a query"),
    ],
)
def test_misuse_is_reported(options: list[str], message: str, rio10: Path, tmp_path: Path) -> None:
    poses = tmp_path / "poses.txt"
    write_poses(poses, {"a.jpg": Rigid3.identity()})
    with pytest.raises(HlocLiteError, match=message):
        evaluate(poses, *(str(rio10) if each == "DATA" else each for each in options))


def test_map_free_needs_public_poses(mapfree: Path) -> None:
    _, test = read_benchmark("mapfree", mapfree)
    with pytest.raises(HlocLiteError, match="only those of val are public"):
        map_free_table([test], Submission({}, {}))
