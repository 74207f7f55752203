"""Classes of other data sets by name, as Cityscapes train ids."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files

import numpy as np

from hloc_lite.consistency.labels import CLASS_NAMES
from hloc_lite.types import UNKNOWN_LABEL, UInt8

_FILLING = {"other", "merged", "stuff"}
_MAX_CLASSES = 65536


@functools.cache
def synonyms() -> Mapping[str, int]:
    """Plain class name -> train id, of ``class_names.toml``."""
    text = files("hloc_lite.consistency").joinpath("class_names.toml").read_text("utf-8")
    table = tomllib.loads(text)
    return {plain(name): CLASS_NAMES.index(c) for c, names in table.items() for name in names}


def plain(name: str) -> str:
    """A class name as the table has it: lower case, its first alternative, without fillings."""
    first = re.split(r"[,;]", name.lower())[0].split("--")[-1]
    words = re.sub(r"[^\w]+|_", " ", first).split()
    return " ".join(word for word in words if word not in _FILLING) or " ".join(words)


def train_id(name: str) -> int:
    """The train id of a class name of any data set; unknown if it has no counterpart."""
    return synonyms().get(plain(name), UNKNOWN_LABEL)


def train_ids(names_of_ids: Mapping[int, str]) -> UInt8:
    """(max id + 1,) the train id of each id of a model."""
    if not names_of_ids or min(names_of_ids) < 0 or max(names_of_ids) >= _MAX_CLASSES:
        return np.zeros(0, np.uint8)
    table = np.full(max(names_of_ids) + 1, UNKNOWN_LABEL, np.uint8)
    for number, name in names_of_ids.items():
        table[number] = train_id(str(name))
    return table
