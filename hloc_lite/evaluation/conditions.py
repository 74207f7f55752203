"""Ground-truth poses grouped by condition (day, night, ...), from files or folder names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.types import Rigid3


def read_conditions(arguments: Sequence[str]) -> dict[str, dict[str, Rigid3]]:
    """Read ground-truth files given as ``FILE`` or ``NAME=FILE``.

    Returns:
        Condition -> image name -> true cam_from_world.

    Raises:
        HlocLiteError: a file cannot be read or has no poses, or two have the same condition name.
    """
    conditions: dict[str, dict[str, Rigid3]] = {}
    for argument in arguments:
        name, path = parse_condition_file(argument, is_only_file=len(arguments) == 1)
        if name in conditions:
            raise HlocLiteError(
                f"two files have the condition name {name!r}: name them apart, as in NAME={path}"
            )
        conditions[name] = read_poses(path)
        if not conditions[name]:
            raise HlocLiteError(f"{path} has no poses: there is no ground truth to compare with")
    return conditions


def group_by_first_folder(true: Mapping[str, Rigid3]) -> dict[str, dict[str, Rigid3]]:
    """Group true poses by the first folder in which their names differ.

    ``query/day/a.jpg`` and ``query/night/b.jpg`` give the conditions day and night. If no folder
    differs, all poses form one condition, ``all``.
    """
    folders = {name: name.split("/")[:-1] for name in true}
    depth = max((len(parts) for parts in folders.values()), default=0)
    for level in range(depth):
        labels = {
            name: parts[level] if level < len(parts) else "." for name, parts in folders.items()
        }
        if len(set(labels.values())) > 1:
            grouped: dict[str, dict[str, Rigid3]] = {}
            for name, pose in true.items():
                grouped.setdefault(labels[name], {})[name] = pose
            return grouped
    return {"all": dict(true)}


def parse_condition_file(argument: str, *, is_only_file: bool = False) -> tuple[str, Path]:
    """Split ``FILE`` or ``NAME=FILE`` into condition name and path.

    Without NAME the condition is the file's stem without ``gt_``; a single ``gt.txt``
    (``is_only_file``) is the condition ``all``.
    """
    if not Path(argument).exists() and "=" in argument:
        name, _, path = argument.partition("=")
        return name, Path(path)
    stem = Path(argument).stem
    name = stem.removeprefix("gt_").removeprefix("gt-")
    return ("all" if is_only_file and name == "gt" else name), Path(argument)
