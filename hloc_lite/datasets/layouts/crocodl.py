"""CroCoDL: capture sessions ``{spot,hololens,ios}_{map,query}`` of seven locations.

Each location is a data set, whose map joins the map sessions of all devices. The location is the
only condition. Names in a submission say ``phone`` for sessions of ``ios``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.capture_sessions import MapImages, add_queries, write_session
from hloc_lite.datasets.layouts.device_queries import DeviceQueries
from hloc_lite.datasets.layouts.photo_writing import dealt_queries, map_photos
from hloc_lite.datasets.layouts.scene_parts import found_parts, make_part
from hloc_lite.errors import FormatError
from hloc_lite.formats.posed_images import posed_model

LOCATIONS = (
    "HYDRO", "SUCCULENT", "ARCHE_GRANDE", "DESIGN", "ARCHE_D2", "ARCHE_B3", "ARCHE_B5",
)  # fmt: skip
DEVICES: Mapping[str, str] = {"ios": "phone", "hololens": "hololens", "spot": "spot"}
"""Start of the names of sessions -> device in the names of submissions."""


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the locations that are there, also below ``capture/``.

    Raises:
        FormatError: no location, or a missing or damaged session.
    """
    inner = root / "capture"
    top = inner if inner.is_dir() else root
    names = found_parts(top, LOCATIONS, "sessions", card)
    return tuple(_read_location(top / name / "sessions", name, card) for name in names)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set as the location HYDRO, mapped by two devices and localized by three.

    The poses of queries are not written: the benchmark hides them.

    Raises:
        FormatError: no metric poses.
    """
    sessions = root / "capture" / LOCATIONS[0] / "sessions"
    mapped = map_photos(dataset)
    half = (len(mapped) + 1) // 2
    names: dict[str, str] = {}
    for device, photos in (("ios", mapped[:half]), ("spot", mapped[half:])):
        if photos:
            folder = sessions / f"{device}_map"
            names |= write_session(dataset, folder, photos, poses_file="trajectories.txt")
    for device, queries in dealt_queries(dataset, tuple(DEVICES)).items():
        if queries:
            folder = sessions / f"{device}_query"
            names |= write_session(
                dataset, folder, queries, poses_file=None, on_rig=device != "ios"
            )
    return names


def _read_location(sessions: Path, location: str, card: Card) -> Dataset:
    mapped, found = MapImages(), DeviceQueries()
    folders = [sessions / f"{device}_map" for device in DEVICES]
    folders = [folder for folder in folders if folder.is_dir()]
    if not folders:
        raise FormatError(
            f"{sessions} has no map: expected {' or '.join(f'{each}_map' for each in DEVICES)} "
            f"with sensors.txt. Unpack the archives of the location there"
        )
    for folder in folders:
        mapped.add(folder)
    notes = mapped.notes
    for device, name in DEVICES.items():
        folder = sessions / f"{device}_query"
        if folder.is_dir():
            notes += add_queries(found, folder, f"{location}_query_{name}")
        else:
            notes.append(f"there is no session {folder.name}: its queries are left out")
    return make_part(
        card, location, sessions, posed_model(mapped.cameras, mapped.poses),
        {location: found.cameras}, {location: found.truth},
        rigs=found.rigs, submission_names=found.submission_names, notes=tuple(notes),
    )  # fmt: skip
