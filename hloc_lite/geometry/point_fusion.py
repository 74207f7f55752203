"""Clouds of points: means in voxels, normals, outliers, distances of neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import ShapeError
from hloc_lite.types import Bool, Float32, Int64

_MAX_CELLS = 1 << 20
"""Voxels along one axis; three such numbers fit into 60 bits."""
_MORTON_BITS = 20
"""Bits of a coordinate in a rank along the curve."""
_CUBES = 128
"""Cubes along the longest side of a cloud by which its points are ordered: a tile of a surface has
ten to fifty points in each."""
_BLOCK = 1 << 17
"""Points whose neighbours are in memory at once."""


@dataclass(frozen=True, eq=False)
class PointSamples:
    """Measured points, N of them: several may measure the same place."""

    xyz: Float32
    """(N, 3) world, map units."""
    rgb: Float32
    """(N, 3), 0 to 255."""
    towards: Float32
    """(N, 3) direction to the camera or scanner that saw it, any length; 0 where unknown."""
    weights: Float32
    """(N,) > 0, inverse variances up to scale."""

    def __len__(self) -> int:
        return len(self.xyz)

    def subset(self, selection: npt.NDArray[np.generic]) -> PointSamples:
        """Samples that a mask or index array selects."""
        return PointSamples(
            self.xyz[selection], self.rgb[selection], self.towards[selection],
            self.weights[selection],
        )  # fmt: skip


def join_samples(first: PointSamples, second: PointSamples) -> PointSamples:
    """Samples of both."""
    return PointSamples(
        np.concatenate([first.xyz, second.xyz]),
        np.concatenate([first.rgb, second.rgb]),
        np.concatenate([first.towards, second.towards]),
        np.concatenate([first.weights, second.weights]),
    )


def voxel_means(samples: PointSamples, voxel: float) -> PointSamples:
    """Weighted mean of the samples in each cube of a grid.

    Args:
        voxel: edge of a cube, map units.

    Raises:
        ShapeError: the points span more than a million cubes along an axis.
    """
    if not len(samples):
        return samples
    cells = np.floor(samples.xyz.astype(np.float64) / voxel).astype(np.int64)
    cells -= cells.min(axis=0)
    if cells.max() >= _MAX_CELLS:
        raise ShapeError(
            f"points span {cells.max() * voxel:.3g} map units, too many for voxels of {voxel:.3g}"
        )
    keys = (cells[:, 0] << 40) | (cells[:, 1] << 20) | cells[:, 2]
    _, inverse = np.unique(keys, return_inverse=True)
    total = np.bincount(inverse, samples.weights)

    def mean(values: Float32) -> Float32:
        # around the first of each voxel would be more exact; float64 sums are enough
        columns = [np.bincount(inverse, samples.weights * column) for column in values.T]
        return np.stack([column / total for column in columns], axis=1).astype(np.float32)

    return PointSamples(
        mean(samples.xyz), mean(samples.rgb), mean(samples.towards), total.astype(np.float32)
    )


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """Shape of the surroundings of N points."""

    normals: Float32
    """(N, 3) unit normals of the planes through the neighbours, of either sign."""
    spacings: Float32
    """(N,) mean distance of the nearest four neighbours."""
    spreads: Float32
    """(N,) mean distance of all neighbours."""


def neighbourhoods(xyz: Float32, count: int) -> Neighbourhoods:
    """Normals and distances from the ``count`` nearest neighbours of each point.

    Raises:
        ShapeError: there are not more than ``count`` points.
    """
    from scipy.spatial import cKDTree

    if len(xyz) <= count:
        raise ShapeError(f"neighbourhoods of {count} points need more points, got {len(xyz)}")
    origin = xyz.mean(axis=0, dtype=np.float64)
    centred = (xyz - origin).astype(np.float32)
    order = _spatial_order(centred)
    near = centred[order]  # neighbours lie together in memory: queries take two fifths of the time
    tree = cKDTree(near, balanced_tree=False, compact_nodes=False)
    normals = np.empty_like(centred)
    spacings, spreads = np.empty(len(xyz), np.float32), np.empty(len(xyz), np.float32)
    for start in range(0, len(xyz), _BLOCK):
        block = order[start : start + _BLOCK]
        distances, rows = tree.query(near[start : start + _BLOCK], k=count + 1, workers=-1)
        spacings[block] = distances[:, 1:5].mean(axis=1)
        spreads[block] = distances[:, 1:].mean(axis=1)
        normals[block] = _plane_normals(near[rows])
    return Neighbourhoods(normals, spacings, spreads)


def _spatial_order(xyz: Float32) -> Int64:
    """(N,) permutation that puts points of one small cube next to each other."""
    low = xyz.min(axis=0)
    edge = max(float((xyz.max(axis=0) - low).max()) / _CUBES, 1e-30)
    cells = np.minimum((xyz - low) / edge, _CUBES - 1).astype(np.int64)
    return np.argsort(cells @ np.array([_CUBES**2, _CUBES, 1]), kind="stable")


def _plane_normals(points: Float32) -> Float32:
    """(N, 3) unit normals of least-squares planes through (N, K, 3) points."""
    offsets = points - points.mean(axis=1, keepdims=True)
    scatter = np.matmul(offsets.transpose(0, 2, 1), offsets).astype(np.float64)
    return np.asarray(np.linalg.eigh(scatter)[1][:, :, 0], np.float32)


def are_inliers(spreads: Float32, max_sigmas: float) -> Bool:
    """(N,) False for points much farther from their neighbours than most (statistical outliers).

    The limit is the median plus ``max_sigmas`` robust standard deviations, and at least twice the
    median: equal distances, as on a grid, have no deviation.
    """
    median = np.median(spreads)
    deviation = 1.4826 * np.median(np.abs(spreads - median))
    return np.asarray(spreads <= max(median + max_sigmas * deviation, 2 * median))


def facing(normals: Float32, towards: Float32) -> Float32:
    """Normals with the sign that points to where the points were seen from."""
    dots = np.einsum("ij,ij->i", normals, towards)
    return np.where(dots[:, None] < 0, -normals, normals)


def cells_of(xyz: Float32, edge: float) -> Int64:
    """(N, 3) indices of the cubes of a grid that hold the points."""
    return np.floor(xyz.astype(np.float64) / edge).astype(np.int64)


def coarse_to_fine_order(xyz: Float32) -> Int64:
    """(N,) permutation of points of which every prefix is spread evenly over all of them.

    Points are ranked along a space-filling curve (Morton's), and the ranks taken in the order of
    their reversed bits. Random prefixes would leave gaps: 13 % where splats cover twice the area.
    """
    low = xyz.min(axis=0)
    cells = (xyz - low) / max(float((xyz.max(axis=0) - low).max()), 1e-30) * (2**_MORTON_BITS - 1)
    codes = np.zeros(len(xyz), np.uint64)
    for axis, column in enumerate(cells.astype(np.uint64).T):
        for bit in range(_MORTON_BITS):
            digit = (column >> np.uint64(bit)) & np.uint64(1)
            codes |= digit << np.uint64(3 * bit + axis)
    ranked = np.argsort(codes, kind="stable")
    bits = max(1, (len(xyz) - 1).bit_length())
    ranks = np.arange(2**bits, dtype=np.int64)
    reverse = np.zeros_like(ranks)
    for bit in range(bits):
        reverse |= ((ranks >> bit) & 1) << (bits - 1 - bit)
    return np.asarray(ranked[reverse[reverse < len(xyz)]], np.int64)
