"""What ``hloc-lite localize`` writes and prints."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.evaluation.metrics import merge_conditions
from hloc_lite.evaluation.names import align_names
from hloc_lite.evaluation.photos import photo_loader
from hloc_lite.evaluation.report import report_file, require_report_extra, write_report
from hloc_lite.evaluation.report_input import report_input_from_results
from hloc_lite.formats.hloc_lists import check_names, pose_line, write_poses
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.outputs import check_writable
from hloc_lite.io.results import write_results_jsonl
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.georeference import Georeference
from hloc_lite.types import Camera, LocalizationResult, Rigid3

SHOWN_FAILURES = 10


@dataclass(frozen=True)
class Outputs:
    """Where results go; None: not wanted."""

    poses: Path | None
    jsonl: Path | None
    report: Path | None
    conditions: Mapping[str, Mapping[str, Rigid3]]
    """Condition -> true poses, for the report."""
    map_images: Path | None
    names: str
    """full, basename or parent."""
    geopose: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All that will be written."""
        page = None if self.report is None else report_file(self.report)
        return [path for path in (self.poses, self.jsonl, page, self.geopose) if path]

    @property
    def progress_file(self) -> Path | None:
        """Beside the poses, while a run is under way."""
        return None if self.poses is None else self.poses.with_name(f".{self.poses.name}.progress")


def shown_name(name: str, style: str) -> str:
    """The name in a poses file: whole, its last part, or its last two parts."""
    keep = {"full": 0, "basename": -1, "parent": -2}[style]
    return "/".join(name.split("/")[keep:])


def check_outputs(outputs: Outputs, queries: Collection[str]) -> None:
    """Refuse what could not be written for these queries, before they are localized.

    Raises:
        HlocLiteError: a file that cannot be written, one for two things, names that stand for
            several queries, true poses of other queries, no folder of map images.
    """
    if outputs.report is not None:
        require_report_extra()
    for path in outputs.files:
        check_writable(path)
    if len({path.resolve() for path in outputs.files}) < len(outputs.files):
        raise ConfigError(
            f"two outputs are both {outputs.files[0]}: give -o, --jsonl, --geopose and --report "
            f"different files"
        )
    if outputs.map_images is not None and not outputs.map_images.is_dir():
        raise ConfigError(f"--map-images {outputs.map_images}: there is no such folder")
    if outputs.poses is not None:
        shown = Counter(shown_name(name, outputs.names) for name in queries)
        twice = [name for name, count in shown.items() if count > 1]
        if twice:
            raise ConfigError(
                f"--names {outputs.names}: {len(twice)} names would stand for several queries, "
                f"first {twice[0]!r}; use --names full"
            )
    if outputs.conditions:
        align_names(queries, merge_conditions(outputs.conditions))


def names_left_out(outputs: Outputs, queries: Collection[str]) -> dict[str, HlocLiteError]:
    """The queries whose names the poses file cannot hold, and why."""
    found: dict[str, HlocLiteError] = {}
    for name in queries if outputs.poses is not None else ():
        try:
            check_names([shown_name(name, outputs.names)])
        except HlocLiteError as error:
            found[name] = error
    return found


def write_outputs(
    outputs: Outputs,
    results: Sequence[LocalizationResult],
    localizer: Localizer,
    query_root: Path,
    cameras: Mapping[str, Camera | None],
    georeference: Georeference | None = None,
) -> None:
    """The files that were asked for; ``georeference`` is needed for those of GeoPoses."""
    if outputs.poses is not None:
        found = ((r, r.pose.cam_from_world if r.pose else r.fallback) for r in results)
        poses = {shown_name(r.query_name, outputs.names): pose for r, pose in found if pose}
        write_poses(outputs.poses, poses)
    if outputs.jsonl is not None:
        write_results_jsonl(outputs.jsonl, results)
    if outputs.geopose is not None and georeference is not None:
        write_text_atomic(outputs.geopose, "".join(geopose_lines(results, georeference)))
    if outputs.report is not None:
        _write_report(outputs.report, outputs, results, localizer, query_root, cameras)


