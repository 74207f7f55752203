"""Makes the result of a query: its status, the reason in words, counts and timings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import Config
from hloc_lite.localize.acceptance import Acceptance, shown_threshold
from hloc_lite.localize.cascade import MatchingStep
from hloc_lite.localize.multi_map import first_rows
from hloc_lite.localize.query import MapMatches, Query
from hloc_lite.localize.verification import VerifiedPose
from hloc_lite.scene import SfmModel
from hloc_lite.types import (
    Correspondences,
    Int64,
    LocalFeatures,
    LocalizationResult,
    PoseEstimate,
    RetrievalHits,
    Status,
)

NO_HITS = RetrievalHits((), np.zeros(0, np.float32))


@dataclass(frozen=True, eq=False)
class Answer:
    """Outcome of the matching steps of a query."""

    query: Query
    """The query, with the keypoints that its matches number."""
    step: MatchingStep
    """Last step that was taken."""
    hits: RetrievalHits
    num_clusters: int
    """Covisibility clusters of the matched images."""
    verified: VerifiedPose | None
    """None if there was nothing to match."""
    skipped: tuple[str, ...]
    """Steps that were left out for lack of time, in words."""


def make_result(
    name: str,
    query: Query,
    hits: RetrievalHits,
    verified: VerifiedPose,
    counts: Mapping[str, int],
    skipped: tuple[str, ...],
    clock: StageClock,
    config: Config,
    acceptance: Acceptance,
) -> LocalizationResult:
    """Make the result of a query that was matched.

    Args:
        skipped: steps that were left out for lack of time, in words.
        acceptance: confidence from which the pose is given.
    """
    hypothesis = verified.selected.hypothesis
    status, reason = _status(verified, hits, config, acceptance)
    return LocalizationResult(
        query_name=name,
        status=status,
        reason=reason,
        pose=hypothesis.pose if status is Status.LOCALIZED else None,
        correspondences=hypothesis.correspondences,
        features=query.features[0],
        hits=hits,
        counts=counts,
        timings_ms=milliseconds(clock),
        ambiguity=verified.selected.ambiguity,
        confidence=verified.probability,
        grounds={} if verified.confidence is None else verified.confidence.features,
        cues=hypothesis.cues,
        skipped=skipped,
        views=verified.selected.views,
        **_promised(config, acceptance),
    )


def make_failure(
    name: str,
    status: Status,
    reason: str,
    clock: StageClock,
    counts: Mapping[str, int] | None = None,
    features: LocalFeatures | None = None,
    hits: RetrievalHits = NO_HITS,
) -> LocalizationResult:
    """Make the result of a query that ended before anything was matched."""
    return LocalizationResult(
        name, status, reason, None, None, features, hits, counts or {}, milliseconds(clock)
    )


def nothing_to_match(
    name: str,
    query: Query,
    hits: RetrievalHits,
    num_images: int | None,
    skipped: tuple[str, ...],
    clock: StageClock,
    config: Config,
    acceptance: Acceptance,
) -> LocalizationResult:
    """Make the result of a query without keypoints, or without retrieved images.

    Args:
        num_images: images matched one by one; None outside the cascade.
        skipped: steps that were left out for lack of time, in words.
        acceptance: confidence from which a pose would be given.
    """
    num_keypoints = sum(map(len, query.features))
    if num_keypoints > 0 and not hits.names:
        status = Status.NO_RETRIEVAL
        reason = "the map has no image to compare with, or none near the expected position"
    else:
        status = Status.TOO_FEW_MATCHES
        reason = "no keypoints found: the image is blank, masked away or far too dark"
    counts = {"keypoints": num_keypoints, "retrieved": len(hits.names)}
    if num_images is not None:
        counts["images_matched"] = num_images
    failure = make_failure(name, status, reason, clock, counts, query.features[0], hits)
    return replace(failure, skipped=skipped, **_promised(config, acceptance))


def _promised(config: Config, acceptance: Acceptance) -> dict[str, Any]:
    """Fields of a result that tell the confidence from which poses are given, and why."""
    return {
        "min_confidence": acceptance.threshold if config.confidence.enabled else None,
        "max_wrong": acceptance.max_wrong,
        "promise": acceptance.statement,
    }


def result_counts(query: Query, answer: Answer, feature_names: Sequence[str]) -> dict[str, int]:
    """Count keypoints, matches, correspondences and inliers of a query that was matched.

    Args:
        feature_names: kind of features of each map; with several, counts are also given by kind.
    """
    step, verified = answer.step, answer.verified
    assert verified is not None
    hypothesis = verified.selected.hypothesis
    inliers = np.flatnonzero(hypothesis.pose.inlier_mask if hypothesis.pose else ())
    by_map: dict[str, int] = {}
    if len(feature_names) > 1:
        by_map = _counts_by_map(step.matches, feature_names, hypothesis.correspondences, inliers)
    counts = {
        "keypoints": sum(map(len, query.features)),
        "retrieved": len(answer.hits.names),
        **hypothesis.cue_counts,
        **by_map,
        "matches": sum(map(_num_matches, step.matches)),
        "clusters": answer.num_clusters,
        "agreeing_clusters": verified.selected.num_agreeing,
        "correspondences": len(hypothesis.correspondences),
        "inliers": len(inliers),
    }
    if step.num_images is not None:
        counts["images_matched"] = step.num_images
    return counts


def with_fallback(result: LocalizationResult, model: SfmModel) -> LocalizationResult:
    """Add the pose of the best retrieved image to a failed query, marked as a fallback."""
    if result.status is Status.LOCALIZED or not result.hits.names:
        return result
    image = model.image_named(result.hits.names[0])
    if image is None:
        return result
    return replace(result, fallback=image.cam_from_world, fallback_name=image.name)


def milliseconds(clock: StageClock) -> dict[str, float]:
    """Time of each stage in milliseconds, and their sum as ``total``."""
    stages = {stage: round(1000 * seconds, 3) for stage, seconds in clock.seconds.items()}
    return {**stages, "total": round(sum(stages.values()), 3)}


def _status(
    verified: VerifiedPose, hits: RetrievalHits, config: Config, acceptance: Acceptance
) -> tuple[Status, str]:
    """Status of a query, and one sentence for people."""
    correspondences = verified.selected.hypothesis.correspondences
    pose = verified.selected.hypothesis.pose
    num, needed = len(correspondences), config.pose.min_inliers
    best_image = f"(best retrieved: {hits.names[0]!r})"
    if pose is not None and _is_given(verified, acceptance):
        doubt = f"; {verified.intrinsics_doubt}" if verified.intrinsics_doubt else ""
        return Status.LOCALIZED, _agreement(pose, num) + doubt + _replaced(verified)
    is_unsure = 0 < (verified.probability or 0) < acceptance.threshold
    if pose is not None and verified.prior_conflict and not is_unsure:
        return Status.DOUBTFUL, f"{verified.prior_conflict}, although {_agreement(pose, num)}"
    if pose is not None and verified.intrinsics_doubt:
        return Status.DOUBTFUL, (
            f"{verified.intrinsics_doubt}; give the right ones, or let them be estimated "
            f"(--recalibrate, localize.recalibrate)"
        )
    if pose is not None and verified.confidence is not None:
        reasons = verified.confidence.reasons
        return Status.DOUBTFUL, (
            f"the best pose has {pose.num_inliers} of {num} correspondences and is correct with a "
            f"probability of only {_rounded_down(verified.confidence.probability)}; "
            f"{_required(acceptance)}"
            + (f": {' and '.join(reasons)}" if reasons else "")
            + f" {best_image}{_replaced(verified)}"
        )
    num_distinct = len(np.unique(correspondences.keypoint_idxs))
    if num_distinct < needed:
        return Status.TOO_FEW_MATCHES, (
            f"{num_distinct} keypoints match the map, {needed} are needed: the photo shows another "
            f"location, or its view or light differs too much {best_image}"
        )
    return Status.NO_POSE, (
        f"no pose agrees with {needed} of the {num} correspondences: they are likely wrong, or "
        f"the intrinsics are {best_image}"
    )


def _is_given(verified: VerifiedPose, acceptance: Acceptance) -> bool:
    """Return True if the pose is given; a promise has its own threshold."""
    if acceptance.max_wrong is None or verified.probability is None:
        return verified.is_accepted
    return verified.probability >= acceptance.threshold and not verified.prior_conflict


def _required(acceptance: Acceptance) -> str:
    """The confidence that a pose needs to be given, in words."""
    if acceptance.max_wrong is None:
        return f"{acceptance.threshold:g} is required"
    share = f"for at most {100 * acceptance.max_wrong:g} % wrong answers"
    if acceptance.threshold > 1:
        return f"no probability suffices {share}"
    return f"{shown_threshold(acceptance.threshold)} is required {share}"


def _replaced(verified: VerifiedPose) -> str:
    """Clause that other intrinsics were used than those given; empty if they were not."""
    if not verified.intrinsics_used:
        return ""
    return f"; recalibrated, as {verified.intrinsics_used}: the pose has the fitted ones"


def _agreement(pose: PoseEstimate, num_correspondences: int) -> str:
    return f"{pose.num_inliers} of {num_correspondences} correspondences agree"


def _rounded_down(probability: float) -> str:
    """Two digits; a value below the limit must not be shown as equal to it."""
    return f"{math.floor(100 * probability) / 100:.2f}"


def _counts_by_map(
    matches: Sequence[MapMatches],
    feature_names: Sequence[str],
    correspondences: Correspondences,
    inliers: Int64,
) -> dict[str, int]:
    """FEATURES_keypoints, _matches, _correspondences and _inliers of each map."""
    lengths = [len(of_map.features) for of_map in matches]
    starts = first_rows(lengths)
    owners = np.searchsorted(starts, correspondences.keypoint_idxs, side="right") - 1
    # a map without keypoints has the same start as the next one, which is found then
    counts: dict[str, int] = {}
    for index, (name, of_map) in enumerate(zip(feature_names, matches, strict=True)):
        counts |= {
            f"{name}_keypoints": lengths[index],
            f"{name}_matches": _num_matches(of_map),
            f"{name}_correspondences": int((owners == index).sum()),
            f"{name}_inliers": int((owners[inliers] == index).sum()),
        }
    return counts


def _num_matches(matches: MapMatches) -> int:
    return sum(len(each.matches) for each in matches.by_image.values())
