"""Localizes queries with right, wrong and missing intrinsics.

    python -m pipelines.benchmarks.robustness.wrong_intrinsics CASE MAP [--metric] [--recalibrate]

CASE is a data set folder with queries, their intrinsics and true poses, MAP a map of it. Everything
before the pose is done once for each photo. A pose is wrong beyond 0.25 m and 2 degrees with
``--metric``, else beyond 5 % of the length in unit.txt and 2 degrees. Given are poses with a
confidence of ``--min-confidence``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import click
import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import load_config
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.errors import FormatError
from hloc_lite.geometry.camera_models import get_camera_model
from hloc_lite.geometry.cameras import focal_lengths, guess_camera, principal_point
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.images import read_photo
from hloc_lite.localize.intrinsics_check import pose_difference
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.map_matcher import MapMatcher
from hloc_lite.localize.query import ImageMatches
from hloc_lite.maps.map import Map
from hloc_lite.types import Camera, LocalizationResult, PoseEstimate, Rigid3
from pipelines.benchmarks.table import Table, results_option

FOCAL_MM = 29.0
"""Focal length of a usual lens in mm, given for one in pixels."""
METRIC_BOUND = 0.25
RELATIVE_BOUND = 0.05
ANGLE_BOUND_DEG = 2.0
FOCAL_TOLERANCE = 0.03
Change = Callable[[Camera], Camera]


def scaled(factor: float) -> Change:
    """Change of all focal lengths by a factor."""

    def change(camera: Camera) -> Camera:
        params = camera.params.copy()
        params[: get_camera_model(camera).num_focals] *= factor
        return replace(camera, params=params)

    return change


def in_mm(camera: Camera) -> Camera:
    """Camera with a focal length in mm."""
    return scaled(FOCAL_MM / float(focal_lengths(camera)[0]))(camera)


def swapped_center(camera: Camera) -> Camera:
    """Camera with cx and cy exchanged."""
    return _with_center(camera, *principal_point(camera)[::-1])


def zero_center(camera: Camera) -> Camera:
    """Camera with its principal point in the corner."""
    return _with_center(camera, 0.0, 0.0)


def as_fisheye(camera: Camera) -> Camera:
    """Fisheye without distortion of the same focal length."""
    params = [*focal_lengths(camera), *principal_point(camera), 0.0, 0.0, 0.0, 0.0]
    return Camera("OPENCV_FISHEYE", camera.width, camera.height, np.array(params))


def _with_center(camera: Camera, x: float, y: float) -> Camera:
    params, first = camera.params.copy(), get_camera_model(camera).num_focals
    params[first : first + 2] = x, y
    return replace(camera, params=params)


KINDS: Mapping[str, Change] = {
    "right": lambda camera: camera,
    "missing": lambda camera: guess_camera("SIMPLE_RADIAL", (camera.width, camera.height), {}),
    **{f"f x {factor:g}": scaled(factor) for factor in (0.5, 0.8, 0.95, 1.05, 1.25, 2.0)},
    "f in mm": in_mm,
    "cx, cy exchanged": swapped_center,
    "cx, cy = 0": zero_center,
    "fisheye": as_fisheye,
}
"""Kind of intrinsics -> how they are made of the right ones."""


@dataclass(frozen=True, eq=False)
class Answer:
    """Answer to one query with one kind of intrinsics."""

    is_refused: bool
    is_flagged: bool = False
    confidence: float = 0.0
    errors: tuple[float, float] | None = None
    """Errors of a given pose, map units and degrees."""
    sigmas: float = math.nan
    """Mahalanobis distance of its position from the truth."""
    focal_ratio: float = math.nan
    """Its focal length over the true one."""
    milliseconds: float = math.nan
    """Time of everything after matching."""


class RememberedMatches:
    """``MapMatcher`` that matches the same photo with the same images only once."""

    def __init__(self, matcher: MapMatcher) -> None:
        self._matcher, self._found = matcher, dict[object, Any]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._matcher, name)

    def match_images(self, features: Any, hits: Any) -> Any:
        """See ``MapMatcher.match_images``."""
        return self._remember("images", features, hits)

    def match_landmarks(self, features: Any, hits: Any) -> Any:
        """See ``MapMatcher.match_landmarks``."""
        return self._remember("landmarks", features, hits)

    def forget(self) -> None:
        """Forget the last photo."""
        self._found.clear()

    def _remember(self, kind: str, features: Any, hits: Any) -> Mapping[str, ImageMatches]:
        key = kind, id(features), hits.names
        if key not in self._found:
            self._found[key] = getattr(self._matcher, f"match_{kind}")(features, hits)
        return cast(Mapping[str, ImageMatches], self._found[key])


@click.command(help=__doc__)
@click.argument("case", type=click.Path(path_type=Path))
@click.argument("map_folder", type=click.Path(path_type=Path))
@click.option("--metric", is_flag=True, help="The map is in metres.")
@click.option("--recalibrate", is_flag=True, help="Use the intrinsics that fit.")
@click.option("--min-confidence", default=0.5, show_default=True, help="Poses above are given.")
@click.option("--limit", type=int, help="Number of queries.  [default: all]")
@click.option("--kind", "kinds", multiple=True, help="Only these kinds.")
@click.option("--set", "settings", multiple=True, help="Settings of the queries.")
@results_option
def main(
    case: Path,
    map_folder: Path,
    metric: bool,
    recalibrate: bool,
    min_confidence: float,
    limit: int | None,
    kinds: tuple[str, ...],
    settings: tuple[str, ...],
    results: Path | None,
) -> None:
    dataset, sfm_map = read_dataset_folder(case), Map.open(map_folder)
    chosen = [f"confidence.min_confidence={min_confidence}", *settings]
    chosen += [f"confidence.bounds={'metric' if metric else 'relative'}"]
    chosen += [f"localize.recalibrate={str(recalibrate).lower()}"]
    localizer = Localizer(sfm_map, load_config(base=sfm_map.config, settings=chosen))
    pipeline = localizer.pipeline
    remembered = [RememberedMatches(each) for each in pipeline.matchers]
    pipeline.matchers = cast(tuple[MapMatcher, ...], tuple(remembered))
    bound = METRIC_BOUND if metric else RELATIVE_BOUND * (dataset.unit_length or math.nan)
    answers: dict[str, list[Answer]] = {kind: [] for kind in kinds or KINDS}
    for query in dataset.iter_queries(limit):
        photo = read_photo(dataset.image_folder / query.name, query.name, sfm_map.config.images)
        described, hits = pipeline.describe(photo, query.camera)
        for kind, found in answers.items():
            camera, calibrated = KINDS[kind](query.camera), kind != "missing"
            try:
                check_given_camera(camera)
            except FormatError:
                found.append(Answer(is_refused=True))
                continue
            clock = StageClock()
            asked = replace(described, camera=camera, calibrated=calibrated)
            result = pipeline.localize(asked, hits, query.name, clock)
            assert query.cam_from_world is not None, "the case has no true poses"
            found.append(_answer(result, query.camera, query.cam_from_world))
        for each in remembered:
            each.forget()
    table = Table(
        f"Wrong intrinsics: {dataset.name}, {sfm_map.config.features.name}",
        ["intrinsics", "queries", "refused", "flagged", "given", "given wrong",
         "highest confidence of a wrong one", "within 3 sigma", "most sigmas", "focal within 3 %",
         "pose and confidence, ms"],
        f"wrong: beyond {bound:.3g} map units or {ANGLE_BOUND_DEG:g} degrees",
    )  # fmt: skip
    for kind, found in answers.items():
        table.add(kind, *_cells(found, bound))
    table.write(results)


def _answer(result: LocalizationResult, camera: Camera, true: Rigid3) -> Answer:
    flagged = "intrinsics do not fit" in result.reason
    spent = sum(result.timings_ms.get(stage, 0.0) for stage in ("pose", "confidence"))
    pose = result.pose
    if pose is None:
        return Answer(False, flagged, result.confidence or 0.0, milliseconds=spent)
    ratio = float(focal_lengths(pose.camera)[0] / focal_lengths(camera)[0])
    errors = pose_errors(pose.cam_from_world, true)
    confidence = result.confidence or 0.0
    return Answer(False, flagged, confidence, errors, _sigmas(pose, true), ratio, spent)


def _sigmas(pose: PoseEstimate, true: Rigid3) -> float:
    if pose.covariance is None:
        return math.nan
    offset = pose_difference(true, pose.cam_from_world)[3:]
    return float(np.sqrt(offset @ np.linalg.solve(pose.covariance[3:, 3:], offset)))


def _cells(answers: list[Answer], bound: float) -> list[object]:
    given = [each for each in answers if each.errors is not None]
    wrong = [
        each
        for each in given
        if each.errors and (each.errors[0] > bound or each.errors[1] > ANGLE_BOUND_DEG)
    ]
    known = [each.sigmas for each in given if math.isfinite(each.sigmas)]
    spent = [each.milliseconds for each in answers if not each.is_refused]
    focal = sum(abs(math.log(each.focal_ratio)) <= FOCAL_TOLERANCE for each in given)
    return [
        len(answers),
        sum(each.is_refused for each in answers),
        sum(each.is_flagged for each in answers),
        len(given),
        len(wrong),
        round(max((each.confidence for each in wrong), default=0.0), 3) if wrong else "",
        f"{sum(each <= 3 for each in known)} of {len(known)}",
        round(max(known), 1) if known else "",
        f"{focal} of {len(given)}",
        round(float(np.median(spent))) if spent else "",
    ]


if __name__ == "__main__":
    main()
