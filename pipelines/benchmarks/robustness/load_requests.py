"""Requests of the load test as raw bytes, with the expected response of each."""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from hloc_lite.types import Camera

BOUNDARY = "load-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
Parts = Iterator[bytes]


@dataclass(frozen=True, eq=False)
class Target:
    """The server's port, and the photo to send with its camera."""

    port: int
    photo: bytes
    camera: Camera

    @property
    def camera_line(self) -> str:
        numbers = " ".join(repr(float(value)) for value in self.camera.params)
        return f"{self.camera.model} {self.camera.width} {self.camera.height} {numbers}"


@dataclass(frozen=True)
class Reply:
    """Response to a request; status 0 if the connection broke without one."""

    status: int
    code: str
    reason: str
    ms: float
    retry_after: float | None = None
    found: bool = False


@dataclass(frozen=True)
class RequestKind:
    """A kind of good or bad request."""

    name: str
    parts: Callable[[Target], Parts]
    """Yields the bytes to send, piece by piece; may pause between pieces."""
    status: int
    """Expected status; 429 is accepted too."""
    code: str
    """Expected error code."""


def send_request(target: Target, parts: Parts, timeout_s: float = 90.0) -> Reply:
    """Send a request on a new connection and read the response, even if sending fails."""
    start = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", target.port), timeout_s) as connection:
            try:
                for part in parts:
                    connection.sendall(part)
            except OSError:
                pass  # the server stopped reading; its response may have arrived
            response = http.client.HTTPResponse(connection)
            response.begin()
            body = response.read()
    except (OSError, http.client.HTTPException) as error:
        return Reply(0, "broken", f"no answer: {error!r}", 1000 * (time.monotonic() - start))
    ms = 1000 * (time.monotonic() - start)
    retry = response.getheader("Retry-After")
    wait = None if retry is None else float(retry)
    if "json" not in (response.getheader("Content-Type") or ""):
        return Reply(response.status, "text", body.decode(errors="replace"), ms, wait)
    value = json.loads(body)
    problem = value.get("error", {})
    found = bool(value.get("found"))
    return Reply(
        response.status, problem.get("code", ""), problem.get("reason", ""), ms, wait, found
    )


def good_parts(target: Target) -> Parts:
    """Yield a request with a photo and its intrinsics."""
    return _post(_form(target.photo, {"camera": target.camera_line}))


def _form(photo: bytes, fields: dict[str, str], kind: str = "image/jpeg") -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="x.jpg"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    return "".join([*parts, head]).encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()


def _head(*headers: str) -> bytes:
    lines = ["POST /v1/localize HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {FORM}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def _post(body: bytes) -> Parts:
    yield _head(f"Content-Length: {len(body)}")
    yield body


def _truncated(target: Target) -> Parts:
    return _post(_form(target.photo[: len(target.photo) // 3], {}))


def _bomb(_: Target) -> Parts:
    """Yield an image of 65 megapixels in 200 kB."""
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((5000, 13000), np.uint8)).save(buffer, "PNG")
    return _post(_form(buffer.getvalue(), {}, "image/png"))


def _too_long(_: Target) -> Parts:
    yield _head("Content-Length: 5000000000")
    for _number in range(60):
        yield bytes(1_000_000)


def _too_long_chunked(_: Target) -> Parts:
    yield _head("Transfer-Encoding: chunked")
    head = _form(b"", {}).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    for piece in (head, *[bytes(500_000)] * 120):
        yield b"%x\r\n" % len(piece) + piece + b"\r\n"


def _slow_body(target: Target) -> Parts:
    body = _form(target.photo, {})
    yield _head(f"Content-Length: {len(body)}")
    for at in range(16):
        time.sleep(0.5)
        yield body[at : at + 1]


def _slow_headers(_: Target) -> Parts:
    for letter in b"POST /v1/localize HTTP/1.1\r\n":
        yield bytes([letter])
        time.sleep(0.5)


def _cut_short(target: Target) -> Parts:
    """Yield half of the announced body."""
    body = _form(target.photo, {})
    yield _head(f"Content-Length: {len(body)}") + body[: len(body) // 2]


def _with_fields(**fields: str) -> Callable[[Target], Parts]:
    return lambda target: _post(_form(target.photo, fields))


REQUEST_KINDS = (
    RequestKind("good", good_parts, 200, ""),
    RequestKind("truncated JPEG", _truncated, 422, "broken_image"),
    RequestKind("text as image", lambda _: _post(_form(b"hello " * 50, {})), 415, "not_an_image"),
    RequestKind("empty image", lambda _: _post(_form(b"", {})), 422, "no_image"),
    RequestKind(
        "wrong part type", lambda t: _post(_form(t.photo, {}, "text/html")), 415, "not_an_image"
    ),
    RequestKind(
        "NaN intrinsics",
        _with_fields(camera="PINHOLE 1024 768 nan nan 512 384"),
        422,
        "bad_intrinsics",
    ),
    RequestKind(
        "other shape",
        _with_fields(camera="PINHOLE 768 1024 800 800 384 512"),
        422,
        "bad_intrinsics",
    ),
    RequestKind("unknown field", _with_fields(foo="1"), 422, "bad_field"),
    RequestKind("unknown map", _with_fields(maps="x"), 404, "unknown_map"),
    RequestKind("broken form", lambda t: _post(b"--" + t.photo[:5000]), 400, "bad_form"),
    RequestKind("pixel bomb", _bomb, 413, "image_too_large"),
    RequestKind("60 MB", _too_long, 413, "body_too_large"),
    RequestKind("60 MB chunked", _too_long_chunked, 413, "body_too_large"),
    RequestKind("slow body", _slow_body, 408, "upload_too_slow"),
    RequestKind("slow headers", _slow_headers, 408, "headers_too_slow"),
    RequestKind("body cut short", _cut_short, 408, "upload_too_slow"),
)
"""All kinds; the good request comes first."""
