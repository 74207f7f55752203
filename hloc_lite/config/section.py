"""Base of all config sections, and the uses of their keys."""

from __future__ import annotations

from enum import Flag, auto
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Use(Flag):
    """Stages that a config key affects.

    A section states the uses of its keys in ``use``; a key with other uses carries its own:
    ``key: Annotated[int, Use.QUERY] = 1``.
    """

    FEATURES = auto()
    """Keypoints and local descriptors of map images."""
    RETRIEVAL = auto()
    """Global descriptors of map images."""
    NEAREST_MATCHES = auto()
    """Nearest-neighbour matches of map images, the first of two passes."""
    MATCHES = auto()
    """Matches of map images by the configured matcher."""
    VERIFICATION = auto()
    """Verified matches of map images."""
    MODEL = auto()
    """Anything else in a map: its pairs, its SfM model."""
    LABELS = auto()
    """Semantic labels of the map's points."""
    ACCEPTANCE = auto()
    """Checks that refuse a map but change nothing in it."""
    QUERY = auto()
    """Localization of queries."""
    EQUAL_FOR_QUERIES = auto()
    """Queries need the value that the map was made with."""
    SCRATCH = auto()
    """Maps without known poses, and no others."""


class Section(BaseModel):
    """Frozen settings of one stage: unknown keys are refused, numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    use: ClassVar[Use] = Use.QUERY
    """Use of the keys that state no other."""
