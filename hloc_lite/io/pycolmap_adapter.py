"""All that is asked of pycolmap, in one place; tested on the newest 3.x and 4.x.

Capabilities are probed, not derived from version numbers. Everything that goes in or comes out is
a value of ``types``; pycolmap's own objects do not leave this file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import MappingConfig
from hloc_lite.errors import MappingError, MissingDependencyError
from hloc_lite.io.colmap_model import read_model, write_model
from hloc_lite.types import Bool, Camera, Float64, Int32, Rig, Rigid3, SfmImage, SfmModel

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class TwoView:
    """Verified matches of a pair of images."""

    inliers: Int32
    """(K, 2) keypoint indices."""
    kind: str
    """COLMAP's name of the configuration: CALIBRATED, UNCALIBRATED, PLANAR, ... or DEGENERATE."""


def has_global_mapper() -> bool:
    """Whether this pycolmap can do global structure from motion (since 4.0)."""
    return hasattr(_pycolmap(), "global_mapping")


def require_global_mapper() -> None:
    """Raises MissingDependencyError if this pycolmap has none."""
    if not has_global_mapper():
        raise MissingDependencyError(
            f"--mapper global needs pycolmap 4.0 or newer, this is {version()}: "
            f"pip install -U pycolmap, or use --mapper incremental"
        )


def version() -> str:
    return str(_pycolmap().__version__)


def verify_pair(
    cameras: tuple[Camera, Camera],
    points2D: tuple[Float64, Float64],
    *,
    max_error_px: float,
    min_inliers: int,
    seed: int,
) -> tuple[Bool, str]:
    """Two-view geometry of matched points, as COLMAP verifies a pair.

    Args:
        cameras: of the two images; a focal length that is a guess is treated as unknown.
        points2D: two (K, 2) float64 arrays of matched pixels.
        max_error_px: inlier bound, pixels.
        min_inliers: fewer make the pair DEGENERATE.
        seed: of the RANSAC.

    Returns:
        (K,) inlier mask, and COLMAP's name of the configuration.
    """
    pycolmap = _pycolmap()
    count = len(points2D[0])
    nothing = np.zeros(count, bool)
    if count < max(min_inliers, 8):
        return nothing, "DEGENERATE"
    options = pycolmap.TwoViewGeometryOptions()
    options.min_num_inliers = min_inliers
    options.ransac.max_error = max_error_px
    options.ransac.random_seed = seed
    identity = np.repeat(np.arange(count, dtype=np.uint32)[:, None], 2, axis=1)
    first, second = (_to_pycolmap(camera, 1 + i) for i, camera in enumerate(cameras))
    geometry = pycolmap.estimate_two_view_geometry(
        first, points2D[0], second, points2D[1], identity, options
    )
    kind = _kind_name(geometry)
    if kind in ("UNDEFINED", "DEGENERATE", "WATERMARK"):
        return nothing, kind
    mask = nothing.copy()
    mask[np.asarray(geometry.inlier_matches)[:, 0]] = True
    return mask, kind


def triangulate(
    reference: SfmModel,
    keypoints: Mapping[str, Float64],
    pairs: Iterable[tuple[Pair, TwoView]],
    config: MappingConfig,
) -> SfmModel:
    """Points from verified matches between images of known pose.

    Args:
        reference: cameras and poses; its own points are ignored.
        keypoints: (N, 2) pixels of each image of the reference.
        pairs: verified matches.

    Raises:
        MappingError: no point could be triangulated, or the temporary folder is full.
    """
    pycolmap = _pycolmap()
    images = [_with_keypoints(image, keypoints[image.name]) for image in reference.images]
    bare = _without_points(reference, images)
    with _scratch_folder() as folder:
        # camera and image ids of the database and the model have to be the same
        database = folder / "database.db"
        camera_of = {image.name: image.camera_id for image in images}
        ids = {image.name: image.image_id for image in images}
        _write_database(database, reference.cameras, camera_of, ids, keypoints, pairs)
        (folder / "in").mkdir()
        (folder / "out").mkdir()
        write_model(folder / "in", bare)
        reconstruction = pycolmap.Reconstruction(str(folder / "in"))
        options = _incremental_options(config, len(images))
        result = pycolmap.triangulate_points(
                reconstruction, str(database), str(folder), str(folder / "out"),
                clear_points=True, options=options, refine_intrinsics=False,
            )  # fmt: skip
        result.write_binary(str(folder / "out"))
        model = read_model(folder / "out")
    if model.num_points == 0:
        raise MappingError(
            "no point could be triangulated from the matches with the given poses: check that the "
            "reference model belongs to these images and that its poses are cam_from_world"
        )
    return model


