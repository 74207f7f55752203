"""Writing of hloc's matches files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.h5 import written_h5
from hloc_lite.formats.hloc.matches import DensePair
from hloc_lite.formats.hloc.names import (
    check_stored_name,
    names_by_key,
    pair_key,
    to_hloc_pixels,
)
from hloc_lite.types import Matches


def write_matches(
    path: Path,
    pairs: Iterable[tuple[tuple[str, str], Matches | DensePair]],
    num_keypoints: Mapping[str, int],
) -> None:
    """Write matches in hloc's layout.

    Args:
        path: HDF5 file to write.
        pairs: image pairs, each with its matches or its matched pixels; only one is in memory at a
            time.
        num_keypoints: number of keypoints of each image.

    Raises:
        FormatError: names that hloc cannot store or tell apart, a pair that is given twice, or an
            index out of range.
        HlocLiteError: the file cannot be written.
    """
    check_distinct(num_keypoints, path)
    used: dict[str, str] = {}
    with written_h5(path, pairs) as (file, checked):
        for pair, found in checked:
            for name in pair:
                if used.setdefault(pair_key(check_stored_name(name, str(path))), name) != name:
                    check_distinct((name, used[pair_key(name)]), path)
            key = "/".join(map(pair_key, pair))
            if key in file or "/".join(map(pair_key, pair[::-1])) in file:
                raise FormatError(f"{path}: the pair {pair} is given twice")
            for field, values in _pair_fields(pair, found, num_keypoints, path).items():
                file.create_dataset(f"{key}/{field}", data=values)


def check_distinct(names: Iterable[str], path: Path) -> None:
    """Check that a matches file can tell images apart.

    Raises:
        FormatError: two names that become the same when ``-`` stands for ``/``.
    """
    for key, same in names_by_key(names).items():
        if len(same) > 1:
            raise FormatError(
                f"{path}: the images {same[0]!r} and {same[1]!r} have the same name {key!r} in "
                f"such a file; rename one of them"
            )


def _pair_fields(
    pair: tuple[str, str],
    found: Matches | DensePair,
    num_keypoints: Mapping[str, int],
    path: Path,
) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    if isinstance(found, DensePair):
        points = to_hloc_pixels(found.keypoints0), to_hloc_pixels(found.keypoints1)
        return {"keypoints0": points[0], "keypoints1": points[1], "scores": found.scores}
    missing = [name for name in pair if name not in num_keypoints]
    if missing:
        raise FormatError(f"{path}: the number of keypoints of {missing[0]!r} is not given")
    counts = np.array([num_keypoints[name] for name in pair])
    first = found.indices[:, 0]
    if len(found) and (found.indices.min() < 0 or (found.indices >= counts).any()):
        raise FormatError(f"{path}: a match of {pair} is beyond the {counts.tolist()} keypoints")
    if len(np.unique(first)) != len(first):
        raise FormatError(f"{path}: a keypoint of {pair[0]!r} has two matches in {pair[1]!r}")
    matches0 = np.full(counts[0], -1, np.int32)
    scores0 = np.zeros(counts[0], np.float32)
    matches0[first], scores0[first] = found.indices[:, 1], found.scores
    return {"matches0": matches0, "matching_scores0": scores0}
