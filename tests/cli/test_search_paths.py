"""Where commands look for modules, programs and libraries."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from hloc_lite.cli.search_paths import NO_CURRENT_FOLDER, leave_out_current_folder

PATHS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """The current folder, without any search paths."""
    monkeypatch.chdir(tmp_path)
    for variable in PATHS:
        monkeypatch.setenv(variable, "")
    monkeypatch.setenv(NO_CURRENT_FOLDER, "1")
    monkeypatch.setattr(sys, "path", ["/lib"])
    return tmp_path


def joined(*entries: object) -> str:
    return os.pathsep.join(map(str, entries))


def test_empty_and_relative_entries_are_left_out(folder: Path, monkeypatch) -> None:
    absolute = str(folder / "bin")
    monkeypatch.setenv("PATH", joined("", absolute, ".", "bin"))
    monkeypatch.setenv("LD_LIBRARY_PATH", joined(absolute, ""))
    leave_out_current_folder()
    assert os.environ["PATH"] == os.environ["LD_LIBRARY_PATH"] == absolute
    assert "DYLD_LIBRARY_PATH" not in os.environ


def test_an_empty_entry_of_the_module_path_is_left_out(folder: Path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", joined("", "/mine"))
    sys.path[:0] = [str(folder), "", "/mine"]
    leave_out_current_folder()
    assert sys.path == ["/mine", "/lib"] and os.environ["PYTHONPATH"] == "/mine"


def test_a_current_folder_that_the_user_names_is_searched(folder: Path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", joined("", folder))
    sys.path[:0] = [str(folder)]
    leave_out_current_folder()
    assert sys.path == [str(folder), "/lib"]


@pytest.mark.parametrize("module_path", [None, "", "/mine"])
def test_other_module_paths_stay_as_they_are(folder: Path, module_path, monkeypatch) -> None:
    sys.path[:0] = ["", str(folder)]  # as in a notebook: PYTHONPATH says nothing about it
    if module_path is None:
        monkeypatch.delenv("PYTHONPATH")
    else:
        monkeypatch.setenv("PYTHONPATH", module_path)
    leave_out_current_folder()
    assert sys.path == ["", str(folder), "/lib"]
