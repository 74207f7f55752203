"""Image, mask and depth files that the frames of a ``transforms.json`` name.

Paths in such files are relative to the file, with ``./images/``, with or without suffix, or those
of another machine. An image is looked for by its path, then by its last parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.image_lookup import clean_name, find_file, is_file, upright_size
from hloc_lite.io.image_names import normalize_name


@dataclass(frozen=True, eq=False)
class FrameFiles:
    """Files of the frames that are used."""

    folder: Path
    """Folder that image names are relative to."""
    names: Mapping[int, str]
    """Position of the frame -> image name."""
    sizes: Mapping[str, tuple[int, int]]
    """Image name -> (width, height) on disk; empty if files are not looked at."""
    masks: Mapping[str, Path]
    depths: Mapping[str, Path]
    notes: tuple[str, ...]


def find_files(
    frames: Sequence[Mapping[str, Any]],
    path: Path,
    image_folder: Path | None,
    *,
    check_images: bool,
) -> FrameFiles:
    """Find the files of all frames.

    Args:
        frames: objects of the file.
        path: the JSON file.
        image_folder: folder of the images; None for that of the file.
        check_images: False to take names as they are written.

    Raises:
        FormatError: a frame without path, a path that leads out of the folder, an image named
            twice, an image that cannot be read, or no image at all.
    """
    folder = path.parent if image_folder is None else image_folder
    names: dict[int, str] = {}
    used: set[str] = set()
    missing: list[str] = []
    elsewhere = 0
    for index, frame in enumerate(frames):
        where = f"{path}, frame {index + 1}"
        written = _text(frame, "file_path", where)
        if written is None:
            raise FormatError(f"{where}: 'file_path' is missing")
        candidates = list(_candidates(written, where, allow_outside=image_folder is not None))
        found = _found(candidates, folder) if check_images else candidates[0]
        if found is None:
            missing.append(written)
            continue
        elsewhere += PurePosixPath(found).parent != PurePosixPath(candidates[0]).parent
        if found in used:
            raise FormatError(f"{where}: {found!r} is the image of two frames")
        names[index] = found
        used.add(found)
    if missing and not names:
        raise FormatError(
            f"{path}: none of the {len(missing)} images was found below {folder}, such as "
            f"{missing[0]!r}: give the image folder"
        )
    sizes = {name: upright_size(folder / name) for name in names.values()} if check_images else {}
    masks, no_masks = _others(frames, names, "mask_path", path, check_images=check_images)
    depths, no_depths = _others(frames, names, "depth_file_path", path, check_images=check_images)
    counts = (
        (len(missing), f"of {len(frames)} left out, whose files are missing, such as "
                       f"{missing[0] if missing else ''!r}"),
        (elsewhere, f"found in another folder than stated, below {folder}"),
        (no_masks, "without its mask, whose file is missing"),
        (no_depths, "without its depth image, whose file is missing"),
    )  # fmt: skip
    notes = tuple(f"{counted(count, 'frame')} {what}" for count, what in counts if count)
    return FrameFiles(folder, names, sizes, masks, depths, notes)


def _others(
    frames: Sequence[Mapping[str, Any]],
    names: Mapping[int, str],
    key: str,
    path: Path,
    *,
    check_images: bool,
) -> tuple[dict[str, Path], int]:
    """Masks or depth images by image name, and the number of missing ones."""
    found: dict[str, Path] = {}
    num_missing = 0
    for index, name in names.items():
        where = f"{path}, frame {index + 1}"
        written = _text(frames[index], key, where)
        if written is None:
            continue
        other = path.parent / clean_name(written, where)
        if check_images and not is_file(other):
            num_missing += 1
            continue
        found[name] = other
    return found, num_missing


def _candidates(written: str, where: str, *, allow_outside: bool) -> Iterator[str]:
    """Names that an image may have below the folder: its path, and its ever shorter ends."""
    if allow_outside:
        # the path may be of another machine; what follows the last '..' stays inside
        parts = written.replace("\\", "/").split("/")
        if ".." in parts:
            parts = parts[len(parts) - parts[::-1].index("..") :]
        if parts and (not parts[0] or parts[0].endswith(":")):
            parts = parts[1:]
        written = "/".join(parts)
    try:
        name = clean_name(written, where)
    except FormatError as error:
        hint = "" if allow_outside else ". If the image is elsewhere, give the image folder"
        raise FormatError(f"{error}{hint}") from None
    parts = name.split("/")
    for start in range(len(parts)):
        yield normalize_name("/".join(parts[start:]))


def _found(candidates: Sequence[str], folder: Path) -> str | None:
    return next((name for each in candidates if (name := find_file(folder, each))), None)


def _text(frame: Mapping[str, Any], key: str, where: str) -> str | None:
    value = frame.get(key)
    if value is not None and not isinstance(value, str):
        raise FormatError(f"{where}: {key!r} must be text, got {str(value)[:40]}")
    return value
