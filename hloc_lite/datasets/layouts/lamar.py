"""LaMAR: capture sessions of three locations, a data set each.

Conditions are ``CAB_phone`` and ``CAB_hololens`` for the hidden test queries, ``CAB_val_phone`` and
``CAB_val_hololens`` for validation, whose poses are public. Headsets ask for the pose of a rig.
"""

from __future__ import annotations

from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.capture_sessions import MapImages, add_queries, write_session
from hloc_lite.datasets.layouts.device_queries import DeviceQueries
from hloc_lite.datasets.layouts.photo_writing import dealt_queries, map_photos
from hloc_lite.datasets.layouts.scene_parts import found_parts, make_part
from hloc_lite.errors import FormatError
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.types import Camera, Rigid3

LOCATIONS = ("CAB", "HGE", "LIN")
SESSIONS = ("query_phone", "query_hololens", "query_val_phone", "query_val_hololens")


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the locations that are there.

    Raises:
        FormatError: no location, or a missing or damaged session.
    """
    names = found_parts(root, LOCATIONS, "sessions/map/sensors.txt", card)
    return tuple(_read_location(root / name / "sessions", name, card) for name in names)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set as the location CAB.

    Conditions become the sessions of validation and test, see ``dealt_queries``. Each photo of a
    headset is that of a rig with one photo at a time.

    Raises:
        FormatError: no metric poses.
    """
    sessions = root / LOCATIONS[0] / "sessions"
    validation = ("query_val_phone", "query_val_hololens")
    dealt = dealt_queries(
        dataset, (*validation, "query_phone", "query_hololens"), with_truth=validation
    )
    names = write_session(
        dataset, sessions / "map", map_photos(dataset), poses_file="trajectories.txt"
    )
    for session, photos in dealt.items():
        if photos:
            is_public = session in validation
            names |= write_session(
                dataset,
                sessions / session,
                photos,
                poses_file="proc/alignment_trajectories.txt" if is_public else None,
                on_rig=session.endswith("hololens"),
                lists_queries=True,
            )
    return names


def _read_location(sessions: Path, location: str, card: Card) -> Dataset:
    mapped = MapImages()
    mapped.add(sessions / "map")
    everything = DeviceQueries()
    queries: dict[str, dict[str, Camera]] = {}
    truth: dict[str, dict[str, Rigid3]] = {}
    notes = mapped.notes
    for session in SESSIONS:
        folder = sessions / session
        condition = f"{location}_{session.removeprefix('query_')}"
        if not folder.is_dir():
            notes.append(f"there is no session {session}: condition {condition} is left out")
            continue
        if not (folder / "queries.txt").is_file():
            raise FormatError(f"{folder / 'queries.txt'} does not exist: unpack the whole session")
        found = DeviceQueries()
        # validation is not submitted
        group = None if "_val_" in session else f"{location}_{session}"
        notes += add_queries(found, folder, group)
        queries[condition], truth[condition] = found.cameras, found.truth
        if "_val_" in session and not found.truth:
            notes.append(f"{session} has no proc/alignment_trajectories.txt, so no true poses")
        everything.rigs |= found.rigs
        everything.submission_names |= found.submission_names
    return make_part(
        card, location, sessions, posed_model(mapped.cameras, mapped.poses), queries, truth,
        rigs=everything.rigs, submission_names=everything.submission_names, notes=tuple(notes),
    )  # fmt: skip
