"""Names that lead out of folders, through the command line: a part of the benchmark."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("needs fork", allow_module_level=True)

from hloc_lite.cli.main import VERBS
from pipelines.benchmarks.robustness.command_entries import CommandEntry, command_entries
from pipelines.benchmarks.robustness.hostile_names import SECRET
from pipelines.benchmarks.robustness.hostile_names_cli import PAGE_END, run, write_all_inputs
from tests.robustness.own_process import in_own_process, run_in_own_process, starts_process

WITHOUT_NAMES = {"demo", "doctor"}
NAMES = (f"../../{SECRET}", f"\x1b[2J{PAGE_END}x.png")
IMPORTED = ("evaluation.report", "localize.localizer", "mapping.build", "serve.server",
            "viz.export", "viz.scene")  # fmt: skip
"""What verbs import: forked processes take no time for it then."""
MORE = (*NAMES, "line\nend.png", 300 * "n", "nul\0.png", "..")
SLOW = (("map", "poses and cameras"), ("localize", "query list"), ("evaluate", "truth"),
        ("view", "results"))  # fmt: skip
TRIED = (
    ("info", "image of map"), ("export", "image of compact"),
    ("submission", "aachen"), ("dataset", "files of cambridge"), ("serve", "name of a map"),
    ("config", "--of"), ("retrieval", "rankings"),
)  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the inputs of all verbs; the stand-in ``thumbnail`` is that of the conftest."""
    for name in IMPORTED:
        with suppress(ImportError):  # extras that are not installed
            import_module(f"hloc_lite.{name}")
    folder = tmp_path_factory.mktemp("names") / "inputs"
    write_all_inputs(folder, ["cambridge"])
    return folder


def test_every_verb_that_takes_names_is_tried() -> None:
    assert {entry.verb for entry in command_entries()} >= set(VERBS) - WITHOUT_NAMES


@starts_process
def test_names_in_a_process_without_threads() -> None:
    run_in_own_process(__file__)


@in_own_process
@pytest.mark.parametrize(("verb", "where"), [*SLOW, *TRIED])
def test_nothing_outside_is_touched(tmp_path: Path, inputs: Path, verb: str, where: str) -> None:
    entry = next(each for each in command_entries() if (each.verb, each.where) == (verb, where))
    trials = list(run(tmp_path, inputs, [entry], NAMES if (verb, where) in SLOW else MORE))
    assert trials
    assert [trial for trial in trials if trial.outcome.isupper()] == []


def reading(folder: Path, name: str) -> bool:
    """Make the list that ``planted`` reads."""
    (folder / "names.txt").write_text(name)
    return True


@pytest.mark.parametrize(
    ("fault", "name", "outcome"),
    [
        (lambda: Path(Path("names.txt").read_text()).read_bytes(), f"../{SECRET}", "BREACH"),
        (lambda: Path(Path("names.txt").read_text()).write_bytes(b"x"), "../new", "BREACH"),
        (lambda: print(Path("names.txt").read_text()), "a\nb", "FORGED"),
        (lambda: print(Path("names.txt").read_text()), "\x1b[2J", "FORGED"),
        (lambda: Path("out/x.html").write_text(PAGE_END), PAGE_END, "FORGED"),
        (lambda: {}["x"], "x", "TRACEBACK"),
        (lambda: sys.exit(3), "x", "TRACEBACK"),
    ],
)
def test_faults_are_found(tmp_path: Path, monkeypatch, fault, name: str, outcome: str) -> None:
    """The harness itself can fail."""
    module = "pipelines.benchmarks.robustness.hostile_names_cli"

    def planted(arguments: list[str]) -> None:
        fault()
        sys.exit(0)

    monkeypatch.setattr(f"{module}.command_line", planted)
    (tmp_path / "inputs").mkdir()
    entry = CommandEntry("planted", "planted", reading)
    (trial,) = run(tmp_path, tmp_path / "inputs", [entry], [name])
    assert trial.outcome == outcome
