"""Every harm of ``hostile_maps``: the map is refused or opened, and nothing else is read.

``pipelines/benchmarks/robustness/strangers_maps.py`` also watches what C libraries open.
"""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hloc_lite.errors import HlocLiteError
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.map import Map
from hloc_lite.maps.summary import summarize_map
from hloc_lite.maps.verify import verify_map
from pipelines.benchmarks.robustness.hostile_maps import PRIVATE_FILES, plants, sign
from tests.exact_scene import mapped_scene

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pipes and alarms")
MAX_SECONDS = 10
OPENED: list[str] = []
"""Paths that were opened while ``watched`` is on; Python keeps audit hooks for ever."""
WATCHING: list[bool] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if WATCHING and event in ("open", "os.listdir", "subprocess.Popen", "socket.connect"):
        OPENED.append(f"{event} {arguments[0]}")


@pytest.fixture(scope="module", autouse=True)
def audit_hook() -> None:
    sys.addaudithook(_audit)


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Iterator[dict[str, Path]]:
    with mapped_scene() as (_, sfm_map):
        root = tmp_path_factory.mktemp("good")
        sfm_map.save(root / "full")
        compress_map(sfm_map, root / "compact")
        yield {"full": root / "full", "compact": root / "compact"}


@contextmanager
def watched() -> Iterator[None]:
    """Record what is opened; a block that hangs ends."""

    def late(*_: object) -> None:
        raise AssertionError(f"still at work after {MAX_SECONDS} s")

    previous = signal.signal(signal.SIGALRM, late)
    signal.alarm(MAX_SECONDS)
    OPENED.clear()
    WATCHING.append(True)
    try:
        yield
    finally:
        WATCHING.clear()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@pytest.mark.parametrize("kind", ["full", "compact"])
def test_a_map_with_a_harm_is_refused_or_opened(good, tmp_path: Path, kind: str) -> None:
    private = tmp_path / "private"
    private.mkdir()
    for name in PRIVATE_FILES:
        (private / name).write_bytes(b"private")
    refused, hostile = [], plants(is_compact=kind == "compact")
    for name, plant in hostile.items():
        folder = tmp_path / "map"
        shutil.copytree(good[kind], folder)
        plant(folder, private)
        if (folder / "map.json").is_file() and name.startswith(("model", "image name")):
            sign(folder)
        for use in (_read_all, verify_map):
            try:
                with watched():
                    use(folder)
            except HlocLiteError as error:
                refused.append(name)
                assert str(folder) in str(error) or "map" in str(error), name
            except Exception as error:
                raise AssertionError(f"{name}: {use.__name__}: {error!r}") from error
            private_opened = [each for each in OPENED if str(private) in each]
            started = [each for each in OPENED if not each.startswith(("open", "os.listdir"))]
            assert private_opened == started == [], name
        shutil.rmtree(folder)
    assert len(hostile) > 60 and len(set(refused)) > len(hostile) / 2


def _read_all(folder: Path) -> None:
    opened = Map.open(folder)
    list(opened.features.values())
    summarize_map(folder, opened)
