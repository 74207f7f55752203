"""Multipart and JSON uploads, parsed in memory; limits on size and time apply as the body arrives.

FastAPI's ``UploadFile`` and ``Form`` parameters are not used. FastAPI reads the whole body before
any dependency or handler runs, so the queue check would come too late. Its parser spools files
above 1 MB to disk, and errors raised while the body arrives (408, 413) all become 400.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from hloc_lite.io.unread_formats import VIDEO_REMEDY
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.problems import Problem, too_busy

T = TypeVar("T")
IMAGE_FIELD = "image"
MIN_AGE_S = 1.0
"""Age from which the rate of an upload tells something."""
SLOW_BYTES_PER_S = 10_000
"""Rate below which an upload makes room for others: a photo of 300 kB would take 30 s."""
MAX_FIELDS = 40
MAX_FIELD_BYTES = 16384
IMAGE_TYPES = ("image/", "application/octet-stream")
"""Accepted prefixes of the image part's content type. The part may also have none."""


class InMemoryParser(MultiPartParser):
    """Starlette's multipart parser without its spooling of files above 1 MB to disk."""

    spool_max_size = 0  # SpooledTemporaryFile never rolls over to disk


class UploadReceiver:
    """Receives bodies with one image, and limits how many arrive at once."""

    def __init__(self, config: ServeConfig) -> None:
        self._config = config
        self._uploads: set[_Upload] = set()

    @property
    def receiving(self) -> int:
        """Uploads in progress."""
        return len(self._uploads)

    async def receive(self, request: Request) -> tuple[bytes, list[tuple[str, str]]]:
        """Return the image's bytes and the (name, value) text fields of a multipart request.

        Raises:
            Problem: too many uploads at once (429), too large (413), too slow (408), no multipart
                form or no image in it (400, 415, 422).
        """
        self._check_length(request)
        _check_content_type(request)
        with self._upload() as upload:
            return await self._parse(request, upload)

    async def receive_json(self, request: Request, parse: Callable[[bytearray], T]) -> T:
        """Return ``parse`` of the body of a JSON request. It runs in a thread, as parsing 20 MB
        takes 0.2 s, and counts as a part of the upload.

        Raises:
            Problem: too many uploads at once (429), too large (413), too slow (408), another
                content type (415), and those of ``parse``.
        """
        self._check_length(request)
        _check_json_type(request)
        with self._upload() as upload:
            body = bytearray()
            async for chunk in upload.chunks(request, self._config):
                body += chunk
            return await asyncio.to_thread(parse, body)

    def _check_length(self, request: Request) -> None:
        stated = request.headers.get("content-length", "")
        if stated.isdecimal() and int(stated) > self._config.max_upload_bytes:
            raise _too_large(self._config.max_upload_bytes)  # before the body is read

    @contextmanager
    def _upload(self) -> Iterator[_Upload]:
        """Count an upload while it lasts; the slowest one makes room if there are too many.

        Raises:
            Problem: too many, and none is slow (429).
        """
        if self.receiving >= self._config.max_uploads and not self._cut_slowest():
            raise too_busy("uploads_full", f"{self.receiving} uploads are already in progress", 1)
        upload = _Upload()
        self._uploads.add(upload)
        try:
            yield upload
        finally:
            self._uploads.discard(upload)

    def _cut_slowest(self) -> bool:
        slowest = min(self._uploads, key=lambda each: each.bytes_per_s)
        if slowest.age_s < MIN_AGE_S or slowest.bytes_per_s >= SLOW_BYTES_PER_S:
            return False
        slowest.cut()
        self._uploads.discard(slowest)
        return True

    async def _parse(
        self, request: Request, upload: _Upload
    ) -> tuple[bytes, list[tuple[str, str]]]:
        # two files: a second image is reported as such, more are a broken form
        parser = InMemoryParser(
            request.headers,
            upload.chunks(request, self._config),
            max_files=2,
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD_BYTES,
        )
        try:
            form = await parser.parse()
        except (MultiPartException, ValueError) as error:
            if "exceeded maximum size" in str(getattr(error, "message", "")):
                raise _too_long_field(parser) from None
            cause = getattr(error, "message", str(error))
            raise Problem(400, "bad_form", f"the multipart form is broken: {cause}") from None
        try:
            fields = [(k, v) for k, v in form.multi_items() if isinstance(v, str)]
            return await _image_bytes(form), fields
        finally:
            await form.close()


