"""Partial files: taken over from killed processes, never from living ones, never through links."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from hloc_lite.errors import HlocLiteError
from hloc_lite.io.files import atomic_path, write_text_atomic
from hloc_lite.io.partial_files import partial_file

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_process_left_is_gone_after_the_next_one(tmp_path: Path) -> None:
    target = tmp_path / "poses.txt"
    target.write_text("old")
    pid = os.fork()
    if pid == 0:
        with atomic_path(target) as partial:
            partial.write_text("half of a very long text")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert target.read_text() == "old" and len(names(tmp_path)) == 2
    write_text_atomic(target, "new")
    assert target.read_text() == "new" and names(tmp_path) == ["poses.txt"]


def test_two_writers_of_one_file_do_not_share_their_partial_file(tmp_path: Path) -> None:
    with partial_file(tmp_path / "a") as first, partial_file(tmp_path / "a") as second:
        first.write_text("first")
        second.write_text("second")
        assert first != second and first.read_text() == "first"
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["symlink", "hard link", "folder", "pipe"])
def test_a_partial_file_is_never_one_of_elsewhere(tmp_path: Path, kind: str) -> None:
    private, planted = tmp_path / "private", tmp_path / "map/.a.partial"
    private.write_text("mine")
    planted.parent.mkdir()
    {
        "symlink": lambda: planted.symlink_to(private),
        "hard link": lambda: os.link(private, planted),
        "folder": planted.mkdir,
        "pipe": lambda: os.mkfifo(planted),
    }[kind]()
    write_text_atomic(planted.with_name("a"), "new")
    assert private.read_text() == "mine" and planted.with_name("a").read_text() == "new"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HlocLiteError, match="cannot write"):
        write_text_atomic(tmp_path / "file/a", "")
