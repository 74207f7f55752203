"""Image lists, models, cameras and feature files as hloc's functions take them."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.colmap.reconstruction import from_pycolmap_reconstruction
from hloc_lite.formats.hloc.features import FeaturesFile
from hloc_lite.formats.hloc.global_descriptors import read_global_descriptors
from hloc_lite.formats.hloc.retrieval import read_retrieval
from hloc_lite.formats.hloc_lists import read_image_list, read_queries
from hloc_lite.io.image_names import normalize_name
from hloc_lite.io.pycolmap_adapter import from_pycolmap_camera
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera

ImageList = Path | str | Iterable[str | Path]
Prefix = str | Sequence[str]


def image_names(given: ImageList) -> list[str]:
    """Names of an image list: names themselves, or a file or glob of files with one per line.

    Raises:
        FormatError: no such file, or a bad line.
    """
    if not isinstance(given, str | Path):
        return [normalize_name(Path(name).as_posix()) for name in given]
    return list(dict.fromkeys(name for file in _files(given) for name in _names_in(file)))


def queries_with_cameras(given: Path | str) -> dict[str, Camera]:
    """Queries of a list with intrinsics, or of a glob of such lists.

    Raises:
        FormatError: no such file, or a bad line.
    """
    return {name: each for file in _files(given) for name, each in read_queries(file).items()}


def select_names(
    names: Iterable[str], prefix: Prefix | None, listed: ImageList | None
) -> list[str]:
    """Names that begin with a prefix (or one of several), or those of a list; else all.

    Raises:
        ConfigError: a listed name that is not known, or no name is left.
    """
    known = list(names)
    if prefix is not None:
        prefixes = prefix if isinstance(prefix, str) else tuple(prefix)
        chosen = [name for name in known if name.startswith(prefixes)]
    elif listed is not None:
        chosen = image_names(listed)
        missing = sorted({*chosen} - {*known})
        if missing:
            raise ConfigError(
                f"no descriptor of {len(missing)} listed images, first {missing[0]!r}"
            )
    else:
        chosen = known
    if not chosen:
        raise ConfigError(f"no image is left of {len(known)}: prefix {prefix!r}")
    return chosen


def pairs_in(path: Path | str, names: Collection[str]) -> list[tuple[str, str]]:
    """Pairs of a file in its order; a pair that is there in both directions counts once.

    Args:
        path: pair list.
        names: images that may be paired.

    Raises:
        FormatError: a bad line, or names of other images.
    """
    pairs: dict[tuple[str, str], None] = {}
    for first, others in read_retrieval(Path(path), names).items():
        for second in others:
            if (second, first) not in pairs:
                pairs[first, second] = None
    return list(pairs)


def model_of(given: Any) -> SfmModel:
    """SfM model of a folder, a ``pycolmap.Reconstruction``, or a model itself.

    Raises:
        FormatError: no model.
    """
    if isinstance(given, SfmModel):
        return given
    if isinstance(given, str | Path):
        return read_model(Path(given))
    return from_pycolmap_reconstruction(given)


def camera_of(given: Any) -> Camera:
    """Intrinsics, also those of a ``pycolmap.Camera``."""
    return given if isinstance(given, Camera) else from_pycolmap_camera(given)


def names_in_features(path: Path | str) -> list[str]:
    """Images of a file of local features or global descriptors.

    Raises:
        FormatError: no such file, or it holds neither.
    """
    with closing(FeaturesFile(Path(path))) as file:
        names = list(file)
    return names or list(read_global_descriptors(Path(path))[0])


def _files(given: Path | str) -> list[Path]:
    path = Path(given)
    if path.is_file():
        return [path]
    found = sorted(map(Path, glob.glob(str(given), recursive=True)))
    if not found:
        raise FormatError(f"{given} does not exist")
    return found


def _names_in(file: Path) -> list[str]:
    """Names of a list with intrinsics, or of one with names alone."""
    try:
        return list(read_queries(file))
    except FormatError:
        return read_image_list(file)
