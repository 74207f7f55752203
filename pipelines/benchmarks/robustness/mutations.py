"""Random damage to the bytes of a file: flips, cuts, doubled parts, huge counts, deep JSON, NaN."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Mapping

HUGE = 2**60
DEPTH = 100_000
"""Nesting of the JSON that is put in; parsers that recurse have a limit of about 1,000."""
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_HUGE_INTEGERS = (
    struct.pack("<Q", HUGE), struct.pack("<Q", 2**64 - 1), struct.pack("<q", -1),
    struct.pack("<I", 2**31 - 1), struct.pack("<I", 2**32 - 1), struct.pack(">I", 2**31 - 1),
    struct.pack("<H", 7000), struct.pack(">H", 7000), struct.pack("<I", 30000),
    struct.pack(">I", 30000),
)  # fmt: skip
_WORDS = (
    str(HUGE).encode(),
    b"9" * 400,
    b"-1",
    b"1e999",
    b"1e300",
    b"0",
    b"1e307",
    b"-1e307",
    b"1e160",
    b"1e-320",
    str(2**50).encode(),
)
_NAN_BYTES = (
    *(struct.pack("<d", value) for value in (1e307, 1e160, float("nan"))),
    struct.pack("<f", float("nan")),
)
_NAN_WORDS = (b"nan", b"NaN", b"inf", b"-Infinity")


def flipped(rng: random.Random, data: bytes) -> bytes:
    """Up to eight bytes with other bits."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def cut(rng: random.Random, data: bytes) -> bytes:
    """Start of the file only."""
    return data[: rng.randrange(len(data))]


def doubled(rng: random.Random, data: bytes) -> bytes:
    """A part of the file twice."""
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.randint(1, 2000))
    return data[:end] + data[start:end] + data[end:]


def swapped(rng: random.Random, data: bytes) -> bytes:
    """Two lines exchanged."""
    lines = data.splitlines(keepends=True)
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def huge_count(rng: random.Random, data: bytes) -> bytes:
    """A huge number in place of a number of a text, or of bytes anywhere in a binary file."""
    return _with_value(rng, data, _WORDS, _HUGE_INTEGERS)


def not_a_number(rng: random.Random, data: bytes) -> bytes:
    """NaN or infinity in place of a number."""
    return _with_value(rng, data, _NAN_WORDS, _NAN_BYTES)


def deep(rng: random.Random, data: bytes) -> bytes:
    """Very deep nesting in place of a number of a text, as JSON may have it."""
    nested = rng.choice((b"[" * DEPTH + b"]" * DEPTH, b'{"a":' * DEPTH))
    return _with_value(rng, data, (nested,), (nested,))


def _with_value(
    rng: random.Random, data: bytes, words: tuple[bytes, ...], values: tuple[bytes, ...]
) -> bytes:
    """The file with a number replaced: by a word in a text, by bytes in a binary file."""
    if b"\0" not in data:
        numbers = list(_NUMBER.finditer(data))
        if numbers:
            found = rng.choice(numbers)
            return data[: found.start()] + rng.choice(words) + data[found.end() :]
    value = rng.choice(values)
    start = rng.randrange(len(data))
    start -= start % rng.choice((1, 4, 8))
    return data[:start] + value + data[start + len(value) :]


MUTATIONS: Mapping[str, Callable[[random.Random, bytes], bytes]] = {
    "bytes flipped": flipped,
    "cut off": cut,
    "part doubled": doubled,
    "lines swapped": swapped,
    "huge count": huge_count,
    "NaN": not_a_number,
    "deep nesting": deep,
}
"""Name -> function that damages the bytes of a file that is not empty."""
