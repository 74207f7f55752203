"""ILIAS, instance search at scale (arXiv 2502.11748): lists of queries and positives.

Names are ``INSTANCE/...``: all positives of its instance are right for a query. Lists are those
of https://github.com/ilias-vrg/ilias: ``image_ids/image_query_ids.txt`` and ``positive_ids.txt``,
whose lines begin with a name and a comma.
"""

from __future__ import annotations

from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_text import content_lines
from hloc_lite.formats.retrieval_truth import RetrievalTruth

_FOLDER, _QUERIES, _POSITIVES = "image_ids", "image_query_ids.txt", "positive_ids.txt"


def read_ilias(folder: Path) -> RetrievalTruth:
    """Truth of the image queries of ILIAS; distractors need no list.

    Args:
        folder: data set, with the folder ``image_ids``; or that folder.

    Raises:
        FormatError: a list is missing or empty, or has a name without an instance.
    """
    lists = folder / _FOLDER if (folder / _FOLDER).is_dir() else folder
    queries, positives = _read_names(lists / _QUERIES), _read_names(lists / _POSITIVES)
    right: dict[str, set[str]] = {}
    for name in positives:
        right.setdefault(_instance(name), set()).add(name)
    return RetrievalTruth({query: frozenset(right.get(_instance(query), ())) for query in queries})


def _instance(name: str) -> str:
    return name.partition("/")[0]


def _read_names(path: Path) -> list[str]:
    names = []
    for number, line in content_lines(path):
        name = line.partition(",")[0].strip()
        if not _instance(name) or "/" not in name:
            raise FormatError(f"{path}, line {number}: expected INSTANCE/NAME, got {line[:120]!r}")
        names.append(name)
    if not names:
        raise FormatError(f"{path}: expected names of images, got none")
    if len(set(names)) != len(names):
        raise FormatError(f"{path}: a name is listed twice")
    return names
