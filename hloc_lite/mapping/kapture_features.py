"""Features, matches and global descriptors of a kapture for a map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.hloc.local_features import unit_rows
from hloc_lite.formats.kapture import Features, feature_types, open_features, open_matches
from hloc_lite.mapping.given_descriptors import GivenDescriptors
from hloc_lite.mapping.given_features import GivenFeatures, own_features_name
from hloc_lite.mapping.pairs import Pair
from hloc_lite.types import Camera, Float32, Float64, LocalFeatures, Matches

SIFT_DIM = 128


class KaptureFeatures(GivenFeatures):
    """Features of the named images of a kapture.

    Args:
        keypoints: keypoints of one type.
        descriptors: descriptors of these keypoints.
        cameras: intrinsics of the images, for their sizes.
        names: images.
        shift_px: pixels to add to stored keypoints (``keypoint_shift_px``).

    Raises:
        FormatError: an image lacks keypoints or descriptors.
    """

    def __init__(
        self,
        keypoints: Features,
        descriptors: Features,
        cameras: Mapping[str, Camera],
        names: Sequence[str],
        shift_px: float,
    ) -> None:
        missing = [n for n in names if not (keypoints.has(n) and descriptors.has(n))]
        super().__init__(names, missing, str(descriptors.files.folder))
        self._keypoints, self._descriptors = keypoints, descriptors
        self._cameras, self._shift_px = cameras, shift_px

    def keypoints(self, name: str) -> Float64:
        stored = self._keypoints.read(name)[:, :2].astype(np.float64)
        # single precision, as in maps and databases
        return (stored + self._shift_px).astype(np.float32).astype(np.float64)

    def _read(self, name: str) -> LocalFeatures:
        keypoints, stored = self.keypoints(name), self._descriptors.read(name)
        if len(stored) != len(keypoints):
            raise FormatError(
                f"{name!r} has {len(keypoints)} keypoints of type "
                f"{self._keypoints.files.folder.name!r}, but {len(stored)} descriptors"
            )
        camera = self._cameras[name]
        return LocalFeatures(
            keypoints=keypoints.astype(np.float32),
            descriptors=unit_rows(stored.astype(np.float32)),
            scores=np.ones(len(stored), np.float32),  # a kapture has none
            image_size=(camera.width, camera.height),
        )


def chosen_descriptors(folder: Path, features_name: str | None) -> tuple[str, Features]:
    """Open the descriptors of a kapture; return their type, too.

    Args:
        folder: root of the kapture.
        features_name: registry name or type, which tells them among several.

    Raises:
        FormatError: it has none.
        ConfigError: several types.
    """
    types = feature_types(folder, "descriptors")
    if not types:
        raise FormatError(f"{folder} has no descriptors, by which queries are matched")
    wanted = features_name is not None
    chosen = [n for n in types if wanted and features_name in (n, own_features_name(n))]
    if len(types) > 1 and len(chosen) != 1:
        raise ConfigError(
            f"{folder} has descriptors of {len(types)} types; choose one by --features: "
            f"{', '.join(types)}"
        )
    name = chosen[0] if chosen else types[0]
    return name, open_features(folder, "descriptors", name)


def own_name(descriptors_type: str, descriptors: Features) -> str | None:
    """Features of this package that a type of descriptors is by its names; None if it is none."""
    for text in (descriptors_type, descriptors.header.name):
        found = own_features_name(text.lower())
        if found is not None:
            return found
    is_sift = "sift" in f"{descriptors_type} {descriptors.header.name}".lower()
    return "rootsift" if is_sift and descriptors.header.dsize == SIFT_DIM else None


def kapture_matches(
    folder: Path, keypoints_type: str, num_keypoints: Mapping[str, int]
) -> Iterator[tuple[Pair, Matches]]:
    """Matches of the pairs of known images, one pair after the other.

    Args:
        folder: root of the kapture.
        keypoints_type: type of the matched keypoints.
        num_keypoints: image -> number of its keypoints.

    Raises:
        FormatError: no matches, damaged ones, or an index beyond the keypoints.
    """
    stored = open_matches(folder, keypoints_type)
    for pair in stored.pairs():
        if pair[0] == pair[1] or not set(pair) <= set(num_keypoints):
            continue
        rows = stored.read(*pair)
        if (rows[:, :2] >= [num_keypoints[name] for name in pair]).any():
            raise FormatError(f"{folder}: a match of {pair} is beyond the keypoints")
        yield pair, Matches(rows[:, :2].astype(np.int32), rows[:, 2].astype(np.float32))


def kapture_descriptors(folder: Path, names: Sequence[str]) -> GivenDescriptors | None:
    """Global features of all images, if the kapture has them of one type; else None."""
    types = feature_types(folder, "global_features")
    if len(types) != 1:
        return None
    stored = open_features(folder, "global_features", types[0])
    if not all(stored.has(name) for name in names):
        return None

    def read(wanted: Sequence[str]) -> Float32:
        return np.stack([stored.read(name) for name in wanted]).astype(np.float32)

    name = types[0] or stored.header.name
    where = str(stored.files.folder)
    return GivenDescriptors(where=where, name=name, own_name=None, state={}, read=read)
