"""``hloc-lite compare``: from pose files to tables in text, Markdown, LaTeX and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hloc_lite.cli.compare import command
from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.hloc_lists import write_poses

from .scenes import moved, random_poses

Run = Callable[..., str]
DAY = random_poses([f"query/day/IMG {i}.jpg" for i in range(5)])
NIGHT = random_poses([f"query/night/ä_{i}.jpg" for i in range(4)], 1)
TRUTH = ("--truth", "gt_day.txt", "--truth", "dark=gt_night.txt")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    write_poses(Path("gt_day.txt"), DAY)
    write_poses(Path("gt_night.txt"), NIGHT)
    true = {**DAY, **NIGHT}
    write_poses(Path("old_1.txt"), {n: moved(p, 0.3, 1.0) for n, p in true.items()})
    new = {n: moved(p, 0.1 if n in DAY else 3.0, 1.0) for n, p in true.items()}
    new.pop("query/night/ä_3.jpg")
    write_poses(Path("new.txt"), new)

    def call(*arguments: str) -> str:
        command.main(list(arguments), standalone_mode=False)
        return capsys.readouterr().out

    return call


def rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def test_two_results(run: Run) -> None:
    out = run("old_1.txt", "new.txt", *TRUTH, "--thresholds", "0.25m,2deg", "0.5m,5deg")
    found = rows(out)
    assert found[1] == ["method", "day", "dark", "all"]
    assert found[2] == ["old_1", *["0.0", "/", "100.0", "0.0", "/", "100.0", "0.0", "/", "100.0"]]
    assert found[3] == ["new", *["100.0", "/", "100.0", "0.0", "/", "0.0", "55.6", "/", "55.6"]]
    assert ["day", "0.25m,2deg", "5", "0", "0", "5", "0", "+100.0"] in [row[:8] for row in found]
    assert ["dark", "0.5m,5deg", "4", "0", "4", "0", "0", "-100.0"] in [row[:8] for row in found]
    assert ["all", "0.5m,5deg", "9", "5", "4", "0", "0", "-44.4"] in [row[:8] for row in found]
    # 5 of 5 and 4 of 4: 2 / 2^5 and 2 / 2^4
    assert [row[-1] for row in found if row[:1] == ["all"] and "deg" in row[1]] == ["0.062", "0.12"]
    assert "  query/night/ä_3.jpg: old_1 0.3 m and 1 deg, new no pose" in out
    assert "new: 1 of 9 queries have no pose and count as failures: query/night/ä_3.jpg" in out
    assert "p values" not in out


def test_files(run: Run) -> None:
    run(
        "old_1.txt", "new.txt", *TRUTH, "--markdown", "out/t.md", "--latex", "t.tex",
        "--json", "t.json",
    )  # fmt: skip
    markdown = Path("out/t.md").read_text(encoding="utf-8")
    assert "| old\\_1 | 0.0 / 100.0 / 100.0 |" in markdown
    assert "|  | within | queries | both | only old\\_1 | only new | none |" in markdown
    latex = Path("t.tex").read_text(encoding="utf-8")
    assert latex.count(r"\begin{table}") == latex.count(r"\end{table}") == 3
    assert r"only old\_1" in latex and r"\toprule" in latex
    (found,) = json.loads(Path("t.json").read_text(encoding="utf-8"))["comparisons"]
    assert (found["first"], found["second"]) == ("old_1", "new")
    assert list(found["conditions"]) == ["day", "dark", "all"]
    assert found["conditions"]["day"]["median_distance"]["difference"]["value"] == pytest.approx(
        -0.2
    )


def test_three_results_by_name_and_groups(run: Run) -> None:
    out = run(
        "a=old_1.txt", "b=new.txt", "c=old_1.txt", *TRUTH, "--group", "both=!dark",
        "--flips", "0",
    )  # fmt: skip
    assert out.count("queries that both, one or none solve") == 3
    assert "a and c: queries" in out
    assert ["both", "0.25,2deg", "5", "0", "0", "5", "0"] in [row[:7] for row in rows(out)]
    assert "IMG 0.jpg:" not in out
    assert "not corrected for 36 of them" in out  # 3 pairs, 4 rows, 3 thresholds


def test_strict_and_folders(run: Run) -> None:
    arguments = ("old_1.txt", "new.txt", "--truth", "gt_day.txt", "--truth", "gt_night.txt")
    out = run(*arguments, "--strict", "--by-folder")
    assert "with errors below 0.25,2deg" in out
    assert rows(out)[1] == ["method", "day", "night", "all"]
    out = run(*arguments, "--unit-length", "10", "--thresholds", "2%,2deg")
    assert "of at most 2%,2deg" in out
    assert ["all", "position", "%", "3", "1"] in [row[:5] for row in rows(out)]


def test_seed_is_used_for_the_intervals(run: Run) -> None:
    arguments = ("old_1.txt", "new.txt", *TRUTH)
    assert run(*arguments) == run(*arguments)
    write_poses(
        Path("mixed.txt"), {n: moved(p, 0.1 * i, 1) for i, (n, p) in enumerate(DAY.items())}
    )
    found = {run("old_1.txt", "mixed.txt", *TRUTH, "--seed", str(seed)) for seed in range(4)}
    assert len(found) > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["old_1.txt", *TRUTH], "at least two RESULTS files, got 1"),
        (["old_1.txt", "old_1.txt", *TRUTH], "two results have the name 'old_1'"),
        (["old_1.txt", "=new.txt", *TRUTH], "two results have the name ''"),
        (["old_1.txt", "gone.txt", *TRUTH], "gone.txt does not exist"),
        (["old_1.txt", "new.txt", "--truth", "gone.txt"], "gone.txt does not exist"),
        (["old_1.txt", "new.txt", *TRUTH, "--json", "new.txt"], "new.txt is an input"),
        (["old_1.txt", "new.txt", *TRUTH, "--latex", "gt_day.txt"], "gt_day.txt is an input"),
        (["old_1.txt", "new.txt", *TRUTH, "--json", "o", "--latex", "o"], "same file name"),
        (["old_1.txt", "new.txt", *TRUTH, "--thresholds", "1"], "such as 0.25m,2deg"),
        (["old_1.txt", "new.txt", *TRUTH, "--group", "x=dawn"], "'dawn' is not a condition"),
        (["old_1.txt", "new.txt", *TRUTH, "--unit-length", "0"], "above zero"),
    ],
)
def test_misuse_is_reported(arguments: list[str], message: str, run: Run) -> None:
    with pytest.raises(HlocLiteError, match=message):
        run(*arguments)
