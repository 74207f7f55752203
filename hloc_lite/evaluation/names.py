"""Matches image names of pose files with those of the ground truth.

Benchmarks differ in the names they use: Aachen takes basenames, RobotCar ``camera/basename``. Names
are compared as a whole, else by as many trailing path parts as match. A wrong match would score the
wrong image, so ambiguous names are refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hloc_lite.errors import HlocLiteError


@dataclass(frozen=True)
class NameAlignment:
    """Estimated names matched with true names."""

    true_names: Mapping[str, str]
    """Estimated name -> true name."""
    unknown: tuple[str, ...]
    """Estimated names without a true pose."""
    missing: tuple[str, ...]
    """True names without an estimate; they count as failures."""
    num_parts: int | None
    """Number of trailing path parts that were compared; None if whole names were."""

    @property
    def explanation(self) -> str:
        """One sentence on how the names were matched."""
        if self.num_parts is None:
            return "names matched as a whole"
        part = "basename" if self.num_parts == 1 else f"last {self.num_parts} path parts"
        return f"no whole name matched; names matched by their {part}"


def align_names(estimated: Collection[str], true: Collection[str]) -> NameAlignment:
    """Match whole names; if none matches, the longest trailing path parts that do.

    Raises:
        HlocLiteError: no name matches, or a shortened name matches several.
    """
    if not true:
        raise HlocLiteError("the ground truth has no poses: there is nothing to compare with")
    known = set(true)
    whole = {name: name for name in estimated if name in known}
    if whole or not estimated:
        return _aligned(whole, estimated, true, None)
    deepest = max(name.count("/") + 1 for name in (*estimated, *true))
    for num_parts in range(deepest - 1, 0, -1):
        pairs = _pairs_by_last_parts(estimated, true, num_parts)
        if pairs:
            return _aligned(pairs, estimated, true, num_parts)
    raise HlocLiteError(
        f"none of the {len(estimated)} estimated names is in the ground truth of {len(true)}: "
        f"expected names like {_some(true)}, got {_some(estimated)}. Use the names of the ground "
        f"truth (paths relative to the same image root)"
    )


def _pairs_by_last_parts(
    estimated: Collection[str], true: Collection[str], num_parts: int
) -> dict[str, str]:
    by_key: dict[str, list[str]] = {}
    for name in true:
        by_key.setdefault(_last_parts(name, num_parts), []).append(name)
    pairs: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name in estimated:
        candidates = by_key.get(_last_parts(name, num_parts), [])
        if len(candidates) > 1:
            raise HlocLiteError(
                f"no whole name matches, and {name!r} may be any of {_some(candidates)}: "
                f"use whole names (hloc-lite localize does so by default)"
            )
        if candidates:
            pairs[name] = candidates[0]
            other = taken.setdefault(candidates[0], name)
            if other != name:
                raise HlocLiteError(
                    f"no whole name matches, and both {other!r} and {name!r} may be "
                    f"{candidates[0]!r}: use whole names"
                )
    return pairs


def _aligned(
    pairs: Mapping[str, str],
    estimated: Collection[str],
    true: Collection[str],
    num_parts: int | None,
) -> NameAlignment:
    matched = set(pairs.values())
    unknown = tuple(name for name in estimated if name not in pairs)
    missing = tuple(name for name in true if name not in matched)
    return NameAlignment(pairs, unknown, missing, num_parts)


def _last_parts(name: str, count: int) -> str:
    return "/".join(name.split("/")[-count:])


def _some(names: Collection[str], count: int = 3) -> str:
    shown = ", ".join(repr(name) for name in list(names)[:count])
    return shown + (", ..." if len(names) > count else "")
