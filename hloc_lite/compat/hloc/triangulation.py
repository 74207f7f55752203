"""hloc's ``triangulation``: matches and known poses -> SfM model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hloc_lite.compat.hloc.command_line import run
from hloc_lite.compat.hloc.inputs import model_of
from hloc_lite.compat.hloc.outputs import finish_model, images_of_model, write_sfm_database
from hloc_lite.compat.hloc.settings import mapper_settings
from hloc_lite.compat.hloc.sfm_inputs import read_sfm_inputs
from hloc_lite.config import load_config
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.mappers import triangulate
from hloc_lite.formats.colmap.model_rigs import rigs_of_model
from hloc_lite.mapping.given_matches import (
    Verify,
    all_of_them,
    by_poses,
    by_two_views,
    verified_pairs,
)
from hloc_lite.scene import SfmModel

logger = logging.getLogger(__name__)


def main(
    sfm_dir: Path | str,
    reference_model: Any,
    image_dir: Path | str,
    pairs: Path | str,
    features: Path | str,
    matches: Path | str,
    skip_geometric_verification: bool = False,
    estimate_two_view_geometries: bool = False,
    min_match_score: float | None = None,
    verbose: bool = False,
    mapper_options: Mapping[str, Any] | None = None,
) -> Any:
    """Triangulate points from given matches, with the poses of a reference model.

    Args:
        sfm_dir: folder for the model and its database.
        reference_model: model with poses and intrinsics; its points are ignored.
        image_dir: folder of the photos, for colours.
        pairs: list of pairs.
        features: file of features.
        matches: file of matches.
        skip_geometric_verification: take all matches as they are.
        estimate_two_view_geometries: verify matches without the poses.
        min_match_score: least score of a match.
        verbose: log steps.
        mapper_options: only ``num_threads`` is used; others are warned of.

    Returns:
        ``pycolmap.Reconstruction`` with the new points.

    Raises:
        FormatError: an image or pair that the files lack, or photos of another size than the
            cameras of the model.
        MappingError: nothing could be triangulated.
    """
    reference = model_of(reference_model)
    config = load_config(overrides={"mapping": mapper_settings(mapper_options)})
    names = [image.name for image in reference.images]
    inputs = read_sfm_inputs(Path(features), Path(matches), Path(pairs), names, min_match_score)
    _check_sizes(reference, inputs.sizes)
    verify: Verify = by_poses(reference, inputs.keypoints, config.geometry)
    if skip_geometric_verification:
        verify = all_of_them
    elif estimate_two_view_geometries:
        id_of = {image.name: image.camera_id for image in reference.images}
        verify = by_two_views((reference.cameras, id_of), inputs.keypoints, config.geometry)
    found = verified_pairs(inputs.matches(), verify, "given")
    usable = [(pair, view) for pair, view in found.two_views.items() if len(view.inliers)]
    model = triangulate(reference, inputs.keypoints, usable, config.mapping)
    sfm = Path(sfm_dir)
    write_sfm_database(
        sfm, images_of_model(reference), inputs.keypoints, inputs.matches(), found,
        rigs_of_model(reference),
    )  # fmt: skip
    logger.info("%d points of %d images", model.num_points, len(model.images))
    return finish_model(sfm, model, Path(image_dir), inputs.keypoints)


def _check_sizes(reference: SfmModel, sizes: Mapping[str, tuple[int, int]]) -> None:
    """Refuse photos of another size than their camera: keypoints are in pixels of the photos."""
    for image in reference.images:
        camera = reference.cameras[image.camera_id]
        size = sizes.get(image.name, (camera.width, camera.height))
        if size != (camera.width, camera.height):
            raise FormatError(
                f"{image.name!r} has {size[0]} x {size[1]} pixels, its camera in the model "
                f"{camera.width} x {camera.height}: use photos of the size of the model"
            )


if __name__ == "__main__":
    run(
        main, "sfm_dir reference_model image_dir pairs features matches",
        flags="skip_geometric_verification estimate_two_view_geometries verbose",
        numbers="min_match_score",
    )  # fmt: skip
