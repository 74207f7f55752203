"""Cost of decoding a JPEG file, from its markers, before any decoder sees it.

Decoders walk over the whole image once for each scan, even if the scan holds nothing: 70 kB with
5,000 empty scans keep one busy for minutes. Pillow reads what stands between segments byte by byte.
"""

from __future__ import annotations

import re
from typing import BinaryIO

MAX_SCANS = 100
"""Scans of one image. Encoders write 1 to 20; libtiff has the same limit for JPEG in TIFF."""
MAX_SEGMENTS = 4096
"""Segments of up to 64 kB before the first scan, and after it: 256 MB of metadata."""
MAX_PADDING_BYTES = 1 << 16
"""Bytes between segments. Encoders pad with a few."""
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Starts of a frame. A sequential one whose first scan has all components has no other scan."""
_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xDA), 0xFF})
"""Second bytes of markers without a segment, of stuffing and of padding."""
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
"""Marker within the data of a scan that ends it: no stuffing, no restart."""


def jpeg_fault(file: BinaryIO, *, with_scans: bool) -> str | None:
    """Reason why a JPEG file costs too much to read; None if it does not.

    Args:
        file: at any position; must be seekable.
        with_scans: False if only the header will be read, for the size or the EXIF tags.
    """
    position, segments, padding, frame = 2, 0, 0, bytes(10)
    while segments <= MAX_SEGMENTS and padding <= MAX_PADDING_BYTES:
        file.seek(position)
        head = file.read(10)
        if len(head) < 5:
            return None
        if head[0] != 0xFF or head[1] in _ALONE:
            position, padding = position + 1, padding + 1
            continue
        if head[1] == _START_OF_SCAN:
            is_whole = frame[1] in _SEQUENTIAL and frame[9:10] == head[4:5]
            return _scans_fault(file.read()) if with_scans and not is_whole else None
        if head[1] in _FRAMES:
            frame = head
        position, segments = position + 2 + max(2, _length(head, 2)), segments + 1
    if padding > MAX_PADDING_BYTES:
        return f"its header has more than {MAX_PADDING_BYTES} bytes that belong to no segment"
    return f"its header has more than {MAX_SEGMENTS} segments"


def _scans_fault(data: bytes) -> str | None:
    """Reason why there are too many scans in the data that follow the first start of a scan."""
    if data.count(b"\xff\xda") < MAX_SCANS:  # 1 GB/s; more may stand behind the image
        return None
    position, scans = 0, 1
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None or found[1][0] == _END_OF_IMAGE:
            return None
        scans += found[1][0] == _START_OF_SCAN
        if scans > MAX_SCANS:
            return f"it has more than {MAX_SCANS} scans, more than encoders write"
        is_alone = found[1][0] in _ALONE
        position = found.end() + (0 if is_alone else _length(data, found.end()))
    return f"it has more than {MAX_SEGMENTS} segments between its scans"


def _length(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 2], "big")
