"""Parts of the OpenAPI description written by hand: the request body, its examples, the errors."""

from __future__ import annotations

from typing import Any

from hloc_lite.io.images import IMAGE_FORMATS
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


def _error_response(status: int) -> dict[str, Any]:
    code, reason = _REASONS[status]
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


LOCALIZE_ERRORS: dict[int | str, dict[str, Any]] = {
    status: _error_response(status) for status in _REASONS
}
"""Error responses of ``POST /v1/localize``."""
LOCALIZE_BODY: dict[str, Any] = _request_body()
"""Request body of ``POST /v1/localize``."""
