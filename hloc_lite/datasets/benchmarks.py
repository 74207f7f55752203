"""Readers and writers of the layouts of public benchmarks, by the name of their card."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import FormatError, HlocLiteError, UnknownNameError

_MODULES: Mapping[str, str] = {
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
    "gangnam": "gangnam",
    "hyundai": "hyundai",
    "inloc": "inloc",
    "lamar": "lamar",
    "mapfree": "mapfree",
    "rio10": "rio10",
    "robotcar": "robotcar",
    "robotcar-v2": "robotcar_v2",
    "silda": "silda",
}
"""Name of a card -> module in ``layouts``."""


def benchmark_names() -> tuple[str, ...]:
    """Return the names of the data sets that can be read, sorted."""
    return tuple(sorted(_MODULES))


def read_benchmark(name: str, root: Path) -> tuple[Dataset, ...]:
    """Read a benchmark's folder: a data set for each part that has a map of its own.

    Raises:
        UnknownNameError: no such benchmark.
        FormatError: the folder lacks files, or they are damaged.
    """
    module, card = _module(name), read_card(name)
    if not root.is_dir():
        raise FormatError(
            f"{root} is no folder: expected {card.title or name}; `hloc-lite dataset info {name}` "
            f"tells where to get it"
        )
    parts: tuple[Dataset, ...] = module.read(root, card)
    return parts


def write_benchmark(name: str, dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set in a benchmark's layout, to try a pipeline on it.

    Returns:
        Image name -> name in the data set that ``read_benchmark`` reads.

    Raises:
        UnknownNameError: no such benchmark.
        HlocLiteError: the layout cannot hold the data set, or the folder is not empty.
    """
    check_new_folder(name, root)
    written: dict[str, str] = _module(name).write(dataset, root)
    return written


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
    if name not in _MODULES:
        raise UnknownNameError(
            f"no benchmark is named {name!r}; known are {', '.join(benchmark_names())}"
        )


def _module(name: str) -> ModuleType:
    check_benchmark_name(name)
    return import_module(f"hloc_lite.datasets.layouts.{_MODULES[name]}")
