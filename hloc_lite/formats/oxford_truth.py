"""Oxford5k and Paris6k: the text files of the original truth (Philbin et al., CVPR 2007 and 2008).

A folder holds ``LANDMARK_N_{query,good,ok,junk}.txt`` for each of 11 landmarks and 5 queries. The
query file has the image and the box of the landmark in it, the others list images by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_text import content_lines, finite_numbers
from hloc_lite.formats.retrieval_truth import RetrievalTruth

OXFORD_PREFIX = "oxc1_"
"""Prefix of the names in query files of Oxford, which no image has; Paris has none."""
_QUERY = "_query.txt"
MAX_QUERIES = 100_000
"""More query files than any data set has; a folder with more is another one."""


@dataclass(frozen=True)
class BoxedQuery:
    """Query of Oxford5k or Paris6k: the part of an image in a box."""

    image: str
    """Name of the image, without folder and suffix."""
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels, as in the file."""


@dataclass(frozen=True)
class OxfordTruth:
    """Truth of Oxford5k or Paris6k; queries are named ``LANDMARK_N``."""

    queries: Mapping[str, BoxedQuery]
    truth: RetrievalTruth

    @property
    def image_names(self) -> dict[str, str]:
        """Image of a query -> the query, for images that are used once."""
        images = [query.image for query in self.queries.values()]
        return {
            each.image: name for name, each in self.queries.items() if images.count(each.image) == 1
        }


def read_oxford_truth(folder: Path) -> OxfordTruth:
    """Read the folder of text files: good and ok images are right, junk is ignored.

    Raises:
        FormatError: no query files, a file that is missing, or a bad line.
    """
    files = sorted(folder.glob(f"*{_QUERY}"))
    if not files:
        raise FormatError(f"{folder}: expected LANDMARK_N{_QUERY} and its like, found none")
    if len(files) > MAX_QUERIES:
        raise FormatError(f"{folder}: {len(files)} query files are too many")
    queries, positives, ignored = {}, {}, {}
    for file in files:
        name = file.name.removesuffix(_QUERY)
        queries[name] = _read_query(file)
        good, ok, junk = (_read_names(folder / f"{name}_{k}.txt") for k in ("good", "ok", "junk"))
        positives[name], ignored[name] = good | ok, junk - good - ok
    return OxfordTruth(queries, RetrievalTruth(positives, ignored))


def _read_query(path: Path) -> BoxedQuery:
    lines = list(content_lines(path))
    words = lines[0][1].split() if len(lines) == 1 else []
    if len(words) != 5:
        got = lines[0][1][:120] if lines else "nothing"
        raise FormatError(f"{path}: expected one line 'NAME x1 y1 x2 y2', got {got!r}")
    x1, y1, x2, y2 = finite_numbers(words[1:], str(path))
    if not (x1 < x2 and y1 < y2):
        raise FormatError(f"{path}: expected a box with x1 < x2 and y1 < y2, got {words[1:]}")
    return BoxedQuery(words[0].removeprefix(OXFORD_PREFIX), (x1, y1, x2, y2))


def _read_names(path: Path) -> frozenset[str]:
    names = [line for _, line in content_lines(path)]
    bad = next((name for name in names if len(name.split()) != 1), None)
    if bad is not None:
        raise FormatError(f"{path}: expected one image name per line, got {bad[:120]!r}")
    return frozenset(names)
