"""Check of the chunks of a PNG file: their number, because Pillow handles each one in Python, and
their checksums, because it does not look at those of the pixels.
"""

from __future__ import annotations

import os
import zlib
from typing import BinaryIO

MIN_CHUNK_BYTES = 1024
"""Least mean size of chunks beyond ``MANY_CHUNKS``. Encoders write pixels in blocks of 8 kB and
more."""
MANY_CHUNKS = 1000
"""Chunks that any file may have."""
_HEAD_BYTES = 8
_FRAME_BYTES = 12
"""Length, type and checksum of a chunk."""


def png_fault(file: BinaryIO, *, with_pixels: bool) -> str | None:
    """Reason why a PNG file is damaged, or has too many chunks; None if neither.

    Args:
        file: at any position; must be seekable.
        with_pixels: False if only what stands before the pixels will be read.
    """
    size = file.seek(0, os.SEEK_END)
    most = MANY_CHUNKS + size // MIN_CHUNK_BYTES
    position = 8
    for _ in range(most):
        file.seek(position)
        head = file.read(_HEAD_BYTES)
        if len(head) < _HEAD_BYTES or head[4:] == b"IEND":
            return None
        if head[4:] == b"IDAT" and not with_pixels:
            return None
        length = int.from_bytes(head[:4], "big")
        if with_pixels and _decides_pixels(head[4:]):
            content, stored = file.read(min(length, size)), file.read(4)
            if len(stored) < 4:
                return "it is truncated"
            if zlib.crc32(content, zlib.crc32(head[4:])) != int.from_bytes(stored, "big"):
                return f"it is damaged: the checksum of {head[4:].decode('latin-1')!r} differs"
        position += _FRAME_BYTES + length
    return f"it has more than {most} chunks"


def _decides_pixels(kind: bytes) -> bool:
    """Return True for chunks that an image cannot be shown without, its opacity and orientation."""
    return kind[:1].isupper() or kind in (b"tRNS", b"eXIf")
