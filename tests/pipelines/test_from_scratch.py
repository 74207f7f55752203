"""Benchmark of maps from scratch: alignment of cameras, rows that are kept, the summary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Rigid3
from pipelines.benchmarks.accuracy import from_scratch
from pipelines.benchmarks.accuracy.aligned_cameras import camera_errors, wrong_cameras
from pipelines.benchmarks.accuracy.from_scratch import COLUMNS, summary
from pipelines.benchmarks.results import read_results


def ours(case: str, right: int, wrong: int, doubtful: int, silent: int) -> list[object]:
    code = int(doubtful > 0)
    return [
        case,
        10,
        "known",
        "ours",
        right + wrong,
        right,
        right,
        wrong,
        doubtful,
        silent,
        code,
        1.0,
        9,
    ]


def test_turn_about_the_line_of_the_cameras_is_no_error() -> None:
    rng = np.random.default_rng(0)
    true, found = {}, {}
    for number in range(8):
        center = np.array([number, 0.002 * rng.normal(), 0.002 * rng.normal()])
        rotation = exp_so3([0.1 * rng.normal(), 0.3 * rng.normal(), 0.1 * rng.normal()])
        true[str(number)] = Rigid3(rotation, -rotation @ center)
        noisy = 3 * (center + 0.004 * rng.normal(size=3))
        found[str(number)] = Rigid3(rotation, -rotation @ noisy)
    errors = camera_errors(found, true)
    assert wrong_cameras(errors) == set() and max(angle for _, angle in errors.values()) < 0.5
    moved = Rigid3(found["5"].rotation, np.add(found["5"].translation, [0, 3.0, 0]))
    assert wrong_cameras(camera_errors(found | {"5": moved}, true)) == {"5"}


def test_summary_counts_silent_cameras_false_doubts_and_lost_cases() -> None:
    colmap = ["b", 10, "known", "colmap", 9, 9, 8, 1, None, None, None, 1.0, 9]
    rows = [ours("a", 8, 2, 1, 1), ours("b", 8, 0, 1, 0), colmap, ours("c", 9, 0, 0, 0)]
    first, second, third = summary(rows)
    assert "3 maps of 3 cases" in first and first.endswith("Silent wrong cameras: 1.")
    assert second == "Maps whose cameras are all right: 2, of these called doubtful: 1."
    assert third == "Fewer images within 5 % than the better peer: b (focal length known)."


def test_rows_that_are_there_are_kept_and_each_is_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def measure(case: Path, method: str, focal: str, *rest: object) -> list[object]:
        measured.append((case.name, method))
        if case.name == "c":
            raise KeyboardInterrupt
        return [case.name, 10, focal, method, *[None] * (len(COLUMNS) - 5), "over 900"]

    monkeypatch.setattr(from_scratch, "measured_row", measure)
    cases = [tmp_path / name for name in "abc"]
    for case in cases:
        case.mkdir()
    results = tmp_path / "results.json"
    options = ["--work", str(tmp_path / "work"), "--method", "colmap", "--results", str(results)]
    CliRunner().invoke(from_scratch.main, [str(cases[0]), *options])
    stopped = CliRunner().invoke(from_scratch.main, [*map(str, cases), *options])
    assert stopped.exit_code != 0
    assert measured == [("a", "colmap"), ("b", "colmap"), ("c", "colmap")]
    assert [row[0] for row in read_results(results).rows] == ["a", "b"]
