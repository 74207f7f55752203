"""hloc's retrieval lists: map images of each query, best first.

``QUERY MAP_IMAGE`` per line, as in the pair lists of hloc's localization.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc_lists import check_names
from hloc_lite.formats.pose_text import content_lines, image_name
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.image_names import normalize_name

logger = logging.getLogger(__name__)


def read_retrieval(path: Path, names: Collection[str] | None = None) -> dict[str, list[str]]:
    """Read the map images of each query, in the order of the file; '#' lines are comments.

    A pair that is listed again counts once, with a warning.

    Args:
        path: retrieval list.
        names: all known images; lines whose names contain spaces need them. None: the two names
            of a line are separated by its only space.

    Returns:
        Query name -> names of map images, best first.

    Raises:
        FormatError: a bad line (with its number), or a name that leads out of the image folder.
    """
    known = None if names is None else frozenset(names)
    texts: dict[str, str] = {}  # one text of each name, not one per line
    found: dict[str, dict[str, None]] = {}
    num_repeated = 0
    for number, line in content_lines(path):
        where = f"{path}, line {number}"
        query, image = _split(line, where) if known is None else _known(line, known, where)
        image = texts.setdefault(image, image)
        retrieved = found.setdefault(query, {})
        num_repeated += image in retrieved
        retrieved[image] = None
    if num_repeated:
        logger.warning("%s: %d pairs are listed again; each counts once", path, num_repeated)
    return {query: list(images) for query, images in found.items()}


def write_retrieval(path: Path, retrieval: Mapping[str, Sequence[str]]) -> None:
    """Write the map images of each query; a query without any has no line.

    hloc itself cannot read names with spaces; a warning tells of them.

    Raises:
        FormatError: a name that such a file cannot store.
    """
    names = {name for query, images in retrieval.items() for name in (query, *images)}
    check_names(names)
    spaced = sorted(name for name in names if len(name.split()) > 1)
    if spaced:
        logger.warning("%s: hloc cannot read names with spaces, such as %r", path, spaced[0])
    lines = [f"{query} {image}\n" for query, images in retrieval.items() for image in images]
    write_text_atomic(path, "".join(lines))


def _split(line: str, where: str) -> tuple[str, str]:
    words = line.split()
    if len(words) != 2:
        raise FormatError(
            f"{where}: expected 'QUERY MAP_IMAGE', got {line[:120]!r}. If names contain spaces, "
            f"give the list of image names"
        )
    return image_name(words[0], where), image_name(words[1], where)


def _known(line: str, known: frozenset[str], where: str) -> tuple[str, str]:
    """Split of a line into two known names, each of which may be in double quotes."""
    words = [normalize_name(word) for word in line.split()]
    if len(words) == 2 and words[0] in known and words[1] in known:
        return words[0], words[1]
    gaps = [(gap.start(), gap.end()) for gap in re.finditer(r"\s+", line)]
    splits = {(_unquoted(line[:start], known), _unquoted(line[end:], known)) for start, end in gaps}
    found = [(query, image) for query, image in splits if query in known and image in known]
    if len(found) != 1:
        what = "may be split in several ways" if found else "got"
        raise FormatError(
            f"{where}: expected 'QUERY MAP_IMAGE' of known names, {what} {line[:120]!r}"
        )
    return found[0]


def _unquoted(word: str, known: frozenset[str]) -> str:
    name = normalize_name(word)
    if name not in known and len(word) > 2 and word[0] == word[-1] == '"':
        return normalize_name(word[1:-1])
    return name
