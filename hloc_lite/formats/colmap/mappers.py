"""COLMAP's triangulation and mappers, run on files of its formats in a temporary folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import MappingConfig, ScratchConfig
from hloc_lite.errors import FormatError, MappingError
from hloc_lite.formats.colmap.impossible_cameras import drop_impossible_images
from hloc_lite.formats.colmap.mapper_options import (
    global_options,
    incremental_options,
    limit_models,
)
from hloc_lite.formats.colmap.model import read_model, write_model
from hloc_lite.formats.colmap.reconstruction import from_pycolmap_reconstruction, scratch_folder
from hloc_lite.io.image_names import natural_key
from hloc_lite.io.pycolmap_adapter import (
    TwoView,
    load_pycolmap,
    require_global_mapper,
    to_pycolmap_camera,
)
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Float64

logger = logging.getLogger(__name__)
Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Reconstructions:
    """Models that structure from motion found, and images that had to leave one."""

    models: tuple[SfmModel, ...]
    """Those with most registered images first."""
    left_out: Mapping[str, str]
    """Name -> reason of each image whose camera no lens can have."""


def triangulate(
    reference: SfmModel,
    keypoints: Mapping[str, Float64],
    pairs: Iterable[tuple[Pair, TwoView]],
    config: MappingConfig,
    *,
    needs_points: bool = True,
) -> SfmModel:
    """Triangulate points from verified matches between images of known pose; none of one image.

    Args:
        reference: cameras and poses; its own points are ignored.
        keypoints: (N, 2) pixels of each image of the reference, by name.
        pairs: verified matches.
        config: thresholds, threads and seed.
        needs_points: False if a model without points will do.

    Raises:
        MappingError: no point could be triangulated, or the temporary folder is full.
    """
    pycolmap = load_pycolmap()
    images = [_with_keypoints(image, keypoints[image.name]) for image in reference.images]
    bare = _without_points(reference, images)
    if len(images) == 1 and not needs_points:
        alone = replace(images[0], frame_id=reference.images[0].frame_id)
        return replace(bare, images=(alone,), reference_cameras=reference.reference_cameras)
    with scratch_folder() as folder:
        # camera and image ids of the database and the model have to be the same
        database = folder / "database.db"
        camera_of = {image.name: image.camera_id for image in images}
        ids = {image.name: image.image_id for image in images}
        _write_database(database, reference.cameras, camera_of, ids, keypoints, pairs)
        (folder / "in").mkdir()
        (folder / "out").mkdir()
        write_model(folder / "in", bare)
        reconstruction = pycolmap.Reconstruction(str(folder / "in"))
        options = incremental_options(config, len(images))
        result = pycolmap.triangulate_points(
                reconstruction, str(database), str(folder), str(folder / "out"),
                clear_points=True, options=options, refine_intrinsics=False,
            )  # fmt: skip
        result.write_binary(str(folder / "out"))
        model = read_model(folder / "out")
    if model.num_points == 0 and needs_points:
        raise MappingError(
            "no point could be triangulated from the matches with the given poses: check that the "
            "reference model belongs to these images and that its poses are cam_from_world"
        )
    frame_of = {image.name: image.frame_id for image in reference.images}
    images = [replace(image, frame_id=frame_of.get(image.name)) for image in model.images]
    return replace(model, images=tuple(images), reference_cameras=reference.reference_cameras)


def reconstruct(
    cameras: Mapping[int, Camera],
    camera_of: Mapping[str, int],
    keypoints: Mapping[str, Float64],
    pairs: Iterable[tuple[Pair, TwoView]],
    config: MappingConfig,
    scratch: ScratchConfig | None = None,
    start: SfmModel | None = None,
    progress: Callable[[int], None] | None = None,
    constant_cameras: Collection[int] = (),
) -> Reconstructions:
    """Run structure from motion on verified matches.

    Images with impossible cameras leave their model, and models of fewer than three images are
    dropped.

    Args:
        cameras: by camera id.
        camera_of: camera id of each image, by name.
        keypoints: (N, 2) pixels of each image, by name.
        pairs: verified matches.
        config: mapper, thresholds, threads and seed.
        scratch: bounds of focal lengths, and of the size of a model; None for the defaults.
        start: a model of some of the images with the same ids, which the incremental mapper
            extends; None to begin anew.
        constant_cameras: ids of cameras whose intrinsics the incremental mapper keeps.
        progress: called by the incremental mapper with the number of images that are registered in
            the model it works on.

    Raises:
        MissingDependencyError: the global mapper is configured and this pycolmap has none.
        MappingError: the temporary folder is full.
    """
    pycolmap = load_pycolmap()
    scratch = scratch or ScratchConfig()
    if config.mapper == "global":
        require_global_mapper()
    with scratch_folder() as folder:
        ids = {name: row for row, name in enumerate(sorted(camera_of, key=natural_key), start=1)}
        database = folder / "database.db"
        _write_database(database, cameras, camera_of, ids, keypoints, pairs)
        (folder / "out").mkdir()
        arguments = (str(database), str(folder), str(folder / "out"))
        if config.mapper == "global":
            options = global_options(config, scratch)
            found = pycolmap.global_mapping(*arguments, options)
        else:
            options = incremental_options(config, len(ids))
            limit_models(options, scratch)
            options.constant_cameras = set(constant_cameras)
            further: dict[str, Any] = {**_progress_callbacks(progress)}
            if start is not None:
                further["input_path"] = _write_start(folder, start)
            found = pycolmap.incremental_mapping(*arguments, options, **further)
        models: list[SfmModel] = []
        left_out: dict[str, str] = {}
        min_images = min(scratch.min_model_images, len(ids))
        for reconstruction in found.values():
            left_out |= drop_impossible_images(reconstruction, cameras, scratch)
            model = _usable_model(reconstruction, min_images)
            models += [] if model is None else [model]
    kept = {image.name for model in models for image in model.images}
    return Reconstructions(
        tuple(sorted(models, key=lambda m: (len(m.images), m.num_points), reverse=True)),
        {name: reason for name, reason in left_out.items() if name not in kept},
    )


def _write_start(folder: Path, start: SfmModel) -> str:
    (folder / "start").mkdir()
    write_model(folder / "start", start)
    return str(folder / "start")


def _usable_model(reconstruction: Any, min_images: int) -> SfmModel | None:
    """Model that a mapper found; None if it is too small or not finite."""
    try:
        model = from_pycolmap_reconstruction(reconstruction)
    except FormatError as error:
        logger.warning("a separate model is dropped: %s", error)
        return None
    return model if len(model.images) >= min_images and model.num_points else None


def _progress_callbacks(
    progress: Callable[[int], None] | None,
) -> dict[str, Callable[[], None]]:
    """Callbacks of the incremental mapper that count the images of its current model."""
    if progress is None:
        return {}
    registered = 0

    def begin_model() -> None:
        nonlocal registered
        registered = 2
        progress(registered)

    def add_image() -> None:
        nonlocal registered
        registered += 1
        progress(registered)

    return {"initial_image_pair_callback": begin_model, "next_image_callback": add_image}


def _write_database(
    path: Path,
    cameras: Mapping[int, Camera],
    camera_of: Mapping[str, int],
    ids: Mapping[str, int],
    keypoints: Mapping[str, Float64],
    pairs: Iterable[tuple[Pair, TwoView]],
) -> None:
    pycolmap = load_pycolmap()
    database = pycolmap.Database.open(str(path))
    # no transaction: pycolmap aborts the process if one ends on a full disk
    with closing(database):
        for camera_id, camera in cameras.items():
            native = to_pycolmap_camera(camera, camera_id)
            database.write_camera(native, use_camera_id=True)
            rig = pycolmap.Rig(rig_id=camera_id)
            rig.add_ref_sensor(native.sensor_id)
            database.write_rig(rig, use_rig_id=True)
        for name, image_id in ids.items():
            image = pycolmap.Image(
                name=name, keypoints=np.zeros((0, 2)), camera_id=camera_of[name], image_id=image_id
            )
            frame = pycolmap.Frame(frame_id=image_id, rig_id=camera_of[name])
            frame.add_data_id(image.data_id)
            database.write_image(image, use_image_id=True)
            database.write_frame(frame, use_frame_id=True)
            database.write_keypoints(image_id, keypoints[name].astype(np.float32))
        for (name0, name1), two_view in pairs:
            geometry = pycolmap.TwoViewGeometry()
            # without a configuration COLMAP ignores the pair, silently
            geometry.config = pycolmap.TwoViewGeometryConfiguration.__members__[two_view.kind]
            geometry.inlier_matches = two_view.inliers.astype(np.uint32)
            database.write_two_view_geometry(ids[name0], ids[name1], geometry)


def _with_keypoints(image: SfmImage, keypoints: Float64) -> SfmImage:
    none = np.full(len(keypoints), -1)
    return SfmImage(
        image.image_id, image.name, image.camera_id, image.cam_from_world, keypoints, none
    )


def _without_points(model: SfmModel, images: Sequence[SfmImage]) -> SfmModel:
    no_ids, no_xyz, no_rgb = np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3), np.uint8)
    return SfmModel(model.cameras, tuple(images), no_ids, no_xyz, no_rgb, np.zeros(0))
