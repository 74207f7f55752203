"""Cityscapes train ids for the class names of other data sets."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files

import numpy as np

from hloc_lite.consistency.labels import CLASS_NAMES
from hloc_lite.types import UNKNOWN_LABEL, UInt8

_FILLER_WORDS = {"other", "merged", "stuff"}
_MAX_CLASSES = 65536


@functools.cache
def synonyms() -> Mapping[str, int]:
    """Normalized class name -> train id, as listed in ``class_names.toml``."""
    text = files("hloc_lite.consistency").joinpath("class_names.toml").read_text("utf-8")
    table = tomllib.loads(text)
    return {normalized(name): CLASS_NAMES.index(c) for c, names in table.items() for name in names}


def normalized(name: str) -> str:
    """A class name in lower case: its first alternative, without separators and filler words."""
    first = re.split(r"[,;]", name.lower())[0].split("--")[-1]
    words = re.sub(r"[^\w]+|_", " ", first).split()
    return " ".join(word for word in words if word not in _FILLER_WORDS) or " ".join(words)


def train_id(name: str) -> int:
    """The train id of a class name of any data set; ``UNKNOWN_LABEL`` without a counterpart."""
    return synonyms().get(normalized(name), UNKNOWN_LABEL)


def train_ids(id_to_name: Mapping[int, str]) -> UInt8:
    """(max id + 1,) lookup table from the class ids of a model to train ids.

    Empty if there are no classes, or ids are negative or too large.
    """
    if not id_to_name or min(id_to_name) < 0 or max(id_to_name) >= _MAX_CLASSES:
        return np.zeros(0, np.uint8)
    table = np.full(max(id_to_name) + 1, UNKNOWN_LABEL, np.uint8)
    for class_id, name in id_to_name.items():
        table[class_id] = train_id(str(name))
    return table
