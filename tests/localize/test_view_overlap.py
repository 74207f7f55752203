"""Overlapping views of a map from depth: neighbours of a scan, other stations, other rooms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.localize.view_overlap import ViewOverlap
from hloc_lite.maps.track_lifter import TrackLifter
from hloc_lite.scene import SfmImage, SfmModel, covisibility_clusters
from hloc_lite.types import Camera, Rigid3

SIZE = (320, 240)
CAMERA = Camera("SIMPLE_PINHOLE", *SIZE, np.array([277.0, 160.0, 120.0]))  # 60 degrees wide


def model_of(views: Mapping[str, tuple[float, tuple[float, float, float], float]]) -> SfmModel:
    """Images at a heading (degrees) and a centre that see a wall at a distance; no shared point."""
    pixels = np.stack(np.meshgrid(np.arange(10, 320, 20.0), np.arange(10, 240, 20.0)), -1)
    pixels = pixels.reshape(-1, 2)
    rays = np.column_stack([(pixels - [160, 120]) / 277, np.ones(len(pixels))])
    images, parts = [], []
    for row, (name, (heading, center, distance)) in enumerate(views.items()):
        rotation = exp_so3([0, np.radians(heading), 0])
        pose = Rigid3(rotation, -rotation @ np.array(center))
        parts.append(pose.inverse().apply(rays * distance))
        points = np.arange(len(pixels)) + row * len(pixels)
        images.append(SfmImage(row + 1, name, 1, pose, pixels, points))
    xyz = np.concatenate(parts)
    ids, rgb = np.arange(len(xyz)) + 1, np.zeros((len(xyz), 3), np.uint8)
    return SfmModel({1: CAMERA}, tuple(images), ids, xyz, rgb, np.full(len(xyz), -1.0))


def overlapping(
    views: Mapping[str, tuple[float, tuple[float, float, float], float]], min_share: float = 0.3
) -> set[tuple[str, str]]:
    model = model_of(views)
    return set(ViewOverlap(model, TrackLifter(model), min_share).pairs([*views]))


def test_neighbours_of_a_scan_overlap_and_others_do_not() -> None:
    station = (0.0, 0.0, 0.0)
    views = {str(heading): (heading, station, 4.0) for heading in (0, 30, 60, 180)}
    assert overlapping(views) == {("0", "30"), ("30", "60")}
    assert overlapping(views, min_share=0.9) == set()


def test_other_stations_overlap_if_they_see_the_same_wall() -> None:
    views = {
        "far": (0, (0.0, 0.0, 0.0), 6.0),
        "near": (0, (0.5, 0.0, 3.0), 3.0),
        "aside": (0, (20.0, 0.0, 0.0), 6.0),
    }
    assert overlapping(views) == {("far", "near")}


def test_views_through_a_wall_do_not_overlap() -> None:
    """Both look the same way; the second stands in the next room, behind the wall of the first."""
    views = {"room": (0, (0.0, 0.0, 0.0), 3.0), "next": (0, (0.0, 0.0, 4.0), 3.0)}
    assert overlapping(views) == set()


def test_clusters_follow_overlaps_where_no_point_is_shared() -> None:
    points = {name: np.array([row]) for row, name in enumerate("abcd")}
    assert covisibility_clusters(points) == [["a"], ["b"], ["c"], ["d"]]
    links = [("a", "c"), ("c", "d"), ("a", "unknown")]
    assert covisibility_clusters(points, links) == [["a", "c", "d"], ["b"]]


def test_unknown_and_few_images() -> None:
    model = model_of({"a": (0, (0.0, 0.0, 0.0), 4.0)})
    overlap = ViewOverlap(model, TrackLifter(model), 0.3)
    assert overlap.pairs([]) == overlap.pairs(["a"]) == overlap.pairs(["a", "none"]) == []
