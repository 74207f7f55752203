"""What a town is made from; every number with its unit, range and reason."""

from __future__ import annotations

from pydantic import Field, field_validator

from hloc_lite.config import Section

CONDITIONS = ("day", "night", "changed")
SCHEMA_VERSION = 1


class TownConfig(Section):
    seed: int = Field(7, ge=0, le=2**31 - 1)
    """Another seed is another place."""
    num_map: int = Field(120, ge=4, le=2000)
    """Map images; more of them cover more streets (about 1.4 m of street an image)."""
    num_queries: int = Field(40, ge=0, le=2000)
    """Query images of each condition."""
    conditions: tuple[str, ...] = CONDITIONS
    """Any of day, night, changed."""
    width: int = Field(1024, ge=64, le=4096)
    height: int = Field(768, ge=48, le=4096)
    station_spacing_m: float = Field(2.8, ge=0.5, le=10)
    """Between the map's views on one side of a street: 2.8 m shares two thirds of a facade."""
    jpeg_quality: int = Field(92, ge=10, le=100)
    """92: what cameras write."""

    @field_validator("conditions")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in CONDITIONS]
        if unknown:
            raise ValueError(f"unknown condition {unknown[0]!r}; known are {', '.join(CONDITIONS)}")
        return tuple(dict.fromkeys(value))
