"""Config of a rendered building."""

from __future__ import annotations

from pydantic import Field

from hloc_lite.config import Section

SCHEMA_VERSION = 2
FLOORS = ("DUC1", "DUC2")
"""Names of the floors, those of the two that InLoc scores."""
THETAS_DEG = tuple(range(0, 360, 30))
PHIS_DEG = (-30, 0, 30)
"""Headings and elevations of the cutouts of a scan, as in InLoc."""


class BuildingConfig(Section):
    seed: int = Field(7, ge=0, le=2**31 - 1)
    """Seed of everything random; another seed gives another building."""
    num_floors: int = Field(2, ge=1, le=len(FLOORS))
    """Number of floors, each with a corridor and rooms of its own."""
    num_rooms: int = Field(6, ge=2, le=20)
    """Number of rooms per floor beside the corridors; InLoc has more, and larger ones."""
    num_scans: int = Field(10, ge=1, le=200)
    """Number of scans per floor, each of 36 cutouts; 10 see most of six rooms and a corridor."""
    num_queries: int = Field(40, ge=0, le=2000)
    """Number of phone photos of all floors together."""
    width: int = Field(800, ge=48, le=4096)
    """Width of a cutout, pixels; InLoc has 1600."""
    height: int = Field(600, ge=36, le=4096)
    query_width: int = Field(1008, ge=48, le=4032)
    """Longer side of a phone photo, pixels; the shorter is three quarters of it. InLoc has 4032."""
    jpeg_quality: int = Field(92, ge=10, le=100)
    """Typical of cameras."""

    @property
    def floors(self) -> tuple[str, ...]:
        """Names of the floors that are made."""
        return FLOORS[: self.num_floors]

    @property
    def detail(self) -> float:
        """Resolution of textures relative to the finest: large photos see finer ones."""
        return min(1.0, max(0.2, max(self.width, 0.8 * self.query_width) / 1200))
