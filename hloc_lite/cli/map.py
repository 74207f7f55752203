"""``hloc-lite map``: photos -> map."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.map_depth import check_depth_usage, surface_inputs, with_depth
from hloc_lite.cli.map_given import (
    GivenSource,
    features_name,
    from_options,
    given_source,
    map_given,
)
from hloc_lite.cli.map_inputs import read_inputs
from hloc_lite.cli.map_text import print_summary
from hloc_lite.cli.options import (
    RegistryOption,
    config_options,
    labels_option,
    mark_resumable,
    nested_settings,
    parse_cue_source,
    reference_kind_option,
    runtime_options,
    show_progress,
)
from hloc_lite.config import PROFILES, load_config
from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.registry import FEATURES, GLOBAL_DESCRIPTORS, MATCHERS, SEGMENTERS

if TYPE_CHECKING:
    from hloc_lite.maps.map import Map

logger = logging.getLogger(__name__)


@click.command("map")
@click.argument("images", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--output", type=click.Path(), required=True, help="Folder of the map.")
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="Known poses, which are kept, so that only points are triangulated: a COLMAP model "
    "(points optional), an existing MAP, or a file or folder of kapture, LaMAR, nerfstudio, "
    "instant-ngp, NVM, Bundler, 7-Scenes, 12-Scenes, Cambridge Landmarks, 4Seasons, RIO10, EuRoC, "
    "KITTI, 3D Scanner App or Stray Scanner. Lists 'NAME qw qx qy qz tx ty tz', TUM RGB-D and "
    "SILDa also need --cameras.",
)
@reference_kind_option
@click.option(
    "--metric",
    is_flag=True,
    help="The units of --reference are metres: poses are then judged by metres instead of by "
    "their share of the distance of what they see.",
)
@click.option(
    "--image-list",
    type=click.Path(path_type=Path),
    help="File with the names of the images to use, one per line.  [default: all]",
)
@click.option(
    "--cameras",
    "cameras_file",
    type=click.Path(path_type=Path),
    help="File with known intrinsics, lines 'NAME MODEL W H params...' (NAME * for all other "
    "photos), a COLMAP database, or any other kind that --reference takes.",
)
@click.option(
    "--masks",
    type=click.Path(path_type=Path),
    help="Folder of masks NAME.png; black pixels are ignored.",
)
@click.option(
    "--depth",
    type=click.Path(path_type=Path),
    help="Measured depth of the photos, in the units of --reference: a folder of depth images "
    "named after them, or a recording (transforms.json, kapture, LaMAR, Stray Scanner, TUM RGB-D). "
    "Keypoints with depth become landmarks directly.",
)
@click.option(
    "--depth-camera",
    help="Camera of the depth images, if they do not lie over the photos: a TOML file with its "
    "intrinsics and pose, or 7scenes.",
)
@click.option(
    "--surface",
    type=click.Path(path_type=Path),
    help="Laser scan, point cloud or mesh in the frame and unit of --reference: a file .ply, .ptx "
    "or .e57, or a folder of scans. It gives the photos depth, and becomes the map's surface.",
)
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="balanced",
    show_default=True,
    help="Preset of features, matcher and image size.",
)
@click.option("--features", cls=RegistryOption, table=FEATURES, help="Local features:")
@click.option("--matcher", cls=RegistryOption, table=MATCHERS, help="Matcher: auto,")
@click.option(
    "--retrieval", cls=RegistryOption, table=GLOBAL_DESCRIPTORS, help="Global descriptor:"
)
@click.option(
    "--pairs",
    help="Image pairs to match: exhaustive | retrieval:K | covisible:K | poses:K | sequential:K | "
    "none | FILE.",
)
@click.option(
    "--mapper",
    type=click.Choice(["incremental", "global"]),
    help="Structure-from-motion method.  [default: incremental]",
)
@labels_option
@from_options
@click.option(
    "--overwrite", is_flag=True, help="Replace results of other settings in the output folder."
)
@click.option(
    "--keep-work",
    is_flag=True,
    help="Keep the features and matches of all images, in the subfolder work.",
)
@config_options
@runtime_options
def command(
    images: Path | None,
    output: str,
    reference: Path | None,
    reference_kind: str | None,
    metric: bool,
    image_list: Path | None,
    cameras_file: Path | None,
    masks: Path | None,
    depth: Path | None,
    depth_camera: str | None,
    surface: Path | None,
    profile: str,
    features: str | None,
    matcher: str | None,
    retrieval: str | None,
    pairs: str | None,
    mapper: str | None,
    labels: str | None,
    from_hloc: Path | None,
    from_colmap: Path | None,
    from_kapture: Path | None,
    hloc_model: Path | None,
    hloc_features: Path | None,
    hloc_matches: Path | None,
    hloc_global: Path | None,
    overwrite: bool,
    keep_work: bool,
    config_file: Path | None,
    settings: tuple[str, ...],
    device: str,
    offline: bool,
) -> None:
    """Build a map from the photos in the folder IMAGES.

    Photos in its subfolders are included. Run the same command again to resume an interrupted one.
    The exit code is 1 if cameras of the map are doubtful; the map is written all the same.
    """
    others = {
        "--reference": reference,
        "--cameras": cameras_file,
        "--masks": masks,
        "--depth": depth,
        "--surface": surface,
        "--image-list": image_list,
        "--matcher": matcher,
        "--pairs": pairs,
        "--mapper": mapper,
        "--labels": labels,
        "--keep-work": keep_work,
    }
    hloc_files = {
        "hloc_model": hloc_model,
        "hloc_features": hloc_features,
        "hloc_matches": hloc_matches,
        "hloc_global": hloc_global,
    }
    sources = {"from_hloc": from_hloc, "from_colmap": from_colmap, "from_kapture": from_kapture}
    given = given_source(sources, hloc_files, others, features)
    _check_usage(images, given, reference, mapper, metric=metric)
    check_depth_usage(depth, depth_camera, surface, reference)
    from hloc_lite.io.weights import WeightsStore
    from hloc_lite.mapping.build import build_map
    from hloc_lite.maps.surface_saving import replace_surface

    overrides = nested_settings(
        {
            "features.name": features if given is None else features_name(given),
            "matching.name": matcher,
            "retrieval.name": retrieval,
            "pairs.spec": pairs,
            "mapping.mapper": mapper,
            "semantics.source": parse_cue_source(labels, "--labels", SEGMENTERS),
        }
    )
    config = load_config(profile, config_file, settings, overrides)
    inputs = read_inputs(
        images, reference, cameras_file, masks, image_list, metric=metric, kind=reference_kind
    )
    if given is not None:
        sfm_map = map_given(
            given, images, Path(output), config, inputs=inputs, device=device, offline=offline,
            overwrite=overwrite, progress=show_progress(),
        )  # fmt: skip
        _finish(Path(output), sfm_map, device=device, offline=offline)
        return
    assert images is not None  # _check_usage has checked it
    if depth is not None:
        inputs = with_depth(inputs, depth, depth_camera, config.lifting)
    mark_resumable()
    with surface_inputs(inputs, surface) as (inputs, registered):
        sfm_map = build_map(
            images,
            config,
            inputs=inputs,
            output=output,
            weights=WeightsStore(offline=offline),
            device=device,
            overwrite=overwrite,
            keep_work=keep_work,
            progress=show_progress(),
        )
        if registered is not None:
            replace_surface(Path(output), registered, sfm_map.fingerprint)
    _finish(Path(output), sfm_map, device=device, offline=offline)


def _finish(folder: Path, sfm_map: Map, *, device: str, offline: bool) -> None:
    """Print a summary of a new map and calibrate it; exits with 1 if cameras are doubtful."""
    print_summary(folder, sfm_map.report)
    _calibrate(folder, sfm_map, device=device, offline=offline)
    if sfm_map.report.get("assessment", {}).get("doubtful", False):
        sys.exit(1)


def _calibrate(folder: Path, sfm_map: Map, *, device: str, offline: bool) -> None:
    """Calibrate a new map within its share of the mapping time; a failure leaves the map as is."""
    from hloc_lite.cli.calibrate import calibrate
    from hloc_lite.localize.stored_calibration import can_test_itself, seconds_for_test

    if not can_test_itself(sfm_map):
        return
    try:
        calibrate(folder, sfm_map, seconds_for_test(sfm_map), device=device, offline=offline)
    except HlocLiteError as error:
        logger.warning("the map is finished, but was not tested on its own photos: %s", error)


def _check_usage(
    images: Path | None,
    given: GivenSource | None,
    reference: Path | None,
    mapper: str | None,
    *,
    metric: bool,
) -> None:
    """Refuse options that do not go together."""
    if images is None and (given is None or given.option == "from_colmap"):
        raise ConfigError("give IMAGES, the folder of the photos to map")
    posed = given is not None and given.option != "from_colmap"
    if metric and reference is None and not posed:
        raise ConfigError(
            "--metric is about the units of known poses: give them with --reference. A map from "
            "photos alone has no scale; `hloc-lite georeference` gives it one from positions"
        )
    if reference is not None and mapper is not None:
        raise ConfigError(
            "--reference already has the poses, so no mapper runs: omit --mapper, or --reference"
        )