def geopose_lines(
    results: Sequence[LocalizationResult], georeference: Georeference
) -> Iterator[str]:
    """A JSON line with ``name`` and the OGC Basic-Quaternion GeoPose of each photo that was
    localized: camera x forward, y left, z up, turned to east, north, up."""
    for result in results:
        if result.pose is not None:
            geopose = georeference.geopose(result.pose.cam_from_world)
            yield json.dumps({"name": result.query_name, **geopose}) + "\n"


def _write_report(
    target: Path,
    outputs: Outputs,
    results: Sequence[LocalizationResult],
    localizer: Localizer,
    query_root: Path,
    cameras: Mapping[str, Camera | None],
) -> None:
    config, place = localizer.config, localizer.map
    recorded = place.report.get("images_folder")
    map_images = outputs.map_images or (None if recorded is None else Path(recorded))
    load_query = photo_loader(query_root, config.images)

    def again(name: str) -> LocalizationResult | None:
        """The few queries that are shown: once more, for their correspondences."""
        photo = load_query(name) if name in cameras else None  # else: in the truth alone
        return None if photo is None else localizer.localize(photo, cameras.get(name), name=name)

    report = report_input_from_results(
        results,
        title=f"Localization of {len(results)} queries",
        conditions=outputs.conditions or None,
        model=localizer.model,
        load_query_photo=load_query,
        load_map_photo=photo_loader(map_images, config.images),
        load_labels=localizer.predict_labels,
        config=config.model_dump(),
        versions={
            name: f"sha256 {digest[:16]}"
            for each in localizer.maps
            for name, digest in each.weights.items()
        },
    )
    click.echo(f"report: {write_report(target, replace(report, load_result=again))}")


def print_single(result: LocalizationResult) -> None:
    """One photo: its pose as a line of a poses file, what goes with it as '#' comments."""
    total = result.timings_ms.get("total", 0)
    click.echo(f"# {result.query_name}: {result.status}: {result.reason} ({total:.0f} ms)")
    if result.skipped:
        click.echo(f"# not done within the time allowed: {', '.join(result.skipped)}")
    if result.pose is None:
        if result.fallback is not None:
            click.echo(f"# pose of the most similar map image {result.fallback_name!r}, borrowed:")
            click.echo(pose_line(result.query_name, result.fallback))
        return
    pose, camera = result.pose, result.pose.camera
    if result.confidence is not None:
        click.echo(f"# confidence: right with probability {result.confidence:.2f}")
    if pose.covariance is not None:
        angle = float(np.degrees(np.sqrt(np.trace(pose.covariance[:3, :3]))))
        position = float(np.sqrt(np.trace(pose.covariance[3:, 3:])))
        click.echo(f"# one sigma: position {position:.3g} map units, rotation {angle:.3g} deg")
    else:
        click.echo("# one sigma: unknown: the inliers leave a direction of the pose open")
    parameters = " ".join(f"{value:.6g}" for value in camera.params)
    click.echo(f"# camera: {camera.model} {camera.width} {camera.height} {parameters}")
    center = " ".join(f"{value:.6g}" for value in pose.cam_from_world.center)
    click.echo(f"# camera centre in the map: {center}")
    click.echo("# name qw qx qy qz tx ty tz (cam_from_world)")
    click.echo(pose_line(result.query_name, pose.cam_from_world))


def print_summary(results: Sequence[LocalizationResult], output: Path | None) -> None:
    """Many queries: how many of each status, and the first failures with their reasons."""
    counts = Counter(str(result.status) for result in results)
    parts = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    totals = [result.timings_ms.get("total", 0) for result in results]
    click.echo(f"{output}: {len(results)} queries: {parts}; median {np.median(totals):.0f} ms")
    failed = [result for result in results if result.pose is None]
    for result in failed[:SHOWN_FAILURES]:
        click.echo(f"  {result.query_name}: {result.status}: {result.reason}")
    if len(failed) > SHOWN_FAILURES:
        click.echo(f"  and {len(failed) - SHOWN_FAILURES} more (all of them with --jsonl FILE)")
