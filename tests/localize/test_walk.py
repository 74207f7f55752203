"""The walk of a query: the files of ``hloc_lite/localize`` that it enters, in order.

A reader who follows one query shall read each file once. To print the walks:
``python -m tests.localize.test_walk``.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from types import FrameType

import hloc_lite
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.types import Status
from tests.exact_scene import ExactScene, mapped_scene
from tests.localize.localizers import make_localizer

PACKAGE = Path(hloc_lite.__file__).parent
HUB = "pipeline.py"
"""Calls all steps; the only file that a query may come back to."""
LOOP = "cascade.py"
"""Begins each matching step."""
MAX_FILES = 10
ALL_STEPS = (
    "confidence.min_confidence=1",
    "cascade.accept_above=1",
    "cascade.reject_below=0",
    "cascade.num_initial_images=2",
    "cascade.max_images=3",
)
"""Settings under which no pose is confident enough, so that all matching steps are taken."""


def record_walk(call: Callable[[], object]) -> list[str]:
    """Files of the package whose functions a call enters, in order; paths within the package.

    Consecutive entries of one file count once. Comprehensions are read where they stand, and code
    that a decorator generates has no file: neither counts.
    """
    files: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and not frame.f_code.co_name.startswith("<"):
            files.append(frame.f_code.co_filename)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    paths = (Path(file) for file in files)
    own = (path.relative_to(PACKAGE).as_posix() for path in paths if path.is_relative_to(PACKAGE))
    return [file for file, _ in groupby(own)]


def of_localize(walk: list[str]) -> list[str]:
    """Files of ``localize/`` in a walk, by name; other rooms in between do not count."""
    names = [file.removeprefix("localize/") for file in walk if file.startswith("localize/")]
    return [name for name, _ in groupby(names)]


def without_hub(files: list[str]) -> list[str]:
    """The walk without returns to the hub."""
    return [name for name, _ in groupby(name for name in files if name != HUB)]


def repeated(files: list[str]) -> list[str]:
    """Files that are entered again after they were left."""
    return sorted({name for name in files if files.count(name) > 1})


def steps_of(files: list[str]) -> list[list[str]]:
    """A walk in parts: what comes before the first matching step, and each step."""
    parts: list[list[str]] = [[]]
    for name in files:
        if name == LOOP:
            parts.append([])
        parts[-1].append(name)
    return parts


def localize_once(localizer: Localizer, scene: ExactScene) -> Callable[[], None]:
    """One query; a query before it leaves nothing to be loaded."""
    localizer.localize(scene.image(3), scene.camera)

    def call() -> None:
        result = localizer.localize(scene.image(3), scene.camera)
        assert result.status in (Status.LOCALIZED, Status.DOUBTFUL)

    return call


def show(title: str, walk: list[str]) -> None:
    """Print a walk, the files of other rooms apart."""
    print(f"\n{title}: {len(set(of_localize(walk)))} files of localize/")
    print("  " + " -> ".join(of_localize(walk)))
    others = dict.fromkeys(file for file in walk if not file.startswith("localize/"))
    rooms: dict[str, list[str]] = {}
    for file in others:
        room, _, name = file.rpartition("/")
        rooms.setdefault(room or "hloc_lite", []).append(name)
    for room, names in rooms.items():
        print(f"  {room}: {', '.join(names)}")


def test_a_query_enters_each_file_once(scene: ExactScene, sfm_map: Map) -> None:
    walk = record_walk(localize_once(make_localizer(sfm_map), scene))
    show("default query", walk)
    files = without_hub(of_localize(walk))
    assert len(set(files)) < MAX_FILES, "with the hub these are MAX_FILES"
    before, *steps = steps_of(files)
    assert before == ["localizer.py", "query.py"]
    assert len(steps) == 2, "one matching step, and the end of the loop"
    assert repeated([name for name in files if name != LOOP]) == []


def test_only_the_loop_over_matching_steps_repeats(scene: ExactScene, sfm_map: Map) -> None:
    walk = record_walk(localize_once(make_localizer(sfm_map, *ALL_STEPS), scene))
    show("query with all matching steps", walk)
    files = without_hub(of_localize(walk))
    assert len(set(files)) < MAX_FILES, "with the hub these are MAX_FILES"
    before, *steps = steps_of(files)
    assert len(steps) > 4  # few landmarks, all landmarks, two images, one image; end of the loop
    assert [repeated(part) for part in steps] == [[]] * len(steps)
    once = [name for name in files if name in before or name == "result.py"]
    assert repeated(once) == [] and files[-1] == "result.py"


def test_a_return_to_a_file_is_found() -> None:
    """The check itself: a walk that comes back is reported, one over the hub is not."""
    assert repeated(without_hub(["query.py", HUB, "cascade.py", HUB, "query.py"])) == ["query.py"]
    assert repeated(without_hub(["query.py", HUB, "query.py", HUB, "cascade.py"])) == []
    assert steps_of(["a", LOOP, "b", LOOP, "c"]) == [["a"], [LOOP, "b"], [LOOP, "c"]]


def main() -> None:
    """Print the walks."""
    with mapped_scene() as (scene, sfm_map):
        for title, settings in (("default query", ()), ("all matching steps", ALL_STEPS)):
            show(title, record_walk(localize_once(make_localizer(sfm_map, *settings), scene)))


if __name__ == "__main__":
    sys.exit(main())
