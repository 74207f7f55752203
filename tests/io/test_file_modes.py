"""Outputs that exist already keep their permissions, and links that a user names are followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hloc_lite.errors import ConfigError
from hloc_lite.io.files import atomic_path, write_json_atomic, write_text_atomic
from hloc_lite.io.output_links import written_file
from hloc_lite.io.staging import HEADER

pytestmark = pytest.mark.skipif(os.name == "nt", reason="permissions and links of Unix")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666, 0o755])
def test_a_file_that_is_written_again_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "poses.txt"
    file.write_text("old")
    file.chmod(mode)
    write_text_atomic(file, "new")
    assert (file.read_text() if mode & 0o400 else "new", mode_of(file)) == ("new", mode)


def test_set_user_id_bits_are_not_kept(tmp_path: Path) -> None:
    file = tmp_path / "poses.txt"
    file.write_text("old")
    file.chmod(0o4755)
    write_text_atomic(file, "new")
    assert mode_of(file) == 0o755


def test_a_new_file_follows_the_umask(tmp_path: Path, umask) -> None:
    write_json_atomic(tmp_path / "new.json", {})
    assert mode_of(tmp_path / "new.json") == 0o640


def test_the_temporary_file_is_as_private(tmp_path: Path, umask) -> None:
    file = tmp_path / "secret.txt"
    file.write_text("old")
    file.chmod(0o600)
    with atomic_path(file) as partial:
        partial.write_text("new")
        assert mode_of(partial) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret.txt"]


def test_a_failed_write_leaves_no_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(file):
        raise RuntimeError
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}


def test_links_are_replaced_not_followed_unless_a_user_names_them(tmp_path: Path) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target.name)
    assert written_file(link) == target.resolve() and written_file(target) == target
    write_text_atomic(written_file(link), "new")
    assert link.is_symlink() and target.read_text() == "new" and mode_of(target) == 0o600
    write_text_atomic(link, "replaced")
    assert not link.is_symlink() and target.read_text() == "new"


def test_a_link_to_nothing_yet_leads_to_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to(tmp_path / "later.txt")
    write_text_atomic(written_file(tmp_path / "link.txt"), "new")
    assert (tmp_path / "later.txt").read_text() == "new"


def test_links_in_a_map_are_refused(tmp_path: Path) -> None:
    (tmp_path / "map" / "sub").mkdir(parents=True)
    (tmp_path / "map" / HEADER).write_text("{}")
    link = tmp_path / "map" / "sub" / "poses.txt"
    link.symlink_to(tmp_path / "precious.txt")
    with pytest.raises(ConfigError, match="is a link in the map"):
        written_file(link)
    assert written_file(tmp_path / "map" / "poses.txt") == tmp_path / "map" / "poses.txt"


def test_devices_and_folders_are_left_to_their_own_check(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "folder").symlink_to(tmp_path)
    for name in ("null", "folder"):
        assert written_file(tmp_path / name) == tmp_path / name
