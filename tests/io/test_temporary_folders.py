"""Temporary folders: gone afterwards, and those of killed processes go with the next run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import hloc_lite
from hloc_lite.io.python_process import python_environment
from hloc_lite.io.temporary_folders import PREFIX, delete_leftovers, temporary_folder

PACKAGE = Path(hloc_lite.__file__).parent
CHILD = """
import sys, time
from hloc_lite.io.temporary_folders import temporary_folder
with temporary_folder() as folder:
    (folder / "big.bin").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch) -> Path:
    """Folder in which temporary folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def start_child() -> tuple[subprocess.Popen[str], Path]:
    command = [sys.executable, "-P", "-c", CHILD]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=python_environment())
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


def age(folder: Path) -> None:
    """Make a folder two minutes old."""
    os.utime(folder, (time.time() - 120,) * 2)


def test_a_folder_is_empty_private_and_deleted_afterwards(place: Path) -> None:
    with temporary_folder() as folder:
        assert list(folder.iterdir()) == [] and folder.parent.parent == place
        assert os.name == "nt" or folder.parent.stat().st_mode & 0o077 == 0
    assert list(place.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
def test_the_next_run_deletes_what_a_killed_process_left(place: Path) -> None:
    killed, left = start_child()
    alive, kept = start_child()
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "big.bin").is_file()
        for each in (left, kept):
            age(each.parent)
        with temporary_folder():
            assert not left.parent.exists()
            assert (kept / "big.bin").is_file()
    finally:
        alive.kill()
        alive.wait()


def test_other_folders_and_links_are_left_alone(place: Path) -> None:
    target = place / "precious"
    (target / "content").mkdir(parents=True)
    (place / f"{PREFIX}link").symlink_to(target)
    (place / f"{PREFIX}file").touch()
    (place / "other-1234").mkdir()
    young = place / f"{PREFIX}young"
    young.mkdir()
    for each in (target, place / "other-1234"):
        age(each)
    delete_leftovers(place)
    assert len(list(place.iterdir())) == 5 and (target / "content").is_dir()


def test_folders_are_made_here_only() -> None:
    """Folders of ``tempfile`` itself are left by killed processes; renderers delete their own."""
    makes = re.compile(r"TemporaryDirectory|mkdtemp|mkstemp|NamedTemporaryFile")
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if makes.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"io/temporary_folders.py", "synthetic/parallel.py"}
