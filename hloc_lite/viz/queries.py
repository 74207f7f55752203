"""Queries of the page: results joined with their true poses, and checked against the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hloc_lite.errors import HlocLiteError, counted
from hloc_lite.evaluation.names import align_names
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.scene import SfmModel
from hloc_lite.types import LocalizationResult, Rigid3, Status


@dataclass(frozen=True, eq=False)
class QueryMark:
    """A query, and its true pose where that is known."""

    result: LocalizationResult
    true_pose: Rigid3 | None = None
    """True cam_from_world."""

    @property
    def name(self) -> str:
        return self.result.query_name

    @property
    def shown_pose(self) -> Rigid3 | None:
        """cam_from_world of its frustum: the pose, else that of the most similar map image."""
        return self.result.fallback if self.result.pose is None else self.result.pose.cam_from_world

    @property
    def errors(self) -> tuple[float, float] | None:
        """Distance of the camera centres (map units) and angle (degrees) from the truth."""
        if self.result.pose is None or self.true_pose is None:
            return None
        return pose_errors(self.result.pose.cam_from_world, self.true_pose)


def join_truth(
    results: Sequence[LocalizationResult], truth: Mapping[str, Rigid3] | None
) -> tuple[QueryMark, ...]:
    """Queries with their true poses; true poses of other photos are left out.

    Raises:
        HlocLiteError: results and truth have no name in common.
    """
    if truth is None or not results:
        return tuple(map(QueryMark, results))
    names = align_names([result.query_name for result in results], truth).true_names
    return tuple(
        QueryMark(result, truth[names[result.query_name]] if result.query_name in names else None)
        for result in results
    )


def check_same_map(results: Sequence[LocalizationResult], model: SfmModel) -> str:
    """Sentence about results that retrieved images which the map lacks; empty if there are none.

    Results files do not name their map: its images are known from what was retrieved.

    Raises:
        HlocLiteError: not one of the retrieved images is in the map.
    """
    retrieved = dict.fromkeys(name for result in results for name in result.hits.names)
    foreign = [name for name in retrieved if model.image_named(name) is None]
    if not foreign:
        return ""
    if len(foreign) == len(retrieved):
        known = ", ".join(repr(image.name) for image in model.images[:2])
        raise HlocLiteError(
            f"the results are of another map: they retrieved images such as {foreign[0]!r}, of "
            f"which none is in this map of {known}, ...; give the map that they were made with"
        )
    return (
        f"{counted(len(foreign), 'retrieved image')} of the results, such as {foreign[0]!r}, "
        f"{'is' if len(foreign) == 1 else 'are'} not in this map: results of an older one?"
    )


def chosen_rows(
    queries: Sequence[QueryMark], statuses: frozenset[Status], least_confidence: float
) -> list[int]:
    """Rows of the queries with one of the statuses and at least a confidence.

    Queries without a confidence are left out unless the least one is 0.
    """
    return [
        row
        for row, query in enumerate(queries)
        if query.result.status in statuses
        and (least_confidence <= 0 or (query.result.confidence or 0.0) >= least_confidence)
    ]
