"""Child process that decodes photos of strangers within limits on memory, CPU time and files.

``python -P -m hloc_lite.io.decode_child LIMITS... MEMORY_FD`` reads image files from its standard
input and replies on its standard output (``decode_messages``). ``decode_process`` starts it. The
process may be killed at any time; it imports no torch, and ends with its parent.
"""

from __future__ import annotations

import gc
import io
import mmap
import os
import sys
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import ImageError
from hloc_lite.io.decode_messages import (
    LENGTH,
    READY,
    DecodeLimits,
    read_message,
    write_reply,
)
from hloc_lite.io.images import ImageTooLargeError, UnknownFormatError, photo_from_bytes
from hloc_lite.io.process_limits import limit_cpu, limit_files, limit_memory
from hloc_lite.types import Photo

WARM_UP_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
MAX_AVIF_THREADS = 4
"""One thread for each core takes 8 MB of address space each: 64 of them all that is allowed."""

MAX_TEXT_CHARS = 1000
"""Bound on a reason, or on a camera's name in EXIF, which may have 64 kB."""


def main(arguments: list[str]) -> None:
    """Decode until the standard input ends."""
    limits = DecodeLimits.from_arguments(arguments[:4])
    requests, replies = _streams()
    fd = int(arguments[4])
    memory = None if fd < 0 else mmap.mmap(fd, limits.buffer_bytes)
    _import_decoders()
    gc.freeze()  # so that each collection takes 1 ms
    limit_files()
    limit_memory(limits.memory_mb)
    write_reply(replies, {READY: True})
    while (data := read_message(requests, limits.max_file_bytes)) is not None:
        limit_cpu(limits.cpu_s)
        if memory is not None:
            (size,) = LENGTH.unpack(data)
            data = memory[limits.image_bytes : limits.image_bytes + size]
        _answer(data, limits, memory, replies)
        gc.collect()  # Pillow's errors hold images in cycles: memory that the next photo needs


def _streams() -> tuple[BinaryIO, BinaryIO]:
    """Standard streams; what libraries print goes to the standard error instead."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return requests, replies


def _import_decoders() -> None:
    """Import what decoding needs, so that it counts as idle memory."""
    with suppress(ImportError):
        from PIL import AvifImagePlugin

        AvifImagePlugin.DEFAULT_MAX_THREADS = min(MAX_AVIF_THREADS, os.cpu_count() or 1)
    for kind in WARM_UP_FORMATS:
        buffer = io.BytesIO()
        with suppress(Exception):  # a build of Pillow may lack a format
            Image.new("RGB", (8, 8)).save(buffer, kind)
            photo_from_bytes(buffer.getvalue(), "warm-up", ImagesConfig())


def _answer(data: bytes, limits: DecodeLimits, memory: mmap.mmap | None, replies: BinaryIO) -> None:
    config = ImagesConfig(max_megapixels=limits.max_megapixels, max_file_mb=limits.max_file_mb)
    try:
        photo = photo_from_bytes(data, "upload", config)
    except ImageError as error:
        write_reply(replies, _failure(error))
        return
    except MemoryError:
        write_reply(replies, {"error": "memory"})
        return
    parts = [photo.pixels] if photo.mask is None else [photo.pixels, photo.mask.view(np.uint8)]
    if memory is not None:
        _store(parts, memory)
    write_reply(replies, _success(photo))
    if memory is None:
        for part in parts:
            replies.write(np.ascontiguousarray(part).data)
        replies.flush()


def _store(parts: list[Any], memory: mmap.mmap) -> None:
    start = 0
    for part in parts:
        place = np.frombuffer(memory, np.uint8, part.size, start).reshape(part.shape)
        np.copyto(place, part)
        start += part.size


def _success(photo: Photo) -> dict[str, Any]:
    return {
        "width": photo.width,
        "height": photo.height,
        "mask": photo.mask is not None,
        "exif": {key: _short(value) for key, value in photo.exif.items()},
    }


def _short(value: float | str) -> float | str:
    return value[:MAX_TEXT_CHARS] if isinstance(value, str) else value


def _failure(error: ImageError) -> dict[str, Any]:
    if isinstance(error.__context__, MemoryError):
        return {"error": "memory"}
    if isinstance(error, UnknownFormatError):
        kind = "format"
    else:
        kind = "size" if isinstance(error, ImageTooLargeError) else "broken"
    return {"error": kind, "reason": str(error)[:MAX_TEXT_CHARS]}


if __name__ == "__main__":
    main(sys.argv[1:])
