"""Means over scenes, as tables of 7-Scenes, 12-Scenes and Cambridge Landmarks give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.metrics import Scores
from hloc_lite.evaluation.thresholds import Threshold


@dataclass(frozen=True)
class SceneMeans:
    """Means of the scores of single scenes: every scene counts the same, however many queries."""

    num_scenes: int
    num_queries: int
    """Number of queries of all scenes together."""
    thresholds: tuple[Threshold, ...]
    recalls: tuple[float, ...]
    """Mean over the scenes of the fraction of queries within each threshold."""
    median_distance: float
    """Mean over the scenes of the median, map units; infinite if it is in one scene."""
    median_angle_deg: float


def mean_over_scenes(scenes: Mapping[str, Scores]) -> SceneMeans:
    """Average the scores of scenes, without the row of all queries together.

    Args:
        scenes: scene -> its scores, such as the rows of ``score_conditions``. The row ``all`` is
            left out if there are others.

    Raises:
        HlocLiteError: no scenes, or scenes with different thresholds.
    """
    rows = [scores for scene, scores in scenes.items() if scene != "all" or len(scenes) == 1]
    if not rows:
        raise HlocLiteError("a mean over scenes needs the scores of at least one scene")
    thresholds = rows[0].thresholds
    if any(scores.thresholds != thresholds for scores in rows):
        raise HlocLiteError("a mean over scenes needs the same thresholds in all scenes")
    recalls = np.array([[recall.value for recall in scores.recalls] for scores in rows])
    return SceneMeans(
        len(rows),
        sum(scores.num_queries for scores in rows),
        thresholds,
        tuple(recalls.mean(axis=0).tolist()),
        float(np.mean([scores.median_distance.value for scores in rows])),
        float(np.mean([scores.median_angle_deg.value for scores in rows])),
    )
