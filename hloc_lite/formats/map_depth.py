"""``MapDepth`` of files: depth images beside the photos of a map, registered where needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

from hloc_lite.config import DepthConfig, LiftingConfig
from hloc_lite.errors import FormatError
from hloc_lite.formats.depth_cameras import DepthCamera
from hloc_lite.formats.depth_images import ENDINGS, read_depth
from hloc_lite.formats.kapture.records import read_depth_map
from hloc_lite.geometry.depth_reprojection import reproject_depth
from hloc_lite.io.files import file_sha256
from hloc_lite.io.image_names import leads_out
from hloc_lite.io.images import open_image, short_reason
from hloc_lite.io.regular_files import is_file
from hloc_lite.types import Camera, DepthMap

RAW_ENDING = ".depth"
"""Ending of kapture's raw depth maps."""


@dataclass(frozen=True, eq=False)
class DepthFile:
    """File with the depth of an image, and what is needed to read it."""

    path: Path
    raw_size: tuple[int, int] | None = None
    """(width, height) of a raw ``.depth`` file, which does not say it."""
    camera: DepthCamera | None = None
    """Camera that measured it; None if it lies over the photo already."""
    confidence: Path | None = None
    """Image of the confidence of each pixel, of phones; 0 is not used."""


@dataclass(frozen=True, eq=False)
class DepthFiles:
    """``MapDepth`` of one file for each image.

    Args:
        files: image name -> file.
        cameras: image name -> intrinsics of the photo.
        config: steps of integers, and the largest size.
        camera: camera of all files that have none of their own.
    """

    files: Mapping[str, DepthFile]
    cameras: Mapping[str, Camera]
    config: LiftingConfig = field(default_factory=LiftingConfig)
    camera: DepthCamera | None = None

    def depth_of(self, image_name: str) -> DepthMap | None:
        """Depths of a map image in map units, as its camera sees them; None without a file.

        Raises:
            FormatError: a file that cannot be read, or no intrinsics of the image.
        """
        file = self.files.get(image_name)
        if file is None:
            return None
        photo = self.cameras.get(image_name)
        if photo is None:
            raise FormatError(f"the depth of {image_name!r} needs the intrinsics of its photo")
        measured_by = file.camera or self.camera
        seen_by = photo if measured_by is None else measured_by.camera
        depth = _read(file, (seen_by.width, seen_by.height), self.config)
        if measured_by is None:
            return depth
        depths = reproject_depth(
            depth.depths, measured_by.camera, photo, measured_by.photo_from_depth
        )
        return DepthMap(depths, (photo.width, photo.height))

    def fingerprint(self, image_name: str) -> str | None:
        """Fingerprint of the file of an image and of how it is read; None without a file."""
        file = self.files.get(image_name)
        if file is None:
            return None
        camera, parts = file.camera or self.camera, [file_sha256(file.path)[:16]]
        if file.confidence is not None:
            parts.append(file_sha256(file.confidence)[:16])
        if camera is not None:
            values = [*camera.camera.params, *camera.photo_from_depth.matrix.ravel()]
            parts += [camera.camera.model, *(f"{value:.9g}" for value in values)]
        return " ".join(parts)


def find_depth_files(folder: Path, names: Sequence[str]) -> dict[str, DepthFile]:
    """Find the depth images of photos by name: NAME.png, ``a.depth.png`` for ``a.color.png``.

    Args:
        folder: depth images, in the same subfolders as the photos.
        names: photos, relative to their folder.

    Raises:
        FormatError: no such folder, or a name that leads out of it.
    """
    if not folder.is_dir():
        raise FormatError(f"depth folder {folder} does not exist")
    found = {}
    for name in names:
        if leads_out(name):
            raise FormatError(f"image name {name!r} leaves the depth folder; names are relative")
        paths = (folder / f"{base}{end}" for base in _bases(name) for end in ENDINGS)
        path = next((each for each in paths if is_file(each)), None)
        if path is not None:
            found[name] = DepthFile(path)
    return found


def _bases(name: str) -> Iterator[str]:
    """Names without ending that the depth image of a photo may have, most specific first."""
    path = PurePosixPath(name)
    stem = name.removesuffix(path.suffix)
    yield from (name, stem)
    for word in (".color", ".rgb"):  # 7-Scenes, 12-Scenes, RIO10
        if stem.endswith(word):
            base = stem.removesuffix(word)
            yield from (f"{base}.depth", f"{base}.rendered.depth", base)
    for word in ("frame_", "rgb_", "color_"):  # 3D Scanner App, and others like it
        if path.name.startswith(word):
            yield (path.with_name("depth_" + path.stem.removeprefix(word))).as_posix()
    folders = [*path.parent.parts]
    for row, part in enumerate(folders):  # rgb/0001.png and depth/0001.png
        if part in ("rgb", "color", "images", "image"):
            others = [*folders[:row], "depth", *folders[row + 1 :]]
            yield PurePosixPath(*others, path.stem).as_posix()


def _read(file: DepthFile, size: tuple[int, int], config: LiftingConfig) -> DepthMap:
    """Depths as they were measured.

    Raises:
        FormatError: the file cannot be read, or has another aspect ratio than ``size``.
    """
    settings = DepthConfig(
        values="metric", integer_step=config.integer_step, max_megapixels=config.max_megapixels
    )
    if file.path.suffix == RAW_ENDING:
        raw = read_depth_map(file.path, file.raw_size or size)
        depth = DepthMap(np.where(raw > 0, raw, np.float32(np.nan)), size)
    else:
        depth = read_depth(file.path, size, settings)
    if file.confidence is None:
        return depth
    sure = _read_confidence(file.confidence, depth.depths.shape) > 0
    return replace(depth, depths=np.where(sure, depth.depths, np.float32(np.nan)))


def _read_confidence(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        with open_image(path) as image:
            if (image.height, image.width) != shape:
                raise FormatError(
                    f"{path} has {image.width} x {image.height} pixels, its depth image "
                    f"{shape[1]} x {shape[0]}"
                )
            values = np.asarray(image)
    except FormatError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds of errors on broken files
        raise FormatError(f"cannot read {path}: {short_reason(error)}") from None
    return values if values.ndim == 2 else values[:, :, 0]
