"""Landmarks first, images only while no pose is sure; priors, rigs, sequences, batches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.clock import StageClock
from hloc_lite.config import load_config
from hloc_lite.errors import ConfigError, ShapeError
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.cascade import with_images
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.sequence import Frame
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.mean_descriptors import mean_descriptors
from hloc_lite.types import NO_POINT, Photo, Prior, Rig, RigCamera, Rigid3, Status
from pipelines.towns.described_queries import DescribedQuery, correct_queries
from tests.exact_scene import MAP_NAMES, NoWeights, mapped_scene


@pytest.fixture(scope="module")
def built():
    with mapped_scene() as both:
        yield both


def localizer(place, *settings: str) -> Localizer:
    config = load_config(base=place.config, settings=settings)
    return Localizer(place, config, weights=NoWeights())


def count_calls(made: Localizer) -> dict[str, int]:
    """How often the layer matches landmarks and images from now on."""
    counts = {"match": 0, "match_landmarks": 0}
    layer = made._layers[0]

    def counting(name: str):
        real = getattr(layer, name)

        def call(features, hits):
            counts[name] += len(hits.names) if name == "match" else 1
            return real(features, hits)

        return call

    for name in counts:
        setattr(layer, name, counting(name))
    return counts


@pytest.mark.parametrize("matching", ["cascade", "landmarks", "images"])
def test_each_way_of_matching_finds_the_exact_pose(built, matching: str) -> None:
    scene, place = built
    made = localizer(place, f"localize.matching={matching}")
    result = made.localize(scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED
    distance, angle_deg = pose_errors(result.pose.cam_from_world, scene.poses[3])
    assert distance < 1e-5 and angle_deg < 1e-4


def test_a_sure_pose_needs_no_images(built) -> None:
    scene, place = built
    made = localizer(place)
    counts = count_calls(made)
    assert made.localize(scene.image(3), scene.camera).confidence > 0.95
    assert counts == {"match": 0, "match_landmarks": 1}


def test_what_is_never_sure_goes_through_all_steps(built) -> None:
    scene, place = built
    settings = (
        "confidence.min_confidence=1",
        "cascade.num_initial_images=2",
        "cascade.max_images=3",
    )
    made = localizer(place, *settings, "cascade.accept_above=1", "cascade.images_per_step=2")
    counts = count_calls(made)
    result = made.localize(scene.image(3), scene.camera)
    assert counts == {"match": 3, "match_landmarks": 2}
    assert result.status is Status.DOUBTFUL and result.pose is None and not result.skipped
    assert result.counts["images_matched"] == 3


def test_no_more_images_are_matched_where_there_is_no_hope(built) -> None:
    scene, place = built
    settings = (
        "confidence.min_confidence=1",
        "cascade.accept_above=1",
        "cascade.images_per_step=2",
    )
    for hopeless, matched in ((0.0, 6), (1 - 1e-9, 2)):
        made = localizer(place, *settings, f"cascade.reject_below={hopeless}")
        result = made.localize(scene.image(3), scene.camera)
        assert result.status is Status.DOUBTFUL
        assert result.counts["images_matched"] == matched


def test_images_are_matched_until_a_pose_is_given(built) -> None:
    scene, place = built
    made = localizer(place, "cascade.accept_above=1", "cascade.images_per_step=2")
    result = made.localize(scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED and result.counts["images_matched"] == 2


def test_matches_of_a_learned_matcher_prove_less(built) -> None:
    scene, place = built
    made = localizer(place)
    (layer,) = made._layers
    layer.learned = True
    seen = made.look(Photo("query", scene.image(3)), scene.camera)
    landmarks = made.cascade.match_landmarks(seen, seen.hits, StageClock())
    images = made.cascade.match_images(seen, seen.hits, StageClock())
    both = with_images(landmarks, images)
    assert (landmarks.learned, images.learned, both.learned) == (False, True, True)
    answers = [made.solve(replace(both, learned=of), "query") for of in (False, True)]
    assert answers[0].confidence > answers[1].confidence
    assert answers[0].pose is not None and answers[0].grounds == answers[1].grounds


def test_a_budget_ends_the_steps_and_says_so(built) -> None:
    scene, place = built
    made = localizer(place, "cascade.accept_above=1", "cascade.num_initial_images=2")
    counts = count_calls(made)
    result = made.localize(scene.image(3), scene.camera, budget_ms=0)
    assert counts == {"match": 0, "match_landmarks": 1}
    assert result.status is Status.LOCALIZED
    assert result.skipped == ("landmarks of 4 more images", "images by the matcher")
    assert result.counts["images_matched"] == 0
    without = localizer(
        place, "cascade.accept_above=1", "cascade.num_initial_images=2", "cascade.max_images=0"
    )
    result = without.localize(scene.image(3), scene.camera, budget_ms=0)
    assert result.skipped == ("landmarks of 4 more images",)


@pytest.mark.parametrize("budget_ms", [float("nan"), -1, "5"])
def test_budgets_are_times(built, budget_ms) -> None:
    scene, place = built
    with pytest.raises(ConfigError, match="budget_ms"):
        localizer(place).localize(scene.image(3), scene.camera, budget_ms=budget_ms)


def test_landmark_matches_count_for_all_images_that_see_them(built) -> None:
    scene, place = built
    made = localizer(place)
    seen = made.look(Photo("query", scene.image(3)), scene.camera)
    query = made.cascade.match_landmarks(seen, seen.hits, StageClock())
    assert set(query.matched) == set(MAP_NAMES)
    for name, (matches, points) in query.matched.items():
        image = place.model.image_named(name)
        own = image.point3D_idxs[image.point3D_idxs != NO_POINT]
        assert set(points[matches.indices[:, 1]]) <= set(own)
    by_point = {
        (int(k), int(points[i]))
        for matches, points in query.matched.values()
        for k, i in matches.indices
    }
    keypoints = [keypoint for keypoint, _ in by_point]
    assert len(set(keypoints)) == len(keypoints), "a keypoint matches one landmark only"


def test_mean_descriptors_are_those_of_the_track(built) -> None:
    scene, place = built
    found = mean_descriptors(place)
    assert found.num_landmarks == place.model.num_points
    rows, owners = found.of(np.array([0, 5, 7]))
    assert owners.tolist() == [0, 5, 7]
    nearest = np.argmax(rows @ scene.descriptors.T, axis=1)  # all views have the point's own
    distances = np.linalg.norm(scene.points[nearest] - place.model.xyz[[0, 5, 7]], axis=1)
    assert distances.max() < 1e-3


def test_several_descriptors_of_a_landmark() -> None:
    values = np.array([[2, 0], [0, 3], [1, 0], [-1, 0]], np.int8)
    found = LandmarkDescriptors(values, np.array([0, 2, 2, 4]))
    rows, owners = found.of(np.array([0, 2]))
    assert owners.tolist() == [0, 0, 2, 2]
    assert np.allclose(rows, [[1, 0], [0, 1], [1, 0], [-1, 0]])
    with pytest.raises(ShapeError):
        LandmarkDescriptors(values, np.array([0, 3]))


def test_a_prior_narrows_retrieval_and_withholds_what_contradicts_it(built) -> None:
    scene, place = built
    made = localizer(place, "prior.margin_depths=0")
    true, east = scene.poses[3].center, np.array([1.0, 0, 0])
    near = made.localize(scene.image(3), scene.camera, prior=Prior(true, 0.9))
    assert near.status is Status.LOCALIZED
    assert 0 < len(near.hits.names) < len(MAP_NAMES)
    far = made.localize(scene.image(3), scene.camera, prior=Prior(true + 99 * east, 1.0))
    assert far.status is Status.NO_RETRIEVAL and "expected position" in far.reason
    loose = localizer(place)
    moved = loose.localize(scene.image(3), scene.camera, prior=Prior(true + 0.5 * east, 0.1))
    assert moved.status is Status.DOUBTFUL and moved.pose is None
    assert "expected within 0.1" in moved.reason
    down = Prior(gravity_in_cam=np.array([1.0, 0, 0]), gravity_in_world=np.array([0.0, 1, 0]))
    tilted = loose.localize(scene.image(3), scene.camera, prior=down)
    assert tilted.status is Status.DOUBTFUL and "gravity" in tilted.reason
    with pytest.raises(ConfigError, match="expected a Prior"):
        loose.localize(scene.image(3), scene.camera, prior=(0, 0, 0, 1))


def test_a_rig_is_localized_from_all_of_its_cameras(built, tmp_path: Path) -> None:
    scene, place = built
    made = localizer(place)
    world_from_rig = scene.poses[3].inverse()
    rig = Rig(
        tuple(
            RigCamera(scene.camera, scene.poses[index].compose(world_from_rig))
            for index in (3, 5, 7)
        )
    )
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    result = made.localize_rig([scene.image(3), scene.image(5), broken], rig)
    assert result.status is Status.LOCALIZED
    distance, angle_deg = pose_errors(result.pose.rig_from_world, scene.poses[3])
    assert distance < 1e-4 and angle_deg < 1e-3
    assert list(result.unreadable) == ["2: broken.jpg"]
    assert result.reason.endswith("of 2 cameras agree; 1 photo could not be read")
    nothing = made.localize_rig([broken] * 3, rig)
    assert nothing.status is Status.UNREADABLE and nothing.pose is None
    with pytest.raises(ShapeError):
        made.localize_rig([scene.image(3)], rig)


def test_a_sequence_solves_poor_frames_together(built, monkeypatch) -> None:
    scene, place = built
    made = localizer(place)
    indices = [1, 2, 3, 4, 5]
    frames = [
        Frame(
            scene.image(index),
            scene.camera,
            None if row == 0 else scene.poses[index].compose(scene.poses[index - 1].inverse()),
        )
        for row, index in enumerate(indices)
    ]
    alone = list(made.localize_sequence(frames))
    assert all(result.status is Status.LOCALIZED for result in alone)

    real = made.localize

    def poor(image, camera=None, **options):
        result = real(image, camera, **options)
        if not np.array_equal(image, frames[3].image):
            return result
        return type(result)(**{**vars(result), "pose": None, "status": Status.DOUBTFUL})

    monkeypatch.setattr(made, "localize", poor)
    found = list(made.localize_sequence(frames))
    assert found[3].status is Status.LOCALIZED and found[3].counts["frames"] == 4
    distance, angle_deg = pose_errors(found[3].pose.cam_from_world, scene.poses[4])
    assert distance < 1e-3 and angle_deg < 0.01
    assert found[3].confidence is None, "nobody has judged it"


@pytest.mark.parametrize(
    "from_last",
    [
        Rigid3(np.eye(3), np.full(3, np.nan)),
        Rigid3(np.eye(3), np.array([np.inf, 0, 0])),
        Rigid3(np.full((3, 3), np.nan), np.zeros(3)),
        Rigid3(3 * np.eye(3), np.zeros(3)),
        Rigid3(-np.eye(3), np.zeros(3)),
        "forward",
    ],
)
def test_odometry_that_is_no_motion_is_refused_before_it_does_harm(from_last) -> None:
    with pytest.raises(ShapeError, match=r"Frame\.from_last"):
        Frame("photo.jpg", None, from_last)


def test_odometry_beyond_all_bounds_ends_no_sequence(built) -> None:
    scene, place = built
    far = Rigid3(np.eye(3), np.array([1e153, 0, 0]))
    frames = [Frame(scene.image(3), scene.camera, far) for _ in range(3)]
    found = list(localizer(place).localize_sequence(frames))
    assert [result.status for result in found] == [Status.LOCALIZED] * 3
    with pytest.raises(ConfigError, match="expected a Frame"):
        list(localizer(place).localize_sequence([scene.image(3)]))


def test_a_batch_comes_back_in_order_and_from_many_threads_alike(built, tmp_path: Path) -> None:
    scene, place = built
    made = localizer(place)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    images = [scene.image(3), broken, scene.image(5)]
    results = list(made.localize_batch(images, [scene.camera] * 3))
    statuses = [result.status for result in results]
    assert statuses == [Status.LOCALIZED, Status.UNREADABLE, Status.LOCALIZED]
    with ThreadPoolExecutor(8) as pool:
        again = list(pool.map(lambda _: made.localize(scene.image(5), scene.camera), range(24)))
    for result in again:
        assert np.array_equal(
            result.pose.cam_from_world.translation, results[2].pose.cam_from_world.translation
        )
    with pytest.raises(ShapeError, match="1 cameras for 3 images"):
        list(made.localize_batch(images, [scene.camera]))


def test_queries_described_before_are_answered_as_others(built) -> None:
    scene, place = built
    made = localizer(place, "localize.matching=images")
    photo = Photo("q", scene.image(3))
    seen = made.look(photo, scene.camera)
    (described,) = made._models.describer.describe([photo])
    right, wrong = (
        DescribedQuery("q", "day", photo, scene.camera, seen.features[0], described, scene.poses[i])
        for i in (3, 6)
    )
    assert correct_queries(made, [right, wrong], 5) == [True, False]
