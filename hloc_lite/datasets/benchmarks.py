"""Readers and writers of the layouts of public benchmarks, by the name of their card."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol

from hloc_lite.datasets.cards import Card, read_card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import FormatError, HlocLiteError, UnknownNameError


class Layout(Protocol):
    """Reader and writer of a layout: a module in ``layouts``, or one of several objects in it."""

    def read(self, root: Path, card: Card) -> tuple[Dataset, ...]:
        """Read a folder: a data set for each part that has a map of its own."""

    def write(self, dataset: Dataset, root: Path) -> dict[str, str]:
        """Write a data set; returns image name -> name in the data set that is read."""


_LAYOUTS: Mapping[str, str] = {
    "12scenes": "twelve_scenes",
    "4seasons": "four_seasons",
    "7scenes": "seven_scenes",
    "aachen": "aachen",
    "aachen-v1.1": "aachen_v1_1",
    "cambridge": "cambridge",
    "cmu": "cmu",
    "crocodl": "crocodl",
    "custom": "custom",
    "eth-microsoft": "eth_microsoft",
    "gangnam": "naver_floors.GANGNAM_STATION",
    "hyundai": "naver_floors.HYUNDAI_DEPARTMENT_STORE",
    "inloc": "inloc",
    "lamar": "lamar",
    "mapfree": "mapfree",
    "rio10": "rio10",
    "robotcar": "robotcar",
    "robotcar-v2": "robotcar_v2",
    "silda": "silda",
}
"""Name of a card -> module in ``layouts``, or object in a module."""


def benchmark_names() -> tuple[str, ...]:
    """Return the names of the data sets that can be read, sorted."""
    return tuple(sorted(_LAYOUTS))


def read_benchmark(name: str, root: Path) -> tuple[Dataset, ...]:
    """Read a benchmark's folder: a data set for each part that has a map of its own.

    Raises:
        UnknownNameError: no such benchmark.
        FormatError: the folder lacks files, or they are damaged.
    """
    layout, card = _layout(name), read_card(name)
    if not root.is_dir():
        raise FormatError(
            f"{root} is no folder: expected {card.title or name}; `hloc-lite dataset info {name}` "
            f"tells where to get it"
        )
    return layout.read(root, card)


def write_benchmark(name: str, dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set in a benchmark's layout, to try a pipeline on it.

    Returns:
        Image name -> name in the data set that ``read_benchmark`` reads.

    Raises:
        UnknownNameError: no such benchmark.
        HlocLiteError: the layout cannot hold the data set, or the folder is not empty.
    """
    check_new_folder(name, root)
    return _layout(name).write(dataset, root)


def check_new_folder(name: str, root: Path) -> None:
    """Refuse a folder with files in it for a benchmark's layout.

    Raises:
        HlocLiteError: the folder is not empty.
    """
    if root.is_dir() and any(root.iterdir()):
        raise HlocLiteError(f"{root} is not empty: give a new folder for the layout of {name}")


def check_benchmark_name(name: str) -> None:
    """Refuse a name that no benchmark has.

    Raises:
        UnknownNameError: the message lists the known ones.
    """
    if name not in _LAYOUTS:
        raise UnknownNameError(
            f"no benchmark is named {name!r}; known are {', '.join(benchmark_names())}"
        )


def _layout(name: str) -> Layout:
    check_benchmark_name(name)
    module_name, _, attribute = _LAYOUTS[name].partition(".")
    module = import_module(f"hloc_lite.datasets.layouts.{module_name}")
    found: Layout = getattr(module, attribute) if attribute else module
    return found
