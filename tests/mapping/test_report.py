"""The reasons that people read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hloc_lite.cli.map import print_summary
from hloc_lite.mapping.report import map_report
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3


def test_an_image_with_a_given_pose_lacks_points_and_not_the_pose() -> None:
    camera = Camera("SIMPLE_PINHOLE", 100, 100, np.array([100.0, 50, 50]))
    image = SfmImage(1, "a", 1, Rigid3.identity(), np.zeros((3, 2)), [-1, -1, -1])
    none = np.zeros((0, 3))
    model = SfmModel({1: camera}, (image,), [], none, none, [])
    keypoints = {"a": 3, "b": 3}
    report = map_report(model, ["a", "b"], {}, keypoints, {("a", "b"): 20}, 0, 15)
    assert "no point was found" in report["images"]["a"]["reason"]
    assert "pose could not be found" in report["images"]["b"]["reason"]


def test_the_summary_says_how_many_points_have_labels(capsys) -> None:
    report = {
        "images": {}, "images_given": 2, "registered": 2, "points": 9, "mean_track_length": 2.0,
        "mean_reprojection_error_px": None, "timings_s": {},
        "landmarks": {"landmarks": 9, "labelled": 0},
    }  # fmt: skip
    print_summary(Path("map"), report)
    assert "labels: 0 of 9 points are labelled\n" in capsys.readouterr().out
