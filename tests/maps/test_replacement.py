"""Replacing a map keeps the old or the new one: killed, on a full disk, and seen by others."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import BusyMapError, HlocLiteError
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.georeference import FitQuality, Georeference, write_georeference
from hloc_lite.maps.map import Map
from hloc_lite.scene import SfmModel

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
CALLS = ("replace", "unlink", "rmdir", "mkdir", "fsync")
"""Functions of ``os`` that change a folder; a process may die before each call."""
STRIDE = int(os.environ.get("HLOC_LITE_KILL_STRIDE", "10"))
"""1 kills at every call, which takes a minute."""
WRITERS: dict[str, Callable[[Path, Map], object]] = {
    "full": lambda folder, each: each.save(folder),
    "compact": lambda folder, each: compress_map(each, folder, overwrite=True),
}
QUALITY = FitQuality(3, 3, 0.1, 0.1, 0.1, 0.01, 0.1, 0.1, "positions", (0.0, 1.0))
GEOREFERENCE = Georeference(50.0, 8.0, 100.0, Similarity3(1.0, np.eye(3), np.zeros(3)), QUALITY)


def in_child(work: Callable[[], object]) -> int:
    """Exit code of a process that does some work."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except HlocLiteError:
            os._exit(3)
        except BaseException:
            os._exit(4)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def dying_after(num_calls: int, work: Callable[[], object]) -> Callable[[], object]:
    """Work of a process that is killed after some calls of ``CALLS``."""

    def dying() -> None:
        left = [num_calls]

        def counted(function: Callable[..., object]) -> Callable[..., object]:
            def call(*args: object, **options: object) -> object:
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
                return function(*args, **options)

            return call

        os.fsync = lambda _: None  # slow, and only for power cuts
        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        work()

    return dying


@pytest.fixture
def maps(exact_map) -> tuple[Map, Map]:
    """Two maps of other poses."""
    old = exact_map[1]
    model: SfmModel = old.model
    moved = replace(model, xyz=model.xyz + 1.0)
    images = tuple(
        replace(each, cam_from_world=replace(each.cam_from_world, translation=np.ones(3)))
        for each in model.images
    )
    return old, replace(old, model=replace(moved, images=images), fingerprint="feed")


def check(folder: Path, expected: Map, *, georeferenced: bool) -> None:
    """The folder holds a map, whole and nothing of another."""
    opened = Map.open(folder)
    assert opened.fingerprint == expected.fingerprint
    assert np.allclose(opened.model.xyz, expected.model.xyz, atol=1e-4)
    assert opened.landmark_descriptors is not None and len(opened.landmark_descriptors.values[:])
    assert all(len(opened.features[image.name]) for image in opened.model.images)
    assert (opened.georeference is not None) == georeferenced


@pytest.mark.parametrize("kind", ["full", "compact"])
def test_a_writer_that_is_killed_at_any_call_leaves_the_old_or_the_new_map(
    maps, tmp_path: Path, kind: str
) -> None:
    old, new = maps

    def write(each: Map, folder: Path) -> None:
        WRITERS[kind](folder, each)

    seen: list[bool] = []
    write(old, tmp_path / "old")
    write_georeference(tmp_path / "old", GEOREFERENCE)
    for survived in count(step=STRIDE):
        folder = tmp_path / str(survived)
        shutil.copytree(tmp_path / "old", folder)
        code = in_child(dying_after(survived, lambda folder=folder: write(new, folder)))
        assert code in (0, -signal.SIGKILL)
        is_new = Map.open(folder).fingerprint == new.fingerprint
        check(folder, new if is_new else old, georeferenced=not is_new)
        if survived == 0 or is_new != any(seen):  # the next writer is not hindered
            write(new, folder)
            check(folder, new, georeferenced=False)
            assert not (folder / ".new").exists()
        seen.append(is_new)
        if code == 0:
            break
    assert seen == sorted(seen) and not seen[0] and seen[-1] and len(seen) * STRIDE > 40


def test_a_georeference_is_the_old_or_the_new_one(exact_map, tmp_path: Path) -> None:
    exact_map[1].save(tmp_path)
    write_georeference(tmp_path, GEOREFERENCE)
    new = replace(GEOREFERENCE, height_m=7.0)
    heights = []
    for survived in count():
        work = dying_after(survived, lambda: write_georeference(tmp_path, new))
        code = in_child(work)
        heights.append(Map.open(tmp_path).georeference.height_m)
        if code == 0:
            break
    assert heights[0] == 100.0 and heights[-1] == 7.0 and set(heights) == {100.0, 7.0}


