"""``MapData``: the fields of a map, without its storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hloc_lite.config import Config
from hloc_lite.consistency.landmark_labels import LandmarkLabels
from hloc_lite.errors import FormatError, counted
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.maps.calibration import MapCalibration
from hloc_lite.maps.georeference import Georeference
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.surface import StoredSurface
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float32, LocalFeatures, Surface


@dataclass(frozen=True, eq=False)
class MapData:
    """SfM model with the features and global descriptors of its images."""

    model: SfmModel
    features: Mapping[str, LocalFeatures]
    """Features of each registered image; may be read from disk on access."""
    global_names: tuple[str, ...]
    """Registered images, in the order of ``global_descriptors``."""
    global_descriptors: Float32
    """(M, D) unit rows."""
    retrieval_state: Mapping[str, np.ndarray]
    """Arrays that the global descriptor learned from the map images (a vocabulary)."""
    config: Config
    """Config that the map was made with. Settings that only queries read have the defaults of this
    version, unless others were chosen when the map was made (``maps.config``)."""
    fingerprint: str
    weights: Mapping[str, str]
    """Name -> sha256 of the networks that the map was made with."""
    report: Mapping[str, Any] = field(default_factory=dict)
    """Counts and timings of mapping, and the outcome for each image."""
    landmark_labels: LandmarkLabels | None = None
    """Semantic labels of the points; None if the map was built without a segmenter."""
    landmark_descriptors: LandmarkDescriptors | None = None
    """Descriptors of the points; None if they must be computed from the features
    (``mean_descriptors``). Images of a compact map have no other features."""
    landmark_sigmas: Float32 | None = None
    """(M,) standard deviation of each landmark along its least certain direction, that of the rays
    that see it, map units; None if unknown, as in maps without measured depth."""
    georeference: Georeference | None = None
    """Location on Earth; None if not georeferenced."""
    outside_names: Mapping[str, str] = field(default_factory=dict)
    """Settings of the stored map that name models, files or folders outside hloc_lite, by dotted
    key. They are not in ``config`` and nothing is loaded by them (``maps.outside_names``)."""
    photos: ImageSource | None = None
    """Source of the map photos, where they are still at hand."""
    calibration: MapCalibration | None = None
    """Knowledge of the map about itself; None if it was not calibrated."""
    surface: StoredSurface | Surface | None = None
    """Coloured points or triangles of the place; None if none was made (`hloc-lite surface`).
    ``geometry.surface_rendering.render_surface`` takes it."""

    @property
    def metres_per_unit(self) -> float | None:
        """Metres per map unit; None if the map has no known scale.

        It is known of georeferenced maps, and of those made as metric (``MapInputs.metric``).
        """
        if self.georeference is not None:
            return self.georeference.metres_per_unit
        return 1.0 if self.report.get("metric") is True else None

    def __post_init__(self) -> None:
        missing = [i.name for i in self.model.images if i.name not in self.features]
        if missing:
            count = counted(len(missing), "image")
            raise FormatError(f"the map has no features of {count}: {missing[:3]}")
        labels, points = self.landmark_labels, (self.model.num_points,)
        if labels is not None and not labels.labels.shape == labels.shares.shape == points:
            raise FormatError(
                f"the map has {points[0]} points, but labels of shape {labels.labels.shape} and "
                f"shares of shape {labels.shares.shape}"
            )
        sigmas = self.landmark_sigmas
        if sigmas is not None and sigmas.shape != points:
            raise FormatError(
                f"the map has {points[0]} points, but standard deviations of shape {sigmas.shape}"
            )
        descriptors = self.landmark_descriptors
        if descriptors is not None and descriptors.num_landmarks != points[0]:
            raise FormatError(
                f"the map has {points[0]} points, but descriptors of {descriptors.num_landmarks}"
            )
        for image in self.model.images[:1]:
            expected, got = len(image.point3D_idxs), len(self.features[image.name])
            if expected != got:
                raise FormatError(
                    f"{image.name!r} has {expected} keypoints in the model, {got} in the features"
                )
