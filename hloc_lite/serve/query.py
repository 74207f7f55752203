"""Fields of a localization request, parsed and checked: form fields or one JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hloc_lite.config.weighting import LEAST_PROMISE
from hloc_lite.geometry.frames import FRAMES
from hloc_lite.serve.intrinsics import Intrinsics, parse_intrinsics
from hloc_lite.serve.problems import Problem
from hloc_lite.types import Camera

MAX_FIELD_CHARS = 4000
MAX_COORDINATE = 1e9
"""Bound on coordinates and radii, metres: beyond any distance on earth, so larger is a mistake."""
LIST_FIELDS = ("distortion", "prior_position", "prior_geo", "gravity", "prior_heights", "maps")
JSON_FIELD = "query"


class Query(BaseModel):
    """Options sent along with the image. All fields are optional."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    camera: str | None = Field(None, examples=["SIMPLE_RADIAL 1024 768 735.6 512 384 -0.12"])
    """Intrinsics as a COLMAP camera: MODEL WIDTH HEIGHT PARAMS. Alternatively, give fx (fy cx cy
    distortion). Without either, they come from the EXIF data or are estimated with the pose."""
    fx: float | None = Field(None, gt=0, le=1e6)
    """Focal length, pixels."""
    fy: float | None = Field(None, gt=0, le=1e6)
    """Focal length along y, pixels; equals fx if not given."""
    cx: float | None = Field(None, ge=-1e6, le=1e6)
    """Principal point along x, pixels; the centre of the first pixel is 0.5. The image centre if
    not given."""
    cy: float | None = Field(None, ge=-1e6, le=1e6)
    """Principal point along y, see cx."""
    distortion: tuple[float, ...] = Field((), max_length=8)
    """First 2, 4, 5 or 8 of OpenCV's coefficients k1 k2 p1 p2 k3 k4 k5 k6."""
    width: int | None = Field(None, ge=1, le=200000)
    """Image width that the intrinsics refer to, pixels; needed if the photo was resized since."""
    height: int | None = Field(None, ge=1, le=200000)
    """Image height, see width."""
    prior_position: tuple[float, float, float] | None = None
    """Approximate camera centre in the axes of frame and world. Needs prior_radius and, if world is
    map, a single map."""
    prior_geo: tuple[float, ...] | None = Field(None, min_length=2, max_length=3)
    """Approximate camera position, WGS-84: latitude and longitude (degrees), optionally height
    above the ellipsoid (metres). Needs geo-referenced maps, and prior_radius or prior_accuracy."""
    prior_radius: float | None = Field(None, gt=0, le=MAX_COORDINATE)
    """Largest distance of the camera from the prior: map units with prior_position in world map,
    else metres."""
    prior_accuracy: float | None = Field(None, gt=0, le=MAX_COORDINATE)
    """Accuracy of prior_geo as reported by phones: radius of 68 % confidence, metres."""
    gravity: tuple[float, float, float] | None = None
    """Downward direction in the camera axes of frame (colmap: x right, y down, z forward), of any
    length. Used with geo-referenced maps."""
    gravity_tolerance_deg: float = Field(10.0, gt=0, le=90)
    """Largest angle between gravity and its true direction, degrees."""
    prior_heights: tuple[float, float] | None = None
    """Lowest and highest camera height above the map's origin, map units."""
    maps: tuple[str, ...] = ()
    """Names of the maps to try; all maps if not given. The most confident result is returned."""
    frame: str = "colmap"
    """Axis convention of the returned pose and of the priors; see GET /v1/frames."""
    world: Literal["map", "enu"] = "map"
    """World coordinates: map (the map's own) or enu (metres east, north, up of the origin of a
    geo-referenced map)."""
    max_wrong: float | None = Field(None, ge=LEAST_PROMISE, le=1)
    """Promise: largest share of given answers that may be wrong, 0.01 for 1 %. It sets the
    confidence from which poses are given. Default: as the server was started."""
    recalibrate: bool | None = None
    """Where the given intrinsics do not fit, use those that do instead of withholding the pose.
    Default: as the server was started."""
    matches: bool = False
    """Also return the matches with the map image that shares most inliers with the photo."""
    budget_ms: float | None = Field(None, gt=0, le=600000)
    """Time budget for localization, ms; the answer lists the steps skipped to keep it."""

    @field_validator("frame")
    @classmethod
    def _is_known(cls, frame: str) -> str:
        if frame not in FRAMES:
            raise ValueError(f"known frames are {', '.join(FRAMES)}")
        return frame

    @field_validator("prior_position", "prior_heights", "gravity")
    @classmethod
    def _is_bounded(cls, values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if values is not None and max(map(abs, values)) > MAX_COORDINATE:
            raise ValueError(f"numbers must lie within +-{MAX_COORDINATE:g}")
        return values

    def intrinsics(self) -> Camera | Intrinsics | None:
        """Return the intrinsics given, or None. Raises Problem (422)."""
        focal, center, size = (self.fx, self.fy), (self.cx, self.cy), (self.width, self.height)
        return parse_intrinsics(self.camera, focal, center, self.distortion, size)


def parse_query(fields: Sequence[tuple[str, str]]) -> Query:
    """Parse the form fields of a request.

    Each is a field of ``Query``, or ``query`` with several of them as a JSON object. Lists are JSON
    or are separated by spaces or commas.

    Raises:
        Problem: an unknown, repeated or invalid field (422).
    """
    values: dict[str, Any] = {}
    for name, text in fields:
        if len(text) > MAX_FIELD_CHARS:
            raise _bad(
                f"field {name[:40]!r} has {len(text)} characters, expected at most "
                f"{MAX_FIELD_CHARS}"
            )
        if not text.strip():
            continue  # browsers send empty inputs
        given = _json_object(text) if name == JSON_FIELD else {name: _value(name, text.strip())}
        for key, value in given.items():
            both_lists = isinstance(value, list) and isinstance(values.get(key), list)
            if key == "maps" and both_lists:
                value = [*values["maps"], *value]  # the only field that may be repeated
            elif key in values:
                raise _bad(f"field {key!r} is given twice")
            values[key] = value
    try:
        return Query.model_validate(values)
    except ValidationError as error:
        raise _bad("; ".join(_explain(item) for item in error.errors()[:5])) from None


def _value(name: str, text: str) -> Any:
    if name not in LIST_FIELDS:
        return text
    if text.startswith("["):
        return _parse_json(text)
    return text.replace(",", " ").split()


def _json_object(text: str) -> Mapping[str, Any]:
    value = _parse_json(text)
    if not isinstance(value, dict):
        raise _bad(f"field {JSON_FIELD!r} takes a JSON object")
    return value


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _bad(f"invalid JSON: {error}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"expected a finite number, got {name}")


def _explain(item: Any) -> str:
    path = ".".join(str(part) for part in item["loc"])[:80]
    if item["type"] == "extra_forbidden":
        return f"unknown field {path!r}; known are image, {', '.join(Query.model_fields)}"
    return f"{path}: {item['msg']}, got {str(item['input'])[:80]!r}"


def _bad(reason: str) -> Problem:
    return Problem(422, "bad_field", reason)