def reconstruct(
    cameras: Mapping[int, Camera],
    camera_of: Mapping[str, int],
    keypoints: Mapping[str, Float64],
    pairs: Iterable[tuple[Pair, TwoView]],
    config: MappingConfig,
    on_registered: Callable[[], None] = lambda: None,
) -> list[SfmModel]:
    """Structure from motion from verified matches; models sorted by registered images, most first.

    Raises:
        MissingDependencyError: the global mapper was asked for and this pycolmap has none.
        MappingError: the temporary folder is full.
    """
    pycolmap = _pycolmap()
    if config.mapper == "global":
        require_global_mapper()
    with _scratch_folder() as folder:
        ids = {name: row for row, name in enumerate(sorted(camera_of), start=1)}
        database = folder / "database.db"
        _write_database(database, cameras, camera_of, ids, keypoints, pairs)
        (folder / "out").mkdir()
        arguments = (str(database), str(folder), str(folder / "out"))
        if config.mapper == "global":
            options = _global_options(config)
            run = lambda: pycolmap.global_mapping(*arguments, options)  # noqa: E731
        else:
            options = _incremental_options(config, len(ids))
            run = lambda: pycolmap.incremental_mapping(  # noqa: E731
                *arguments, options, next_image_callback=on_registered
            )
        models = []
        for number, reconstruction in run().items():
            target = folder / f"model{number}"
            target.mkdir()
            reconstruction.write_binary(str(target))
            models.append(_registered_only(read_model(target), reconstruction))
    return sorted(models, key=lambda m: (len(m.images), m.num_points), reverse=True)


def absolute_pose(
    points2D: Float64,
    points3D: Float64,
    camera: Camera,
    *,
    max_error_px: float,
    confidence: float,
    num_trials: tuple[int, int],
    seed: int,
) -> tuple[Rigid3, Bool] | None:
    """pycolmap's LO-RANSAC and refinement; (cam_from_world, (K,) inliers) or None."""
    pycolmap = _pycolmap()
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.max_error = max_error_px
    options.ransac.confidence = confidence
    options.ransac.min_num_trials, options.ransac.max_num_trials = num_trials
    options.ransac.random_seed = seed
    answer = pycolmap.estimate_and_refine_absolute_pose(
        np.ascontiguousarray(points2D),
        np.ascontiguousarray(points3D),
        _to_pycolmap(camera, 1),
        options,
    )
    if answer is None:
        return None
    return _to_rigid3(answer["cam_from_world"]), np.asarray(answer["inlier_mask"], bool)


def rig_pose(
    points2D: Sequence[Float64],
    points3D: Sequence[Float64],
    rig: Rig,
    *,
    max_error_px: float,
    confidence: float,
    num_trials: tuple[int, int],
    seed: int,
) -> tuple[Rigid3, Bool] | None:
    """pycolmap's generalized LO-RANSAC and refinement; (rig_from_world, (K,) inliers, camera after
    camera) or None.

    Args:
        points2D: for each camera of the rig (K_c, 2) pixels.
        points3D: for each camera of the rig (K_c, 3) world.
    """
    pycolmap = _pycolmap()
    options = pycolmap.RANSACOptions()
    options.max_error = max_error_px
    options.confidence = confidence
    options.min_num_trials, options.max_num_trials = num_trials
    options.random_seed = seed
    answer = pycolmap.estimate_and_refine_generalized_absolute_pose(
        np.concatenate(points2D),
        np.concatenate(points3D),
        np.repeat(np.arange(len(rig)), [len(points) for points in points2D]).tolist(),
        [_from_rigid3(each.cam_from_rig) for each in rig.cameras],
        [_to_pycolmap(each.camera, 1 + i) for i, each in enumerate(rig.cameras)],
        options,
    )
    if answer is None:
        return None
    return _to_rigid3(answer["rig_from_world"]), np.asarray(answer["inlier_mask"], bool)


def _pycolmap() -> Any:
    try:
        import pycolmap
    except ImportError as error:
        raise MissingDependencyError(
            f"pycolmap cannot be imported ({error}): pip install 'pycolmap>=3.13'"
        ) from None
    # what it logs as errors ("failed to create any sparse model") comes back as ours, explained
    pycolmap.logging.minloglevel = pycolmap.logging.Level.FATAL.value
    pycolmap.logging.logtostderr = True  # its log files would go to a shared folder
    return pycolmap


