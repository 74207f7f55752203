"""Files written by ``hloc-lite localize``, and the checks before the run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hloc_lite.cli.options import note, say
from hloc_lite.cli.queries import QuerySet
from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.evaluation.metrics import merge_conditions
from hloc_lite.evaluation.names import align_names
from hloc_lite.evaluation.photos import photo_loader
from hloc_lite.evaluation.report import report_file, require_report_extra, write_report
from hloc_lite.evaluation.report_input import ReportInput, report_input_from_results
from hloc_lite.evaluation.thresholds import (
    MAP_UNITS,
    WITHOUT_UNIT,
    DistanceUnit,
    parse_thresholds,
)
from hloc_lite.formats.hloc_lists import check_names, write_poses
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.io.outputs import check_not_read, check_writable
from hloc_lite.io.results import write_results_jsonl
from hloc_lite.io.versions import software_versions
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.georeference import Georeference
from hloc_lite.types import Camera, LocalizationResult, Rigid3


@dataclass(frozen=True)
class Outputs:
    """Files to write; None for those that are not requested."""

    poses: Path | None
    jsonl: Path | None
    report: Path | None
    conditions: Mapping[str, Mapping[str, Rigid3]]
    """Condition -> image name -> true cam_from_world, for the report."""
    map_images: Path | None
    """Folder of the map images, for the report."""
    names: str
    """Names in the poses file: full, basename or parent."""
    geopose: Path | None = None

    @property
    def files(self) -> list[Path]:
        """Files to write."""
        page = None if self.report is None else report_file(self.report)
        return [path for path in (self.poses, self.jsonl, page, self.geopose) if path]

    @property
    def progress_file(self) -> Path | None:
        """File beside the poses that keeps the results of an unfinished run."""
        return None if self.poses is None else self.poses.with_name(f".{self.poses.name}.progress")

    def shown_name(self, query_name: str) -> str:
        """Name of a query in the poses file: whole, or its last one or two parts."""
        start = {"full": 0, "basename": -1, "parent": -2}[self.names]
        return "/".join(query_name.split("/")[start:])


def check_queries(
    cameras: Mapping[str, Camera | None],
    images: Path | None,
    outputs: Outputs,
    inputs: Sequence[Path],
    folders: Sequence[Path],
) -> QuerySet:
    """Check all names and output files before anything is computed.

    Args:
        cameras: query name -> intrinsics.
        images: folder of the queries; None for single photos.
        outputs: files to write.
        inputs: files that the command reads, besides the photos.
        folders: folders of the maps.

    Raises:
        HlocLiteError: an output cannot be written, or would overwrite an input; or the poses file
            cannot store the name of a single photo, or that of any query.
    """
    queries = QuerySet(images, cameras, _unwritable_names(outputs, cameras))
    first_error = next(iter(queries.rejected.values()), None)
    if first_error is not None and (images is None or not queries.accepted):
        raise first_error
    _check_outputs(outputs, queries.accepted)
    check_not_read(outputs.files, [*queries.files, *inputs], folders)
    if first_error is not None:
        count = f"{len(queries.rejected)} of {len(cameras)} queries"
        note(f"left out: {count}: {first_error}")
    return queries


def _unwritable_names(outputs: Outputs, queries: Collection[str]) -> dict[str, HlocLiteError]:
    """Find queries whose names the poses file cannot store: name -> error."""
    errors: dict[str, HlocLiteError] = {}
    for name in queries if outputs.poses is not None else ():
        try:
            check_names([outputs.shown_name(name)])
        except HlocLiteError as error:
            errors[name] = error
    return errors


def _check_outputs(outputs: Outputs, queries: Collection[str]) -> None:
    """Check that the results of these queries can be written.

    Raises:
        HlocLiteError: a file cannot be written, two outputs are the same file, two queries get the
            same name, the true poses are of other queries, or the folder of map images is missing.
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
        shown = Counter(outputs.shown_name(name) for name in queries)
        shared = [name for name, count in shown.items() if count > 1]
        if shared:
            raise ConfigError(
                f"--names {outputs.names}: several queries would share a name ({len(shared)} such "
                f"names, first {shared[0]!r}); use --names full"
            )
    if outputs.conditions:
        align_names(queries, merge_conditions(outputs.conditions))


def write_outputs(
    outputs: Outputs,
    results: Sequence[LocalizationResult],
    localizer: Localizer,
    queries: QuerySet,
    options: Mapping[str, Any],
) -> None:
    """Write the requested files; ``options`` are those of ``Localizer.localize``."""
    if outputs.poses is not None:
        found = ((r, r.pose.cam_from_world if r.pose else r.fallback) for r in results)
        poses = {outputs.shown_name(r.query_name): pose for r, pose in found if pose}
        write_poses(outputs.poses, poses)
    if outputs.jsonl is not None:
        write_results_jsonl(outputs.jsonl, results)
    georeference = localizer.map.georeference
    if outputs.geopose is not None and georeference is not None:
        write_text_atomic(outputs.geopose, "".join(_geopose_lines(results, georeference)))
    if outputs.report is not None:
        report = _report_input(outputs, results, localizer, queries, options)
        say(f"report: {write_report(outputs.report, report)}")


def _geopose_lines(
    results: Sequence[LocalizationResult], georeference: Georeference
) -> Iterator[str]:
    """Yield a JSON line per localized query: its ``name`` and OGC Basic-Quaternion GeoPose.

    The quaternion turns the camera's axes x forward, y left, z up to east, north, up.
    """
    for result in results:
        if result.pose is not None:
            geopose = georeference.geopose(result.pose.cam_from_world)
            yield json.dumps({"name": result.query_name, **geopose}) + "\n"


def _report_input(
    outputs: Outputs,
    results: Sequence[LocalizationResult],
    localizer: Localizer,
    queries: QuerySet,
    options: Mapping[str, Any],
) -> ReportInput:
    config, sfm_map = localizer.config, localizer.map
    map_photos = sfm_map.photos
    if outputs.map_images is not None:
        map_photos = FolderSource(outputs.map_images, (), config.images)
    load_query = photo_loader(queries.source(config.images))

    def localize_again(name: str) -> LocalizationResult | None:
        """Localize a query shown as a picture again, for its correspondences."""
        # some names may be in the ground truth only
        photo = load_query(name) if name in queries.cameras else None
        if photo is None:
            return None
        return localizer.localize(photo, queries.cameras.get(name), name=name, **options)

    scale = sfm_map.metres_per_unit
    unit, thresholds = MAP_UNITS, parse_thresholds([WITHOUT_UNIT])
    if scale is not None:
        unit = DistanceUnit("m", 1 / scale)
        thresholds = parse_thresholds(["aachen"], metre=unit.length)
    report = report_input_from_results(
        results,
        title=f"Localization of {len(results)} queries",
        conditions=outputs.conditions or None,
        model=localizer.model,
        thresholds=thresholds,
        unit=unit,
        load_query_photo=load_query,
        load_map_photo=photo_loader(map_photos),
        surface=sfm_map.surface,
        load_labels=localizer.predict_labels,
        config=config.model_dump(),
        versions=software_versions()
        | {
            name: f"sha256 {digest[:16]}"
            for each in localizer.maps
            for name, digest in each.weights.items()
        },
    )
    return replace(report, load_result=localize_again)
