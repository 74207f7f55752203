"""Differences between nested values, array by array and number by number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hloc_lite.config.renamed_keys import OLD_TO_NEW

RENAMED = {
    **{old.partition(".")[2]: new.partition(".")[2] for old, new in OLD_TO_NEW.items()},
    # counts of a cue
    "places_touched": "view_semantics_touched",
    "places_lowered": "view_semantics_lowered",
}
"""Older -> newer names of config keys, of a cue, and of its counts."""
TEXTS_AND_TIMES = {"reason", "skipped", "timings_s", "timings_ms", "peak_memory_mb"}
"""Keys of JSON files that are not compared."""
DERIVED = {"fingerprint", "checksum", "report.json"}
"""Digests of config keys and of times: a difference is listed, but does not count."""


@dataclass(frozen=True)
class Difference:
    """A value that two versions have differently."""

    path: str
    old: str
    new: str
    size: float = math.inf
    """Largest absolute difference; infinite if shapes, types or texts differ."""
    counts: bool = True
    """False for renamed keys and digests of them."""


def differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    """All differences of two nested values; arrays and floats are compared bit by bit."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _differences_of_mappings(old, new, path)
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield Difference(path, f"{len(old)} items", f"{len(new)} items")
        for index, (one, other) in enumerate(zip(old, new, strict=False)):
            yield from differences(one, other, f"{path}[{index}]")
    elif isinstance(old, str) and isinstance(new, str) and RENAMED.get(old) == new:
        yield Difference(path, old, new, 0.0, counts=False)
    elif not _are_identical(old, new):
        yield Difference(path, _shown(old), _shown(new), _largest(old, new))


def _differences_of_mappings(
    old: Mapping[str, Any], new: Mapping[str, Any], path: str
) -> Iterator[Difference]:
    names = {key: key if key in new else RENAMED.get(key, key) for key in old}
    for key, name in names.items():
        where = f"{path}/{key}"
        if key in TEXTS_AND_TIMES:
            continue
        if name not in new:
            yield Difference(where, _shown(old[key]), "missing")
            continue
        if name != key:
            yield Difference(where, key, name, 0.0, counts=False)
        for each in differences(old[key], new[name], where):
            yield replace(each, counts=each.counts and key not in DERIVED)
    for name in sorted(new.keys() - set(names.values()) - TEXTS_AND_TIMES):
        yield Difference(f"{path}/{name}", "missing", _shown(new[name]))


def _are_identical(old: Any, new: Any) -> bool:
    if type(old) is not type(new):
        return False
    if isinstance(old, np.ndarray):
        same_kind = (old.dtype, old.shape) == (new.dtype, new.shape)
        return same_kind and old.tobytes() == new.tobytes()
    return old == new or (old != old and new != new)  # both may be NaN


def _largest(old: Any, new: Any) -> float:
    """Largest absolute difference of numbers or arrays of one type and shape; else infinite."""
    one, other = np.asarray(old), np.asarray(new)
    same_kind = (type(old), one.dtype, one.shape) == (type(new), other.dtype, other.shape)
    if not same_kind or one.dtype.kind not in "iuf":
        return math.inf
    one, other = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(invalid="ignore"):
        gaps = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, abs(one - other))
    return math.inf if np.isnan(gaps).any() else float(gaps.max(initial=0.0))


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
