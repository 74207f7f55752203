"""``hloc-lite localize``: photos -> camera poses in a map."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import click

from hloc_lite.cli.options import (
    config_options,
    depth_option,
    labels_option,
    nested,
    resumes,
    runtime_options,
    show_progress,
    source_named,
)
from hloc_lite.cli.prior import needed_georeference, prior_of, prior_options
from hloc_lite.cli.queries import queries_of
from hloc_lite.config import load_config, query_profile
from hloc_lite.errors import ConfigError
from hloc_lite.registry import DEPTH_MODELS, SEGMENTERS


@click.command("localize")
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--also",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A map of the same images and poses with other features (map --reference MAP), to match "
    "with as well. May be given several times.",
)
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the query images.")
@click.option(
    "--queries",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Queries with intrinsics: lines 'NAME MODEL W H params...'. May be given several times; "
    "without, all of --images.",
)
@click.option(
    "--camera", help="Intrinsics of single PHOTOS: 'MODEL W H params...'. Without: EXIF, estimated."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Poses, a line per query.")
@click.option("--jsonl", type=click.Path(path_type=Path), help="All that is known of each query.")
@click.option(
    "--geopose",
    type=click.Path(path_type=Path),
    help="Poses on Earth (OGC GeoPose), a JSON line each; the map must be georeferenced.",
)
@click.option("--report", type=click.Path(path_type=Path), help="Folder for report.html.")
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    multiple=True,
    help="True poses, scored in the report; one file a condition.",
)
@click.option(
    "--map-images", type=click.Path(path_type=Path), help="Images of the map, for the report."
)
@click.option(
    "--names",
    type=click.Choice(["full", "basename", "parent"]),
    default="full",
    show_default=True,
    help="Names in the poses file: Aachen wants basenames, RobotCar its folder too (parent).",
)
@click.option(
    "--fallback",
    type=click.Choice(["none", "retrieval"]),
    default="none",
    show_default=True,
    help="retrieval: failed queries get the pose of the best retrieved image, marked in --jsonl.",
)
@click.option(
    "--profile",
    type=click.Choice(["fast", "balanced", "accurate"]),
    help="How far to go for a pose. Without: as the map's maker chose.",
)
@click.option(
    "--budget-ms",
    type=click.FloatRange(min=0),
    help="Wall time of a query after which nothing more is tried to make its pose surer.",
)
@prior_options
@labels_option
@depth_option
@config_options
@runtime_options
def command(
    map_folder: Path,
    photos: tuple[Path, ...],
    also: tuple[Path, ...],
    images: Path | None,
    queries: tuple[Path, ...],
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
    near: str | None,
    gps: str | None,
    labels: str | None,
    depth: str | None,
    config_file: Path | None,
    settings: tuple[str, ...],
    device: str,
    offline: bool,
) -> None:
    """Find where photos were taken, in MAP.

    Either single PHOTOS, or a folder (--images) with a list of intrinsics (--queries). Exit code 1:
    the run went well but no photo could be localized.
    """
    if bool(photos) == (images is not None):
        raise ConfigError("give either PHOTOS or --images DIR (with --queries), not both")
    if queries and images is None:
        raise ConfigError("--queries needs --images DIR, the folder its names are relative to")
    if images is not None and output is None:
        raise ConfigError("--images needs -o POSES.txt to write to")
    if camera is not None and images is not None:
        raise ConfigError("--camera is for single PHOTOS; give those of a folder with --queries")
    if report is None and (truth or map_images is not None):
        raise ConfigError(
            "--truth and --map-images go into the --report, which was not asked for; to score a "
            "poses file alone: hloc-lite evaluate POSES TRUTH"
        )
    from hloc_lite.cli.localize_output import (
        Outputs,
        check_outputs,
        names_left_out,
        print_single,
        print_summary,
        write_outputs,
    )
    from hloc_lite.evaluation.conditions import parse_condition_file, read_conditions
    from hloc_lite.io.image_sources import FolderSource
    from hloc_lite.io.outputs import check_not_read
    from hloc_lite.io.weights import WeightsStore
    from hloc_lite.localize.batch import exclusive, localize_all
    from hloc_lite.localize.compatibility import (
        keys_without_effect,
        keys_without_source,
        unused_sources,
    )
    from hloc_lite.localize.localizer import Localizer
    from hloc_lite.maps.map import Map

    overrides = {} if profile is None else query_profile(profile)
    overrides |= nested(
        {
            "semantics.source": source_named(labels, "--labels", SEGMENTERS),
            "depth.source": source_named(depth, "--depth", DEPTH_MODELS),
        }
    )
    if budget_ms is not None and math.isnan(budget_ms):
        raise ConfigError("--budget-ms: expected milliseconds, 0 or more, got nan")
    place = Map.open(map_folder)
    georeference = None if geopose is None else needed_georeference(place, map_folder, "--geopose")
    prior = prior_of(near, gps, place, map_folder)
    further = [Map.open(folder) for folder in also]
    config = load_config(
        file=config_file, settings=settings, overrides=overrides, base=place.config
    )
    idle = keys_without_effect(config, place.config)
    if idle:
        click.echo(
            f"without effect on queries, only on building a map: {', '.join(idle)}", err=True
        )
    idle = keys_without_source(config, place.config)
    if idle:
        click.echo(
            f"without effect, as no labels or depths are asked for (--labels, --depth): "
            f"{', '.join(idle)}",
            err=True,
        )
    if budget_ms is not None and config.localize.matching != "cascade":
        click.echo(
            f"without effect: --budget-ms, as localize.matching is {config.localize.matching}, "
            f"which has but one step",
            err=True,
        )
    cameras = queries_of(photos, images, queries, camera)
    root = images or Path()
    truth_files = [str(path) for path in truth]
    outputs = Outputs(
        output, jsonl, report, read_conditions(truth_files), map_images, names, geopose
    )
    left_out = names_left_out(outputs, cameras)
    todo = {name: camera for name, camera in cameras.items() if name not in left_out}
    first = next(iter(left_out.values()), None)
    if first is not None and (images is None or not todo):
        raise first
    # now, and not when all has been computed
    check_outputs(outputs, todo)
    inputs = [*(root / name for name in cameras), *queries]
    inputs += [parse_condition_file(file)[1] for file in truth_files]
    inputs += [] if config_file is None else [config_file]
    check_not_read(outputs.files, inputs, [map_folder, *also])
    if first is not None:
        click.echo(f"left out: {len(left_out)} of {len(cameras)} queries: {first}", err=True)
    store = WeightsStore(offline=offline)
    localizer = Localizer(place, config, extra_maps=further, weights=store, device=device)
    if outputs.progress_file is not None:
        resumes()
    with exclusive(outputs.progress_file):
        found = localize_all(
            localizer,
            FolderSource(root, tuple(todo), config.images),
            todo,
            outputs.progress_file,
            fallback=fallback == "retrieval",
            prior=prior,
            budget_ms=budget_ms,
            progress=show_progress(),
        )
        done = {result.query_name: result for result in found}
        done |= {name: localizer.unreadable(name, error) for name, error in left_out.items()}
        results = [done[name] for name in cameras]
        write_outputs(outputs, results, localizer, root, cameras, georeference)
        if outputs.progress_file is not None:
            outputs.progress_file.unlink(missing_ok=True)
    if images is not None:
        print_summary(results, output)
    for result in results if images is None else ():
        print_single(result)
    for line in unused_sources(results, config):
        click.echo(line, err=True)
    if not any(result.pose for result in results):
        sys.exit(1)
