"""Maps from scratch: images at a wrong place leave, the best model comes first."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from hloc_lite.config import Config, ScratchConfig
from hloc_lite.formats.colmap.impossible_cameras import impossible_reason
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.mapping.cameras import with_shared_cameras
from hloc_lite.mapping.model_choice import (
    localizing_strength,
    rank_models,
    well_conditioned_points,
)
from hloc_lite.mapping.pair_agreement import image_agreement
from hloc_lite.mapping.repair import repaired, separated, with_images_only
from hloc_lite.mapping.weak_links import link_bound
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3
from tests.exact_scene import make_scene

NAMES = {f"{letter}.png": 2 * number for number, letter in enumerate("abcde")}
CONFIG = Config()


def exact_model(names: dict[str, int] = NAMES, num_points: int = 400) -> SfmModel:
    """Exact model in which every image sees every point."""
    scene = make_scene(num_points=num_points)
    rows = np.arange(num_points)
    images = tuple(
        SfmImage(
            number, name, 1, scene.poses[index],
            img_from_cam(scene.camera, scene.poses[index].apply(scene.points)), rows,
        )
        for number, (name, index) in enumerate(names.items(), start=1)
    )  # fmt: skip
    rgb = np.zeros((num_points, 3), np.uint8)
    return SfmModel({1: scene.camera}, images, rows + 1, scene.points, rgb, np.zeros(num_points))


def all_matches(model: SfmModel) -> dict[tuple[str, str], TwoView]:
    rows = np.repeat(np.arange(model.num_points, dtype=np.int32)[:, None], 2, axis=1)
    names = [image.name for image in model.images]
    return {pair: TwoView(rows, "CALIBRATED") for pair in combinations(names, 2)}


def moved(model: SfmModel, name: str) -> SfmModel:
    """Model with one image turned by 75 degrees and shifted."""
    c, s = np.cos(np.radians(75)), np.sin(np.radians(75))
    wrong = Rigid3(np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]), np.array([3.0, 1.0, 4.0]))
    images = [replace(i, cam_from_world=wrong) if i.name == name else i for i in model.images]
    return replace(model, images=tuple(images))


def test_an_image_at_a_wrong_place_is_registered_again() -> None:
    exact = exact_model()
    views, wrong = all_matches(exact), moved(exact, "c.png")
    agreement = image_agreement(wrong, views, CONFIG.geometry)
    assert agreement["c.png"] < 0.2 and min(v for n, v in agreement.items() if n != "c.png") > 0.7
    extended = []

    def extend(start: SfmModel, without: object) -> SfmModel:
        extended.append([image.name for image in start.images])
        return exact

    model, left = repaired(wrong, views, CONFIG, extend)
    assert model is exact and left == {}
    assert extended == [["a.png", "b.png", "d.png", "e.png"]]


def test_an_image_that_never_fits_is_left_out_with_the_reason() -> None:
    exact = exact_model()
    wrong = moved(exact, "c.png")
    model, left = repaired(wrong, all_matches(exact), CONFIG, lambda start, without: wrong)
    assert [image.name for image in model.images] == ["a.png", "b.png", "d.png", "e.png"]
    assert list(left) == ["c.png"] and "min_agreement" in left["c.png"]


@pytest.mark.parametrize("extended", [None, "as it is"])
def test_an_image_that_is_not_registered_again_keeps_its_reason(extended: str | None) -> None:
    exact = exact_model()
    extend = (lambda *start: None) if extended is None else (lambda *start: start[0])
    model, left = repaired(moved(exact, "c.png"), all_matches(exact), CONFIG, extend)
    assert len(model.images) == 4
    assert list(left) == ["c.png"] and "min_agreement" in left["c.png"]


def test_a_consistent_model_stays_as_it_is() -> None:
    exact = exact_model()
    model, left = repaired(exact, all_matches(exact), CONFIG, pytest.fail)
    assert model is exact and left == {}


def two_groups(common: int) -> SfmModel:
    """Model of seven images: ``f`` and ``g`` share this number of points with the other five."""
    exact = exact_model(NAMES | {"f.png": 1, "g.png": 3})
    images = []
    for row, image in enumerate(exact.images):
        other = (image.point3D_idxs % 2 == (row < 5)) & (image.point3D_idxs >= common)
        images.append(replace(image, point3D_idxs=np.where(other, -1, image.point3D_idxs)))
    return replace(exact, images=tuple(images))


def test_groups_that_few_points_join_become_separate_models() -> None:
    asked = []

    def extend(start: SfmModel, without: object) -> SfmModel:
        asked.append((len(start.images), without))
        return start

    config = CONFIG.model_copy(update={"scratch": ScratchConfig(min_model_images=3)})
    few = two_groups(common=20)
    (large,) = separated(few, all_matches(few), config, extend)  # two images are no model
    assert [image.name for image in large.images] == list(NAMES)
    assert asked == [(5, set())]
    asked.clear()
    three = two_groups(common=20)
    moved_over = replace(three.images[4], point3D_idxs=three.images[5].point3D_idxs)
    three = replace(three, images=(*three.images[:4], moved_over, *three.images[5:]))
    first, second = separated(three, all_matches(three), config, extend)
    assert [image.name for image in first.images] == ["a.png", "b.png", "c.png", "d.png"]
    assert [image.name for image in second.images] == ["e.png", "f.png", "g.png"]
    assert asked == [(4, {"e.png", "f.png", "g.png"}), (3, {"a.png", "b.png", "c.png", "d.png"})]


def test_images_that_chance_joins_again_do_not_come_back() -> None:
    model = two_groups(common=20)
    (kept,) = separated(model, all_matches(model), CONFIG, lambda *start: model)
    assert [image.name for image in kept.images] == list(NAMES)


def test_a_model_with_strong_links_stays_as_it_is() -> None:
    model = two_groups(common=60)
    assert separated(model, all_matches(model), CONFIG, pytest.fail) == [model]


def test_the_more_points_neighbours_share_the_more_a_link_needs() -> None:
    model = two_groups(common=45)
    assert link_bound(model, 30, ScratchConfig(link_share=0.0)) == 30
    assert link_bound(model, 30, ScratchConfig(link_share=1.0, max_link_points=50)) == 50
    config = CONFIG.model_copy(
        update={"scratch": ScratchConfig(min_model_images=3, link_share=1.0)}
    )
    (large,) = separated(model, all_matches(model), config, lambda start, without: start)
    assert [image.name for image in large.images] == list(NAMES)


def test_links_whose_matches_contradict_the_model_do_not_join() -> None:
    model = two_groups(common=60)
    turned = moved(model, "f.png").images[5].cam_from_world
    images = [
        replace(i, cam_from_world=turned.compose(i.cam_from_world))
        if i.name in "f.png g.png"
        else i
        for i in model.images
    ]
    wrong = replace(model, images=tuple(images))
    config = CONFIG.model_copy(update={"scratch": ScratchConfig(min_model_images=3)})
    (large,) = separated(wrong, all_matches(wrong), config, lambda start, without: start)
    assert [image.name for image in large.images] == list(NAMES)


def test_points_that_one_image_alone_sees_leave_with_the_others() -> None:
    exact = exact_model()
    images = [
        replace(image, point3D_idxs=np.where(image.point3D_idxs < 100, -1, image.point3D_idxs))
        if image.name != "a.png"
        else image
        for image in exact.images
    ]
    model = with_images_only(replace(exact, images=tuple(images)), {"a.png", "b.png"})
    assert model.num_points == 300 and np.array_equal(model.xyz, exact.xyz[100:])
    first, second = model.images
    assert (first.point3D_idxs[:100] == -1).all()
    assert np.array_equal(first.point3D_idxs[100:], np.arange(300))
    assert np.array_equal(second.point3D_idxs[100:], np.arange(300))


def test_five_good_images_come_before_six_without_parallax() -> None:
    good = exact_model()
    names = {f"wall{number}.png": 0 for number in range(6)}
    wall = exact_model(names)
    assert well_conditioned_points(good, 3.0).mean() > 0.9
    assert not well_conditioned_points(wall, 3.0).any()
    assert localizing_strength(good, ScratchConfig()) == 5
    assert rank_models([wall, good], ScratchConfig()) == [good, wall]


def test_models_that_add_nothing_are_left_out() -> None:
    good = exact_model()
    part = with_images_only(good, {"a.png", "b.png", "c.png"})
    assert rank_models([part, good], ScratchConfig()) == [good]


@pytest.mark.parametrize(
    ("focal", "distortion", "reason"),
    [
        (500.0, -0.05, None), (689251.0, 0.0, "689251 px"), (60.0, 0.0, "60 px"),
        (float("nan"), 0.0, "not finite"), (200.0, -3.0, "folds"),
    ],
)  # fmt: skip
def test_impossible_cameras_have_a_reason(focal: float, distortion: float, reason) -> None:
    camera = Camera("SIMPLE_RADIAL", 640, 480, np.array([focal, 320, 240, distortion]))
    found = impossible_reason(camera, ScratchConfig())
    assert found is None if reason is None else reason in str(found)


def test_known_cameras_are_shared_where_their_focal_lengths_are_equal() -> None:
    known = Camera("SIMPLE_RADIAL", 640, 480, np.array([500.0, 320, 240, 0]))
    zoomed = replace(known, params=np.array([900.0, 320, 240, 0]))
    cameras, camera_of = with_shared_cameras(
        ({1: known, 2: known, 3: zoomed}, {"a": 1, "b": 2, "c": 3})
    )
    assert camera_of == {"a": 1, "b": 1, "c": 3} and set(cameras) == {1, 3}


def test_guessed_cameras_of_one_size_are_shared_and_known_ones_are_not() -> None:
    guessed = Camera("SIMPLE_RADIAL", 640, 480, np.array([768.0, 320, 240, 0]), False)
    known = replace(guessed, has_prior_focal=True)
    other = Camera("SIMPLE_RADIAL", 480, 640, np.array([768.0, 240, 320, 0]), False)
    by_id = {1: guessed, 2: guessed, 3: known, 4: other}
    cameras, camera_of = with_shared_cameras((by_id, {"a": 1, "b": 2, "c": 3, "d": 4}))
    assert camera_of == {"a": 1, "b": 1, "c": 3, "d": 4} and set(cameras) == {1, 3, 4}