@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir"])
def test_a_disk_that_is_full_at_any_call_leaves_the_old_or_the_new_map(
    maps, tmp_path: Path, monkeypatch, call: str
) -> None:
    old, new = maps
    old.save(tmp_path)
    function = getattr(os, call)
    for survived in count(step=3):
        left = [survived]

        def full(*args: object, left=left, **options: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda _: None)
            patch.setattr(os, call, full)
            try:
                new.save(tmp_path)
                error = ""
            except HlocLiteError as raised:
                error = str(raised)
        is_new = Map.open(tmp_path).fingerprint == new.fingerprint
        check(tmp_path, new if is_new else old, georeferenced=False)
        if not error:
            break
        assert "No space left" in error and str(tmp_path) in error
        old.save(tmp_path)
    assert is_new


def test_files_that_cannot_grow_leave_the_old_map(maps, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    old, new = maps
    old.save(tmp_path)
    sizes = sorted(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    for size in sizes[::3] + sizes[-1:]:

        def work(limit: int = size - 100) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            new.save(tmp_path)

        assert in_child(work) == 3
        check(tmp_path, old, georeferenced=False)
    assert not (tmp_path / ".new").exists()


def test_readers_and_other_writers_see_whole_maps(maps, tmp_path: Path) -> None:
    maps[0].save(tmp_path)
    fingerprints, end = {each.fingerprint: each for each in maps}, time.monotonic() + 2.0

    def write_again_and_again(sfm_map: Map) -> None:
        while time.monotonic() < end:
            try:
                sfm_map.save(tmp_path)
                time.sleep(0.05)
            except BusyMapError:
                time.sleep(0.001)

    pids = []
    for each in maps:
        pids.append(os.fork())
        if pids[-1] == 0:
            try:
                write_again_and_again(each)
            except BaseException:
                os._exit(1)
            os._exit(0)
    while time.monotonic() < end:
        opened = Map.open(tmp_path)
        expected = fingerprints[opened.fingerprint]
        assert np.allclose(opened.model.xyz, expected.model.xyz, atol=1e-4)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]


@pytest.mark.parametrize("name", [".new", "sfm", ".new/sfm"])
def test_nothing_is_written_through_links(maps, tmp_path: Path, name: str) -> None:
    old, new = maps
    folder, private = tmp_path / "map", tmp_path / "private"
    old.save(folder)
    private.mkdir()
    if name == ".new/sfm":
        (folder / ".new").mkdir()
    if name == "sfm":
        (folder / "sfm").rename(private / "sfm")
        (folder / "sfm").symlink_to(private / "sfm")
    else:
        (folder / name).symlink_to(private)
    before = {path: path.stat().st_mtime_ns for path in private.rglob("*")}
    with pytest.raises(HlocLiteError, match="is a link"):
        new.save(folder)
    assert {path: path.stat().st_mtime_ns for path in private.rglob("*")} == before


def test_a_lock_that_is_a_link_changes_nothing_elsewhere(maps, tmp_path: Path) -> None:
    maps[0].save(tmp_path / "map")
    (tmp_path / "private").write_text("mine")
    (tmp_path / "map/.lock").symlink_to(tmp_path / "private")
    with pytest.raises(HlocLiteError):
        maps[1].save(tmp_path / "map")
    assert (tmp_path / "private").read_text() == "mine"


@pytest.mark.parametrize("kind", ["full", "compact"])
def test_a_map_that_is_open_is_replaced_on_systems_that_move_no_open_files(
    maps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    old, new = maps
    write = partial(WRITERS[kind], tmp_path)
    write(old)
    held = next(path for path in sorted(tmp_path.rglob("*")) if path.suffix in (".h5", ".npy"))
    move = os.replace

    def moves(source: Path, target: Path) -> None:
        if ".new" in Path(source).parts[-3:-1] and Path(target) == held:
            raise PermissionError(errno.EACCES, "in use")
        move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", moves)
        write(new)  # as while another process has the old one open
        check(tmp_path, new, georeferenced=False)
        with pytest.raises(HlocLiteError, match="open, or they may not be moved"):
            write(old)
        check(tmp_path, new, georeferenced=False)
    write(old)  # after that process has ended
    check(tmp_path, old, georeferenced=False)
    assert not (tmp_path / ".new").exists()


@pytest.mark.parametrize("kind", ["full", "compact"])
def test_a_private_map_stays_private(maps, tmp_path: Path, kind: str) -> None:
    old, new = maps
    write = partial(WRITERS[kind], tmp_path)
    write(old)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        path.chmod(0o600)
    write(new)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
