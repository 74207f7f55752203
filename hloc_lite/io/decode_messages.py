"""Messages between the service and a child process that decodes photos: bytes and JSON, no pickle.

A message is its length (4 bytes, big-endian) and its payload. The parent sends image files. The
child replies in JSON, and puts the decoded image into shared memory: pixels (H, W, 3), then the
mask (H, W) if there is one. The file lies in shared memory, too, and the message has its size (4
bytes). Without shared memory, the file is the message, and the image follows the reply in the pipe.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

LENGTH = struct.Struct(">I")
MAX_REPLY_BYTES = 65536
"""Bound on replies: an error's reason or a few EXIF values. A child that was taken over by an image
may write anything."""
READY = "ready"
"""Field of the first message of a child, once it has imported all it needs."""
BYTES_PER_PIXEL = 4
"""RGB, and the mask."""


@dataclass(frozen=True)
class DecodeLimits:
    """Bounds on the cost of one photo."""

    max_megapixels: float
    max_file_mb: float
    memory_mb: float
    """Memory above that of the idle child, MB."""
    cpu_s: float
    """CPU time, seconds."""

    @property
    def image_bytes(self) -> int:
        """Shared memory for the largest decoded image."""
        return int(self.max_megapixels * 1e6) * BYTES_PER_PIXEL

    @property
    def buffer_bytes(self) -> int:
        """Size of the shared memory: the decoded image, then the image file."""
        return self.image_bytes + self.max_file_bytes

    @property
    def max_file_bytes(self) -> int:
        return int(self.max_file_mb * 1e6)

    def arguments(self) -> tuple[str, ...]:
        """Command line arguments of the child; ``from_arguments`` reads them."""
        values = (self.max_megapixels, self.max_file_mb, self.memory_mb, self.cpu_s)
        return tuple(repr(float(value)) for value in values)

    @classmethod
    def from_arguments(cls, arguments: list[str]) -> DecodeLimits:
        return cls(*map(float, arguments))


def write_message(stream: BinaryIO, payload: bytes) -> None:
    """Write a message. Raises OSError if the other side is gone."""
    stream.write(LENGTH.pack(len(payload)))
    stream.write(payload)
    stream.flush()


def read_message(stream: BinaryIO, max_bytes: int) -> bytes | None:
    """Read a message; None if the other side is gone, or announces more than ``max_bytes``."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    if size > max_bytes:
        return None
    payload = stream.read(size)
    return payload if len(payload) == size else None


def write_reply(stream: BinaryIO, reply: Mapping[str, Any]) -> None:
    """Write a JSON reply."""
    write_message(stream, json.dumps(reply).encode())


def read_reply(stream: BinaryIO) -> dict[str, Any] | None:
    """Read a JSON reply; None if there is none, or another thing."""
    payload = read_message(stream, MAX_REPLY_BYTES)
    if payload is None:
        return None
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
