"""Models and lists that several benchmarks share: NVM with intrinsics of its own, surplus files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.image_lookup import ImageLookup
from hloc_lite.formats.nvm import read_nvm
from hloc_lite.formats.nvm_text import NvmCamera, parse_models
from hloc_lite.io.image_names import SUFFIXES
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera

MAX_IMAGES = 10_000_000
_NUM_EXAMPLES = 3


def find_path(root: Path, options: Sequence[str], what: str, card: Card) -> Path:
    """First of several paths below the root that exists.

    Raises:
        FormatError: none does.
    """
    found = next((root / each for each in options if (root / each).exists()), None)
    if found is None:
        raise FormatError(
            f"{root} has no {' or '.join(options)} ({what} of {card.title or card.name}). Check "
            f"what else is missing: hloc-lite dataset check {card.name} --root {root}"
        )
    return found


def nvm_cameras(path: Path) -> tuple[NvmCamera, ...]:
    """Camera lines of the first model of an NVM file; its points are not read.

    Raises:
        FormatError: missing, unreadable, or another layout.
    """
    lines = []
    left = None
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                lines.append(line)
                content = line.strip()
                if not content or content.startswith(("NVM_V3", "FixedK")):
                    continue
                if left is None:
                    is_count = content.isascii() and content.isdigit() and len(content) < 9
                    left = int(content) if is_count else 0
                else:
                    left -= 1
                if left <= 0 or len(lines) > MAX_IMAGES:
                    break
    except FileNotFoundError:
        raise FormatError(f"{path} does not exist") from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from None
    models = parse_models([*lines, "0", "0"], str(path))
    return models[0].cameras if models else ()


def read_posed_nvm(
    path: Path,
    cameras: Mapping[str, Camera],
    source: str,
    suffixes: Mapping[str, str] | None = None,
) -> tuple[SfmModel, tuple[str, ...]]:
    """Read an NVM file with the intrinsics of another file, which all its images must have.

    Args:
        path: NVM file.
        cameras: image name -> intrinsics.
        source: file that the intrinsics are from, for errors.
        suffixes: suffix in the file -> suffix of the images.

    Returns:
        Model, and sentences for the user.

    Raises:
        FormatError: a damaged file, or an image without intrinsics.
    """
    lookup = ImageLookup(cameras=cameras, suffixes=suffixes or {})
    names = [lookup.find_name(each.name, each.where) for each in nvm_cameras(path)]
    check_known(names, cameras, f"images of {path}", f"in {source}")
    posed = read_nvm(path, cameras=cameras, suffixes=suffixes)
    return posed.model, posed.notes


def check_known(names: Sequence[str], known: Collection[str], what: str, where: str) -> None:
    """Check that names are known.

    Raises:
        FormatError: some are not; counts them and quotes the first ones.
    """
    missing = [name for name in names if name not in known]
    if missing:
        examples = ", ".join(repr(name[:200]) for name in missing[:_NUM_EXAMPLES])
        raise FormatError(
            f"{len(missing)} of {len(names)} {what} are not {where}, first: {examples}. One of "
            f"the files may be cut off, or of another version of the data set: fetch both again"
        )


def numbered_as(model: SfmModel, image_ids: Mapping[str, int]) -> SfmModel:
    """Model with image ids of a database, which other programs refer to.

    Without an id of each image, the model is returned as it is.
    """
    if any(image.name not in image_ids for image in model.images):
        return model
    images = tuple(replace(each, image_id=image_ids[each.name]) for each in model.images)
    return replace(model, images=images)


def surplus_notes(folder: Path, below: str, named: Collection[str], what: str) -> tuple[str, ...]:
    """Note on photos in a folder that no list or model names; they do no harm.

    Args:
        folder: image folder.
        below: folder in it.
        named: names relative to the image folder.
        what: what they are not, for the sentence.
    """
    surplus = sorted(name for name in image_files(folder, below) if name not in named)
    if not surplus:
        return ()
    return (
        f"{counted(len(surplus), 'image')} in {below}/ left out, such as {surplus[0]!r}: {what}",
    )


def image_files(folder: Path, below: str) -> Iterator[str]:
    """Names of the photos below a part of the image folder, without opening them."""
    for path, _, files in os.walk(folder / below):
        prefix = Path(path).relative_to(folder).as_posix()
        for file in files:
            if file.lower().endswith(SUFFIXES):
                yield f"{prefix}/{file}"