class _Upload:
    """A body that is being received."""

    def __init__(self) -> None:
        self._start_s, self._received = time.monotonic(), 0
        self._waiting: asyncio.Timeout | None = None
        self._is_cut = False

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._start_s

    @property
    def bytes_per_s(self) -> float:
        return self._received / max(self.age_s, 1e-3)

    def cut(self) -> None:
        """End the upload (408) in favour of another one."""
        self._is_cut = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def chunks(self, request: Request, config: ServeConfig) -> AsyncGenerator[bytes, None]:
        """Yield the body's chunks as they arrive. Raises Problem (408, 413), ClientDisconnect."""
        stream = request.stream()
        while not self._is_cut:
            left_s = config.upload_timeout_s - self.age_s
            try:
                async with asyncio.timeout(left_s) as self._waiting:
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                break
            finally:
                self._waiting = None
            self._received += len(chunk)
            if self._received > config.max_upload_bytes:
                raise _too_large(config.max_upload_bytes)
            yield chunk
        late = f"did not arrive within {config.upload_timeout_s:g} s"
        why = "came too slowly while others wait" if self._is_cut else late
        raise Problem(
            408, "upload_too_slow", f"the body {why}; {self._received} bytes were received"
        )


def _too_large(max_bytes: int) -> Problem:
    reason = f"the request body exceeds {max_bytes / 1e6:g} MB, the limit of this server"
    return Problem(413, "body_too_large", reason)


def _check_content_type(request: Request) -> None:
    """Refuse requests without a multipart form (415) or without its boundary (400)."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        got = kind.decode("latin-1", "replace")[:80] or "none"
        raise Problem(
            415,
            "not_multipart",
            f"expected Content-Type multipart/form-data with the photo in {IMAGE_FIELD!r}, "
            f"got {got}",
        )
    if not options.get(b"boundary"):
        raise Problem(400, "bad_form", "the Content-Type names no boundary")


def _check_json_type(request: Request) -> None:
    """Refuse bodies that are not stated to be JSON (415)."""
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"application/json" and not kind.endswith(b"+json"):
        got = kind.decode("latin-1", "replace")[:80] or "none"
        raise Problem(415, "not_json", f"expected Content-Type application/json, got {got}")


def _too_long_field(parser: MultiPartParser) -> Problem:
    """Problem of a text field above the limit: most likely the image, in base64."""
    part = getattr(parser, "_current_part", None)
    name = getattr(part, "field_name", "")
    if name == IMAGE_FIELD:
        return _image_as_text()
    return Problem(
        400, "bad_form", f"field {name[:40]!r} has more than {MAX_FIELD_BYTES} bytes of text"
    )


def _image_as_text() -> Problem:
    reason = (
        f"{IMAGE_FIELD!r} was sent as text: send it as a file (a part with a filename), not in "
        f"base64. With curl: -F {IMAGE_FIELD}=@photo.jpg"
    )
    return Problem(422, "no_image", reason)


async def _image_bytes(form: FormData) -> bytes:
    """Return the content of the only file of a form. Raises Problem (415, 422)."""
    if any(isinstance(value, str) for value in form.getlist(IMAGE_FIELD)):
        raise _image_as_text()
    files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    if len(files) != 1 or files[0][0] != IMAGE_FIELD:
        got = ", ".join(repr(name[:40]) for name, _ in files) or "none"
        raise Problem(422, "no_image", f"expected one file, {IMAGE_FIELD!r}; got {got}")
    file = files[0][1]
    kind = (file.content_type or IMAGE_TYPES[1]).lower()
    if not kind.startswith(IMAGE_TYPES):
        told = VIDEO_REMEDY if kind.startswith("video/") else ""
        got = f"expected an image, got content type {kind[:80]!r}" + (told and f": {told}")
        raise Problem(415, "not_an_image", got)
    data = await file.read()
    if not data:
        raise Problem(422, "no_image", "the image is empty (0 bytes)")
    return data
