"""A map without some of its images: what it would be for queries if these had not been taken.

Left-out images are not retrieved. Their observations are removed from the landmarks: mean
descriptors are those of the other images, and a landmark that keeps fewer than two observations is
gone. Otherwise a test on the map's own photos would flatter itself: each would find its own
descriptors. Poses and landmark positions stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.map_data import MapData
from hloc_lite.protocols import Lifter
from hloc_lite.scene import observed_points
from hloc_lite.types import NO_POINT, Bool, Float32, Float64, Int64, LocalFeatures

MIN_OBSERVATIONS = 2
"""A landmark is triangulated from two images at least."""


class LoadedFeatures(Mapping[str, LocalFeatures]):
    """Features of images, kept in memory once they were read."""

    def __init__(self, features: Mapping[str, LocalFeatures]) -> None:
        self._features = features
        self._loaded: dict[str, LocalFeatures] = {}

    def __getitem__(self, name: str) -> LocalFeatures:
        if name not in self._loaded:
            self._loaded[name] = self._features[name]
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)


class ObservedLandmarks:
    """Sum of the descriptors of each landmark and their number, and the images that observe it."""

    def __init__(self, sfm_map: MapData, lifter: Lifter) -> None:
        self._map, self.lifter = sfm_map, lifter
        self.counts = np.zeros(lifter.num_points, np.int64)
        """(M,) observations of each landmark."""
        sums: Float32 | None = None
        for name in sorted(lifter.image_names):
            points, descriptors = self.observations(name)
            if sums is None:
                sums = np.zeros((lifter.num_points, descriptors.shape[1]), np.float32)
            np.add.at(sums, points, descriptors)
            np.add.at(self.counts, points, 1)
        self.sums: Float32 = np.zeros((lifter.num_points, 1), np.float32) if sums is None else sums
        """(M, D) sum of the descriptors of each landmark."""

    def observations(self, name: str) -> tuple[Int64, Float32]:
        """(K,) landmarks that an image observes and their (K, D) descriptors in it."""
        points = self.lifter.points_of(name)
        observed = points != NO_POINT
        return points[observed], self._map.features[name].descriptors[observed]

    @cached_property
    def shared(self) -> dict[str, dict[str, int]]:
        """Number of landmarks that two images share, by name of both, where there are any."""
        return shared_landmarks(self.lifter)


def shared_landmarks(lifter: Lifter) -> dict[str, dict[str, int]]:
    """Count the landmarks that two images share, by name of both, where there are any."""
    from scipy.sparse import csr_matrix

    names = sorted(lifter.image_names)
    observed = [observed_points(lifter.points_of(name)) for name in names]
    rows = np.repeat(np.arange(len(names)), [len(points) for points in observed])
    columns = np.concatenate([np.zeros(0, np.int64), *observed])
    size = (len(names), lifter.num_points)
    incidence = csr_matrix((np.ones(len(rows), np.int64), (rows, columns)), shape=size)
    counts = (incidence @ incidence.T).tocoo()
    shared: dict[str, dict[str, int]] = {name: {} for name in names}
    for row, column, count in zip(counts.row, counts.col, counts.data, strict=True):
        if row != column:
            shared[names[row]][names[column]] = int(count)
    return shared


class LeftOutLifter:
    """``Lifter`` of the map without some of its images.

    Args:
        landmarks: landmarks of the whole map.
        left_out: names of the images that are left out.
    """

    def __init__(self, landmarks: ObservedLandmarks, left_out: Collection[str]) -> None:
        self._base = landmarks.lifter
        known = sorted(self._base.image_names & set(left_out))
        found = [landmarks.observations(name) for name in known]
        points = np.concatenate([np.zeros(0, np.int64), *(each for each, _ in found)])
        removed = np.bincount(points, minlength=self._base.num_points)
        self._counts = landmarks.counts - removed
        self._is_gone: Bool = (removed > 0) & (self._counts < MIN_OBSERVATIONS)
        self.image_names = frozenset(
            name
            for name in self._base.image_names - set(known)
            if (self.points_of(name) != NO_POINT).any()
        )
        """Images that keep a point."""
        self.descriptors = LandmarkDescriptors(
            _RemainingSums(landmarks.sums, points, [each for _, each in found]),
            np.arange(self._base.num_points + 1),
        )
        """Mean descriptors of the observations that are left, up to a factor."""

    @property
    def num_points(self) -> int:
        return self._base.num_points

    def points_of(self, image_name: str) -> Int64:
        points = self._base.points_of(image_name)
        return np.where((points != NO_POINT) & self._is_gone[points], NO_POINT, points)

    def xyz_of(self, point3D_idxs: Int64) -> Float64:
        return self._base.xyz_of(point3D_idxs)

    def track_lengths_of(self, point3D_idxs: Int64) -> Int64:
        lengths: Int64 = self._counts[point3D_idxs]
        return lengths

    def errors_px_of(self, point3D_idxs: Int64) -> Float64:
        return self._base.errors_px_of(point3D_idxs)


class _RemainingSums:
    """``RowMatrix`` of descriptor sums without some observations."""

    ndim = 2

    def __init__(self, sums: Float32, points: Int64, descriptors: list[Float32]) -> None:
        self._sums, self.shape = sums, sums.shape
        self._points, owners = np.unique(points, return_inverse=True)
        self._removed = np.zeros((len(self._points), sums.shape[1]), np.float32)
        for_all = np.concatenate([np.zeros((0, sums.shape[1]), np.float32), *descriptors])
        np.add.at(self._removed, owners, for_all)

    def __len__(self) -> int:
        return len(self._sums)

    def __getitem__(self, rows: npt.NDArray[np.integer] | slice) -> np.ndarray:
        asked = np.arange(len(self))[rows]
        found = self._sums[asked]
        if len(self._points) == 0:
            return found
        places = np.minimum(np.searchsorted(self._points, asked), len(self._points) - 1)
        changed = self._points[places] == asked
        found[changed] -= self._removed[places[changed]]
        return found
