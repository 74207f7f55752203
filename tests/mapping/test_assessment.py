"""Assessment of maps from scratch: right cameras are not doubted, each kind of fault is noticed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.config import Config
from hloc_lite.formats.colmap.adjustment import adjusted_with_own_cameras
from hloc_lite.geometry.cameras import rescaled
from hloc_lite.geometry.geodesy import Geodetic, geodetic_from_enu
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.mapping.assessment import assess_map
from hloc_lite.mapping.assessment_text import assessment_lines
from hloc_lite.scene import SfmModel
from hloc_lite.types import Rigid3
from tests.exact_scene import make_scene
from tests.mapping.assessment_scene import observed_model, true_pairs


@pytest.fixture(scope="module")
def model() -> SfmModel:
    return observed_model(make_scene(num_cameras=8, num_points=300), 0)


def test_right_map_is_not_doubted(model: SfmModel) -> None:
    assessment = assess_map(model, true_pairs(model), Config())
    assert not assessment.is_doubtful and assessment.numbers["pairs_without_parallax"] == 0
    (line,) = assessment_lines(assessment.to_json())
    assert "no doubt about any of 8 cameras" in line and "least certain position" in line


def test_camera_with_few_points_is_doubtful() -> None:
    scene = make_scene(num_cameras=8, num_points=300)
    seen = observed_model(scene, 0, noise_px=0.25, seen={3: 8})
    model = adjusted_with_own_cameras(seen)
    assessment = assess_map(model, true_pairs(model), Config())
    assert assessment.doubtful_names == ("3.jpg",)
    assert "position" in assessment.cameras["3.jpg"].reasons


def test_camera_at_a_wrong_place_is_doubtful(model: SfmModel) -> None:
    moved = model.images[2]
    pose = Rigid3(
        exp_so3([0.0, 0.4, 0.0]) @ moved.cam_from_world.rotation,
        np.add(moved.cam_from_world.translation, [0, 1.5, 0]),
    )
    # its own landmarks were triangulated for the wrong place; most matches contradict them
    kept = np.where(np.arange(len(moved.point3D_idxs)) < 12, moved.point3D_idxs, -1)
    images = list(model.images)
    images[2] = replace(moved, cam_from_world=pose, point3D_idxs=kept)
    assessment = assess_map(replace(model, images=tuple(images)), true_pairs(model), Config())
    assert "agreement" in assessment.cameras["2.jpg"].reasons
    lines = assessment_lines(assessment.to_json())
    assert lines[0].startswith("assessment: DOUBTFUL") and any("2.jpg" in line for line in lines)


@pytest.mark.parametrize(("size", "noise_px"), [(1, 0.5), (12, 0.2)])
def test_camera_that_only_turned_gives_no_positions(size: int, noise_px: float) -> None:
    scene = make_scene(num_cameras=6, num_points=300)
    turned = [exp_so3([0.02 * i, 0.06 * i - 0.15, 0.01 * i]) for i in range(6)]
    scene = replace(scene, poses=tuple(Rigid3(rotation, np.zeros(3)) for rotation in turned))
    seen = observed_model(scene, 0, noise_px)
    pairs = true_pairs(seen)
    camera = rescaled(scene.camera, size * scene.camera.width, size * scene.camera.height)
    # structure from motion finds some places for the cameras
    images = tuple(
        replace(
            image,
            cam_from_world=Rigid3(image.cam_from_world.rotation, [0.3 * row, 0, 0]),
            keypoints=size * image.keypoints,
        )
        for row, image in enumerate(seen.images)
    )
    assessment = assess_map(replace(seen, images=images, cameras={1: camera}), pairs, Config())
    assert len(assessment.doubtful_names) == 6
    assert "only turned about one place" in assessment.reasons[0]
    assert assessment_lines(assessment.to_json())[0] == "assessment: DOUBTFUL, the whole map"


def test_plane_seen_from_several_places_is_no_turned_camera() -> None:
    scene = make_scene(num_cameras=6, num_points=300)
    scene = replace(scene, points=scene.points * [1, 1, 0] + [0, 0, 7])
    model = observed_model(scene, 0)
    assessment = assess_map(model, true_pairs(model), Config())
    assert assessment.numbers["pairs_without_parallax"] < 0.5 and not assessment.reasons


def test_two_images_are_doubtful(model: SfmModel) -> None:
    two = replace(model, images=model.images[:2])
    assert assess_map(two, true_pairs(two), Config()).is_doubtful


def test_streets_put_on_top_of_each_other_are_doubtful() -> None:
    scene = make_scene(num_cameras=10, num_points=1200)
    model = observed_model(scene, 0)
    images = []
    for row, image in enumerate(model.images):
        # two streets: even and odd landmarks; the cameras of both share every sixth
        other = (image.point3D_idxs % 2 != row % 2) & (image.point3D_idxs % 6 != 0)
        images.append(replace(image, point3D_idxs=np.where(other, -1, image.point3D_idxs)))
    merged = replace(model, images=tuple(images))
    fine = assess_map(merged, {}, Config())
    assert all("look-alike" not in each.reasons for each in fine.cameras.values())
    apart = [
        replace(
            image,
            point3D_idxs=np.where(
                (image.point3D_idxs % 6 == 0) & (row not in (4, 5)), -1, image.point3D_idxs
            ),
        )
        for row, image in enumerate(images)
    ]
    merged = replace(model, images=tuple(apart))
    pairs = {
        (a.name, b.name): TwoView(np.zeros((0, 2), np.int32), "DEGENERATE")
        for a in apart
        for b in apart
        if a.name < b.name
    }
    assessment = assess_map(merged, pairs, Config())
    doubted = [name for name, each in assessment.cameras.items() if "look-alike" in each.reasons]
    assert len(doubted) >= 8


def test_camera_far_from_its_gps_position_is_doubtful(model: SfmModel) -> None:
    origin = Geodetic(55.0, 13.0, 50.0)
    rng = np.random.default_rng(0)
    centers = 40 * np.array([image.cam_from_world.center for image in model.images])
    east_north_up = np.stack([centers[:, 0], centers[:, 2], -centers[:, 1]], axis=1)
    measured = east_north_up + rng.normal(0, 1.0, centers.shape)
    measured[5] += [0, 60, 0]
    positions = {
        image.name: Geodetic(*np.ravel(geodetic_from_enu(row[None], origin)).tolist())
        for image, row in zip(model.images, measured, strict=True)
    }
    assessment = assess_map(model, true_pairs(model), Config(), positions)
    assert assessment.doubtful_names == ("5.jpg",) and assessment.cameras["5.jpg"].reasons == (
        "gps",
    )
    assert assessment.cameras["5.jpg"].gps_error_m == pytest.approx(60, abs=6)
    assert "far from their GPS position: 5.jpg" in assessment_lines(assessment.to_json())[1]


def two_groups(num_cameras: int, num_apart: int) -> SfmModel:
    """Model whose last images share the first 20 points only with the others."""
    model = observed_model(make_scene(num_cameras=num_cameras, num_points=600), 0)
    images = []
    for row, image in enumerate(model.images):
        is_first = row < num_cameras - num_apart
        other = (image.point3D_idxs % 2 == is_first) & (image.point3D_idxs >= 20)
        images.append(replace(image, point3D_idxs=np.where(other, -1, image.point3D_idxs)))
    return replace(model, images=tuple(images))


def test_group_that_few_points_join_to_the_others_is_doubtful() -> None:
    split = two_groups(12, 3)
    pairs = true_pairs(observed_model(make_scene(num_cameras=12, num_points=600), 0))
    assessment = assess_map(split, pairs, Config())
    assert set(assessment.doubtful_names) == {image.name for image in split.images[-3:]}
    assert 0 < assessment.cameras["9.jpg"].link <= 20 and not assessment.reasons
    assert any("few points join them" in line for line in assessment_lines(assessment.to_json()))


def test_all_cameras_are_doubtful_where_nothing_tells_which_group_is_right() -> None:
    split = two_groups(8, 3)
    pairs = true_pairs(observed_model(make_scene(num_cameras=8, num_points=600), 0))
    assessment = assess_map(split, pairs, Config())
    assert len(assessment.doubtful_names) == 8 and "nothing tells" in assessment.reasons[0]


def test_points_do_not_link_where_the_matches_contradict_the_poses() -> None:
    model = observed_model(make_scene(num_cameras=8, num_points=600), 0)
    last, rng = model.images[-1].name, np.random.default_rng(0)
    pairs = {
        pair: TwoView(
            np.stack([view.inliers[:, 0], rng.permutation(view.inliers[:, 1])], axis=1), view.kind
        )
        if last in pair
        else view
        for pair, view in true_pairs(model).items()
    }
    assert "link" in assess_map(model, pairs, Config()).cameras[last].reasons


def test_many_doubtful_cameras_take_few_lines(model: SfmModel) -> None:
    config = Config()
    strict = config.assessment.model_copy(update={"max_position_error": 1e-6})
    assessment = assess_map(
        model, true_pairs(model), config.model_copy(update={"assessment": strict})
    )
    lines = assessment_lines(assessment.to_json())
    assert len(assessment.doubtful_names) == 8 and len(lines) == 2 and "and 2 more" in lines[1]
