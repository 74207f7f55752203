"""Finds the files of a model in an output folder of hloc, by what they hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc.features import FeaturesFile
from hloc_lite.formats.hloc.file_kinds import FileKind, file_kind
from hloc_lite.formats.hloc.global_descriptors import global_descriptor_names
from hloc_lite.formats.hloc.matches import MatchesFile
from hloc_lite.io.regular_files import is_file
from hloc_lite.scene import SfmModel

MAX_DEPTH = 3
"""Folders below the given one in which files are looked for."""
MAX_SHOWN = 8


@dataclass(frozen=True)
class HlocFiles:
    """Files of one model; in ``build_map_from_hloc``, those that are None are looked for."""

    model: Path | None = None
    """Folder of the SfM model."""
    features: Path | None = None
    matches: Path | None = None
    """Needed only for a model without points."""
    global_descriptors: Path | None = None


def find_model(folder: Path, given: Path | None) -> tuple[Path, SfmModel]:
    """Find and read the SfM model; models inside of another one's folder do not count.

    Raises:
        ConfigError: several; they are listed.
        FormatError: none, or a damaged one.
    """
    if not folder.is_dir():
        raise FormatError(f"{folder} is no folder")
    if given is not None:
        return given, read_model(given)
    found = sorted({path.parent for path in _below(folder, "images.bin", "images.txt")})
    found = [each for each in found if any(each.glob("cameras.*"))]
    outer = [each for each in found if not any(other in each.parents for other in found)]
    path = _only(folder, "an SfM model", "--hloc-model", outer)
    if path is None:
        raise FormatError(f"{folder} has no COLMAP model: run reconstruction or triangulation")
    return path, read_model(path)


def find_features(folder: Path, given: Path | None, model: SfmModel) -> Path:
    """Find the features that the images of a model were made with.

    Raises:
        ConfigError: several fit; they are listed.
        FormatError: none fits.
    """
    if given is not None:
        return given

    def fits(path: Path) -> bool:
        with closing(FeaturesFile(path)) as file:
            names = [image.name for image in model.images]
            if not all(name in file for name in names):
                return False
            first = model.images[:1]
            return all(len(i.point3D_idxs) in (0, len(file.keypoints(i.name))) for i in first)

    found, tried = _fitting(folder, FileKind.FEATURES, fits)
    path = _only(folder, "features of the model", "--hloc-features", found)
    if path is None:
        raise FormatError(
            f"{folder} has no features that the model was made with; files of features there: "
            f"{_shown(tried) or 'none'}"
        )
    return path


def find_global_descriptors(folder: Path, given: Path | None, model: SfmModel) -> Path | None:
    """Find the global descriptors of the images of a model; None if there are none.

    Raises:
        ConfigError: several fit; they are listed.
    """
    if given is not None:
        return given
    names = {image.name for image in model.images}

    def fits(path: Path) -> bool:
        return names <= set(global_descriptor_names(path))

    found, _ = _fitting(folder, FileKind.GLOBAL_DESCRIPTORS, fits)
    return _only(folder, "global descriptors of the model", "--hloc-global", found)


def find_matches(folder: Path, given: Path | None, names: Collection[str]) -> Path:
    """Find the matches of images.

    Raises:
        ConfigError: several fit; they are listed.
        FormatError: none fits.
    """
    if given is not None:
        return given

    def fits(path: Path) -> bool:
        with closing(MatchesFile(path, names)) as file:
            return bool(file.pairs())

    found, _ = _fitting(folder, FileKind.MATCHES, fits)
    path = _only(folder, "matches of the model's images", "--hloc-matches", found)
    if path is None:
        raise FormatError(f"{folder} has a model without points, and no matches of its images")
    return path


def _fitting(
    folder: Path, kind: FileKind, fits: Callable[[Path], bool]
) -> tuple[list[Path], list[Path]]:
    """Files that fit, and all files of that kind."""
    tried = [path for path in _below(folder, "*.h5", "*.hdf5") if file_kind(path) is kind]
    return [path for path in tried if fits(path)], tried


def _below(folder: Path, *patterns: str) -> Iterable[Path]:
    """Files in the folder and up to ``MAX_DEPTH`` folders down, in order of their paths."""
    found = {
        path
        for depth in range(MAX_DEPTH + 1)
        for pattern in patterns
        for path in folder.glob("*/" * depth + pattern)
        if is_file(path)
    }
    return sorted(found)


def _only(folder: Path, what: str, option: str, found: Sequence[Path]) -> Path | None:
    if len(found) > 1:
        raise ConfigError(
            f"{folder} has {what} in {len(found)} places; choose one by {option}: {_shown(found)}"
        )
    return found[0] if found else None


def _shown(paths: Sequence[Path]) -> str:
    more = ", ..." if len(paths) > MAX_SHOWN else ""
    return ", ".join(str(path) for path in paths[:MAX_SHOWN]) + more
