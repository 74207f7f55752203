"""What a report keeps of each query: small, so that it can hold any number of them."""

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
    """A ``LocalizationResult`` without its arrays, or just a pose from a file."""

    name: str
    status: str
    reason: str
    cam_from_world: Rigid3 | None
    num_inliers: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    fallback_name: str | None = None
    own_name: str | None = None
    """Of the query, where ``name`` is another one that the truth has for it."""

    @property
    def query_name(self) -> str:
        """By which its photo and result are found."""
        return self.name if self.own_name is None else self.own_name

    @property
    def localized(self) -> bool:
        return self.cam_from_world is not None

    @property
    def total_ms(self) -> float | None:
        """Sum of the stages, or what ``timings_ms`` says is the total; None if not timed."""
        if not self.timings_ms:
            return None
        if "total" in self.timings_ms:
            return self.timings_ms["total"]
        return sum(self.timings_ms.values())


def record_of_result(result: LocalizationResult, name: str | None = None) -> QueryRecord:
    """The record of a result, under another name if one is given."""
    pose = result.pose
    return QueryRecord(
        name=name or result.query_name,
        status=str(result.status),
        reason=result.reason,
        cam_from_world=None if pose is None else pose.cam_from_world,
        num_inliers=None if pose is None else pose.num_inliers,
        counts=dict(result.counts),
        timings_ms=dict(result.timings_ms),
        fallback_name=result.fallback_name,
        own_name=result.query_name,
    )


def records_of_poses(estimated: Mapping[str, Rigid3], evaluation: Evaluation) -> list[QueryRecord]:
    """Records of a pose file under the names of the truth: its poses, then what it lacks."""
    true_names = evaluation.names.true_names
    found = [
        QueryRecord(true_names.get(name, name), str(Status.LOCALIZED), "", pose)
        for name, pose in estimated.items()
    ]
    reason = "the pose file has no line for it"
    missing = evaluation.names.missing
    return found + [QueryRecord(name, "missing", reason, None) for name in missing]


def records_of_results(
    results: Sequence[LocalizationResult], evaluation: Evaluation | None = None
) -> list[QueryRecord]:
    """Records of results, under the names of the truth if there is one."""
    true_names = evaluation.names.true_names if evaluation else {}
    return [record_of_result(result, true_names.get(result.query_name)) for result in results]


def check_same_run(results: Sequence[LocalizationResult], estimated: Mapping[str, Rigid3]) -> None:
    """Refuse a results file that does not belong to a pose file.

    Raises:
        HlocLiteError: the results do not tell each of the poses, under the same name.
    """
    poses = {
        result.query_name: result.fallback if result.pose is None else result.pose.cam_from_world
        for result in results
    }
    for name, pose in estimated.items():
        told = poses.get(name)
        if told is None or pose_errors(told, pose)[0] > _tolerance(pose):
            raise HlocLiteError(
                f"the results file has another pose of {name!r} than the pose file, or none: give "
                f"the two files of one run, with whole names"
            )


def _tolerance(pose: Rigid3) -> float:
    return 1e-6 * (1 + float(np.abs(pose.center).max()))
