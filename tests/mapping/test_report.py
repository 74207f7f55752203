"""Reasons in the report of a mapping run."""

from __future__ import annotations

import numpy as np

from hloc_lite.mapping.report import map_report
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3


def test_reasons() -> None:
    camera = Camera("SIMPLE_PINHOLE", 100, 100, np.array([100.0, 50, 50]))
    image = SfmImage(1, "posed", 1, Rigid3.identity(), np.zeros((3, 2)), [-1, -1, -1])
    none = np.zeros((0, 3))
    model = SfmModel({1: camera}, (image,), [], none, none, [])
    names = ["posed", "lost", "apart", "blank", "alone", "broken"]
    keypoints = {**dict.fromkeys(names, 3), "blank": 0}
    verified = {("posed", "lost"): 20, ("apart", "posed"): 4, ("apart", "lost"): 5}
    report = map_report(model, names, {"broken": "not an image"}, keypoints, verified, 15)
    reasons = {name: entry["reason"] for name, entry in report["images"].items()}
    assert reasons["posed"] == (
        "1 of 2 pairs with it verified (best: 'lost' with 20 matches), but no point was found: the "
        "others are too near, or see too little of it"
    )
    assert "pose could not be found" in reasons["lost"]
    assert "none with 15 or more verified matches; the best is 'lost' with 5" in reasons["apart"]
    assert "no keypoints found" in reasons["blank"]
    assert "no pair with it was tried" in reasons["alone"]
    assert reasons["broken"] == "not an image"
    assert (report["registered"], report["images_given"]) == (1, 6)
    assert (report["pairs_tried"], report["pairs_verified"]) == (3, 1)
    assert report["mean_reprojection_error_px"] is None


def test_registered_image_with_points_has_no_reason() -> None:
    camera = Camera("SIMPLE_PINHOLE", 100, 100, np.array([100.0, 50, 50]))
    image = SfmImage(1, "a", 1, Rigid3.identity(), np.zeros((3, 2)), [0, -1, 1])
    xyz = np.zeros((2, 3))
    model = SfmModel({1: camera}, (image,), [1, 2], xyz, xyz, [0.5, 1.5])
    report = map_report(model, ["a"], {}, {"a": 3}, {}, 15)
    entry = report["images"]["a"]
    assert "reason" not in entry and entry["points"] == 2
    assert report["mean_reprojection_error_px"] == 1.0
