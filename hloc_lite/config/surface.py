"""Config of the surface of a map."""

from __future__ import annotations

from pydantic import Field

from hloc_lite.config.section import Section


class SurfaceConfig(Section):
    """How points of depth images, scans and clouds become the surface of a map."""

    voxel: float = Field(0.0, ge=0, le=1000)
    """Edge of the cubes in which points are averaged, map units. 0: a 250th of the median depth
    (2 cm at 5 m): 1.5 pixels of a phone's photo at an eighth of its size."""
    neighbours: int = Field(30, ge=5, le=100)
    """Neighbours by which a point's normal is found, and outliers. With 12, normals of depth
    cameras are noisy, as their error is as large as a voxel."""
    max_spread_sigmas: float = Field(4.0, gt=0, le=100)
    """A point is an outlier if its neighbours are farther than the median by this many robust
    standard deviations, and twice as far: points that fly between fore- and background."""
    max_relative_gradient: float = Field(0.05, gt=0, le=10)
    """Pixels of a depth image whose depth differs from a neighbour's by a larger share are edges
    and unused; 0.05 at VGA size is a surface seen at 2 degrees."""
    max_points: int = Field(4_000_000, ge=1000, le=1_000_000_000)
    """Points that are in memory before they are written into tiles; 40 bytes each."""
    tile_voxels: int = Field(256, ge=16, le=4096)
    """Voxels along the edge of a tile."""
    min_coverage: float = Field(0.3, ge=0, le=1)
    """Share of a view, at an eighth of its size, that the surface must cover for it to be rendered;
    with less, as from a cloud of few points, a view says little."""
