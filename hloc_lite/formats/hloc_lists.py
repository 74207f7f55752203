"""hloc's text lists: poses, queries with intrinsics, image names, image pairs.

visuallocalization.net uses the same formats. Names may contain spaces: lines are parsed from the
end (poses) or around the camera model (queries). All names are returned in normal form, ``a`` for
``./a``.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError, ShapeError
from hloc_lite.formats.pose_rows import NumberRows, poses_from_quats
from hloc_lite.formats.pose_text import (
    content_lines,
    finite_numbers,
    image_name,
    number_text,
    pose_numbers,
)
from hloc_lite.geometry.cameras import CAMERA_MODELS
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.image_names import is_unicode, normalize_name
from hloc_lite.types import Camera, Rigid3

logger = logging.getLogger(__name__)


def read_poses(path: Path) -> dict[str, Rigid3]:
    """Read cam_from_world poses, ``name qw qx qy qz tx ty tz`` per line; '#' lines are comments.

    Returns:
        Image name -> pose, in the order of the file.

    Raises:
        FormatError: a bad line (with its number), a name listed twice, or a pose that
            ``pose_from_quat`` refuses.
    """
    names: dict[str, None] = {}
    rows = NumberRows(path, 7)
    for number, line in content_lines(path):
        where = f"{path}, line {number}"
        parts = line.rsplit(maxsplit=7)
        if len(parts) != 8:
            raise FormatError(f"{where}: expected 'name qw qx qy qz tx ty tz', got {line[:80]!r}")
        name = normalize_name(parts[0])
        if name in names:
            raise FormatError(f"{where}: {name!r} is listed twice")
        names[name] = None
        rows.add(number, parts[1:])
    table = rows.table
    poses = poses_from_quats(table[:, :4], table[:, 4:], rows.where)
    return dict(zip(names, poses, strict=True))


def write_poses(path: Path, poses: Mapping[str, Rigid3]) -> None:
    """Write poses in the format of ``read_poses``, in the mapping's order and full precision.

    Raises:
        FormatError: a name that such a file cannot store.
    """
    check_names(poses)
    write_text_atomic(path, "".join(pose_line(name, pose) + "\n" for name, pose in poses.items()))


def pose_line(name: str, cam_from_world: Rigid3) -> str:
    """Return ``name qw qx qy qz tx ty tz`` with full precision."""
    return f"{name} {pose_numbers(cam_from_world)}"


def read_queries(path: Path) -> dict[str, Camera]:
    """Read queries, ``NAME MODEL W H params...`` per line; '#' lines are comments.

    Returns:
        Image name -> camera, in the order of the file.

    Raises:
        FormatError: a bad line (with its number), a name listed twice or that leads out of the
            image folder, or invalid intrinsics.
    """
    queries: dict[str, Camera] = {}
    for number, line in content_lines(path):
        where = f"{path}, line {number}"
        name, camera = _parse_query(line, where)
        name = image_name(name, where)
        if name in queries:
            raise FormatError(f"{where}: {name!r} is listed twice")
        queries[name] = camera
    return queries


def parse_camera(text: str, where: str) -> Camera:
    """Parse ``MODEL W H params...``; ``where`` tells in errors where the text is from.

    Raises:
        FormatError: another layout, or invalid intrinsics.
    """
    return _parse_query(text.strip(), where, has_name=False)[1]


def write_queries(path: Path, queries: Mapping[str, Camera]) -> None:
    """Write queries in the format of ``read_queries``.

    Raises:
        FormatError: a name that such a file cannot store.
    """
    check_names(queries)
    lines = (
        f"{name} {camera.model} {camera.width} {camera.height} {number_text(camera.params)}\n"
        for name, camera in queries.items()
    )
    write_text_atomic(path, "".join(lines))


def read_image_list(path: Path) -> list[str]:
    """Read image names, one per line; '#' lines are comments. Repetitions count once, warned.

    Raises:
        FormatError: unreadable, or a name that leads out of the image folder.
    """
    names = [image_name(line, f"{path}, line {number}") for number, line in content_lines(path)]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        logger.warning(
            "%s: %d names are listed more than once, first %r; each counts once",
            path, len(repeated), repeated[0],
        )  # fmt: skip
    return list(dict.fromkeys(names))


def read_pairs(path: Path, names: Sequence[str]) -> list[tuple[str, str]]:
    """Read image pairs, ``name0 name1`` per line.

    Args:
        path: pair list.
        names: known images; where names contain spaces, a line is split so that both are known.

    Raises:
        FormatError: a line that does not name two different known images.
    """
    known = {name: name for name in names}  # one text of each name, not one per pair
    pairs = []
    for number, line in content_lines(path):
        words = [normalize_name(word) for word in line.split()]
        if len(words) == 2 and words[0] != words[1] and words[0] in known and words[1] in known:
            pairs.append((known[words[0]], known[words[1]]))
            continue
        gaps = [(gap.start(), gap.end()) for gap in re.finditer(r"\s+", line)]
        splits = [(normalize_name(line[:start]), normalize_name(line[end:])) for start, end in gaps]
        found = [(a, b) for a, b in splits if a in known and b in known and a != b]
        if len(found) != 1:
            what = "may be split in several ways" if found else "got"
            raise FormatError(
                f"{path}, line {number}: expected two different names of the image list, {what} "
                f"{line[:120]!r}"
            )
        pairs += found
    return pairs


def check_names(names: Iterable[str]) -> None:
    """Check that names can be stored in these lists.

    Raises:
        FormatError: a name that is empty, starts with '#', has spaces at its ends, or contains a
            line break or NUL, or is not UTF-8.
    """
    for name in names:
        is_line = name and name == name.strip() and not set(name) & set("\n\r\0")
        if not is_line or name[0] == "#" or not is_unicode(name):
            raise FormatError(
                f"a text file cannot hold the name {name!r}: names must not be empty, start with "
                f"'#', contain line breaks, or begin or end with spaces, and they must be UTF-8. "
                f"Rename the image"
            )


def _parse_query(line: str, where: str, *, has_name: bool = True) -> tuple[str, Camera]:
    """Return the name in front of the camera model (any, unless ``has_name``) and the camera."""
    words = line.split()
    candidates = [i for i, word in enumerate(words) if i >= has_name and word in CAMERA_MODELS]
    for i in reversed(candidates):
        if len(words) - i - 3 != CAMERA_MODELS[words[i]].num_params:
            continue
        # the name may contain any white space
        name = line.rsplit(maxsplit=len(words) - i)[0]
        values = finite_numbers(words[i + 1 :], where)
        if not (values[0].is_integer() and values[1].is_integer()):
            raise FormatError(f"{where}: width and height are whole pixels, got {words[i + 1 :]}")
        try:
            size = int(values[0]), int(values[1])
            return name, check_given_camera(Camera(words[i], *size, np.array(values[2:])))
        except (FormatError, ShapeError) as error:
            raise FormatError(f"{where}: {error}") from None
    name_and = "NAME " if has_name else ""
    if candidates:
        model = words[candidates[-1]]
        params = " ".join(CAMERA_MODELS[model].param_names)
        raise FormatError(f"{where}: expected '{name_and}{model} W H {params}', got {line[:120]!r}")
    raise FormatError(
        f"{where}: expected '{name_and}MODEL W H params...' with a COLMAP camera model "
        f"({', '.join(CAMERA_MODELS)}), got {line[:120]!r}"
    )
