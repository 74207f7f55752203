"""What the OpenAPI page says that types alone do not: the form, its examples, the errors."""

from __future__ import annotations

from typing import Any

from hloc_lite.io.images import UPLOAD_FORMATS
from hloc_lite.serve.problems import TITLES, problem_body
from hloc_lite.serve.query import JSON_FIELD, Query
from hloc_lite.serve.uploads import IMAGE_FIELD

_FORMATS = ", ".join(UPLOAD_FORMATS)
_REASONS = {
    400: ("bad_form", "the multipart form is broken: Missing boundary in multipart."),
    401: ("bad_token", "send the header 'Authorization: Bearer TOKEN'"),
    403: ("unknown_host", "this server is not called 'example.org'"),
    404: ("unknown_map", "no map 'cellar'; there are town"),
    408: ("upload_too_slow", "the body was not in after 30 s; 1024 bytes had come"),
    413: ("body_too_large", "bodies have at most 20 MB here"),
    415: ("not_an_image", f"cannot read the image: it is none of {_FORMATS}"),
    422: ("bad_intrinsics", "camera: all numbers must be finite, got 1024 768 nan 512 384 0"),
    429: ("queue_full", "8 photos wait already; try again in 1 s"),
    503: ("timed_out", "no answer within 30 s"),
}


def _error(status: int) -> dict[str, Any]:
    code, reason = _REASONS[status]
    example = problem_body(status, code, reason)
    return {
        "description": TITLES[status].capitalize(),
        "content": {"application/json": {"example": example}},
    }


ERRORS: dict[int | str, dict[str, Any]] = {status: _error(status) for status in _REASONS}
"""Of ``POST /v1/localize``."""


def _body() -> dict[str, Any]:
    schema = Query.model_json_schema()
    image = {"type": "string", "format": "binary", "description": f"One of {_FORMATS}."}
    whole = {
        "type": "string",
        "description": "All of the other fields as one JSON object, instead of single ones.",
    }
    schema["properties"] = {IMAGE_FIELD: image, **schema["properties"], JSON_FIELD: whole}
    schema["required"] = [IMAGE_FIELD]
    examples = {
        "photo alone": {"value": {IMAGE_FIELD: "@photo.jpg"}},
        "COLMAP intrinsics, pose for Unity": {
            "value": {
                IMAGE_FIELD: "@photo.jpg",
                "camera": "SIMPLE_RADIAL 1024 768 735.6 512 384 -0.12",
                "frame": "unity",
            }
        },
        "ARKit's intrinsics, about where, in 300 ms": {
            "value": {
                IMAGE_FIELD: "@photo.jpg",
                JSON_FIELD: '{"fx": 1450, "fy": 1450, "cx": 960, "cy": 720, "maps": ["town"], '
                '"prior_position": [12, 0, 30], "prior_radius": 25, "frame": "opengl", '
                '"budget_ms": 300}',
            }
        },
    }
    content = {"multipart/form-data": {"schema": schema, "examples": examples}}
    return {"required": True, "content": content}


LOCALIZE_BODY: dict[str, Any] = _body()
