"""Open AR Cloud's GeoPoseProtocol over the same code as POST /v1/localize.

Source: https://github.com/OpenArCloud/oscp-geopose-protocol, and where it is silent its public
implementations (OpenArCloud/openvps, OpenArCloud/gpp-access, OpenArCloud/sparcl).

* Camera axes: the protocol does not name them. They are x forward, y left, z up, so the identity is
  a level camera that looks east. OpenVPS, Augmented City and the sparcl client use these; the
  protocol's example response, too, is a camera without roll only in these. The outer axes are east,
  north and up at the camera (OGC 21-056r11).
* Versions: the media type ``application/vnd.oscp+json; version=2.0`` in Accept. The body's shape
  tells in which version a request is written: the protocol's own example for version 2 says
  version=1.0, and its JavaScript client sends no media type. So Accept only sets the content type
  of the response, which has the same fields in both versions.
* Failures: the protocol defines none. Its clients read any body of another status than 2xx as
  text. A photo that cannot be localized gets 404, as from OpenVPS; the body is that of all errors.
* Paths: the protocol defines none. ``/geopose`` is that of its example servers.

Verified with the JavaScript client gpp-access: 0.2.1 (version 2, its checks on) and 0.0.2 (version
1, its checks off, since they refuse its own times). Not verified: the clients in Python, C++ and
Unity, and the effect of the axes in an AR scene.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence

import numpy as np
from python_multipart.multipart import parse_options_header
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hloc_lite.serve.answers import Answer, Covariance
from hloc_lite.serve.geopose_messages import GeoPose, GeoPoseAccuracy, GeoPoseResponse
from hloc_lite.serve.geopose_request import ParsedRequest, parse_request
from hloc_lite.serve.map_pool import MapPool
from hloc_lite.serve.problems import Problem
from hloc_lite.serve.service import Service

MEDIA_TYPE = "application/vnd.oscp+json"
JSON_TYPES = ("application/json", "application/*", "*/*")
VERSION = re.compile(r"([12])(\.0)?")
"""Versions that are understood."""
UNKNOWN_ACCURACY = sys.float_info.max
"""Value of the public clients for an unknown accuracy; the protocol has no other."""


async def answer_geopose(service: Service, request: Request) -> Response:
    """Answer a request of the GeoPoseProtocol.

    Raises:
        Problem: an invalid or refused request, or no map that is georeferenced.
    """
    accepted = accepted_version(request.headers.get("accept", ""))
    maps = georeferenced_maps(service.map_pool, request.query_params.get("maps", ""))
    service.workers.check_capacity()  # before the body is read
    parsed = await service.uploads.receive_json(request, parse_request)
    query = parsed.query.model_copy(update={"maps": maps})
    answer = await service.answer(request, parsed.image, query)
    response = make_response(parsed, answer)
    if response is None:
        reason = f"{answer.status}: {answer.reason}{parsed.hint}"
        # not raised: the request was not refused, and metrics count those
        return JSONResponse(Problem(404, "not_localized", reason).body(), 404)
    return Response(response.model_dump_json(), media_type=_content_type(accepted, parsed.version))


def accepted_version(accept: str) -> str | None:
    """Read the version of the protocol in an Accept header.

    Returns:
        "1" or "2", "" for the protocol in any version, None for plain JSON. A header without any
        type of these counts as plain JSON.

    Raises:
        Problem: only other versions are accepted (406).
    """
    unknown: list[str] = []
    is_json = not accept.strip()
    for part in accept.split(","):
        kind, options = parse_options_header(part.strip().rstrip("; "))
        name = kind.decode("latin-1").strip().lower()
        if re.fullmatch(rb"0(\.0*)?", options.get(b"q", b"1")):
            continue
        is_json |= name in JSON_TYPES
        if name != MEDIA_TYPE:
            continue
        version = options.get(b"version", b"").decode("latin-1")
        if not version:
            return ""
        if known := VERSION.fullmatch(version):
            return known[1]
        unknown.append(version)
    if unknown and not is_json:
        reason = f"expected version 1.0 or 2.0 of {MEDIA_TYPE}, Accept has {unknown[0][:40]!r}"
        raise Problem(406, "unknown_version", reason)
    return None


def georeferenced_maps(map_pool: MapPool, names: str) -> tuple[str, ...]:
    """Names of the maps to try.

    Args:
        names: names separated by commas; empty for all georeferenced maps.

    Raises:
        Problem: an unknown name (404), a named map that is not georeferenced or none that is (409),
            or maps that are not open yet (503).
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    maps = map_pool.select(wanted)
    local = [served_map.name for served_map in maps if served_map.georeference is None]
    if local and (wanted or len(local) == len(maps)):
        raise _not_georeferenced(local)
    return tuple(served_map.name for served_map in maps if served_map.name not in local)


def make_response(parsed: ParsedRequest, answer: Answer) -> GeoPoseResponse | None:
    """Convert the answer of the service, or return None if it has no pose on Earth."""
    if answer.geopose is None:
        return None
    return GeoPoseResponse(
        id=parsed.id,
        timestamp=parsed.timestamp,
        accuracy=_accuracy(answer.covariance),
        geopose=GeoPose.model_validate(answer.geopose),
    )


def _content_type(accepted: str | None, version: int) -> str:
    if accepted is None:
        return "application/json"
    return f"{MEDIA_TYPE}; version={accepted or version}.0"


def _not_georeferenced(names: Sequence[str]) -> Problem:
    reason = (
        f"maps without a georeference have no GeoPose: {', '.join(names)}; run `hloc-lite "
        f"georeference` on a map and reload it, or use POST /v1/localize for poses in the map"
    )
    return Problem(409, "not_georeferenced", reason)


def _accuracy(covariance: Covariance | None) -> GeoPoseAccuracy:
    """Accuracy from a covariance in metres along east, north and up."""
    if covariance is None:
        return GeoPoseAccuracy(position=UNKNOWN_ACCURACY, orientation=UNKNOWN_ACCURACY)
    std = np.sqrt(np.maximum(np.diag(covariance.matrix), 0))
    return GeoPoseAccuracy(
        position=float(std[:3].mean()), orientation=math.degrees(float(std[3:].mean()))
    )
