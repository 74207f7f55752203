"""Per-query records of a report: small, so that a report can hold any number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.evaluate import Evaluation
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.types import LocalizationResult, Rigid3, Status


@dataclass(frozen=True, eq=False)
class QueryRecord:
    """A ``LocalizationResult`` without its arrays, or only a pose from a file."""

    name: str
    status: str
    reason: str
    cam_from_world: Rigid3 | None
    num_inliers: int | None = None
    confidence: float | None = None
    """Probability that the pose is correct, also where it was withheld."""
    counts: Mapping[str, int] = field(default_factory=dict)
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    fallback_name: str | None = None
    original_name: str | None = None
    """Name of the query in its results, if the ground truth has another one (``name``)."""

    @property
    def query_name(self) -> str:
        """Name by which its photo and result are found."""
        return self.name if self.original_name is None else self.original_name

    @property
    def localized(self) -> bool:
        return self.cam_from_world is not None

    @property
    def total_ms(self) -> float | None:
        """``timings_ms["total"]``, else the sum of the stages; None if not timed."""
        if not self.timings_ms:
            return None
        if "total" in self.timings_ms:
            return self.timings_ms["total"]
        return sum(self.timings_ms.values())


def record_from_result(result: LocalizationResult, name: str | None = None) -> QueryRecord:
    """Make the record of a result, under another name if one is given."""
    pose = result.pose
    return QueryRecord(
        name=name or result.query_name,
        status=str(result.status),
        reason=result.reason,
        cam_from_world=None if pose is None else pose.cam_from_world,
        num_inliers=None if pose is None else pose.num_inliers,
        confidence=result.confidence,
        counts=dict(result.counts),
        timings_ms=dict(result.timings_ms),
        fallback_name=result.fallback_name,
        original_name=result.query_name,
    )


def records_from_poses(
    estimated: Mapping[str, Rigid3], evaluation: Evaluation
) -> list[QueryRecord]:
    """Make records of a pose file, named as in the ground truth; missing queries come last."""
    true_names = evaluation.names.true_names
    found = [
        QueryRecord(true_names.get(name, name), str(Status.LOCALIZED), "", pose)
        for name, pose in estimated.items()
    ]
    reason = "the pose file has no line for this query"
    missing = evaluation.names.missing
    return found + [QueryRecord(name, "missing", reason, None) for name in missing]


def records_from_results(
    results: Sequence[LocalizationResult], evaluation: Evaluation | None = None
) -> list[QueryRecord]:
    """Make records of results, named as in the ground truth if there is one."""
    true_names = evaluation.names.true_names if evaluation else {}
    return [record_from_result(result, true_names.get(result.query_name)) for result in results]


def confidences_of(results: Sequence[LocalizationResult]) -> dict[str, float]:
    """Query name -> confidence of the poses that were given, where known."""
    return {
        result.query_name: result.confidence
        for result in results
        if result.pose is not None and result.confidence is not None
    }


def fallbacks_of(results: Sequence[LocalizationResult]) -> list[str]:
    """Names of the queries that were not localized and have the pose of a map image instead."""
    return [r.query_name for r in results if r.pose is None and r.fallback is not None]


def promises_of(results: Sequence[LocalizationResult]) -> list[str]:
    """Promises that the poses were given under, one sentence each."""
    return list(dict.fromkeys(result.promise for result in results if result.promise))


def check_same_run(results: Sequence[LocalizationResult], estimated: Mapping[str, Rigid3]) -> None:
    """Check that a results file and a pose file are of the same run.

    Raises:
        HlocLiteError: a pose of the pose file is missing in the results, or differs there.
    """
    poses = {
        result.query_name: result.fallback if result.pose is None else result.pose.cam_from_world
        for result in results
    }
    for name, pose in estimated.items():
        stored = poses.get(name)
        if stored is None or pose_errors(stored, pose)[0] > _tolerance(pose):
            raise HlocLiteError(
                f"the results file has another pose of {name!r} than the pose file, or none: pass "
                f"the two files of one run, with whole names"
            )


def _tolerance(pose: Rigid3) -> float:
    return 1e-6 * (1 + float(np.abs(pose.center).max()))
