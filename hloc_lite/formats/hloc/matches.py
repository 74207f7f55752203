"""hloc's matches files: one HDF5 group a pair of images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.formats.hloc.h5 import (
    finite_float32,
    groups_with,
    open_h5,
    own_group,
    own_numbers,
)
from hloc_lite.formats.hloc.names import (
    check_stored_name,
    from_hloc_pixels,
    names_by_key,
    pair_key,
)
from hloc_lite.io.lazy_mapping import Closes
from hloc_lite.types import Float32, Matches, freeze_field


@dataclass(frozen=True, eq=False)
class DensePair:
    """K matched pixels of a pair of images, before they become keypoints."""

    keypoints0: Float32
    """(K, 2) pixels of the first original image; row k matches row k of ``keypoints1``."""
    keypoints1: Float32
    """(K, 2) pixels of the second."""
    scores: Float32
    """(K,)"""

    def __post_init__(self) -> None:
        freeze_field(self, "keypoints0", np.float32, None, 2)
        freeze_field(self, "keypoints1", np.float32, len(self.keypoints0), 2)
        freeze_field(self, "scores", np.float32, len(self.keypoints0))

    def __len__(self) -> int:
        return len(self.scores)

    def swapped(self) -> DensePair:
        """The same pair seen from its second image."""
        return DensePair(self.keypoints1, self.keypoints0, self.scores)


class MatchesFile(Closes):
    """Matches of image pairs, read from disk on access.

    In such a file ``a/b.jpg`` and ``a-b.jpg`` are the same name; known image names tell where that
    happens.

    Args:
        path: HDF5 file.
        names: known image names, if there are any.

    Raises:
        FormatError: no HDF5 file.
    """

    def __init__(self, path: Path, names: Iterable[str] = ()) -> None:
        self.path = path
        self._names = names_by_key(names)
        self._file = open_h5(path)

    @property
    def ambiguous_names(self) -> tuple[tuple[str, ...], ...]:
        """Known names that the file cannot tell apart."""
        return tuple(same for same in self._names.values() if len(same) > 1)

    def read(
        self,
        name0: str,
        name1: str,
        num_keypoints: tuple[int, int] | None = None,
        *,
        keeps_repeats: bool = False,
    ) -> Matches | None:
        """Matches of a pair, stored in either order; None if the file has no such pair.

        Args:
            name0: first image.
            name1: second image.
            num_keypoints: numbers of keypoints of the two images, to check the indices against.
            keeps_repeats: keep all matches of a keypoint of the second stored image; otherwise the
                one with the best score. Dense matching writes such repetitions.

        Raises:
            FormatError: another layout, an index out of range, or an ambiguous name.
        """
        group, is_swapped = self._find(name0, name1)
        if group is None:
            return None
        counts = num_keypoints[::-1] if is_swapped and num_keypoints else num_keypoints
        found = _read_matches(group, self.path, counts)
        if found is None:
            return None
        matches = found if keeps_repeats else without_repeats(found)
        if not is_swapped:
            return matches
        indices = matches.indices[:, ::-1]
        order = np.lexsort((indices[:, 1], indices[:, 0]))
        return Matches(indices[order], matches.scores[order])

    def read_dense(self, name0: str, name1: str) -> DensePair | None:
        """Matched pixels of a pair, stored in either order; None if the file has none.

        Raises:
            FormatError: another layout, or an ambiguous name.
        """
        group, is_swapped = self._find(name0, name1)
        if group is None:
            return None
        fields = [own_numbers(group, self.path, f) for f in ("keypoints0", "keypoints1", "scores")]
        if all(each is None for each in fields):
            return None
        where = f"{self.path}: {group.name}"
        if any(each is None for each in fields):
            raise FormatError(f"{where}: expected keypoints0, keypoints1 and scores")
        points0, points1, scores = (finite_float32(e, where) for e in fields if e is not None)
        try:
            pair = DensePair(from_hloc_pixels(points0), from_hloc_pixels(points1), scores)
        except ShapeError as error:
            raise FormatError(f"{where}: {error}") from None
        return pair.swapped() if is_swapped else pair

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Known image pairs of the file, in its order; those of unknown names are left out.

        Raises:
            FormatError: a pair that may be one of several.
        """
        markers = ("matches0", "keypoints0")
        found = [groups_with(self._file, self.path, marker) for marker in markers]
        keys = dict.fromkeys(key for keys in found for key in keys)
        return tuple(pair for key in keys for pair in self._pairs_of(key))

    def _pairs_of(self, key: str) -> list[tuple[str, str]]:
        """The pair of a group's path; empty if its names are not known."""
        parts = key.split("/")
        if len(parts) > 2:
            return []
        splits = [(parts[0], parts[1])] if len(parts) == 2 else [
            (key[:at], key[at + 1 :]) for at, letter in enumerate(key) if letter == "_"
        ]  # fmt: skip
        known = [
            (name0, name1)
            for key0, key1 in splits
            for name0 in self._names.get(key0, ())
            for name1 in self._names.get(key1, ())
        ]
        if len(known) > 1:
            raise FormatError(
                f"{self.path}: group {key[:200]!r} may be of the pairs {known[0]} and {known[1]}"
            )
        return known

    def _find(self, name0: str, name1: str) -> tuple[h5py.Group | None, bool]:
        """Group of a pair, and True if it holds the pair in reversed order."""
        for name in (name0, name1):
            check_stored_name(name, str(self.path))
            same = self._names.get(pair_key(name), ())
            if len(same) > 1:
                raise FormatError(
                    f"{self.path}: the images {same[0]!r} and {same[1]!r} have the same name in "
                    f"such a file, {pair_key(name)!r}: it cannot tell whose matches it holds"
                )
        key0, key1 = pair_key(name0), pair_key(name1)
        for path, is_swapped in [
            (f"{key0}/{key1}", False), (f"{key1}/{key0}", True),
            (f"{key0}_{key1}", False), (f"{key1}_{key0}", True),
        ]:  # fmt: skip
            group = own_group(self._file, self.path, path)
            if group is not None:
                return group, is_swapped
        return None, False

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def without_repeats(matches: Matches) -> Matches:
    """Matches of which each keypoint has only the best; the first of equal ones."""
    order = np.argsort(-matches.scores, kind="stable")
    for side in (0, 1):
        _, first = np.unique(matches.indices[order, side], return_index=True)
        order = order[np.sort(first)]
    kept = np.sort(order)
    return Matches(matches.indices[kept], matches.scores[kept])


