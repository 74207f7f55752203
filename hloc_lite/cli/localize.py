"""``hloc-lite localize``: photos -> camera poses in a map."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hloc_lite.cli.localize_usage import check_photos, check_usage, input_files
from hloc_lite.cli.options import (
    OutputFile,
    config_options,
    depth_option,
    labels_option,
    mark_resumable,
    max_wrong_option,
    nested_settings,
    parse_cue_source,
    runtime_options,
    show_progress,
    trust_option,
)
from hloc_lite.cli.prior import parse_prior, prior_options, require_georeference
from hloc_lite.config import PROFILES, load_config, query_profile
from hloc_lite.registry import DEPTH_MODELS, SEGMENTERS

if TYPE_CHECKING:
    from hloc_lite.cli.localize_files import Outputs
    from hloc_lite.cli.queries import QuerySet
    from hloc_lite.localize.localizer import Localizer
    from hloc_lite.types import LocalizationResult, Rigid3


@click.command("localize")
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--also",
    "extra_map_folders",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="MAP",
    help="Further map of the same images with other features (made by `hloc-lite map --reference "
    "MAP`), to match with as well. May be given several times.",
)
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the query images.")
@click.option(
    "--queries",
    "query_lists",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Query list with intrinsics, lines 'NAME MODEL W H params...', or a COLMAP database, "
    "kapture or other folder that names images with intrinsics. May be given several times.  "
    "[default: all images of the folder]",
)
@click.option(
    "--rig",
    type=click.Path(path_type=Path),
    help="Rig whose cameras took the photos: a COLMAP model or database with rigs and frames, or a "
    "rig_config.json. Photos of one time get one pose together, without confidence; others are "
    "localized alone.",
)
@click.option(
    "--camera",
    help="Intrinsics of PHOTOS: 'MODEL W H params...'.  [default: from EXIF, else estimated]",
)
@click.option("-o", "--output", type=OutputFile(), help="Poses file, one line per query.")
@click.option(
    "--jsonl",
    type=OutputFile(),
    help="File for the full results (status, confidence, counts, times), one JSON line per query.",
)
@click.option(
    "--geopose",
    type=OutputFile(),
    help="File for OGC GeoPoses, one JSON line per localized query; the map must be georeferenced.",
)
@click.option("--report", type=click.Path(path_type=Path), help="Folder for report.html.")
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    multiple=True,
    help="True poses to score in the report, one file per condition. May be given several times.",
)
@click.option(
    "--map-images",
    type=click.Path(path_type=Path),
    help="Folder of the map images, for the pictures of the report.  [default: where they were "
    "when the map was built]",
)
@click.option(
    "--names",
    type=click.Choice(["full", "basename", "parent"]),
    default="full",
    show_default=True,
    help="Names in the poses file: the whole path, the basename (for Aachen), or folder and "
    "basename (parent, for RobotCar).",
)
@click.option(
    "--fallback",
    type=click.Choice(["none", "retrieval"]),
    default="none",
    show_default=True,
    help="retrieval: a failed query gets the pose of the most similar map image, marked in "
    "--jsonl.",
)
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    help="Trade-off between speed and accuracy.  [default: that of the map's config]",
)
@click.option(
    "--budget-ms",
    type=click.FloatRange(min=0),
    help="Time per query (ms) after which no further matching step begins.",
)
@click.option(
    "--recalibrate",
    is_flag=True,
    help="Where the given intrinsics do not fit, use those that do instead of withholding the "
    "pose.",
)
@max_wrong_option
@prior_options
@trust_option
@labels_option
@depth_option
@config_options
@runtime_options
def command(
    map_folder: Path,
    photos: tuple[Path, ...],
    extra_map_folders: tuple[Path, ...],
    images: Path | None,
    query_lists: tuple[Path, ...],
    rig: Path | None,
    camera: str | None,
    output: Path | None,
    jsonl: Path | None,
    geopose: Path | None,
    report: Path | None,
    truth: tuple[Path, ...],
    map_images: Path | None,
    names: str,
    fallback: str,
    profile: str | None,
    budget_ms: float | None,
    recalibrate: bool,
    max_wrong: float | None,
    near: str | None,
    gps: str | None,
    trust: bool,
    labels: str | None,
    depth: str | None,
    config_file: Path | None,
    settings: tuple[str, ...],
    device: str,
    offline: bool,
) -> None:
    """Estimate the camera poses of photos in MAP.

    Give single PHOTOS, or a folder (--images), best with lists of intrinsics (--queries). The exit
    code is 1 if no photo could be localized.
    """
    single = {
        "--report": report is not None, "--fallback": fallback != "none",
        "--budget-ms": budget_ms is not None, "--recalibrate": recalibrate,
        "--max-wrong": max_wrong is not None,
    }  # fmt: skip
    check_usage(
        photos, images, query_lists, camera, output, report, truth, map_images, budget_ms, rig,
        for_single_photos=single,
    )  # fmt: skip
    check_photos(photos)  # before imports that take a second
    from hloc_lite.cli.localize_files import Outputs, check_queries
    from hloc_lite.cli.localize_text import print_results, warn_of_unused_settings
    from hloc_lite.cli.queries import read_queries
    from hloc_lite.evaluation.conditions import read_conditions
    from hloc_lite.io.weights import WeightsStore
    from hloc_lite.localize.localizer import Localizer
    from hloc_lite.maps.map import Map

    overrides = _overrides(profile, labels, depth, max_wrong, recalibrate=recalibrate)
    cameras, frames = read_queries(photos, images, query_lists, camera, rig)
    sfm_map = Map.open(map_folder, trust=trust)
    if geopose is not None:
        require_georeference(sfm_map, map_folder, "--geopose")
    prior = parse_prior(near, gps, sfm_map, map_folder)
    extra_maps = [Map.open(folder, trust=trust) for folder in extra_map_folders]
    config = load_config("balanced", config_file, settings, overrides, sfm_map.config)
    warn_of_unused_settings(config, sfm_map.config, budget_ms)
    conditions = read_conditions([str(file) for file in truth])
    outputs = Outputs(output, jsonl, report, conditions, map_images, names, geopose)
    inputs = input_files(query_lists, truth, config_file, rig)
    queries = check_queries(cameras, images, outputs, inputs, [map_folder, *extra_map_folders])
    store = WeightsStore(offline=offline)
    localizer = Localizer(sfm_map, config, extra_maps=extra_maps, weights=store, device=device)
    options = {"fallback": fallback == "retrieval", "prior": prior, "budget_ms": budget_ms}
    results = _localize(localizer, queries, frames, outputs, options)
    poses_file = output if images is not None else None
    print_results(results, config, poses_file, sfm_map.metres_per_unit)
    if not any(result.pose for result in results):
        sys.exit(1)


def _overrides(
    profile: str | None,
    labels: str | None,
    depth: str | None,
    max_wrong: float | None,
    *,
    recalibrate: bool,
) -> dict[str, Any]:
    """Config values of the options: section -> key -> value."""
    overrides = {} if profile is None else query_profile(profile)
    return overrides | nested_settings(
        {
            "semantics.source": parse_cue_source(labels, "--labels", SEGMENTERS),
            "depth.source": parse_cue_source(depth, "--depth", DEPTH_MODELS),
            "confidence.max_wrong": max_wrong,
            "localize.recalibrate": recalibrate or None,
        }
    )


def _localize(
    localizer: Localizer,
    queries: QuerySet,
    frames: Sequence[Mapping[str, Rigid3]],
    outputs: Outputs,
    options: Mapping[str, Any],
) -> list[LocalizationResult]:
    """Localize the queries and write the output files; ``options`` are those of every query.

    Args:
        frames: query name -> cam_from_rig of photos that a rig took at one time; none without rigs.
    """
    from hloc_lite.cli.localize_files import write_outputs
    from hloc_lite.io.image_sources import FolderSource
    from hloc_lite.localize.batch import exclusive, localize_all
    from hloc_lite.localize.rig_batch import localize_frames

    cameras, progress_file = queries.accepted, outputs.progress_file
    source = queries.source(localizer.config.images)
    if progress_file is not None:
        mark_resumable()
    with exclusive(progress_file):
        if frames and isinstance(source, FolderSource):
            kept = [{n: pose for n, pose in f.items() if n in cameras} for f in frames]
            localized = localize_frames(
                localizer, source, cameras, kept, progress_file, prior=options["prior"],
                progress=show_progress(),
            )  # fmt: skip
        else:
            localized = localize_all(
                localizer, source, cameras, progress_file, progress=show_progress(), **options
            )
        by_name = {result.query_name: result for result in localized}
        for name, error in queries.rejected.items():
            by_name[name] = localizer.unreadable(name, error)
        results = [by_name[name] for name in queries.cameras]
        write_outputs(outputs, results, localizer, queries, options)
        if progress_file is not None:
            progress_file.unlink(missing_ok=True)
    return results
