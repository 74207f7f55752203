"""Ways to corrupt an input file of the robustness benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Corruption = Callable[[Path, np.random.Generator], None]
"""Corrupts one input below a folder."""


def truncate(path: str) -> Corruption:
    """Truncate a file at a random position."""

    def corrupt(root: Path, rng: np.random.Generator) -> None:
        data = (root / path).read_bytes()
        (root / path).write_bytes(data[: int(rng.integers(0, len(data)))])

    return corrupt


def scramble(path: str, count: int = 8) -> Corruption:
    """Change some random bytes of a file."""

    def corrupt(root: Path, rng: np.random.Generator) -> None:
        data = bytearray((root / path).read_bytes())
        for at in rng.integers(0, len(data), count):
            data[at] = (data[at] + int(rng.integers(1, 256))) % 256
        (root / path).write_bytes(data)

    return corrupt


def overwrite(path: str, data: bytes | None = None) -> Corruption:
    """Replace the bytes of a file; None: random bytes of the same length."""

    def corrupt(root: Path, rng: np.random.Generator) -> None:
        length = (root / path).stat().st_size if (root / path).is_file() else 1000
        (root / path).write_bytes(rng.bytes(length) if data is None else data)

    return corrupt


def zero(path: str) -> Corruption:
    """Fill a file with zeros."""
    return lambda root, _: write_bytes(root / path, b"\0" * (root / path).stat().st_size)


def remove(path: str) -> Corruption:
    """Delete a file."""
    return lambda root, _: (root / path).unlink()


def edit(path: str, old: str, new: str) -> Corruption:
    """Replace the first occurrence of a text in a file."""

    def corrupt(root: Path, _: np.random.Generator) -> None:
        text = (root / path).read_text(encoding="utf-8")
        if old not in text:
            raise SystemExit(f"{old!r} is not in {path}")
        (root / path).write_text(text.replace(old, new, 1), encoding="utf-8")

    return corrupt


def save_image(path: str, pixels: np.ndarray) -> Corruption:
    """Save another image under a name."""
    return lambda root, _: Image.fromarray(pixels).save(root / path, "PNG")


def no_change(root: Path, _: np.random.Generator) -> None:
    """Leave the inputs as they are; the options are wrong."""


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file; for corruptions that are expressions."""
    path.write_bytes(data)
