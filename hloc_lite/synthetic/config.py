"""Config of a rendered town."""

from __future__ import annotations

from pydantic import Field, field_validator

from hloc_lite.config import Section

CONDITIONS = ("day", "night", "changed")
SCHEMA_VERSION = 1


class TownConfig(Section):
    seed: int = Field(7, ge=0, le=2**31 - 1)
    """Seed of everything random; another seed gives another town."""
    num_map: int = Field(120, ge=4, le=2000)
    """Number of map images; each covers about 1.4 m of street."""
    num_queries: int = Field(40, ge=0, le=2000)
    """Number of query images per condition."""
    conditions: tuple[str, ...] = CONDITIONS
    """Query conditions, among day, night and changed."""
    width: int = Field(1024, ge=64, le=4096)
    height: int = Field(768, ge=48, le=4096)
    station_spacing_m: float = Field(2.8, ge=0.5, le=10)
    """Spacing of the map views on one side of a street; neighbours 2.8 m apart share two thirds of
    a facade."""
    jpeg_quality: int = Field(92, ge=10, le=100)
    """Typical of cameras."""

    @field_validator("conditions")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in CONDITIONS]
        if unknown:
            raise ValueError(f"unknown condition {unknown[0]!r}; known are {', '.join(CONDITIONS)}")
        return tuple(dict.fromkeys(value))
