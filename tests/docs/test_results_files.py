"""Results files: written, read back, and honest about how they were measured."""

from __future__ import annotations

import json
import subprocess

import pytest

from hloc_lite.errors import FormatError
from pipelines.benchmarks.results import (
    ROOT,
    command_line,
    current_commit,
    machine_description,
    read_results,
    write_results,
)

COLUMNS = ["features", "median, cm"]
ROWS = [["aliked-n16", 0.7], ["rootsift", None]]


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "town.json"
    written = write_results(path, "Town", COLUMNS, ROWS, notes="Two features.")
    assert read_results(path) == written
    assert written.rows == (("aliked-n16", 0.7), ("rootsift", None))
    keys = {"schema", "benchmark", "command", "commit", "date", "machine", "columns", "rows"}
    assert set(json.loads(path.read_text(encoding="utf-8"))) == keys | {"notes"}


def test_given_values_win_over_found_ones(tmp_path):
    given = {"command": "make it", "commit": "abc", "date": "2026-01-02", "machine": "a phone"}
    written = write_results(tmp_path / "a.json", "A", COLUMNS, ROWS, **given)
    assert {key: getattr(written, key) for key in given} == given


def test_the_same_values_give_the_same_bytes(tmp_path):
    given = {"command": "c", "commit": "abc", "date": "2026-01-02", "machine": "m"}
    for name in ("a", "b"):
        write_results(tmp_path / name, "A", COLUMNS, ROWS, **given)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "row", [["one cell"], ["a", float("nan")], ["a", float("inf")], ["a", True], ["a", [1]]]
)
def test_bad_rows_are_refused(tmp_path, row):
    with pytest.raises(FormatError, match="row 0"):
        write_results(tmp_path / "a.json", "A", COLUMNS, [row])
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"schema": "hloc_lite.results/2"}',
        '{"schema": "hloc_lite.results/1", "columns": ["a"], "rows": [[1]]}',
        '{"schema": "hloc_lite.results/1", "columns": ["a"], "rows": 3}',
    ],
)
def test_other_files_are_refused_by_name(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=r"other\.json"):
        read_results(path)


def test_the_command_line_names_no_folder_of_this_machine(tmp_path):
    script = str(ROOT / "pipelines" / "town.py")
    shown = command_line([script, "-o", str(tmp_path / "OUT"), f"--town={tmp_path / 'TOWN'}"], None)
    assert shown.endswith("-o OUT --town=TOWN")
    assert str(tmp_path) not in shown and str(ROOT) not in shown
    shown = command_line(["x", "a b"], "pipelines.benchmarks.speed.rig_estimators")
    assert shown == "python -m pipelines.benchmarks.speed.rig_estimators 'a b'"


def test_the_commit_is_that_of_the_checkout(tmp_path):
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", *identity, "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert current_commit(tmp_path / "nowhere") == "unknown"
    git("init", "-q")
    (tmp_path / "a").write_text("1", encoding="utf-8")
    git("add", "a")
    git("commit", "-q", "-m", "first")
    assert current_commit(tmp_path) == git("rev-parse", "--short", "HEAD")
    (tmp_path / "a").write_text("2", encoding="utf-8")
    assert current_commit(tmp_path).endswith("+")


def test_the_machine_is_described_by_its_cores():
    assert "CPU core" in machine_description()
