"""Bodies of requests, in memory only: counted and timed while they come, never written to disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.problems import Problem, busy

IMAGE_FIELD = "image"
MAX_FIELDS = 40
MAX_FIELD_BYTES = 16384
SENDS_IMAGES = ("image/", "application/octet-stream")
"""How content types of the image part may start; none at all is fine too."""


class InMemoryParser(MultiPartParser):
    """Starlette's, which would put files of more than 1 MB on disk."""

    spool_max_size = 0  # never


class Uploads:
    """Receives forms with one image; knows how many are on their way."""

    def __init__(self, config: ServeConfig) -> None:
        self._config = config
        self.receiving = 0

    async def form(self, request: Request) -> tuple[bytes, list[tuple[str, str]]]:
        """The image's bytes, and the text fields, of a multipart request.

        Raises:
            Problem: too many uploads at once (429), too large (413), too slow (408), no multipart
                form or no image in it (400, 415, 422).
        """
        check_length(request, self._config.max_upload_bytes)
        _check_form(request)
        if self.receiving >= self._config.max_uploads:
            raise busy("uploads_full", f"{self.receiving} uploads are on their way already", 1)
        self.receiving += 1
        try:
            return await self._parsed(request)
        finally:
            self.receiving -= 1

    async def _parsed(self, request: Request) -> tuple[bytes, list[tuple[str, str]]]:
        stream = limited(request, self._config.max_upload_bytes, self._config.upload_timeout_s)
        parser = InMemoryParser(
            request.headers,
            stream,
            max_files=2,  # one too many is told apart from many
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD_BYTES,
        )
        try:
            form = await parser.parse()
        except (MultiPartException, ValueError) as error:
            why = getattr(error, "message", str(error))
            raise Problem(400, "bad_form", f"the multipart form is broken: {why}") from None
        try:
            return await _image_of(form.multi_items()), _fields_of(form.multi_items())
        finally:
            await form.close()


async def limited(
    request: Request, max_bytes: int, timeout_s: float
) -> AsyncGenerator[bytes, None]:
    """The body in pieces, as it comes. Raises Problem (408, 413), ClientDisconnect."""
    received, end = 0, time.monotonic() + timeout_s
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(end - time.monotonic()):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Problem(
                408, "upload_too_slow", f"the body was not in after {timeout_s:g} s; {received} "
                f"bytes had come"
            ) from None  # fmt: skip
        received += len(chunk)
        if received > max_bytes:
            raise too_large(max_bytes)
        yield chunk


def check_length(request: Request, max_bytes: int) -> None:
    """Refuse a body that says it is too large, before any of it is read (413)."""
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > max_bytes:
        raise too_large(max_bytes)


def too_large(max_bytes: int) -> Problem:
    """413 for a body."""
    return Problem(413, "body_too_large", f"bodies have at most {max_bytes / 1e6:g} MB here")


def _check_form(request: Request) -> None:
    """Refuse what is no multipart form (415), or one that cannot be split (400)."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        got = kind.decode("latin-1", "replace")[:80] or "none"
        raise Problem(
            415, "not_multipart", f"expected Content-Type multipart/form-data with the photo in "
            f"{IMAGE_FIELD!r}, got {got}"
        )  # fmt: skip
    if not options.get(b"boundary"):
        raise Problem(400, "bad_form", "the Content-Type names no boundary")


async def _image_of(items: list[tuple[str, UploadFile | str]]) -> bytes:
    files = [(name, value) for name, value in items if isinstance(value, UploadFile)]
    if any(name == IMAGE_FIELD and isinstance(value, str) for name, value in items):
        raise Problem(
            422, "no_image", f"{IMAGE_FIELD!r} was sent as text: send it as a file (a part with a "
            f"filename)"
        )  # fmt: skip
    if len(files) != 1 or files[0][0] != IMAGE_FIELD:
        got = ", ".join(repr(name[:40]) for name, _ in files) or "none"
        raise Problem(422, "no_image", f"expected one file, {IMAGE_FIELD!r}; got {got}")
    file = files[0][1]
    kind = (file.content_type or SENDS_IMAGES[1]).lower()
    if not kind.startswith(SENDS_IMAGES):
        raise Problem(415, "not_an_image", f"expected an image, got content type {kind[:80]!r}")
    data = await file.read()
    if not data:
        raise Problem(422, "no_image", "the image is empty: it has 0 bytes")
    return data


def _fields_of(items: list[tuple[str, UploadFile | str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in items if isinstance(value, str)]
