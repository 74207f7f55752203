"""Requests of the GeoPoseProtocol, parsed and checked: a photo and the fields of ``Query``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import from_json

from hloc_lite.serve.geopose_messages import (
    MAX_SIDE_PX,
    CameraReading,
    GeolocationReading,
    GeoPoseRequest,
    GeoPoseRequestV1,
    Timestamp,
)
from hloc_lite.serve.problems import Problem
from hloc_lite.serve.query import Query

MAX_JSON_VALUES = 100_000
"""Bound on values in a request, against small values that take much memory once parsed."""
UNKNOWN_MODELS = ("", "UNKNOWN", "UNKNOWN_CAMERA")


@dataclass(frozen=True, eq=False)
class ParsedRequest:
    """Contents of a request, in the terms of the service."""

    id: str
    timestamp: Timestamp
    version: int
    """Version whose shape the request has."""
    image: bytes
    """Image file."""
    query: Query
    hint: str
    """Remark that a failure's reason ends with, or empty."""


def parse_request(body: bytes | bytearray) -> ParsedRequest:
    """Parse and check the body of a request, in the shape of version 1 or 2.

    Raises:
        Problem: no JSON (400); fields missing or invalid, not exactly one photo, bad base64, or
            invalid intrinsics (422).
    """
    version, request = _validate(body)
    readings = request.sensorReadings
    photo = _single_photo(readings.cameraReadings or [])
    position = _best_position(readings.geolocationReadings or [])
    query = Query(
        camera=_camera(photo),
        prior_geo=None if position is None else (position.latitude, position.longitude),
        prior_accuracy=None if position is None else position.accuracy,
        frame="ros",
        world="enu",
    )
    return ParsedRequest(
        request.id, request.timestamp, version, _decode(photo.imageBytes), query, _hint(photo)
    )


def _validate(body: bytes | bytearray) -> tuple[int, GeoPoseRequest]:
    """Version of a request, and the request in the shape of version 2."""
    if sum(body.count(letter) for letter in (b",", b"[", b"{")) > MAX_JSON_VALUES:
        raise Problem(422, "bad_field", f"the request has more than {MAX_JSON_VALUES} values")
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, "bad_json", f"invalid JSON: {error}") from None
    if not isinstance(value, dict):
        raise Problem(400, "bad_json", "expected a JSON object")
    try:
        if not isinstance(value.get("sensorReadings"), list):
            return 2, GeoPoseRequest.model_validate(value)
        first = GeoPoseRequestV1.model_validate(value)
        return 1, GeoPoseRequest.model_validate(first.as_version_2())
    except ValidationError as error:
        found = [(item["loc"], item["msg"]) for item in error.errors(include_input=False)[:5]]
        # not the values: they may be a whole image
        reason = "; ".join(f"{'.'.join(map(str, path))[:120]}: {text}" for path, text in found)
        raise Problem(422, "bad_field", reason) from None
    except ValueError as error:
        raise Problem(422, "bad_field", str(error)) from None


def _single_photo(readings: Sequence[CameraReading]) -> CameraReading:
    photos = [each for each in readings if (each.imageFormat or "").upper() != "DEPTH"]
    if len(photos) > 1:
        reason = f"expected one camera reading, got {len(photos)}: send one request for each photo"
        raise Problem(422, "several_images", reason)
    if not photos or not photos[0].imageBytes:
        raise Problem(422, "no_image", "expected a camera reading with the photo in imageBytes")
    return photos[0]


def _best_position(readings: Sequence[GeolocationReading]) -> GeolocationReading | None:
    """The most accurate position; clients send accuracy 0 if they do not know it."""
    known = [each for each in readings if each.accuracy]
    return min(known, key=lambda each: each.accuracy or 0.0, default=None)


def _camera(photo: CameraReading) -> str | None:
    """Intrinsics as ``Query.camera``, or None if the model is unknown."""
    params = photo.params
    model = "" if params is None or params.model is None else params.model.upper()
    if params is None or model in UNKNOWN_MODELS:
        return None
    width, height = photo.size or (0, 0)
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
        reason = "params need the size (width, height) of the image that they refer to"
        raise Problem(422, "bad_intrinsics", reason)
    numbers = " ".join(repr(number) for number in params.modelParams or [])
    return f"{model} {width} {height} {numbers}"


def _decode(text: str) -> bytes:
    """Decode base64; line breaks are allowed, as Android's encoder makes them."""
    if text[:5].lower() == "data:":
        raise Problem(422, "bad_base64", "imageBytes: leave out the data URL up to the comma")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem(422, "bad_base64", f"imageBytes is not base64: {error}") from None


def _hint(photo: CameraReading) -> str:
    orientation = photo.imageOrientation
    if orientation is None or not (orientation.mirrored or orientation.rotation % 360):
        return ""
    return "; imageOrientation is not applied: send the photo upright and not mirrored"
