"""Staged folders and lock files."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from hloc_lite.errors import HlocLiteError
from hloc_lite.io.locks import exclusive_lock
from hloc_lite.io.staging import STAGED, delete_files, foreign_files, move_staged_files


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(path.name)


def test_staged_files_replace_the_old_ones(tmp_path: Path) -> None:
    touch(tmp_path / STAGED / "a/x")
    touch(tmp_path / "a/y")
    (tmp_path / "a/x").write_text("old")
    move_staged_files(tmp_path, ["a/x"])
    assert (tmp_path / "a/x").read_text() == "x" and (tmp_path / "a/y").is_file()
    delete_files(tmp_path / STAGED, ["a/x"])
    assert not (tmp_path / STAGED).exists()


def test_deletion_takes_partial_files_and_empty_folders_only(tmp_path: Path) -> None:
    for name in ("f/a/x", "f/a/.x.01234567.partial", "f/b/y", "f/b/mine"):
        touch(tmp_path / name)
    delete_files(tmp_path / "f", ["a/x", "b/y", "c/never-there"])
    assert [p.name for p in sorted((tmp_path / "f").rglob("*"))] == ["b", "mine"]


def test_foreign_files_are_those_of_users(tmp_path: Path) -> None:
    for name in ("a/x", "a/.x.01234567.partial", ".DS_Store", "a/thesis.txt"):
        touch(tmp_path / name)
    assert list(foreign_files(tmp_path, {"a/x"})) == ["a/thesis.txt"]


def test_a_lock_excludes_others_and_is_deleted(tmp_path: Path) -> None:
    path, busy = tmp_path / "new/.lock", HlocLiteError("busy")

    def unwritable(error: OSError) -> HlocLiteError:
        return HlocLiteError(f"cannot write: {error}")

    with exclusive_lock(path, busy, unwritable):
        assert path.is_file()
        with pytest.raises(HlocLiteError, match="busy"), exclusive_lock(path, busy, unwritable):
            pass
    assert not path.exists()
    (tmp_path / "file").touch()
    with (
        pytest.raises(HlocLiteError, match="cannot write"),
        exclusive_lock(tmp_path / "file/.lock", busy, unwritable),
    ):
        pass


def test_a_lock_on_a_file_that_was_deleted_meanwhile_is_taken_again(
    tmp_path: Path, monkeypatch
) -> None:
    path, acquire = tmp_path / ".lock", FileLock.acquire

    def acquire_late(lock: FileLock, **options) -> object:
        """The last holder deletes the file after this lock has opened it."""
        monkeypatch.setattr(FileLock, "acquire", acquire)
        held = acquire(lock, **options)
        path.unlink()
        return held

    monkeypatch.setattr(FileLock, "acquire", acquire_late)
    with (
        exclusive_lock(path, HlocLiteError("busy"), lambda error: HlocLiteError(str(error))),
        pytest.raises(Timeout),
    ):
        FileLock(path).acquire(timeout=0)
    assert not path.exists()
