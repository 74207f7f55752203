"""The fields of a localization request, checked: from form fields or one JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hloc_lite.geometry.frames import FRAMES
from hloc_lite.serve.intrinsics import Intrinsics, intrinsics_of
from hloc_lite.serve.problems import Problem
from hloc_lite.types import Camera

MAX_FIELD_CHARS = 4000
MAX_COORDINATE = 1e9
"""Nothing on earth is further from any origin, in metres; larger numbers are mistakes."""
LISTS = ("distortion", "prior_position", "prior_geo", "gravity", "prior_heights", "maps")
JSON_FIELD = "query"


class Query(BaseModel):
    """What may be asked beside the image. All fields are optional."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    camera: str | None = Field(None, examples=["SIMPLE_RADIAL 1024 768 735.6 512 384 -0.12"])
    """Intrinsics as COLMAP writes them: MODEL W H params. Or give fx (fy cx cy distortion). Without
    both: from the image's EXIF data, or estimated along with the pose."""
    fx: float | None = Field(None, gt=0, le=1e6)
    """Focal length, pixels."""
    fy: float | None = Field(None, gt=0, le=1e6)
    """Focal length along y, pixels; as fx if not given."""
    cx: float | None = Field(None, ge=-1e6, le=1e6)
    """Principal point, pixels, the centre of the first pixel being 0.5; the image's centre if not
    given."""
    cy: float | None = Field(None, ge=-1e6, le=1e6)
    """See cx."""
    distortion: tuple[float, ...] = Field((), max_length=8)
    """OpenCV's k1 k2 p1 p2 k3 k4 k5 k6: the first 2, 4, 5 or 8."""
    width: int | None = Field(None, ge=1, le=200000)
    """Image width that the intrinsics are for, pixels, if the photo was resized since."""
    height: int | None = Field(None, ge=1, le=200000)
    """See width."""
    prior_position: tuple[float, float, float] | None = None
    """About where the camera is, in the axes of frame and world; needs prior_radius and one map."""
    prior_geo: tuple[float, ...] | None = Field(None, min_length=2, max_length=3)
    """About where the camera is: latitude, longitude (degrees) and, if it is known, height above
    the ellipsoid (metres), WGS-84; for maps that are geo-referenced. Needs prior_radius or
    prior_accuracy."""
    prior_radius: float | None = Field(None, gt=0, le=MAX_COORDINATE)
    """How far from there it may be: map units with prior_position in a map's axes, else metres."""
    prior_accuracy: float | None = Field(None, gt=0, le=MAX_COORDINATE)
    """Of prior_geo, as phones give it: metres within which it lies with 68 %."""
    gravity: tuple[float, float, float] | None = None
    """Which way is down in the camera axes of frame (colmap: x right, y down, z forward), any
    length. Used by maps that are geo-referenced."""
    gravity_tolerance_deg: float = Field(10.0, gt=0, le=90)
    """How far gravity may be off."""
    prior_heights: tuple[float, float] | None = None
    """Least and greatest height of the camera above the map's origin, map units."""
    maps: tuple[str, ...] = ()
    """Names of the maps to try; all of them if not given. The most confident answer counts."""
    frame: str = "colmap"
    """Axes of the pose in the answer and of what is known beforehand; see GET /v1/frames."""
    world: Literal["map", "enu"] = "map"
    """Coordinates of the world: the map's own, or metres east, north, up of a geo-referenced
    map's origin."""
    budget_ms: float | None = Field(None, gt=0, le=600000)
    """Time that localizing may take; the answer says what was skipped to keep it."""

    @field_validator("frame")
    @classmethod
    def _known(cls, frame: str) -> str:
        if frame not in FRAMES:
            raise ValueError(f"known frames are {', '.join(FRAMES)}")
        return frame

    @field_validator("prior_position", "prior_heights", "gravity")
    @classmethod
    def _bounded(cls, values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if values is not None and max(map(abs, values)) > MAX_COORDINATE:
            raise ValueError(f"numbers must lie within +-{MAX_COORDINATE:g}")
        return values

    def intrinsics(self) -> Camera | Intrinsics | None:
        """What is said of the camera. Raises Problem (422)."""
        focal, center = (self.fx, self.fy), (self.cx, self.cy)
        return intrinsics_of(self.camera, focal, center, self.distortion, (self.width, self.height))


def parse_query(fields: Sequence[tuple[str, str]]) -> Query:
    """The query of the form fields of a request: each a field of ``Query``, or ``query`` with all
    of them as a JSON object. Lists are JSON, or numbers between spaces or commas.

    Raises:
        Problem: a field that is unknown, given twice, or has no such value (422).
    """
    values: dict[str, Any] = {}
    for name, text in fields:
        if len(text) > MAX_FIELD_CHARS:
            raise _bad(f"field {name[:40]!r} has {len(text)} characters, at most "
                       f"{MAX_FIELD_CHARS} are read")  # fmt: skip
        if not text.strip():
            continue  # what browsers send of empty inputs
        given = _json_object(text) if name == JSON_FIELD else {name: _value(name, text.strip())}
        for key, value in given.items():
            both = isinstance(value, list) and isinstance(values.get(key), list)
            if key == "maps" and both:
                value = [*values["maps"], *value]  # may be repeated
            elif key in values:
                raise _bad(f"field {key!r} is given twice")
            values[key] = value
    try:
        return Query.model_validate(values)
    except ValidationError as error:
        raise _bad("; ".join(_explain(item) for item in error.errors()[:5])) from None


def _value(name: str, text: str) -> Any:
    if name not in LISTS:
        return text
    if text.startswith("["):
        return _json(text)
    return text.replace(",", " ").split()


def _json_object(text: str) -> Mapping[str, Any]:
    found = _json(text)
    if not isinstance(found, dict):
        raise _bad(f"field {JSON_FIELD!r} takes a JSON object")
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _bad(f"not readable as JSON: {error}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number that can be used")


def _explain(item: Any) -> str:
    dotted = ".".join(str(part) for part in item["loc"])[:80]
    if item["type"] == "extra_forbidden":
        return f"unknown field {dotted!r}; known are image, {', '.join(Query.model_fields)}"
    return f"{dotted}: {item['msg']}, got {str(item['input'])[:80]!r}"


def _bad(reason: str) -> Problem:
    return Problem(422, "bad_field", reason)
