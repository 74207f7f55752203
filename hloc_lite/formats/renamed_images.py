"""Names of posed images as the user's image folder has them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.io.image_names import list_images


def named_in_folder(posed: PosedImages, images: Path) -> PosedImages:
    """Posed images by their names in a folder of photos; those that are not there are left out.

    A name is taken as it is if such a photo exists. Else its photo is looked for at the place that
    the format says, then by the longest end of the path that only one photo has.

    Raises:
        FormatError: none of the images is in the folder, or two of them are the same photo.
    """
    present = dict.fromkeys(list_images(images))
    names = {name: _name_in_folder(name, posed, images, present) for name in posed.cameras}
    unknown = [name for name, found in names.items() if found is None]
    if unknown and any(found is None for found in names.values()):
        by_tail = _by_tail(unknown, present, {n for n in names.values() if n is not None})
        names |= by_tail
    known = {name: found for name, found in names.items() if found is not None}
    if not known:
        raise FormatError(
            f"none of the {len(names)} images is in {images}, first {next(iter(names), '')!r}; "
            f"there is {next(iter(present), 'no photo')!r}. Give the folder that the names are "
            f"relative to"
        )
    _check_different(known)
    missing = len(names) - len(known)
    notes = posed.notes
    if missing:
        first = next(name for name in names if name not in known)
        notes += (f"{counted(missing, 'image')} not in {images}, first {first!r}: left out",)
    if all(name == found for name, found in known.items()) and not missing:
        return posed
    model = posed.model
    kept = tuple(
        replace(image, name=known[image.name]) for image in model.images if image.name in known
    )
    return replace(
        posed,
        model=replace(model, images=kept),
        cameras={known[name]: camera for name, camera in posed.cameras.items() if name in known},
        image_folder=images,
        notes=notes,
    )


def _name_in_folder(
    name: str, posed: PosedImages, images: Path, present: Collection[str]
) -> str | None:
    """Name of an image in the folder, as it is or at the place that the format says."""
    if name in present:
        return name
    if posed.image_folder is None:
        return None
    relative = os.path.relpath(posed.image_folder / name, images)
    found = Path(relative).as_posix()
    return found if found in present else None


def _by_tail(
    names: Collection[str], present: Collection[str], taken: Collection[str]
) -> dict[str, str]:
    """Photos by the longest end of the path that only one photo and one name have."""
    found: dict[str, str] = {}
    free = [name for name in present if name not in taken]
    depth = max((name.count("/") + 1 for name in [*names, *free]), default=0)
    for length in range(depth, 0, -1):
        photos, asked = (
            _tails([name for name in group if name not in done], length)
            for group, done in ((free, set(found.values())), (names, set(found)))
        )
        found |= {asked[tail]: photos[tail] for tail in asked if tail in photos}
    return found


def _tails(names: Collection[str], length: int) -> Mapping[str, str]:
    """Last parts of the names that only one of them has -> the name."""
    tails = [(tuple(name.split("/")[-length:]), name) for name in names]
    counts = Counter(tail for tail, _ in tails)
    return {"/".join(tail): name for tail, name in tails if counts[tail] == 1}


def _check_different(known: Mapping[str, str]) -> None:
    counts = Counter(known.values())
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        both = [name for name, found in known.items() if found == twice]
        raise FormatError(f"{both[0]!r} and {both[1]!r} are the same photo {twice!r}")
