"""Scores of real methods on 7-Scenes under two pseudo ground truths, figure by figure.

The figures were computed independently of this package, from the same files.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest

from hloc_lite.evaluation.evaluate import Evaluation, evaluate
from hloc_lite.evaluation.metrics import BootstrapConfig
from hloc_lite.evaluation.paired import compare_all
from hloc_lite.evaluation.scene_means import mean_over_scenes
from hloc_lite.evaluation.thresholds import parse_thresholds
from hloc_lite.formats.pseudo_truth import (
    SEVEN_SCENES_SIZE,
    read_pseudo_truth,
    read_pseudo_truth_estimates,
)
from hloc_lite.types import Rigid3

FOLDER = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "absent")) / "pseudo_gt"
needs_data = pytest.mark.skipif(not FOLDER.is_dir(), reason="HLOC_LITE_FIELD_DATA is not set")
METHODS = ("as", "hloc", "dsac_rgbd")
TRUTHS = ("dslam", "sfm")
SCENES = ("chess", "fire", "heads", "office", "pumpkin", "redkitchen", "stairs")
FEW = BootstrapConfig(num_resamples=100)
LIMITS = parse_thresholds(["5cm,5deg"])
NUM_FRAMES = 17000
_SCENE = re.compile(r"(\w+) n=(\d+) have=(\d+) r=([\d.]+) med=([\d.]+)cm/([\d.]+)")


@cache
def true_poses(truth: str) -> dict[str, dict[str, Rigid3]]:
    """Scene -> scene/name -> true pose; scenes share the names of their frames."""
    folder = FOLDER / "pgt" / truth / "7scenes"
    found = {}
    for scene in SCENES:
        posed = read_pseudo_truth(folder / f"{scene}_test.txt", SEVEN_SCENES_SIZE)
        found[scene] = {f"{scene}/{i.name}": i.cam_from_world for i in posed.model.images}
    return found


@cache
def evaluation(truth: str, method: str) -> Evaluation:
    folder = FOLDER / "estimates" / truth / "7scenes"
    estimated = {
        f"{scene}/{name}": pose
        for scene in SCENES
        for name, pose in read_pseudo_truth_estimates(folder / f"{scene}_{method}.txt").items()
    }
    return evaluate(estimated, true_poses(truth), LIMITS, bootstrap=FEW)


def reference(truth: str, method: str) -> tuple[str, list[tuple[str, ...]]]:
    """Mean recall, and scene, queries, poses, recall and medians of each scene, as texts."""
    start = f"{truth} 7scenes {method} mean recall(5cm,5deg) "
    lines = (FOLDER / "reference.txt").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith(start))
    return line.removeprefix(start).split()[0], _SCENE.findall(line)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("method", METHODS)
def test_every_figure_of_the_reference(truth: str, method: str) -> None:
    found = evaluation(truth, method)
    mean, rows = reference(truth, method)
    assert [row[0] for row in rows] == list(SCENES)
    for row in rows:
        scores = found.rows[row[0]]
        assert row == (
            row[0],
            str(scores.num_queries),
            str(scores.num_localized),
            f"{100 * scores.recalls[0].value:.1f}",
            f"{100 * scores.median_distance.value:.2f}",
            f"{scores.median_angle_deg.value:.2f}",
        )
    assert f"{100 * mean_over_scenes(found.rows).recalls[0]:.1f}" == mean
    assert found.overall.num_queries == NUM_FRAMES


@needs_data
@pytest.mark.slow
def test_the_ranking_depends_on_the_truth() -> None:
    """The depth method is best under the depth truth, and worst under the other one."""
    for truth, favours_depth in (("dslam", True), ("sfm", False)):
        comparisons = compare_all({m: evaluation(truth, m) for m in ("hloc", "dsac_rgbd")}, FEW)
        recall = comparisons[0].rows["all"].recalls[0]
        first, second = (evaluation(truth, m).overall for m in ("hloc", "dsac_rgbd"))
        assert recall.num_both + recall.num_only_first == first.num_within(LIMITS[0])
        assert recall.num_both + recall.num_only_second == second.num_within(LIMITS[0])
        assert recall.num_queries == NUM_FRAMES
        assert (recall.difference.value > 0) == favours_depth
        assert len(recall.flips) == recall.num_only_first + recall.num_only_second
        assert recall.p_value < 1e-10
