"""Which estimated name is which true name: whole names, or as many last parts as agree.

Benchmarks differ in what they write: Aachen takes basenames, RobotCar ``camera/basename``. A wrong
guess would score zero or, worse, score the wrong image; so what is ambiguous is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hloc_lite.errors import HlocLiteError


@dataclass(frozen=True)
class NameAlignment:
    """Estimated names, as the names of the truth."""

    true_names: Mapping[str, str]
    """Estimated name -> true name."""
    unknown: tuple[str, ...]
    """Estimated names that no true one answers to."""
    missing: tuple[str, ...]
    """True names without an estimate: failures."""
    num_parts: int | None
    """Names were compared by so many last path parts; None: as a whole."""

    @property
    def explanation(self) -> str:
        """One sentence on how names were matched."""
        if self.num_parts is None:
            return "names matched as a whole"
        what = "basename" if self.num_parts == 1 else f"last {self.num_parts} path parts"
        return f"no whole name matched; names matched by their {what}"


def align_names(estimated: Collection[str], true: Collection[str]) -> NameAlignment:
    """Match names as a whole; if none matches, by the most last path parts that do.

    Raises:
        HlocLiteError: nothing matches, or a shortened name fits several.
    """
    if not true:
        raise HlocLiteError("the ground truth has no poses: there is nothing to score against")
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
        f"expected names like {_some(true)}, got {_some(estimated)}. Write the names as the "
        f"ground truth has them (path relative to the same image root)"
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
                f"write whole names (hloc-lite localize does so by default)"
            )
        if candidates:
            pairs[name] = candidates[0]
            other = taken.setdefault(candidates[0], name)
            if other != name:
                raise HlocLiteError(
                    f"no whole name matches, and both {other!r} and {name!r} may be "
                    f"{candidates[0]!r}: write whole names"
                )
    return pairs


def _aligned(
    pairs: Mapping[str, str],
    estimated: Collection[str],
    true: Collection[str],
    num_parts: int | None,
) -> NameAlignment:
    answered = set(pairs.values())
    unknown = tuple(name for name in estimated if name not in pairs)
    missing = tuple(name for name in true if name not in answered)
    return NameAlignment(pairs, unknown, missing, num_parts)


def _last_parts(name: str, count: int) -> str:
    return "/".join(name.split("/")[-count:])


def _some(names: Collection[str], count: int = 3) -> str:
    shown = ", ".join(repr(name) for name in list(names)[:count])
    return shown + (", ..." if len(names) > count else "")
