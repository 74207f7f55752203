"""Cost of decoding a TIFF file, from the entries of its first directory.

libtiff unpacks whole tiles: an image of 16 x 16 pixels may stand in one of 30000 x 30000.
"""

from __future__ import annotations

import os
from typing import BinaryIO, Literal

MAX_TILE_SHARE = 4
"""Largest pixels of a tile over those of the image."""
MIN_TILE_PIXELS = 1 << 22
"""Tiles of up to this size may be larger than their image: 2048 x 2048 costs 16 MB."""
MAX_BLOCKS = 1 << 20
"""Strips and tiles. Blocks of 16 x 16 pixels, the smallest tiles, make 268 megapixels."""
_WIDTH, _HEIGHT, _STRIP_OFFSETS, _STRIP_SIZES = 256, 257, 273, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES = 322, 323, 324, 325
_BLOCK_LISTS = (_STRIP_OFFSETS, _STRIP_SIZES, _TILE_OFFSETS, _TILE_SIZES)
_NUMBER_BYTES = {1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4, 16: 8, 17: 8}
"""Type of an entry -> bytes of its numbers, for integers."""


def tiff_fault(file: BinaryIO) -> str | None:
    """Reason why the tiles of a TIFF file are too large or too many; None if they are not.

    Where a tag stands twice, the larger value counts: programs differ in which they take.

    Args:
        file: at any position; must be seekable.
    """
    entries, blocks = _read_directory(file)
    if blocks > MAX_BLOCKS:
        return f"it has {blocks} strips or tiles, at most {MAX_BLOCKS} are read"
    pixels = entries.get(_WIDTH, 0) * entries.get(_HEIGHT, 0)
    width, height = entries.get(_TILE_WIDTH, 0), entries.get(_TILE_HEIGHT, 0)
    if width * height > max(MIN_TILE_PIXELS, MAX_TILE_SHARE * pixels):
        return f"it has tiles of {width} x {height} pixels, much larger than the image"
    return None


def _read_directory(file: BinaryIO) -> tuple[dict[int, int], int]:
    """Largest first value of each tag with integers, and the number of strips or tiles.

    Width and height are the smallest, so that neither program sees a smaller image.
    """
    file.seek(0)
    head = file.read(16)
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
    is_big = 43 in (head[2], head[3])  # some writers exchange both bytes
    field = 8 if is_big else 4
    start = int.from_bytes(head[8:16] if is_big else head[4:8], order)
    entry_bytes, count_bytes = (20, 8) if is_big else (12, 2)
    size = file.seek(0, os.SEEK_END)
    if start >= size:
        return {}, 0
    file.seek(start)
    count = min(int.from_bytes(file.read(count_bytes), order), 1 << 16)
    data = file.read(count * entry_bytes)
    found: dict[int, int] = {}
    blocks = 0
    for first in range(0, len(data) - entry_bytes + 1, entry_bytes):
        tag = int.from_bytes(data[first : first + 2], order)
        kind = int.from_bytes(data[first + 2 : first + 4], order)
        value = data[first + 4 : first + entry_bytes]
        if tag in _BLOCK_LISTS:
            blocks = max(blocks, int.from_bytes(value[:field], order))
        number_bytes = min(_NUMBER_BYTES.get(kind, field), field)
        number = int.from_bytes(value[field : field + number_bytes], order)
        smaller = tag in (_WIDTH, _HEIGHT)
        found[tag] = (min if smaller else max)(number, found.get(tag, number))
    return found, blocks
