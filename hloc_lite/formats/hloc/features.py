"""hloc's feature files: local features or global descriptors, one HDF5 group an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.formats.hloc.h5 import own_number, reading, written_h5
from hloc_lite.formats.hloc.image_groups import (
    image_group,
    new_image_group,
    open_images,
    optional_numbers,
)
from hloc_lite.formats.hloc.names import from_hloc_pixels, to_hloc_pixels
from hloc_lite.geometry.camera_models import MAX_SIDE_PX
from hloc_lite.io.lazy_mapping import Closes, LazyMapping
from hloc_lite.types import Float32, freeze_field

SCORE_FIELDS = ("scores", "keypoint_scores", "score")
"""Names of the scores: of most extractors, of some, and of dense matching."""
MAX_OUTSIDE = 0.05
"""Distance of keypoints outside of the image, over its longer side, at which they are refused."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredFeatures:
    """Local features of an image as a file of hloc holds them, in its order.

    hloc stores half precision by default: keypoints beyond pixel 1024 are then rounded to whole
    pixels.
    """

    keypoints: Float32
    """(N, 2) x, y in pixels of the original image; (0.5, 0.5) is the centre of the first pixel."""
    descriptors: Float32 | None = None
    """(N, D); None in files of dense matching."""
    scores: Float32 | None = None
    """(N,) detection scores."""
    image_size: tuple[int, int] | None = None
    """(width, height) of the original image, pixels."""
    scales: Float32 | None = None
    """(N,) keypoint sizes, if the extractor gives them."""
    orientations: Float32 | None = None
    """(N,) keypoint orientations, in the unit of the extractor."""
    uncertainty_px: float | None = None
    """Detection noise in pixels of the original image."""

    def __post_init__(self) -> None:
        freeze_field(self, "keypoints", np.float32, None, 2)
        count = len(self.keypoints)
        if self.descriptors is not None:
            freeze_field(self, "descriptors", np.float32, count, None)
        for name in ("scores", "scales", "orientations"):
            if getattr(self, name) is not None:
                freeze_field(self, name, np.float32, count)

    def __len__(self) -> int:
        return len(self.keypoints)


class FeaturesFile(LazyMapping[StoredFeatures], Closes):
    """Mapping from image name to its local features, which are read from disk on access.

    Raises:
        FormatError: no HDF5 file, or names that are no image names. Reading an image raises it for
            an image of another layout.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file, names = open_images(path, "keypoints")
        super().__init__(names)

    def _read(self, name: str) -> StoredFeatures:
        return _read_image(self._file, self.path, name)

    def keypoints(self, name: str) -> Float32:
        """(N, 2) keypoints of an image, in pixels as in ``StoredFeatures``; nothing else is read.

        Raises:
            FormatError: another layout, or the image is missing.
        """
        return from_hloc_pixels(_stored_keypoints(self._file, self.path, name))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def write_features(
    path: Path, images: Iterable[tuple[str, StoredFeatures]], *, half_descriptors: bool = False
) -> None:
    """Write local features in hloc's layout; keypoints always in single precision.

    Args:
        path: HDF5 file to write.
        images: image names with their features; only one image is in memory at a time.
        half_descriptors: store descriptors in half precision, as hloc does by default.

    Raises:
        FormatError: a name that hloc cannot store, or a doubled one.
        HlocLiteError: the file cannot be written.
    """
    with written_h5(path, images) as (file, checked):
        for name, features in checked:
            group = new_image_group(file, path, name)
            keypoints = group.create_dataset("keypoints", data=to_hloc_pixels(features.keypoints))
            if features.uncertainty_px is not None:
                keypoints.attrs["uncertainty"] = float(features.uncertainty_px)
            for field, values in _other_fields(features, half_descriptors).items():
                group.create_dataset(field, data=values)


def _other_fields(features: StoredFeatures, half_descriptors: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "scores": features.scores,
        "scales": features.scales,
        "oris": features.orientations,
    }
    if features.descriptors is not None:
        kind = np.float16 if half_descriptors else np.float32
        fields["descriptors"] = features.descriptors.T.astype(kind)
    if features.image_size is not None:
        fields["image_size"] = np.array(features.image_size, np.int64)
    return {field: values for field, values in fields.items() if values is not None}


def _read_image(file: h5py.File, path: Path, name: str) -> StoredFeatures:
    group, where = image_group(file, path, name), f"{path}: image {name!r}"
    keypoints = _stored_keypoints(file, path, name)
    with reading(path, f"the keypoints of {name!r}"):
        uncertainty = own_number(group["keypoints"], path, "uncertainty")
    size = _image_size(group, path, where)
    if size is not None:
        _check_inside(keypoints, size, where)
    scores = [optional_numbers(group, path, field, 1) for field in SCORE_FIELDS]
    try:
        return StoredFeatures(
            keypoints=from_hloc_pixels(keypoints),
            descriptors=_descriptors(group, path, len(keypoints), where),
            scores=next((each for each in scores if each is not None), None),
            image_size=size,
            scales=optional_numbers(group, path, "scales", 1),
            orientations=optional_numbers(group, path, "oris", 1),
            uncertainty_px=uncertainty,
        )
    except ShapeError as error:
        raise FormatError(f"{where}: {error}") from None


def _stored_keypoints(file: h5py.File, path: Path, name: str) -> Float32:
    """(N, 2) keypoints as the file has them."""
    keypoints = optional_numbers(image_group(file, path, name), path, "keypoints", 2)
    if keypoints is None or keypoints.shape[1] != 2:
        got = None if keypoints is None else keypoints.shape
        raise FormatError(f"{path}: image {name!r}: expected (N, 2) keypoints, got {got}")
    return keypoints


def _descriptors(group: h5py.Group, path: Path, count: int, where: str) -> Float32 | None:
    """(N, D) descriptors; the file has the channels first."""
    stored = optional_numbers(group, path, "descriptors", 2)
    if stored is None:
        return None
    if stored.shape[1] != count:
        hint = ": the axes are exchanged" if len(stored) == count else ""
        raise FormatError(f"{where}: expected (D, {count}) descriptors, got {stored.shape}{hint}")
    return np.ascontiguousarray(stored.T)


def _image_size(group: h5py.Group, path: Path, where: str) -> tuple[int, int] | None:
    values = optional_numbers(group, path, "image_size", 1)
    if values is None:
        return None
    sides = values.tolist()
    if len(sides) != 2 or not all(0 < v <= MAX_SIDE_PX and v.is_integer() for v in sides):
        raise FormatError(f"{where}: expected image_size (width, height), got {sides[:4]}")
    return int(sides[0]), int(sides[1])


def _check_inside(keypoints: Float32, size: tuple[int, int], where: str) -> None:
    """Refuse keypoints that cannot be in pixels of the original image."""
    margin = MAX_OUTSIDE * max(size) + 1
    if not len(keypoints):
        return
    low, high = keypoints.min(axis=0), keypoints.max(axis=0)
    if (low < -margin).any() or (high > np.array(size) + margin).any():
        raise FormatError(
            f"{where}: keypoints from {low.tolist()} to {high.tolist()} lie outside of the image "
            f"of {size[0]} x {size[1]}: x and y may be exchanged, or they are for another size"
        )
