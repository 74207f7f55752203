"""What became of a query, in words: the result of a good or a failed attempt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import Config
from hloc_lite.pose.confidence import Confidence
from hloc_lite.scene import SfmModel
from hloc_lite.types import (
    Bool,
    Correspondences,
    Cue,
    Float64,
    LocalFeatures,
    LocalizationResult,
    PoseEstimate,
    RetrievalHits,
    Status,
)

NO_HITS = RetrievalHits((), np.zeros(0, np.float32))


@dataclass(frozen=True, eq=False)
class Attempt:
    """The correspondences of one group of map images, and the pose they gave."""

    correspondences: Correspondences
    pose: PoseEstimate | None
    cue_counts: Mapping[str, int]
    """NAME_touched and NAME_lowered: matches that each cue spoke of, and spoke against."""
    gains: Float64
    """(K,) what each correspondence says for a pose that it agrees with, nats."""
    depth_agreement: float = 0.5
    """Share of the inliers whose depth is the predicted one; 1/2: nothing is known."""
    cues: tuple[Cue, ...] = ()
    """What each of them said of each correspondence."""
    layer: int = 0
    """Which features, whose pixels have a noise of their own."""

    @property
    def support(self) -> float:
        """What speaks for the pose: the gains of its inliers, times their depths' agreement."""
        return 0.0 if self.pose is None else self.support_of(self.pose.inlier_mask)

    def support_of(self, agreeing: Bool) -> float:
        """What speaks for a pose that (K,) some of the correspondences agree with; of those of one
        keypoint only the best counts."""
        _, keypoints = np.unique(self.correspondences.keypoint_idxs, return_inverse=True)
        best = np.zeros(keypoints.max(initial=-1) + 1)
        np.maximum.at(best, keypoints[agreeing], self.gains[agreeing])
        return float(best.sum()) * self.depth_agreement


@dataclass(frozen=True, eq=False)
class Choice:
    """The attempt that counts, and what it was chosen from."""

    attempt: Attempt
    num_agreeing: int
    """Attempts whose poses lie at the same place, itself included."""
    ambiguity: float | None
    """Support of the best other place over that of this one; None without a pose."""


def verdict(
    label: str,
    choice: Choice,
    confidence: Confidence | None,
    features: LocalFeatures,
    hits: RetrievalHits,
    counts: Mapping[str, int],
    clock: StageClock,
    config: Config,
) -> LocalizationResult:
    """The result of a query that came as far as an attempt at its pose."""
    attempt, least = choice.attempt, config.confidence.min_confidence
    got, needed = len(attempt.correspondences), config.pose.min_inliers
    distinct = len(np.unique(attempt.correspondences.keypoint_idxs))
    pose = attempt.pose
    if pose is not None and confidence is not None and confidence.probability < least:
        status = Status.DOUBTFUL
        reason = (
            f"the best pose has {pose.num_inliers} of {got} correspondences and is right with "
            f"probability {_rounded_down(confidence.probability)} only, {least:g} is asked for"
            + (f": {' and '.join(confidence.reasons)}" if confidence.reasons else "")
            + f" (best retrieved: {hits.names[0]!r})"
        )
        pose = None
    elif attempt.pose is not None:
        status = Status.LOCALIZED
        reason = f"{attempt.pose.num_inliers} of {got} correspondences agree"
    elif distinct < needed:
        status = Status.TOO_FEW_MATCHES
        reason = (
            f"{distinct} keypoints match the map, {needed} are needed: the photo shows another "
            f"place, or too different a view or light (best retrieved: {hits.names[0]!r})"
        )
    else:
        status = Status.NO_POSE
        reason = (
            f"no pose agrees with {needed} of the {got} correspondences: they are likely "
            f"wrong, or the intrinsics are (best retrieved: {hits.names[0]!r})"
        )
    return LocalizationResult(
        label, status, reason, pose, attempt.correspondences, features, hits, counts,
        milliseconds(clock), ambiguity=choice.ambiguity, cues=attempt.cues,
        confidence=None if confidence is None else confidence.probability,
        grounds={} if confidence is None else confidence.features,
    )  # fmt: skip


def _rounded_down(probability: float) -> str:
    """Two digits: what is too small must not be shown as large enough."""
    return f"{math.floor(100 * probability) / 100:.2f}"


def with_fallback(result: LocalizationResult, model: SfmModel) -> LocalizationResult:
    """A failed query with the pose of its best retrieved image, marked as borrowed."""
    if result.status is Status.LOCALIZED or not result.hits.names:
        return result
    image = model.image_named(result.hits.names[0])
    if image is None:
        return result
    return replace(result, fallback=image.cam_from_world, fallback_name=image.name)


def failure(
    label: str,
    status: Status,
    reason: str,
    clock: StageClock,
    counts: Mapping[str, int] | None = None,
    features: LocalFeatures | None = None,
    hits: RetrievalHits = NO_HITS,
) -> LocalizationResult:
    """The result of a query that came to nothing, with what is known of it."""
    return LocalizationResult(
        label, status, reason, None, None, features, hits, counts or {}, milliseconds(clock)
    )


def milliseconds(clock: StageClock) -> dict[str, float]:
    """Of each stage, and their sum as ``total``."""
    stages = {stage: round(1000 * seconds, 3) for stage, seconds in clock.seconds.items()}
    return {**stages, "total": round(sum(stages.values()), 3)}
