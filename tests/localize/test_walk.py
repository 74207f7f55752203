"""The walk of a query: the files of ``hloc_lite/localize`` that it enters, in order.

A reader who follows one query shall read each file once. To print the walks:
``python -m tests.localize.test_walk``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.types import Status
from tests.exact_scene import ExactScene, mapped_scene
from tests.localize.localizers import make_localizer
from tests.walk import files_of, record_walk, repeated

HUB = "pipeline.py"
"""Calls all steps; the only file that a query may come back to."""
LOOP = "cascade.py"
"""Begins each matching step."""
TURNS = {
    "verification.py", "error_limits.py", "intrinsics_check.py", "landmark_check.py",
    "pose_uncertainty.py", "result.py", "localizer.py",
}  # fmt: skip
"""Verification asks each of its parts in turn, the result its threshold (``acceptance.py``); the
localizer adds what could not be used."""
MAX_FILES = 16
"""The hub, ten steps, what verification asks (limits, uncertainty, intrinsics, landmarks), and if
the photo may lie on its side."""
UPRIGHT = "localize.turn_failed=false"
"""A photo that is tried turned takes the same steps again."""
ALL_STEPS = (
    "confidence.min_confidence=1",
    "cascade.accept_above=1",
    "cascade.reject_below=0",
    "cascade.num_initial_images=2",
    "cascade.max_images=3",
)
"""Settings under which no pose is confident enough, so that all matching steps are taken."""


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
    files = files_of("localize", walk)
    print(f"\n{title}: {len(set(files))} files of localize/")
    print("  " + " -> ".join(files))
    others = dict.fromkeys(file for file in walk if not file.startswith("localize/"))
    rooms: dict[str, list[str]] = {}
    for file in others:
        room, _, name = file.rpartition("/")
        rooms.setdefault(room or "hloc_lite", []).append(name)
    for room, names in rooms.items():
        print(f"  {room}: {', '.join(names)}")


def test_a_query_enters_each_file_once(scene: ExactScene, sfm_map: Map) -> None:
    walk = record_walk(localize_once(make_localizer(sfm_map, UPRIGHT), scene))
    show("default query", walk)
    files = files_of("localize", walk, HUB)
    assert len(set(files)) < MAX_FILES, "with the hub these are MAX_FILES"
    before, *steps = steps_of(files)
    assert before == ["localizer.py", "query.py"]
    assert len(steps) == 2, "one matching step, and the end of the loop"
    assert TURNS.issuperset(repeated([name for name in files if name != LOOP]))


def test_only_the_loop_over_matching_steps_repeats(scene: ExactScene, sfm_map: Map) -> None:
    walk = record_walk(localize_once(make_localizer(sfm_map, UPRIGHT, *ALL_STEPS), scene))
    show("query with all matching steps", walk)
    files = files_of("localize", walk, HUB)
    assert len(set(files)) < MAX_FILES, "with the hub these are MAX_FILES"
    before, *steps = steps_of(files)
    assert len(steps) > 4  # few landmarks, all landmarks, two images, one image; end of the loop
    assert all(TURNS.issuperset(repeated(part)) for part in steps)
    once = [name for name in files if name in before or name == "result.py"]
    assert TURNS.issuperset(repeated(once)) and "result.py" in files[-3:]


def test_a_return_to_a_file_is_found() -> None:
    """The check itself: a walk that comes back is reported, one over the hub is not."""
    back = ["a/query.py", "a/hub.py", "b/other.py", "a/cascade.py", "a/hub.py", "a/query.py"]
    assert repeated(files_of("a", back, "hub.py")) == ["query.py"]
    over_the_hub = ["a/query.py", "a/hub.py", "b/other.py", "a/query.py", "a/cascade.py"]
    assert repeated(files_of("a", over_the_hub, "hub.py")) == []
    assert steps_of(["a", LOOP, "b", LOOP, "c"]) == [["a"], [LOOP, "b"], [LOOP, "c"]]


def main() -> None:
    """Print the walks."""
    with mapped_scene() as (scene, sfm_map):
        for title, settings in (("default query", ()), ("all matching steps", ALL_STEPS)):
            show(title, record_walk(localize_once(make_localizer(sfm_map, *settings), scene)))


if __name__ == "__main__":
    sys.exit(main())
