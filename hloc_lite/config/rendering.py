"""Config of views rendered from a surface."""

from __future__ import annotations

from pydantic import Field

from hloc_lite.config.section import Section


class RenderingConfig(Section):
    """Sizes of splats, and how holes between them are closed."""

    splat_overlap: float = Field(1.4, gt=0, le=10)
    """Side of a splat over the distance of neighbouring points: 1.42 closes a square grid that is
    turned by 45 degrees to the pixels."""
    max_splat_px: int = Field(15, ge=1, le=101)
    """Longest side of a splat, pixels of the rendered view. Nearer points leave holes between them:
    a view so close shows blocks, not the place."""
    min_facing: float = Field(-0.17, ge=-1, le=1)
    """Least cosine between a point's normal and the direction to the camera: points seen from
    behind are not drawn. -0.17 (100 degrees) allows for normals that err by 10 degrees."""
    same_surface_ratio: float = Field(1.02, ge=1, le=2)
    """Points of a pixel whose depth is at most this multiple of the nearest one's are one surface:
    colours and depths are averaged."""
    hole_depth_ratio: float = Field(1.1, ge=1, le=2)
    """A pixel is closed from its neighbours if their depths differ by at most this ratio; one that
    is deeper than most neighbours by more shows what lies behind a gap, and is closed, too."""
    min_hole_neighbours: int = Field(5, ge=1, le=9)
    """Neighbours of 8 with a depth, from which a pixel is closed: 5 keeps straight outlines as they
    are, whose outer pixels have 3. 9 closes nothing."""
