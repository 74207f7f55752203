"""Cost of reading a PNG file, from its chunks: Pillow handles each one in Python."""

from __future__ import annotations

import os
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
    """Reason why a PNG file has too many chunks; None if it has not.

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
        position += _FRAME_BYTES + int.from_bytes(head[:4], "big")
    return f"it has more than {most} chunks"
