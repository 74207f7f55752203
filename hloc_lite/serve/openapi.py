"""Parts of the OpenAPI description written by hand: the request body, its examples, the errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hloc_lite.io.images import IMAGE_FORMATS
from hloc_lite.serve.geopose_messages import GeoPoseRequest
from hloc_lite.serve.problems import TITLES, problem_body
from hloc_lite.serve.query import JSON_FIELD, Query
from hloc_lite.serve.uploads import IMAGE_FIELD

_FORMATS = ", ".join(IMAGE_FORMATS)
_REASONS = {
    400: ("bad_form", "the multipart form is broken: Missing boundary in multipart."),
    401: ("bad_token", "send the header 'Authorization: Bearer TOKEN'"),
    403: ("unknown_host", "host name 'example.org' is not allowed; see --allow-host"),
    404: ("unknown_map", "no map 'cellar'; available maps: town"),
    408: ("upload_too_slow", "the body did not arrive within 30 s; 1024 bytes were received"),
    413: ("body_too_large", "the request body exceeds 20 MB, the limit of this server"),
    415: ("not_an_image", f"cannot read the image: it is none of {_FORMATS}"),
    422: ("bad_intrinsics", "camera: all numbers must be finite, got 1024 768 nan 512 384 0"),
    429: ("queue_full", "8 photos are already waiting; try again in 1 s"),
    503: ("timed_out", "no answer within 30 s"),
}

_GEOPOSE_REASONS = {
    **_REASONS,
    400: ("bad_json", "invalid JSON: EOF while parsing a string at line 1 column 90"),
    404: ("not_localized", "no_pose: no pose agrees with enough matches"),
    406: ("unknown_version", "expected version 1.0 or 2.0 of application/vnd.oscp+json"),
    409: ("not_georeferenced", "maps without a georeference have no GeoPose: town"),
    422: ("several_images", "expected one camera reading, got 2"),
}


def _error_responses(reasons: Mapping[int, tuple[str, str]]) -> dict[int | str, dict[str, Any]]:
    return {status: _error_response(status, *reasons[status]) for status in sorted(reasons)}


def _error_response(status: int, code: str, reason: str) -> dict[str, Any]:
    example = problem_body(status, code, reason)
    return {
        "description": TITLES[status].capitalize(),
        "content": {"application/json": {"example": example}},
    }


def _request_body() -> dict[str, Any]:
    schema = Query.model_json_schema()
    image = {"type": "string", "format": "binary", "description": f"Photo: {_FORMATS}."}
    json_field = {
        "type": "string",
        "description": "The other fields as one JSON object, instead of separate form fields.",
    }
    schema["properties"] = {IMAGE_FIELD: image, **schema["properties"], JSON_FIELD: json_field}
    schema["required"] = [IMAGE_FIELD]
    arkit_query = (
        '{"fx": 1450, "fy": 1450, "cx": 960, "cy": 720, "maps": ["town"], '
        '"prior_position": [12, 0, 30], "prior_radius": 25, "frame": "opengl", "budget_ms": 300}'
    )
    camera = "SIMPLE_RADIAL 1024 768 735.6 512 384 -0.12"
    fields_by_title = {
        "photo only": {},
        "COLMAP intrinsics, pose for Unity": {"camera": camera, "frame": "unity"},
        "ARKit intrinsics, position prior, 300 ms": {JSON_FIELD: arkit_query},
    }
    examples = {
        title: {"value": {IMAGE_FIELD: "@photo.jpg", **fields}}
        for title, fields in fields_by_title.items()
    }
    content = {"multipart/form-data": {"schema": schema, "examples": examples}}
    return {"required": True, "content": content}


def _geopose_body() -> dict[str, Any]:
    schema = GeoPoseRequest.model_json_schema()
    head = {"id": "7f1c", "timestamp": 1700000000000, "type": "geopose"}
    params = {"model": "PINHOLE", "modelParams": [1500, 1500, 960, 540]}
    image = {"imageFormat": "JPG", "size": [1920, 1080], "imageBytes": "/9j/4AAQSkZJRg..."}
    position = {"latitude": 48.2, "longitude": 16.3707, "accuracy": 12}
    camera, phone = {"id": "0", "type": "camera"}, {"id": "1", "type": "geolocation"}
    version_1 = {
        **head,
        "sensors": [{**camera, "params": params}, phone],
        "sensorReadings": [
            {"sensorId": "0", "reading": image},
            {"sensorId": "1", "reading": position},
        ],
    }
    version_2 = {
        **head,
        "sensors": [camera, phone],
        "sensorReadings": {
            "cameraReadings": [{"sensorId": "0", **image, "params": params}],
            "geolocationReadings": [{"sensorId": "1", **position}],
        },
    }
    examples = {
        f"version {number}, shortest": {"value": value}
        for number, value in ((2, version_2), (1, version_1))
    }
    definitions = schema.pop("$defs")
    content = {"application/json": {"schema": _inline(schema, definitions), "examples": examples}}
    return {"required": True, "content": content}


def _inline(value: Any, definitions: Mapping[str, Any]) -> Any:
    """Replace references by what they refer to: they would be read relative to the whole file."""
    if isinstance(value, list):
        return [_inline(each, definitions) for each in value]
    if not isinstance(value, dict):
        return value
    others = {key: _inline(each, definitions) for key, each in value.items() if key != "$ref"}
    if "$ref" not in value:
        return others
    return {**_inline(definitions[value["$ref"].rpartition("/")[2]], definitions), **others}


LOCALIZE_ERRORS = _error_responses(_REASONS)
"""Error responses of ``POST /v1/localize``."""
LOCALIZE_BODY: dict[str, Any] = _request_body()
"""Request body of ``POST /v1/localize``."""
GEOPOSE_ERRORS = _error_responses(_GEOPOSE_REASONS)
"""Error responses of ``POST /geopose``."""
GEOPOSE_BODY: dict[str, Any] = _geopose_body()
"""Request body of ``POST /geopose``."""
GEOPOSE_PARAMETERS = [
    {
        "name": "maps",
        "in": "query",
        "schema": {"type": "string"},
        "description": "Names of the maps to try, separated by commas; all georeferenced maps if "
        "not given.",
    }
]
"""Parameters in the URL of ``POST /geopose``."""
