"""COLMAP models (.bin and .txt) to and from ``SfmModel``.

We read the files ourselves because users supply them: pycolmap may crash on a truncated file,
here it is an error with a clear message. The ``rigs`` and ``frames`` files (since COLMAP 3.12) may
be absent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import binary, text
from hloc_lite.formats.colmap.model_rigs import rigs_of_model, with_frames
from hloc_lite.formats.colmap.raw import MAX_IMAGE_ID, NO_POINT_ID, RawImage, empty_points
from hloc_lite.formats.colmap.rig_files import (
    frames_bytes,
    read_rig_files,
    rig_paths,
    rigs_bytes,
)
from hloc_lite.formats.pose_text import check_translation
from hloc_lite.geometry.rotations import check_unit_quaternion, rotations_from_unit_quats
from hloc_lite.io.files import atomic_path
from hloc_lite.io.image_names import leads_out
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import NO_POINT, Camera, Int64, Rigid3

logger = logging.getLogger(__name__)
PARTS = ("cameras", "images", "points3D")
MAX_SPARSENESS = 4
"""Range of point ids over their number up to which rows are looked up in a table of the range:
three times as fast as a search, and COLMAP numbers its points without large gaps."""
MAX_DEPTH = 3
"""Folders below the given one in which a model is looked for: PROJECT/dense/sparse/0."""
MAX_SHOWN = 5


def read_model(folder: Path) -> SfmModel:
    """Read the model in a folder; .bin is preferred over .txt, the points file may be absent.

    If the folder has none, the only model below it is read, such as ``project/sparse/0``.

    Raises:
        FormatError: no model, several below, or a damaged one; names the file and the line or
            entry.
    """
    folder = find_model(folder)
    is_binary = (folder / "images.bin").is_file()
    paths = [folder / f"{part}{'.bin' if is_binary else '.txt'}" for part in PARTS]
    if not paths[0].is_file():
        raise FormatError(f"{paths[0]} is missing beside {paths[1].name}")
    return read_files(paths, rig_paths(folder, paths[1].suffix))


def read_files(paths: Sequence[Path], rigs: tuple[Path, Path] | None = None) -> SfmModel:
    """Read the model in files of one kind: cameras, images and points, which may be absent.

    Args:
        rigs: files of rigs and frames of the same kind; None if there are none.

    Raises:
        FormatError: a damaged file; names it and the line or entry.
    """
    reader = binary if paths[1].suffix == ".bin" else text
    listed = list(reader.read_cameras(paths[0]))
    cameras = dict(listed)
    if len(cameras) != len(listed):
        raise FormatError(f"{paths[0]}: a camera id is listed twice")
    points = reader.read_points(paths[2]) if paths[2].is_file() else empty_points()
    order = np.argsort(points.ids, kind="stable")
    ids = points.ids[order]
    if (ids[1:] == ids[:-1]).any():
        raise FormatError(f"{paths[2]}: a point id is listed twice")
    if not _is_valid(points.xyz):
        bad = sum(not _is_valid(point) for point in points.xyz)
        raise FormatError(f"{paths[2]}: {bad} of {len(ids)} points are not finite")
    raw_images = list(reader.read_images(paths[1]))
    for raw in raw_images:
        _check_image(raw, cameras, paths[1])
    rows_of = _row_lookup(ids)
    quats = np.array([raw.quat_wxyz for raw in raw_images], np.float64).reshape(-1, 4)
    images = [
        SfmImage(
            raw.image_id, raw.name, raw.camera_id, Rigid3(rotation, raw.translation), raw.xy,
            rows_of(raw.point3D_ids),
        )
        for raw, rotation in zip(raw_images, rotations_from_unit_quats(quats), strict=True)
    ]  # fmt: skip
    names = [image.name for image in images]
    if len(set(names)) != len(names) or len({i.image_id for i in images}) != len(images):
        raise FormatError(f"{paths[1]}: an image name or id is listed twice")
    _warn_of_lost_points(raw_images, images, paths)
    model = SfmModel(
        cameras, tuple(images), ids, points.xyz[order], points.rgb[order], points.errors_px[order]
    )
    if rigs is None:
        return model
    return with_frames(model, read_rig_files(*rigs), (paths[1], *rigs))


def find_model(folder: Path) -> Path:
    """The folder itself if it has a model, else the only folder below that has one.

    Raises:
        FormatError: there is none, or several.
    """
    if _has_model(folder):
        return folder
    below = sorted({path.parent for path in _image_files_below(folder)})
    expected = "expected cameras, images (and points3D) as .bin or .txt"
    if not below:
        raise FormatError(f"{folder} has no COLMAP model: {expected}")
    if len(below) > 1:
        shown = ", ".join(map(str, below[:MAX_SHOWN])) + (", ..." if len(below) > MAX_SHOWN else "")
        raise FormatError(
            f"{folder} has {len(below)} COLMAP models below it: choose one of {shown}"
        )
    logger.info("%s: the model below it is read, %s", folder, below[0])
    return below[0]


def has_model(folder: Path) -> bool:
    """Return True if ``read_model`` finds a model in the folder or below it.

    Text files need ``cameras.txt`` beside ``images.txt``, as other programs write an images.txt.
    """
    if not folder.is_dir():
        return False
    if (folder / "images.bin").is_file() or all(
        (folder / f"{part}.txt").is_file() for part in PARTS[:2]
    ):
        return True
    return next(_image_files_below(folder), None) is not None


def _image_files_below(folder: Path) -> Iterator[Path]:
    """Images files of models up to ``MAX_DEPTH`` folders down."""
    for depth in range(1, MAX_DEPTH + 1):
        for suffix in (".bin", ".txt"):
            found = folder.glob("*/" * depth + f"images{suffix}")
            yield from (path for path in found if path.with_name(f"cameras{suffix}").is_file())


def _has_model(folder: Path) -> bool:
    return any((folder / f"images{suffix}").is_file() for suffix in (".bin", ".txt"))


def _warn_of_lost_points(
    raw_images: Sequence[RawImage], images: Sequence[SfmImage], paths: Sequence[Path]
) -> None:
    """Warn if the points file lacks points that images observe: it is likely damaged.

    A model without a points file is valid, too: its poses can be used.
    """
    named = sum(int((raw.point3D_ids != NO_POINT_ID).sum()) for raw in raw_images)
    found = sum(int((image.point3D_idxs != NO_POINT).sum()) for image in images)
    if paths[2].is_file() and found < named:
        logger.warning(
            "%s: %d of %d observations are of points that %s does not have; they are ignored",
            paths[1], named - found, named, paths[2].name,
        )  # fmt: skip


def write_model(folder: Path, model: SfmModel) -> None:
    """Write cameras.bin, images.bin, points3D.bin, rigs.bin and frames.bin, each atomically.

    Raises:
        HlocLiteError: a file cannot be written.
    """
    rigs = rigs_of_model(model)
    contents = {
        "cameras": binary.cameras_bytes(model),
        "images": binary.images_bytes(model),
        "points3D": binary.points_bytes(model),
        "rigs": rigs_bytes(rigs),
        "frames": frames_bytes(rigs),
    }
    for part, content in contents.items():
        with atomic_path(folder / f"{part}.bin") as partial, partial.open("wb") as file:
            file.writelines(content)


def _check_image(raw: RawImage, cameras: dict[int, Camera], path: Path) -> None:
    """Refuse an image with values that no model has; the error names it."""
    where = f"{path}: image {raw.name[:200]!r}"
    if leads_out(raw.name):
        raise FormatError(f"{where} has a name that leaves the image folder; names are relative")
    if raw.camera_id not in cameras:
        raise FormatError(f"{where} has camera {raw.camera_id}, which does not exist")
    if not 0 <= raw.image_id <= MAX_IMAGE_ID:
        raise FormatError(f"{where} has the id {raw.image_id}, which is out of range")
    check_translation(raw.translation, where)
    if not _is_valid(raw.xy):
        raise FormatError(f"{where} has keypoints that are not finite")
    try:
        check_unit_quaternion(raw.quat_wxyz)
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from None


def _row_lookup(ids: Int64) -> Callable[[Int64], Int64]:
    """Function from (K,) point ids to (K,) rows of the ascending ids, ``NO_POINT`` if unknown."""
    if len(ids) and ids[-1] - ids[0] < MAX_SPARSENESS * len(ids):
        first = ids[0]
        table = np.full(ids[-1] - first + 1, NO_POINT, np.int64)
        table[ids - first] = np.arange(len(ids))

        def look_up(wanted: Int64) -> Int64:
            known = (wanted >= first) & (wanted <= ids[-1])
            return np.where(known, table[np.where(known, wanted - first, 0)], NO_POINT)

        return look_up

    def search(wanted: Int64) -> Int64:
        rows = np.searchsorted(ids, wanted)
        found = rows < len(ids)
        found[found] = ids[rows[found]] == wanted[found]
        return np.where(found, rows, NO_POINT)

    return search


def _is_valid(values: np.ndarray) -> bool:
    """Return True if all values are finite and small enough to be squared."""
    # a minimum and a maximum need no array of their own; NaN fails both comparisons
    return not values.size or bool(values.max() < 1e15 and values.min() > -1e15)
