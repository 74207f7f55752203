"""Ground-truth poses grouped by condition (day, night, ...), from files or folder names."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.metrics import merge_conditions
from hloc_lite.formats.pseudo_truth import read_pseudo_truth_estimates
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
        conditions[name] = read_pseudo_truth_estimates(path)
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


def grouped_conditions(
    conditions: Mapping[str, Mapping[str, Rigid3]], groups: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, Rigid3]]:
    """Conditions, followed by groups of them, as further rows of a table.

    Args:
        conditions: condition -> image name -> true cam_from_world.
        groups: group -> conditions in it, as for RobotCar Seasons ``{"day all": all_but(conditions,
            ["night", "night-rain"]), "night all": ["night", "night-rain"]}``.

    Raises:
        HlocLiteError: a group is empty, has the name of a condition or an unknown condition, or its
            conditions have different true poses of one query.
    """
    rows = {condition: dict(poses) for condition, poses in conditions.items()}
    for group, members in groups.items():
        if group in conditions or group == "all":
            raise HlocLiteError(f"a group cannot be named {group!r}: there is such a row already")
        if not members:
            raise HlocLiteError(f"the group {group!r} has no conditions")
        _check_known(members, conditions)
        rows[group] = merge_conditions({member: conditions[member] for member in members})
    return rows


def all_but(conditions: Iterable[str], left_out: Collection[str]) -> list[str]:
    """Return the names of all conditions but some, for a group.

    Raises:
        HlocLiteError: one to leave out is not a condition.
    """
    names = list(conditions)
    _check_known(left_out, names)
    return [name for name in names if name not in left_out]


def parse_groups(texts: Sequence[str], conditions: Collection[str]) -> dict[str, list[str]]:
    """Parse groups of conditions, ``NAME=A,B`` or, for all conditions but these, ``NAME=!A,B``.

    Raises:
        HlocLiteError: another form, a group given twice, or an unknown condition.
    """
    groups: dict[str, list[str]] = {}
    for text in texts:
        name, separator, listed = text.partition("=")
        members = [member.strip() for member in listed.removeprefix("!").split(",")]
        if not (separator and name.strip() and all(members)):
            raise HlocLiteError(
                f"a group is NAME=CONDITION,CONDITION, or NAME=!CONDITION,CONDITION for all but "
                f"these; got {text!r}"
            )
        if name.strip() in groups:
            raise HlocLiteError(f"the group {name.strip()!r} is given twice")
        _check_known(members, conditions)
        is_rest = listed.startswith("!")
        groups[name.strip()] = all_but(conditions, members) if is_rest else members
    return groups


def _check_known(members: Collection[str], conditions: Collection[str]) -> None:
    unknown = [member for member in members if member not in conditions]
    if unknown:
        raise HlocLiteError(f"{unknown[0]!r} is not a condition; there are {', '.join(conditions)}")


def parse_condition_file(argument: str, *, is_only_file: bool = False) -> tuple[str, Path]:
    """Split ``FILE`` or ``NAME=FILE`` into condition name and path.

    Without NAME the condition is the file's stem without ``gt_``; a single ``gt.txt``
    (``is_only_file``) is the condition ``all``.
    """
    if not os.path.exists(argument) and "=" in argument:
        name, _, path = argument.partition("=")
        return name, Path(path)
    stem = Path(argument).stem
    name = stem.removeprefix("gt_").removeprefix("gt-")
    return ("all" if is_only_file and name == "gt" else name), Path(argument)