def _to_pycolmap(camera: Camera, camera_id: int) -> Any:
    return _pycolmap().Camera(
        camera_id=camera_id,
        model=camera.model,
        width=camera.width,
        height=camera.height,
        params=camera.params,
        has_prior_focal_length=camera.has_prior_focal,
    )


def _to_rigid3(pose: Any) -> Rigid3:
    matrix = np.asarray(pose.matrix())
    return Rigid3(matrix[:, :3], matrix[:, 3])


def _from_rigid3(pose: Rigid3) -> Any:
    return _pycolmap().Rigid3d(np.column_stack([pose.rotation, pose.translation]))


def _kind_name(geometry: Any) -> str:
    kind = geometry.config
    known = _pycolmap().TwoViewGeometryConfiguration
    return str(getattr(kind, "name", None) or known(kind).name)


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    """A temporary folder for COLMAP's files; what goes wrong there is a MappingError."""
    with tempfile.TemporaryDirectory(prefix="hloc_lite_") as folder:
        try:
            yield Path(folder)
        except RuntimeError as error:
            raise MappingError(
                f"COLMAP failed in {folder}: {error}. If that disk is full, free some space or set "
                f"TMPDIR to a folder elsewhere, then run again"
            ) from error


def _write_database(
    path: Path,
    cameras: Mapping[int, Camera],
    camera_of: Mapping[str, int],
    ids: Mapping[str, int],
    keypoints: Mapping[str, Float64],
    pairs: Iterable[tuple[Pair, TwoView]],
) -> None:
    pycolmap = _pycolmap()
    database = pycolmap.Database.open(str(path))
    # without a transaction: pycolmap aborts the process if one ends on a full disk
    with closing(database):
        for camera_id, camera in cameras.items():
            native = _to_pycolmap(camera, camera_id)
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


def _incremental_options(config: MappingConfig, num_images: int) -> Any:
    options = _pycolmap().IncrementalPipelineOptions()
    _set(
        options,
        num_threads=config.threads,
        random_seed=config.seed,
        extract_colors=False,
        min_model_size=3,
        ba_use_gpu=False,
    )
    _set(
        options.mapper,
        filter_max_reproj_error=config.max_reprojection_error_px,
        filter_min_tri_angle=config.min_triangulation_angle_deg,
        num_threads=config.threads,
        random_seed=config.seed,
    )
    _set(
        options.triangulation,
        min_angle=config.min_triangulation_angle_deg,
        ignore_two_view_tracks=num_images > 2,  # two images have no others
        complete_max_reproj_error=config.max_reprojection_error_px,
        merge_max_reproj_error=config.max_reprojection_error_px,
        random_seed=config.seed,
    )
    return options


def _global_options(config: MappingConfig) -> Any:
    options = _pycolmap().GlobalPipelineOptions()
    _set(options, num_threads=config.threads, random_seed=config.seed, min_model_size=3)
    _set(options.mapper, num_threads=config.threads, random_seed=config.seed)
    _set(options.mapper.rotation_averaging, random_seed=config.seed)
    _set(options.mapper.global_positioning, random_seed=config.seed, use_gpu=False)
    _set(options.mapper.retriangulation, random_seed=config.seed)
    _set(options.mapper.bundle_adjustment.ceres, use_gpu=False)
    return options


def _set(options: Any, **values: Any) -> None:
    """Set the options that this version of pycolmap has."""
    for name, value in values.items():
        if hasattr(options, name):
            setattr(options, name, value)


def _with_keypoints(image: SfmImage, keypoints: Float64) -> SfmImage:
    none = np.full(len(keypoints), -1)
    return SfmImage(
        image.image_id, image.name, image.camera_id, image.cam_from_world, keypoints, none
    )


def _without_points(model: SfmModel, images: Sequence[SfmImage]) -> SfmModel:
    no_ids, no_xyz, no_rgb = np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3), np.uint8)
    return SfmModel(model.cameras, tuple(images), no_ids, no_xyz, no_rgb, np.zeros(0))


def _registered_only(model: SfmModel, reconstruction: Any) -> SfmModel:
    """The model without images that have no pose (some versions write them all)."""
    registered = set(reconstruction.reg_image_ids())
    images = tuple(image for image in model.images if image.image_id in registered)
    return SfmModel(model.cameras, images, model.point3D_ids, model.xyz, model.rgb, model.errors_px)
