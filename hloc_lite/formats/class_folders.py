"""Image collections with a folder for each class, such as an object, a landmark or a category.

For INSTRE, Corel, SMVS, CTurin180 and 201Books no public file of truth was found that could be
checked. Arrange their images like this:

    query/CLASS/*.jpg and database/CLASS/*.jpg     queries are searched for in the database
    CLASS/*.jpg                                    every image is searched for among the others
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.formats.listed_names import read_listed_names
from hloc_lite.formats.retrieval_truth import RetrievalTruth, truth_of_groups

QUERY, DATABASE = "query/", "database/"
"""Folders of the two sides, where they are given."""


def read_class_folders(path: Path) -> RetrievalTruth:
    """Truth by class: the images of its class are right for a query.

    Args:
        path: folder, or a list of the names in it.

    Raises:
        FormatError: an image outside a class folder, or only one of the two sides.
    """
    names = read_listed_names(path)
    queries = [name for name in names if name.startswith(QUERY)]
    database = [name for name in names if name.startswith(DATABASE)]
    if not queries and not database:
        groups = _by_class(names, "", path)
        return truth_of_groups(groups.values(), queries=names, own_image_counts=False)
    if not queries or not database or len(queries) + len(database) < len(names):
        raise FormatError(
            f"{path}: expected all images in {QUERY}CLASS/ and {DATABASE}CLASS/, got "
            f"{len(queries)} and {len(database)} of {len(names)} images there"
        )
    right = _by_class(database, DATABASE, path)
    positives = {
        query: frozenset(right.get(group, ()))
        for group, members in _by_class(queries, QUERY, path).items()
        for query in members
    }
    return RetrievalTruth(positives, {}, frozenset(database))


def _by_class(names: Sequence[str], side: str, path: Path) -> dict[str, list[str]]:
    """Class, the folder of an image -> its images."""
    groups: dict[str, list[str]] = {}
    for name in names:
        group = name.removeprefix(side).rpartition("/")[0]
        if not group:
            raise FormatError(f"{path}: expected each image in a folder of its class, got {name!r}")
        groups.setdefault(group, []).append(name)
    return groups
