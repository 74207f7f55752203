"""Damaged text files of any layout are read, or refused with a ``FormatError``."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.layouts import (
    crocodl,
    custom,
    eth_microsoft,
    four_seasons,
    lamar,
    mapfree,
    rio10,
    silda,
    twelve_scenes,
)
from hloc_lite.datasets.layouts.naver_floors import GANGNAM_STATION
from hloc_lite.errors import FormatError
from tests.datasets.layouts.made_dataset import PINHOLE, made_dataset

LAYOUTS = {
    "12scenes": twelve_scenes, "4seasons": four_seasons, "crocodl": crocodl,
    "eth-microsoft": eth_microsoft, "gangnam": GANGNAM_STATION, "lamar": lamar, "mapfree": mapfree,
    "rio10": rio10, "silda": silda, "town": custom,
}  # fmt: skip
NUM_TRIALS = 60


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes with a part cut, repeated, zeroed or replaced."""
    start, stop = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    kind = rng.integers(0, 6)
    if kind == 0:
        return data[:start]
    if kind == 1:
        return data[:start] + data[stop:]
    if kind == 2:
        return data + data[start:stop]
    if kind == 3:
        return data[:start] + bytes(rng.integers(0, 256, 3).tolist()) + data[start + 3 :]
    words = [b"nan", b"1e999", b"-1", b"../../x.jpg", b"0", b"9" * 40, b"\0", b"inf"]
    word = words[int(rng.integers(0, len(words)))]
    found = data.split()
    return data.replace(found[int(rng.integers(0, len(found)))], word, 1) if found else word


@pytest.mark.parametrize("name", LAYOUTS)
def test_damaged_files(tmp_path: Path, name: str) -> None:
    layout: ModuleType = LAYOUTS[name]
    original = made_dataset(tmp_path / "made", (PINHOLE,))
    if name in ("silda", "rio10"):  # the large photos are not looked at
        original = made_dataset(
            tmp_path / "made",
            queries={key: dict(list(each.items())[:2]) for key, each in original.queries.items()},
        )
    root, card, rng = tmp_path / "out", read_card(name), np.random.default_rng(0)
    layout.write(original, root)
    files = sorted([*root.rglob("*.txt"), *root.rglob("*.intrinsics")])
    refused = 0
    for _ in range(NUM_TRIALS):
        path = files[int(rng.integers(0, len(files)))]
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, rng))
        try:
            layout.read(root, card)
        except FormatError as error:
            assert len(str(error)) < 1500
            refused += 1
        path.write_bytes(whole)
    assert refused > NUM_TRIALS / 10
    layout.read(root, card)
