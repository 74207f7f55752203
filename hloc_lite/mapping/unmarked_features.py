"""Stored features of map images without those in burned-in marks, which nothing else sees."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from hloc_lite.config import Config, fingerprint
from hloc_lite.errors import counted
from hloc_lite.features.burned_in import detector_scale, find_marks, near_marks
from hloc_lite.io.partial_store import PartialStore
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.two_pass_matching import MatchingPass
from hloc_lite.maps.storage import StoredFeatures
from hloc_lite.types import Bool

logger = logging.getLogger(__name__)
ROW_FIELDS = ("keypoints", "descriptors", "scores", "rgb")
"""Fields of a stored image with one row per feature."""
RECORD = "burned-in marks"
"""Item of a store of matches: which features were left out. Keys of pairs are JSON lists."""


def without_marks(store: ShardedStore, names: Sequence[str], config: Config) -> PartialStore:
    """Leave out the features in burned-in marks of each folder.

    Args:
        store: features of all images.
        names: images of the map.
    """
    dropped: dict[str, Bool] = {}
    if config.burned_in.enabled:
        for (folder, size), members in _cameras(store, names).items():
            found = _dropped_of(store, members, config)
            dropped |= found
            if found:
                total = sum(int(rows.sum()) for rows in found.values())
                logger.warning(
                    "%s in %s of %d x %d px in folder %r stay at one pixel while the picture "
                    "changes: a time stamp or logo, so they are not used "
                    "(burned_in.enabled=false uses them)",
                    counted(total, "feature"), counted(len(found), "photo"), *size, folder,
                )  # fmt: skip
    return PartialStore(store, ROW_FIELDS, dropped)


def discard_other_matches(features: PartialStore, passes: Sequence[MatchingPass]) -> None:
    """Empty stores of matches that were found with other features left out: rows have moved."""
    now = fingerprint(features.dropped) if features.dropped else ""
    for each in passes:
        matches = each.matches
        recorded = bytes(matches[RECORD]["fingerprint"]).decode() if RECORD in matches else ""
        if recorded != now:
            each.verified.clear()
            matches.clear()
            matches.add(RECORD, {"fingerprint": np.frombuffer(now.encode(), np.uint8)})
            matches.flush()


def _cameras(
    store: ShardedStore, names: Sequence[str]
) -> dict[tuple[str, tuple[int, int]], list[str]]:
    """Folder and size in pixels -> its images, in order."""
    groups: dict[tuple[str, tuple[int, int]], list[str]] = defaultdict(list)
    for name in names:
        width, height = store.read(name, ["image_size"])["image_size"]
        groups[PurePosixPath(name).parent.as_posix(), (int(width), int(height))].append(name)
    return groups


def _dropped_of(store: ShardedStore, names: Sequence[str], config: Config) -> dict[str, Bool]:
    """Image name -> (N,) bool of its features in marks, of the images that have some."""
    settings, max_side_px = config.burned_in, config.features.max_side_px
    if len(names) < settings.min_photos:
        return {}
    features = StoredFeatures(store)
    spaced = np.linspace(0, len(names) - 1, min(len(names), settings.max_sample)).round()
    sample = [features[names[int(at)]] for at in spaced]
    marks = find_marks(sample, settings, max_side_px)
    if not len(marks):
        return {}
    margin = settings.margin_px * detector_scale(sample[0].image_size, max_side_px)
    found = {
        name: near_marks(store.read(name, ["keypoints"])["keypoints"], marks, margin)
        for name in names
    }
    return {name: rows for name, rows in found.items() if rows.any()}
