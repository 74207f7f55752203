"""Rows of a benchmark: true poses grouped by file or by folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.types import Rigid3


def read_conditions(arguments: Sequence[str]) -> dict[str, dict[str, Rigid3]]:
    """Condition -> true poses of files given as ``FILE`` or ``NAME=FILE``.

    Raises:
        HlocLiteError: a file cannot be read or has no poses, or two have one name.
    """
    conditions: dict[str, dict[str, Rigid3]] = {}
    for argument in arguments:
        name, path = named_file(argument, alone=len(arguments) == 1)
        if name in conditions:
            raise HlocLiteError(f"two files make the row {name!r}: name them, as in NAME={path}")
        conditions[name] = read_poses(path)
        if not conditions[name]:
            raise HlocLiteError(f"{path} has no poses: there is nothing to score against")
    return conditions


def by_first_folder(true: Mapping[str, Rigid3]) -> dict[str, dict[str, Rigid3]]:
    """Condition -> true poses, by the first folder in which the names differ.

    ``query/day/a.jpg`` and ``query/night/b.jpg`` make day and night; if no folder differs, all
    poses are one condition.
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


def named_file(argument: str, *, alone: bool = False) -> tuple[str, Path]:
    """Condition and file of ``FILE`` or ``NAME=FILE``; ``alone``: it is the only one."""
    if not Path(argument).exists() and "=" in argument:
        name, _, path = argument.partition("=")
        return name, Path(path)
    stem = Path(argument).stem
    name = stem.removeprefix("gt_").removeprefix("gt-")
    return ("all" if alone and name == "gt" else name), Path(argument)
