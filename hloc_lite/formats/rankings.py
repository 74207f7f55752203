"""Rankings of database images for queries: pairs of hloc, lines of MSLS, CSV and NPZ files.

query image                       one pair per line, the most similar image of a query first
query image image ...             one query per line
id,images                         CSV: the second cell has the images, separated by spaces
query,image[,score]               CSV: one pair per row; with scores the highest comes first
queries, images, ranking          NPZ: names (Q,) and (M,), and (Q, K) rows of images, -1 for none
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.csv_rows import csv_header, csv_rows
from hloc_lite.formats.pose_text import content_lines, finite_numbers
from hloc_lite.formats.retrieval_truth import NameLookup
from hloc_lite.io.regular_files import check_regular

MAX_ARRAY_BYTES = 1 << 30
"""Largest array of an NPZ file that is read: 134 million ranked images."""
_ARRAYS = ("queries", "images", "ranking")
_MAX_NAMED = 3


@dataclass(frozen=True)
class Rankings:
    """Database images of each query, the most similar first; names are those of the truth."""

    images: dict[str, list[str]]
    """Query -> images. Repeated ones stand as often as in the file."""
    unknown_queries: tuple[str, ...] = ()
    """Queries of the file that the truth does not have: they are in no score."""


def read_rankings(path: Path, queries: NameLookup, images: NameLookup) -> Rankings:
    """Read rankings; the kind of the file is told by its suffix, text being the default.

    Args:
        path: file.
        queries: queries of the truth.
        images: database images of the truth. Others keep their name: they are distractors.

    Raises:
        FormatError: unreadable, a bad line (with its number), a query that has two lines where each
            has one, or no query of the truth.
    """
    if path.suffix.lower() == ".npz":
        rows = _read_npz(path)
    elif path.suffix.lower() == ".csv":
        rows = _read_csv(path)
    else:
        rows = _read_text(path, queries, images)
    ranked: dict[str, list[str]] = {}
    unknown: dict[str, None] = {}
    for query, names in rows:
        found = queries.find(query)
        if found is None:
            unknown[query] = None
            continue
        ranked.setdefault(found, []).extend(images.find(name) or name for name in names)
    if not ranked:
        given = ", ".join(map(repr, list(unknown)[:_MAX_NAMED])) or "nothing"
        raise FormatError(f"{path}: none of its queries is one of the truth; it has {given}")
    return Rankings(ranked, tuple(unknown))


def _read_text(
    path: Path, queries: NameLookup, images: NameLookup
) -> Iterator[tuple[str, Iterable[str]]]:
    listed: set[str] = set()
    for number, line in content_lines(path):
        words = line.split()
        if len(words) == 2:
            yield words[0], words[1:]
            continue
        splits = [(line[: gap.start()], line[gap.end() :]) for gap in re.finditer(r"\s+", line)]
        pairs = [(a, b) for a, b in splits if queries.find(a) and images.find(b)]
        if len(pairs) == 1:
            yield pairs[0][0], [pairs[0][1]]
        elif len(words) > 2 and not pairs and words[0] not in listed:
            listed.add(words[0])
            yield words[0], words[1:]
        else:
            raise FormatError(
                f"{path}, line {number}: expected 'query image', or one line of images for each "
                f"query, got {line[:120]!r}"
            )


def _read_csv(path: Path) -> Iterator[tuple[str, Iterable[str]]]:
    header = csv_header(path)
    if "images" in header:
        listed: set[str] = set()
        for number, (query, cell) in csv_rows(path, ("id", "images")):
            if query in listed:
                raise FormatError(f"{path}, line {number}: the id {query!r} is listed twice")
            listed.add(query)
            yield query, cell.split()
    elif "score" in header:
        scored: dict[str, list[tuple[float, str]]] = {}
        for number, (query, image, score) in csv_rows(path, ("query", "image", "score")):
            (value,) = finite_numbers([score], f"{path}, line {number}")
            scored.setdefault(query, []).append((value, image))
        for query, pairs in scored.items():  # sorted is stable: equal scores keep their order
            yield query, [image for _, image in sorted(pairs, key=lambda pair: -pair[0])]
    else:
        for _, (query, image) in csv_rows(path, ("query", "image")):
            yield query, [image]


def _read_npz(path: Path) -> Iterator[tuple[str, Iterable[str]]]:
    queries, images, ranking = _read_arrays(path)
    names = images.tolist()
    for query, row in zip(queries.tolist(), ranking.tolist(), strict=True):
        yield query, [names[index] for index in row if index >= 0]


def _read_arrays(path: Path) -> list[Any]:
    """Arrays ``queries``, ``images`` and ``ranking``, checked."""
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
        if max(sizes.values(), default=0) > MAX_ARRAY_BYTES:
            raise FormatError(f"{path}: an array is larger than {MAX_ARRAY_BYTES >> 30} GiB")
        with np.load(path, allow_pickle=False) as stored:
            queries, images, ranking = (np.asarray(stored[key]) for key in _ARRAYS)
    except FormatError:
        raise
    except Exception as error:  # zip files and their headers break in many ways
        raise FormatError(
            f"{path}: expected an .npz file with {', '.join(_ARRAYS)}: {str(error)[:200]}"
        ) from None
    if queries.ndim != 1 or images.ndim != 1 or {queries.dtype.kind, images.dtype.kind} != {"U"}:
        raise FormatError(f"{path}: queries and images must be lists of names")
    if ranking.dtype.kind not in "iu" or ranking.shape[:1] != queries.shape or ranking.ndim != 2:
        raise FormatError(
            f"{path}: ranking must be whole numbers of shape ({len(queries)}, K), got "
            f"{ranking.dtype} {ranking.shape}"
        )
    if ranking.size and not (ranking.min() >= -1 and ranking.max() < len(images)):
        raise FormatError(f"{path}: ranking must have numbers from -1 to {len(images) - 1}")
    return [queries, images, ranking]
