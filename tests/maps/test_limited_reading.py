"""Maps are read in a child process first: sound ones pass, bad ones are refused with the reason."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hloc_lite.errors import DamagedMapError, FormatError
from hloc_lite.maps.limited_reading import CheckLimits, check_map, run_check
from tests.exact_scene import mapped_scene


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("checked") / "map"
    with mapped_scene() as (_, sfm_map):
        sfm_map.save(found)
    return found


def test_a_sound_map_passes(folder: Path) -> None:
    check_map(folder)


def test_a_map_that_cannot_be_opened_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no finished map"):
        check_map(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_memory_is_limited(folder: Path) -> None:
    # some libraries crash where they get no memory: in the child, so that this is a refusal, too
    with pytest.raises(FormatError, match=r"memory|crashes"):
        check_map(folder, limits=CheckLimits(memory_mb=1, cpu_s=60))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os; os.abort()", "crashes"),
        ("while True: pass", "too long"),
        ("print('nonsense')", "crashes"),
        ("import sys; sys.exit(3)", "of memory"),
    ],
)
def test_whatever_ends_the_child_is_a_refusal(code: str, told: str) -> None:
    limits = CheckLimits(memory_mb=100, cpu_s=0.5)
    with pytest.raises(DamagedMapError, match=told):
        run_check(Path("town"), [sys.executable, "-c", code], limits)


def test_limits_grow_with_the_map() -> None:
    assert CheckLimits.of_size(1000).memory_mb > CheckLimits.of_size(10).memory_mb
    assert CheckLimits.of_size(1000).cpu_s > CheckLimits.of_size(10).cpu_s
