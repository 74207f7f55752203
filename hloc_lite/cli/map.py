"""``hloc-lite map``: photos -> map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hloc_lite.cli.options import (
    config_options,
    labels_option,
    nested,
    resumes,
    runtime_options,
    show_progress,
    source_named,
)
from hloc_lite.config import PROFILES, load_config
from hloc_lite.errors import ConfigError
from hloc_lite.registry import SEGMENTERS

if TYPE_CHECKING:
    from hloc_lite.scene import SfmModel


@click.command("map")
@click.argument("images", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(), required=True, help="Folder of the map.")
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="COLMAP model with known poses (.bin or .txt, points optional), or a finished MAP: "
    "triangulate only.",
)
@click.option("--image-list", type=click.Path(path_type=Path), help="Use only these names.")
@click.option(
    "--cameras",
    "cameras_file",
    type=click.Path(path_type=Path),
    help="Known intrinsics: lines 'NAME MODEL W H params...'.",
)
@click.option(
    "--masks", type=click.Path(path_type=Path), help="Folder of masks NAME.png, black = ignored."
)
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="balanced",
    show_default=True,
    help="Features, matcher and sizes that go together.",
)
@click.option("--features", help="Local features, e.g. aliked-n16, disk, xfeat, rootsift.")
@click.option("--matcher", help="auto, mutual-nn, lightglue-aliked, ...")
@click.option("--retrieval", help="Global descriptor, e.g. netvlad-lite0.")
@click.option(
    "--pairs", help="exhaustive | retrieval:K | covisible:K | poses:K | sequential:K | FILE."
)
@click.option(
    "--mapper",
    type=click.Choice(["incremental", "global"]),
    help="Structure from motion image by image, or all at once.  [default: incremental]",
)
@labels_option
@click.option("--overwrite", is_flag=True, help="Replace what other settings left in the output.")
@click.option("--keep-work", is_flag=True, help="Keep features and matches of all images.")
@config_options
@runtime_options
def command(
    images: Path,
    output: str,
    reference: Path | None,
    image_list: Path | None,
    cameras_file: Path | None,
    masks: Path | None,
    profile: str,
    features: str | None,
    matcher: str | None,
    retrieval: str | None,
    pairs: str | None,
    mapper: str | None,
    labels: str | None,
    overwrite: bool,
    keep_work: bool,
    config_file: Path | None,
    settings: tuple[str, ...],
    device: str,
    offline: bool,
) -> None:
    """Build a map from the photos in IMAGES (all images below that folder).

    A run that was killed resumes when the same command is given again.
    """
    if reference is not None and cameras_file is not None:
        raise ConfigError("--reference has the cameras already: leave --cameras away")
    if reference is not None and mapper is not None:
        raise ConfigError(
            "--reference gives the poses, so no mapper runs: leave --mapper away, or --reference"
        )
    from hloc_lite.formats.hloc_lists import read_image_list, read_queries
    from hloc_lite.io.weights import WeightsStore
    from hloc_lite.mapping.build import build_map
    from hloc_lite.mapping.run import MapInputs

    overrides = nested(
        {
            "features.name": features,
            "matching.name": matcher,
            "retrieval.name": retrieval,
            "pairs.spec": pairs,
            "mapping.mapper": mapper,
            "semantics.source": source_named(labels, "--labels", SEGMENTERS),
        }
    )
    config = load_config(profile, config_file, settings, overrides)
    inputs = MapInputs(
        reference=None if reference is None else _known_poses(reference),
        cameras=None if cameras_file is None else read_queries(cameras_file),
        masks=masks,
        names=None if image_list is None else read_image_list(image_list),
    )
    resumes()
    built = build_map(
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
    _print_summary(Path(output), built.report)


def _known_poses(folder: Path) -> SfmModel:
    """The COLMAP model in a folder, or that of the map in it."""
    from hloc_lite.formats.colmap import read_model
    from hloc_lite.maps.map import Map

    return Map.open(folder).model if (folder / "map.json").is_file() else read_model(folder)


def _print_summary(output: Path, report: Mapping[str, Any]) -> None:
    left_out = {n: i for n, i in report["images"].items() if "reason" in i}
    error = report["mean_reprojection_error_px"]
    click.echo(
        f"{output}: {report['registered']} of {report['images_given']} images registered, "
        f"{report['points']} points, tracks of {report['mean_track_length']:.1f}"
        + (f", reprojection error {error:.2f} px" if error is not None else "")
    )
    for name, image in list(left_out.items())[:10]:
        what = "no points" if image["registered"] else "not registered"
        click.echo(f"  {what}: {name}: {image['reason']}")
    if len(left_out) > 10:
        click.echo(f"  and {len(left_out) - 10} more, see {output / 'report.json'}")
    if "landmarks" in report:
        counts = report["landmarks"]
        click.echo(f"  labels: {counts['labelled']} of {counts['landmarks']} points have one")
    times = ", ".join(f"{stage} {s:.1f} s" for stage, s in report["timings_s"].items())
    click.echo(f"  {times}")
