"""Hyundai Department Store: floors 1F, 4F and B1, a data set each; see ``naver_floors``."""

from __future__ import annotations

from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.naver_floors import read_floors, write_floor

BUILDING = "HyundaiDepartmentStore"
FLOORS = ("1F", "4F", "B1")


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the floors that are there; raises as ``naver_floors.read_floors``."""
    return read_floors(root, card, BUILDING, FLOORS)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set as the first floor; see ``naver_floors.write_floor``."""
    return write_floor(dataset, root, BUILDING, FLOORS[0])