def _read_matches(
    group: h5py.Group, path: Path, num_keypoints: tuple[int, int] | None
) -> Matches | None:
    """Matches as stored; None if the group has only matched pixels."""
    where = f"{path}: {group.name}"
    matches0 = own_numbers(group, path, "matches0", "iu")
    if matches0 is None:
        return None
    if matches0.ndim != 1 or (len(matches0) and int(matches0.max()) >= 2**31 - 1):
        raise FormatError(f"{where}: expected (N,) keypoint indices, got {matches0.shape}")
    matches0 = matches0.astype(np.int64)
    if len(matches0) and matches0.min() < -1:
        raise FormatError(
            f"{where}: index {matches0.min()}: -1 means no match. 16 bit indices of hloc are wrong "
            f"for images with more than 32767 keypoints"
        )
    stored = own_numbers(group, path, "matching_scores0", "f")
    scores = np.ones(len(matches0), np.float32) if stored is None else finite_float32(stored, where)
    if scores.shape != matches0.shape:
        raise FormatError(f"{where}: {matches0.shape} matches, but {scores.shape} scores")
    rows = np.flatnonzero(matches0 >= 0)
    indices = np.stack([rows, matches0[rows]], axis=1).astype(np.int32)
    if num_keypoints is not None:
        # dense matching leaves out the end of matches0, so that only the largest index is known
        most = indices.max(axis=0, initial=-1)
        if (most >= np.array(num_keypoints)).any():
            raise FormatError(
                f"{where}: indices up to {most.tolist()}, but the images have {num_keypoints} "
                f"keypoints: the matches belong to other features"
            )
    return Matches(indices, scores[rows])
