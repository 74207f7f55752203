"""Names of posed images as the user's image folder has them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.io.image_names import list_images
from hloc_lite.io.regular_files import is_file


def named_in_folder(posed: PosedImages, images: Path) -> PosedImages:
    """Posed images by their names in a folder of photos; those that are not there are left out.

    A name is taken as it is if such a photo exists, else at the location that the format says. If
    no name is found so, folders that all names lack or have too many are added or taken off, and a
    note says which; where several changes find as many, none is made. A name never becomes a photo
    of another folder beside it: sequences and cameras use the same file names.

    Args:
        images: folder of the photos.

    Raises:
        FormatError: none of the images is in the folder, two of them are the same photo, or there
            are photos of these names in several subfolders.
    """
    known, notes = names_in_folder(posed, images)
    return _renamed(posed, known, images, notes)


def names_in_folder(posed: PosedImages, images: Path) -> tuple[dict[str, str], list[str]]:
    """Name of each image in a folder of photos, without those that are not there, and notes.

    Raises:
        FormatError: as ``named_in_folder``.
    """
    present = {normalize("NFC", name): name for name in list_images(images)}
    names = {name: _name_in_folder(name, posed, images, present) for name in posed.cameras}
    known = {name: found for name, found in names.items() if found is not None}
    notes = [*posed.notes, *_other_photos(posed, images, known)]
    if not known:
        known, how = _with_other_folders(posed, images, present)
        notes += [how] if known else []
    if not known:
        raise FormatError(
            f"none of the {len(names)} images is in {images}, first {next(iter(names), '')!r}; "
            f"there is {next(iter(present), 'no photo')!r}. Give the folder that the names are "
            f"relative to"
        )
    _check_different(known)
    missing = [name for name in names if name not in known]
    if missing:
        notes.append(
            f"{counted(len(missing), 'image')} not in {images}, first {missing[0]!r}: left out"
        )
    return known, notes


def _renamed(
    posed: PosedImages, known: Mapping[str, str], images: Path, notes: list[str]
) -> PosedImages:
    """The images that have a new name, under that name."""
    model = posed.model
    kept = tuple(
        replace(image, name=known[image.name]) for image in model.images if image.name in known
    )
    return replace(
        posed,
        model=replace(model, images=kept),
        cameras={known[name]: camera for name, camera in posed.cameras.items() if name in known},
        image_folder=images,
        notes=tuple(notes),
    )


def _name_in_folder(
    name: str, posed: PosedImages, images: Path, present: Mapping[str, str]
) -> str | None:
    """Name of an image in the folder, as it is or at the location that the format says."""
    written = normalize("NFC", name)  # file systems of macOS write umlauts as two characters
    if written in present:
        return present[written]
    if posed.image_folder is None:
        return None
    relative = os.path.relpath(posed.image_folder / name, images)
    return present.get(normalize("NFC", Path(relative).as_posix()))


def _other_photos(posed: PosedImages, images: Path, known: Mapping[str, str]) -> Iterator[str]:
    """Yield a note if the format has photos of its own that are not those of the folder."""
    folder = posed.image_folder
    if folder is None:
        return
    for name, found in known.items():
        own = folder / name
        if is_file(own) and not own.samefile(images / found):
            yield (
                f"the poses are of photos in {folder}; those of the same names in {images} are "
                f"used instead. If these were taken from elsewhere, the map will be wrong"
            )
            return


def _with_other_folders(
    posed: PosedImages, images: Path, present: Mapping[str, str]
) -> tuple[dict[str, str], str]:
    """Names with one and the same change of their folders, and a sentence on it.

    Returns:
        The change that finds most photos; nothing if none does, or if the photos are known to lie
        in another folder.

    Raises:
        FormatError: several changes find as many photos.
    """
    names = [name for name in posed.cameras if not _is_elsewhere(name, posed, images)]
    best: dict[str, str] = {}
    changes: list[str] = []
    for change, found in _changes(names, present):
        if len(found) > len(best):
            best, changes = found, [change]
        elif best and len(found) == len(best) and found != best:
            changes.append(change)
    if len(changes) > 1:
        raise FormatError(
            f"{counted(len(best), 'photo')} found {changes[0]}, and as many {changes[1]}: depth "
            f"maps may be called as their photos are. Give the folder that the names are relative "
            f"to, not {images}"
        )
    return best, f"{counted(len(best), 'photo')} found {changes[0]}" if best else ""


def _is_elsewhere(name: str, posed: PosedImages, images: Path) -> bool:
    """True if a photo exists where its name says, or in a folder beside that of the photos."""
    folders = [posed.image_folder, *([images.resolve().parent] if "/" in name else [])]
    return any(folder is not None and is_file(folder / name) for folder in folders)


def _changes(
    names: Collection[str], present: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each change of folders in words, with the names that it finds."""
    written = {name: normalize("NFC", name) for name in names}
    prefixes = {f"{name.rpartition('/')[0]}/" for name in written.values() if "/" in name}
    for prefix in sorted({p[: i + 1] for p in prefixes for i, c in enumerate(p) if c == "/"}):
        yield (
            f"without {prefix!r} in front of their names",
            {
                name: present[text.removeprefix(prefix)]
                for name, text in written.items()
                if text.startswith(prefix) and text.removeprefix(prefix) in present
            },
        )
    folders = {name.rpartition("/")[0] for name in present if "/" in name}
    for folder in sorted({f.rsplit("/", n)[0] for f in folders for n in range(f.count("/") + 1)}):
        yield (
            f"with '{folder}/' in front of their names",
            {
                name: present[f"{folder}/{text}"]
                for name, text in written.items()
                if f"{folder}/{text}" in present
            },
        )


def _check_different(known: Mapping[str, str]) -> None:
    counts = Counter(known.values())
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        both = [name for name, found in known.items() if found == twice]
        raise FormatError(f"{both[0]!r} and {both[1]!r} are the same photo {twice!r}")
