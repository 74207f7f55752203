"""hloc's ``reconstruction``: matches -> SfM model."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.compat.hloc.command_line import run
from hloc_lite.compat.hloc.inputs import ImageList, image_names
from hloc_lite.compat.hloc.networks import warn_once
from hloc_lite.compat.hloc.outputs import finish_model, images_of_mapper, write_sfm_database
from hloc_lite.compat.hloc.settings import mapper_settings
from hloc_lite.compat.hloc.sfm_inputs import SfmInputs, read_sfm_inputs
from hloc_lite.config import Config, ImagesConfig, load_config
from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.colmap import write_model
from hloc_lite.geometry.cameras import CAMERA_MODELS, Exif
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.exif import focal_length_px, read_exif
from hloc_lite.io.image_names import list_images, path_inside
from hloc_lite.io.images import check_file_size, open_image
from hloc_lite.mapping.cameras import Cameras, assign_cameras
from hloc_lite.mapping.given_matches import Verify, all_of_them, by_two_views, verified_pairs
from hloc_lite.mapping.scratch import ScratchInputs, candidate_models
from hloc_lite.types import Camera

logger = logging.getLogger(__name__)
SHARING = {
    "AUTO": "auto", "SINGLE": "single", "PER_FOLDER": "per-folder", "PER_IMAGE": "per-image",
}  # fmt: skip
"""pycolmap's ``CameraMode`` -> which images share a camera."""
USED_IMAGE_OPTIONS = ("camera_model", "camera_params")


def main(
    sfm_dir: Path | str,
    image_dir: Path | str,
    pairs: Path | str,
    features: Path | str,
    matches: Path | str,
    camera_mode: Any = "AUTO",
    verbose: bool = False,
    skip_geometric_verification: bool = False,
    min_match_score: float | None = None,
    image_list: ImageList | None = None,
    image_options: Mapping[str, Any] | None = None,
    mapper_options: Mapping[str, Any] | None = None,
) -> Any:
    """Reconstruct the poses of photos and the points that they show, from given matches.

    Args:
        sfm_dir: folder for the model and its database.
        image_dir: folder of the photos, for EXIF and colours.
        pairs: list of pairs.
        features: file of features.
        matches: file of matches.
        camera_mode: which photos share a camera: ``pycolmap.CameraMode``, or its name.
        verbose: log steps.
        skip_geometric_verification: take all matches as they are.
        min_match_score: least score of a match.
        image_list: names, or a file of names; None for all photos of the folder.
        image_options: ``camera_model``, and ``camera_params`` where they are known.
        mapper_options: only ``num_threads`` is used; others are warned of.

    Returns:
        ``pycolmap.Reconstruction`` of the best model; None if nothing could be reconstructed.

    Raises:
        FormatError: an image or pair that the files lack.
        ConfigError: unknown camera mode, model or parameters.
    """
    folder = Path(image_dir)
    names = list_images(folder) if image_list is None else image_names(image_list)
    inputs = read_sfm_inputs(Path(features), Path(matches), Path(pairs), names, min_match_score)
    options = dict(image_options or {})
    config = _config(camera_mode, options, mapper_settings(mapper_options))
    cameras = _cameras(inputs, folder, config, options)
    verify: Verify = all_of_them
    if not skip_geometric_verification:
        verify = by_two_views(cameras, inputs.keypoints, config.geometry)
    found = verified_pairs(inputs.matches(), verify, "given")
    if not any(len(view.inliers) for view in found.two_views.values()):
        logger.error("no verified match: the photos do not overlap, or are not of one place")
        return None
    candidates = candidate_models(ScratchInputs(config, found, inputs.keypoints, cameras, None))
    models = candidates[0].models
    if not models:
        logger.error("could not reconstruct any model from %d pairs", len(found.two_views))
        return None
    sfm = Path(sfm_dir)
    for number, other in enumerate(models[1:], start=1):
        write_model(sfm / "models" / str(number), other)
    images = images_of_mapper(cameras, models[0])
    write_sfm_database(sfm, images, inputs.keypoints, inputs.matches(), found)
    logger.info(
        "%d of %d images, %d points", len(models[0].images), len(names), models[0].num_points
    )
    return finish_model(sfm, models[0], folder, inputs.keypoints)


def _config(camera_mode: Any, options: Mapping[str, Any], mapper: Mapping[str, Any]) -> Config:
    mode = str(getattr(camera_mode, "name", camera_mode))
    if mode not in SHARING:
        raise ConfigError(f"unknown camera_mode {mode!r}; known are {', '.join(SHARING)}")
    unused = [key for key in options if key not in USED_IMAGE_OPTIONS]
    if unused:
        warn_once(f"image_options are not used: {', '.join(unused)}")
    mapping = {**mapper, "cameras": SHARING[mode]}
    if "camera_model" in options:
        mapping["camera_model"] = str(options["camera_model"])
        if mapping["camera_model"] not in CAMERA_MODELS:
            raise ConfigError(f"unknown camera_model {mapping['camera_model']!r}")
    return load_config(overrides={"mapping": mapping})


def _cameras(
    inputs: SfmInputs, folder: Path, config: Config, options: Mapping[str, Any]
) -> Cameras:
    """Intrinsics: those of the options, or from EXIF, or guessed."""
    without = sorted(set(inputs.keypoints) - set(inputs.sizes))
    if without:
        raise FormatError(f"the file of features has no image_size of {without[0]!r}")
    params = options.get("camera_params")
    if params is None:
        exifs = {name: camera_exif(folder, name, size) for name, size in inputs.sizes.items()}
        return assign_cameras(inputs.sizes, exifs, {}, config.mapping)
    numbers = params.split(",") if isinstance(params, str) else params
    given = {
        name: check_given_camera(
            Camera(config.mapping.camera_model, *size, np.array([*_floats(numbers)]))
        )
        for name, size in inputs.sizes.items()
    }
    return assign_cameras(inputs.sizes, {}, given, config.mapping)


def _floats(numbers: Iterable[Any]) -> list[float]:
    try:
        return [float(number) for number in numbers]
    except (TypeError, ValueError):
        raise ConfigError(f"camera_params: expected numbers, got {numbers!r}") from None


def camera_exif(folder: Path, name: str, size: tuple[int, int]) -> Exif:
    """EXIF of a photo about its camera; empty if the photo is not there."""
    path, limits = path_inside(folder, name), ImagesConfig()
    try:
        check_file_size(path, "image", limits)
        with open_image(path, with_pixels=False) as image:
            exif = read_exif(image)
    except Exception:  # Pillow raises many kinds of errors on broken files
        return {}
    focal = focal_length_px(exif, *size)
    return exif if focal is None else {**exif, "focal_px": focal}


if __name__ == "__main__":
    run(
        main, "sfm_dir image_dir pairs features matches", optional="image_list",
        flags="skip_geometric_verification verbose", numbers="min_match_score",
        texts="camera_mode",
    )  # fmt: skip
