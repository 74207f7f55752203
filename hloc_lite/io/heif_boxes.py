"""Cost of decoding a HEIF file, from its boxes: how often its tiles are decoded, and their sizes.

A grid of 256 x 256 cells may name the same tile 65,536 times, in a file of 200 kB.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

MAX_REPEATS = 4
"""Largest number of pixels that are decoded over those of the image."""
MIN_PIXELS = 1 << 24
"""Pixels that may be decoded for any image: thumbnails and their masks, or small grids."""
_MAX_META_BYTES = 1 << 24
"""Largest ``meta`` box. Those of phones have a few kB."""
_MAX_DEPTH = 8
"""Nesting of derived images."""
_MAX_BOXES = 1 << 16


def heif_fault(file: BinaryIO) -> str | None:
    """Reason why a HEIF file costs too much to decode; None if it does not, or cannot be read.

    Args:
        file: at any position; must be seekable.
    """
    meta = _find_meta(file)
    if meta is None:
        return None
    boxes = dict(_boxes(meta, 4, len(meta)))
    if not {b"iprp", b"pitm"} <= set(boxes):
        return None
    sizes = _sizes(boxes[b"iprp"])
    parts = _parts(boxes.get(b"iref", b"\0\0\0\0"))
    first = boxes[b"pitm"]
    primary = int.from_bytes(first[4:8] if first[:1] != b"\0" else first[4:6], "big")
    decoded = _decoded_pixels(primary, sizes, parts, {}, 0)
    own = sizes.get(primary, 0)
    if decoded is None:
        return "its images are nested too deeply"
    if decoded > max(MIN_PIXELS, MAX_REPEATS * own):
        return f"its tiles have {decoded / 1e6:.0f} megapixels in all, the image {own / 1e6:.0f}"
    return None


def _decoded_pixels(
    item: int,
    sizes: dict[int, int],
    parts: dict[int, list[int]],
    known: dict[int, int],
    depth: int,
) -> int | None:
    """Pixels that are decoded for an item; None if it is nested too deeply or in itself."""
    if depth > _MAX_DEPTH:
        return None
    if item not in known:
        total = 0 if item in parts else sizes.get(item, 0)
        for part in parts.get(item, ()):
            pixels = _decoded_pixels(part, sizes, parts, known, depth + 1)
            if pixels is None:
                return None
            total += pixels
        known[item] = total
    return known[item]


def _find_meta(file: BinaryIO) -> bytes | None:
    """Content of the ``meta`` box of the file."""
    end = file.seek(0, os.SEEK_END)
    position = 0
    for _ in range(_MAX_BOXES):
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            return None
        size, content = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, content = int.from_bytes(head[8:16], "big"), 16
        size = size or end - position
        if head[4:8] == b"meta":
            file.seek(position + content)
            return file.read(min(size - content, _MAX_META_BYTES)) if size > content else None
        if size < content:
            return None
        position += size
    return None


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each box in a part of the data."""
    while start + 8 <= end:
        size = int.from_bytes(data[start : start + 4], "big") or end - start
        if size < 8:
            return
        yield data[start + 4 : start + 8], data[start + 8 : min(start + size, end)]
        start += size


def _sizes(properties: bytes) -> dict[int, int]:
    """Item -> its pixels, the most of all sizes that it is given."""
    areas: list[int] = []
    found: dict[int, int] = {}
    boxes = list(_boxes(properties, 0, len(properties)))
    for kind, content in boxes:
        if kind == b"ipco":
            for each, value in _boxes(content, 0, len(content)):
                width, height = value[4:8], value[8:12]
                area = int.from_bytes(width, "big") * int.from_bytes(height, "big")
                areas.append(area if each == b"ispe" else 0)
    for kind, content in boxes:
        if kind == b"ipma":
            for item, index in _associations(content):
                if 0 < index <= len(areas):
                    found[item] = max(found.get(item, 0), areas[index - 1])
    return found


def _associations(data: bytes) -> Iterator[tuple[int, int]]:
    """Item and one-based index of each property that belongs to it."""
    id_bytes = 4 if data[:1] != b"\0" else 2
    index_bytes = 2 if data[3:4] and data[3] & 1 else 1
    position = 8
    while position + id_bytes < len(data):
        item = int.from_bytes(data[position : position + id_bytes], "big")
        count = data[position + id_bytes]
        position += id_bytes + 1
        for start in range(position, position + count * index_bytes, index_bytes):
            number = int.from_bytes(data[start : start + index_bytes], "big")
            yield item, number & (0x7FFF if index_bytes == 2 else 0x7F)
        position += count * index_bytes


def _parts(references: bytes) -> dict[int, list[int]]:
    """Derived item -> the items that it is made of, as often as it names them."""
    id_bytes = 4 if references[:1] != b"\0" else 2
    found: dict[int, list[int]] = {}
    for kind, content in _boxes(references, 4, len(references)):
        if kind != b"dimg":
            continue
        item = int.from_bytes(content[:id_bytes], "big")
        count = int.from_bytes(content[id_bytes : id_bytes + 2], "big")
        body = content[id_bytes + 2 : id_bytes + 2 + count * id_bytes]
        named = (body[i : i + id_bytes] for i in range(0, len(body), id_bytes))
        found.setdefault(item, []).extend(int.from_bytes(each, "big") for each in named)
    return found
