"""Truth of Oxford and Paris as pickles: the revisited one, and the original one of cirtorch.

Layout as in https://github.com/filipradenovic/revisitop: a dict with ``imlist`` and ``qimlist``
(names without suffix), and ``gnd``, a list with a dict for each query. Its ``bbx`` is the box of
the query, and ``easy``, ``hard`` and ``junk`` are indices into ``imlist``. The original one has
``ok`` and ``junk``. The file is interpreted, not unpickled: see ``hloc.pickled``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.pickled import PickledArray, read_pickle

MAX_BYTES = 64 << 20
"""Larger files are not read: the real ones have less than a megabyte."""
MAX_LABELS = 10_000_000
"""Most labels in a file: one list in it may be that of many queries. 70 queries of a data set of
6,322 images have at most 442,540."""
MAX_PIXELS = 1e6
"""Bound of the coordinates of a box: no image is larger."""
REVISITED = ("easy", "hard", "junk")
ORIGINAL = ("ok", "junk")
"""Labels of the two kinds."""


@dataclass(frozen=True)
class LabelledImages:
    """Queries with boxes, and labels of the database images for each."""

    database: tuple[str, ...]
    queries: tuple[str, ...]
    boxes: tuple[tuple[float, float, float, float] | None, ...]
    """x1, y1, x2, y2 of each query in pixels; None where the whole image is the query."""
    labels: tuple[Mapping[str, frozenset[str]], ...]
    """For each query: label -> database images that have it."""


def read_revisited(path: Path) -> LabelledImages:
    """Read the truth of ROxford5k or RParis6k, with the labels ``REVISITED``.

    Raises:
        FormatError: no such file, another layout, indices out of range, or values that are no plain
            data; nothing of the file is executed.
    """
    return _read(path, REVISITED)


def read_original_pickle(path: Path) -> LabelledImages:
    """Read the truth of Oxford5k or Paris6k, with the labels ``ORIGINAL``.

    Raises:
        FormatError: as ``read_revisited``.
    """
    return _read(path, ORIGINAL)


def _read(path: Path, labels: Sequence[str]) -> LabelledImages:
    root = read_pickle(path, MAX_BYTES)
    missing = [key for key in ("imlist", "qimlist", "gnd") if key not in _dict(root, str(path))]
    if missing:
        raise FormatError(f"{path}: expected the keys imlist, qimlist and gnd; {missing[0]} lacks")
    database, queries = (_names(root[key], f"{path}, {key}") for key in ("imlist", "qimlist"))
    entries = root["gnd"]
    if not isinstance(entries, list | tuple) or len(entries) != len(queries):
        got = len(entries) if isinstance(entries, list | tuple) else type(entries).__name__
        raise FormatError(f"{path}: gnd must have an entry for each of {len(queries)} queries, got "
                          f"{got}")  # fmt: skip
    boxes, labelled, num_labels = [], [], 0
    for query, raw in zip(queries, entries, strict=True):
        where = f"{path}, gnd of {query!r}"
        entry = _dict(raw, where)
        lacking = [label for label in labels if label not in entry]
        if lacking:
            raise FormatError(
                f"{where}: expected the keys {', '.join(labels)}, got {', '.join(entry)[:120]}. "
                f"Revisited truths have easy and hard, the original ones ok"
            )
        boxes.append(_box(entry.get("bbx"), where))
        num_labels += sum(len(_numbers(entry[label], where)) for label in labels)
        if num_labels > MAX_LABELS:
            raise FormatError(f"{where}: more than {MAX_LABELS} labels in all are not read")
        rows = {label: _indices(entry[label], len(database), where, label) for label in labels}
        labelled.append({k: frozenset(database[i] for i in found) for k, found in rows.items()})
    return LabelledImages(database, queries, tuple(boxes), tuple(labelled))


def _dict(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FormatError(f"{where}: expected a dict, got {type(value).__name__}")
    return value


def _names(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise FormatError(f"{where}: expected a list of names, got {type(value).__name__}")
    if len(set(value)) != len(value):
        raise FormatError(f"{where}: a name is listed twice")
    return tuple(value)


def _numbers(value: Any, where: str) -> list[Any]:
    """Numbers of an array or a list."""
    if isinstance(value, PickledArray):
        values = [] if value.array is None else np.ravel(value.array).tolist()
    elif isinstance(value, list | tuple):
        values = list(value)
    else:
        raise FormatError(f"{where}: expected a list or an array, got {type(value).__name__}")
    for each in values:
        if type(each) not in (int, float):
            raise FormatError(f"{where}: expected numbers, got {type(each).__name__}")
    return values


def _indices(value: Any, count: int, where: str, label: str) -> list[int]:
    values = _numbers(value, f"{where}, {label}")
    for each in values:
        if not 0 <= each < count or each != int(each):
            raise FormatError(
                f"{where}, {label}: expected indices from 0 to {count - 1}, got {str(each)[:40]}"
            )
    return [int(each) for each in values]


def _box(value: Any, where: str) -> tuple[float, float, float, float] | None:
    values = [] if value is None else _numbers(value, f"{where}, bbx")
    if not values:
        return None
    if len(values) != 4 or not all(abs(each) < MAX_PIXELS for each in values):
        raise FormatError(f"{where}, bbx: expected x1, y1, x2, y2, got {str(values)[:120]}")
    x1, y1, x2, y2 = map(float, values)
    return x1, y1, x2, y2
