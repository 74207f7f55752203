"""Contract tests of the rig estimators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hloc_lite.config import PoseConfig
from hloc_lite.errors import ShapeError, UnknownNameError
from hloc_lite.geometry.cameras import camera_from_focal, img_from_cam
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.weights import WeightsStore
from hloc_lite.pose.rig_inputs import RigView, shared_centers
from hloc_lite.pose.rig_refine import RigObservations
from hloc_lite.pose.rig_reprojection import RigBatchReprojection
from hloc_lite.protocols import PoseEstimator, RigEstimator
from hloc_lite.registry import (
    ESTIMATORS,
    Runtime,
    create,
    create_rig_estimator,
    rig_estimator_names,
)
from hloc_lite.synthetic.correspondences import CAMERA, make_scene
from hloc_lite.synthetic.rigs import RigScene, make_rig_scene, ring
from hloc_lite.types import Camera, Correspondences, Float64, Rig, RigCamera, Rigid3

FISHEYE = camera_from_focal("OPENCV_FISHEYE", 1000, 1000, 240, has_prior_focal=True)
PANORAMA = Camera("EQUIRECTANGULAR", 2000, 1000, np.array([2000.0, 1000.0]))
NOTHING = Correspondences(np.zeros((0, 2)), np.zeros((0, 3)), np.zeros(0), np.zeros(0), np.zeros(0))


@pytest.fixture(params=rig_estimator_names())
def estimator(request: pytest.FixtureRequest) -> RigEstimator:
    return make(request.param)


def make(name: str = "weighted", **settings: object) -> RigEstimator:
    runtime = Runtime(WeightsStore(offline=True))
    made: RigEstimator = create_rig_estimator(name, PoseConfig(**settings), runtime)
    return made


def check(estimator: RigEstimator, scene: RigScene, distance: float, angle_deg: float) -> None:
    found = estimator.estimate(scene.correspondences, scene.rig)
    assert found is not None
    errors = pose_errors(found.rig_from_world, scene.rig_from_world)
    assert errors[0] < distance
    assert errors[1] < angle_deg


def mahalanobis(covariance: Float64 | None, found: Rigid3, true: Rigid3) -> float:
    assert covariance is not None
    off = true.compose(found.inverse())
    error = np.concatenate([Rotation.from_matrix(off.rotation).as_rotvec(), off.translation])
    return float(error @ np.linalg.solve(covariance, error))


def test_pose_of_exact_matches_is_exact(estimator: RigEstimator) -> None:
    check(estimator, make_rig_scene(1, noise_px=0), 1e-6, 1e-6)


@pytest.mark.parametrize("share", [0.8, 0.3, 0.1])
def test_inliers_are_found_among_outliers(estimator: RigEstimator, share: float) -> None:
    scene = make_rig_scene(2, count=1000, inlier_ratio=share)
    found = estimator.estimate(scene.correspondences, scene.rig)
    assert found is not None
    check(estimator, scene, 0.05, 0.2)
    inliers, true = np.concatenate(found.inlier_masks), np.concatenate(scene.inlier_masks)
    assert [len(mask) for mask in found.inlier_masks] == [250] * 4
    assert (inliers & true).sum() > 0.99 * true.sum()
    assert (inliers & ~true).sum() < 0.01 * len(true)
    assert found.num_inliers == inliers.sum()


def test_rig_with_different_camera_models_and_sizes(estimator: RigEstimator) -> None:
    radial = replace(CAMERA, params=np.array([900.0, 512, 384, 0.05]))
    large = camera_from_focal("PINHOLE", 4096, 3072, 3600, has_prior_focal=True)
    opencv = camera_from_focal("OPENCV", 1024, 768, 700, has_prior_focal=True)
    opencv = replace(opencv, params=np.append(opencv.params[:4], [0.05, -0.02, 1e-3, 2e-3]))
    rig = ring([radial, large, opencv, FISHEYE], 0.5, 3)
    check(estimator, make_rig_scene(3, rig, inlier_ratio=0.4), 0.05, 0.2)


def test_wide_and_spherical_cameras() -> None:
    """Only ``weighted`` sees behind the image plane."""
    scene = make_rig_scene(
        4, ring([FISHEYE, PANORAMA, CAMERA], 1.0, 4), count=900, inlier_ratio=0.3
    )
    check(make(), scene, 0.05, 0.2)
    found = make().estimate(scene.correspondences, scene.rig)
    assert found is not None
    poses = scene.rig.cams_from_world(found.rig_from_world)
    for i in (0, 1):
        behind = poses[i].apply(scene.correspondences[i].points3D)[:, 2] < 0
        assert (found.inlier_masks[i] & behind).sum() > 5


@pytest.mark.parametrize("name", rig_estimator_names())
def test_rig_with_one_camera_agrees_with_single_camera_estimator(name: str) -> None:
    alone = make_scene(5, inlier_ratio=0.3)
    cam_from_rig = Rigid3(Rotation.random(random_state=3).as_matrix(), np.array([1.0, -2, 0.5]))
    rig = Rig((RigCamera(alone.camera, cam_from_rig),))
    found = make(name).estimate([alone.correspondences], rig)
    runtime = Runtime(WeightsStore(offline=True))
    single: PoseEstimator = create(ESTIMATORS, name, PoseConfig(), runtime)
    expected = single.estimate(alone.correspondences, alone.camera)
    assert found is not None
    assert expected is not None
    (pose,) = rig.cams_from_world(found.rig_from_world)
    # both stop a thousandth of a standard deviation before the same minimum
    distance, angle = pose_errors(pose, expected.cam_from_world)
    assert distance < 1e-4
    assert angle < 1e-3
    np.testing.assert_array_equal(found.inlier_masks[0], expected.inlier_mask)
    assert mahalanobis(expected.covariance, pose, expected.cam_from_world) < 0.01


def test_covariance_with_one_camera_is_that_of_the_camera() -> None:
    alone = make_scene(5, inlier_ratio=0.6)
    turn = Rigid3(Rotation.random(random_state=3).as_matrix(), np.zeros(3))
    runtime = Runtime(WeightsStore(offline=True))
    single: PoseEstimator = create(ESTIMATORS, "weighted", PoseConfig(), runtime)
    expected = single.estimate(alone.correspondences, alone.camera)
    found = make().estimate([alone.correspondences], Rig((RigCamera(alone.camera, turn),)))
    assert expected is not None and expected.covariance is not None
    assert found is not None and found.covariance is not None
    both = np.kron(np.eye(2), turn.rotation)
    in_cam = both @ found.covariance @ both.T
    np.testing.assert_allclose(
        in_cam, expected.covariance, rtol=0.02, atol=0.02 * np.abs(expected.covariance).max()
    )


def test_rig_with_a_single_centre(estimator: RigEstimator) -> None:
    """All samples are solved by P3P."""
    check(estimator, make_rig_scene(6, ring([CAMERA] * 4, 0.0, 6), inlier_ratio=0.3), 0.05, 0.2)


def test_rig_with_nearly_coincident_centres(estimator: RigEstimator) -> None:
    check(estimator, make_rig_scene(6, ring([CAMERA] * 4, 1e-4, 6), inlier_ratio=0.3), 0.05, 0.2)


def test_cameras_without_correspondences(estimator: RigEstimator) -> None:
    scene = make_rig_scene(7, inlier_ratio=0.5)
    for seeing in ((0,), (2,), (1, 3)):
        given = tuple(
            each if i in seeing else NOTHING for i, each in enumerate(scene.correspondences)
        )
        found = estimator.estimate(given, scene.rig)
        assert found is not None
        assert pose_errors(found.rig_from_world, scene.rig_from_world)[0] < 0.1
        assert [len(mask) for mask in found.inlier_masks] == [len(each) for each in given]


def test_few_inliers_per_camera_suffice_in_total(estimator: RigEstimator) -> None:
    scene = make_rig_scene(8, inlier_ratio=1.0)
    few = [each.subset(np.arange(4)) for each in scene.correspondences]
    check(estimator, replace(scene, correspondences=tuple(few)), 0.1, 0.5)


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (1, 1, 0, 0), (1, 1, 1, 0), (3, 3, 3, 2)])
def test_too_few_correspondences_give_no_pose(
    estimator: RigEstimator, counts: tuple[int, ...]
) -> None:
    scene = make_rig_scene(9, inlier_ratio=1.0)
    given = [
        each.subset(np.arange(n)) for each, n in zip(scene.correspondences, counts, strict=True)
    ]
    assert estimator.estimate(given, scene.rig) is None


def test_outliers_alone_give_no_pose() -> None:
    scene = make_rig_scene(10, count=400, inlier_ratio=0)
    for name in rig_estimator_names():
        assert make(name, max_num_trials=5000).estimate(scene.correspondences, scene.rig) is None


def test_random_agreement_gives_no_pose() -> None:
    """Among 4000 outliers a few agree with some pose, but not a dozen."""
    scene = make_rig_scene(10, count=4000, inlier_ratio=0)
    few = make(max_num_trials=5000, rig_min_inliers=4).estimate(scene.correspondences, scene.rig)
    assert few is not None
    assert make(max_num_trials=5000).estimate(scene.correspondences, scene.rig) is None


def test_repeated_keypoint_counts_as_one_inlier(estimator: RigEstimator) -> None:
    scene = make_rig_scene(11, inlier_ratio=1.0)
    given = [each.subset(np.resize(np.arange(2), 100)) for each in scene.correspondences]
    assert estimator.estimate(given, scene.rig) is None


def test_wrong_number_of_cameras_is_refused(estimator: RigEstimator) -> None:
    scene = make_rig_scene(12)
    with pytest.raises(ShapeError, match="got 3 for 4 cameras"):
        estimator.estimate(scene.correspondences[:3], scene.rig)
    with pytest.raises(ShapeError, match="at least one camera"):
        Rig(())


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="weighted"):
        make("weigthed")


def test_non_finite_points_and_pixels_are_ignored(estimator: RigEstimator) -> None:
    scene = make_rig_scene(13)
    broken = []
    for each in scene.correspondences:
        points2D, points3D = each.points2D.copy(), each.points3D.copy()
        points2D[:5], points3D[5:10] = np.nan, np.inf
        broken.append(replace(each, points2D=points2D, points3D=points3D))
    found = estimator.estimate(broken, scene.rig)
    assert found is not None
    assert not any(mask[:10].any() for mask in found.inlier_masks)
    assert pose_errors(found.rig_from_world, scene.rig_from_world)[0] < 0.05


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 1e308, 1e-308])
@pytest.mark.parametrize("field", ["weights", "bound_factors"])
def test_unusable_rows_are_ignored(estimator: RigEstimator, field: str, value: float) -> None:
    scene = make_rig_scene(14)
    numbers = np.where(np.arange(125) < 5, value, 1.0)
    given = [replace(each, **{field: numbers}) for each in scene.correspondences]
    found = estimator.estimate(given, scene.rig)
    expected = estimator.estimate(
        [each.subset(np.arange(5, 125)) for each in scene.correspondences], scene.rig
    )
    assert found is not None and expected is not None
    np.testing.assert_allclose(
        found.rig_from_world.translation, expected.rig_from_world.translation, atol=1e-9
    )
    for mask, rest in zip(found.inlier_masks, expected.inlier_masks, strict=True):
        assert not mask[:5].any()
        np.testing.assert_array_equal(mask[5:], rest)


def test_points_beyond_single_precision_are_ignored(estimator: RigEstimator) -> None:
    scene = make_rig_scene(14)
    first, *others = scene.correspondences
    points3D = first.points3D.copy()
    points3D[0] = 1e200
    check(
        estimator,
        replace(scene, correspondences=(replace(first, points3D=points3D), *others)),
        0.05,
        0.2,
    )


def test_zero_weights_are_no_inliers(estimator: RigEstimator) -> None:
    scene = make_rig_scene(14)
    weights = np.where(np.arange(125) < 25, 0.0, 1.0)
    given = [replace(each, weights=weights) for each in scene.correspondences]
    found = estimator.estimate(given, scene.rig)
    assert found is not None
    assert not any(mask[:25].any() for mask in found.inlier_masks)


@pytest.mark.parametrize("name", rig_estimator_names())
def test_results_are_deterministic(name: str) -> None:
    scene = make_rig_scene(15, inlier_ratio=0.2)
    one, other = (make(name).estimate(scene.correspondences, scene.rig) for _ in range(2))
    assert one is not None
    assert other is not None
    for first, second in (
        (one.rig_from_world.rotation, other.rig_from_world.rotation),
        (one.rig_from_world.translation, other.rig_from_world.translation),
    ):
        if name == "poselib":  # its last digits differ from call to call
            np.testing.assert_allclose(first, second, rtol=0, atol=1e-10)
        else:
            assert first.tobytes() == second.tobytes()


def test_pose_is_equivariant_to_similarities_of_world_and_rig(estimator: RigEstimator) -> None:
    scene = make_rig_scene(16)
    factor = 37.0
    world = Rigid3(Rotation.random(random_state=1).as_matrix(), np.array([1e3, -2e3, 5e2]))
    old_from_new = Rigid3(Rotation.random(random_state=2).as_matrix(), np.array([3.0, 1.0, -20.0]))
    cameras = tuple(
        RigCamera(
            each.camera,
            Rigid3(
                each.cam_from_rig.rotation, factor * each.cam_from_rig.translation
            ).compose(old_from_new),
        )
        for each in scene.rig.cameras
    )  # fmt: skip
    moved = tuple(
        replace(each, points3D=world.apply(factor * each.points3D))
        for each in scene.correspondences
    )
    one = estimator.estimate(scene.correspondences, scene.rig)
    other = estimator.estimate(moved, Rig(cameras))
    assert one is not None
    assert other is not None
    for before, after in zip(
        scene.rig.cams_from_world(one.rig_from_world),
        Rig(cameras).cams_from_world(other.rig_from_world),
        strict=True,
    ):
        np.testing.assert_allclose(after.center, world.apply(factor * before.center), atol=2e-3)
        np.testing.assert_allclose(after.rotation @ world.rotation, before.rotation, atol=1e-5)


def in_frame(rig: Rig, old_from_new: Rigid3) -> Rig:
    return Rig(
        tuple(
            RigCamera(each.camera, each.cam_from_rig.compose(old_from_new)) for each in rig.cameras
        )
    )


def test_rig_frame_may_be_far_from_the_cameras(estimator: RigEstimator) -> None:
    scene = make_rig_scene(22, inlier_ratio=0.2)
    far = Rigid3(Rotation.random(random_state=2).as_matrix(), np.array([3e4, 1e4, -2e4]))
    one = estimator.estimate(scene.correspondences, scene.rig)
    other = estimator.estimate(scene.correspondences, in_frame(scene.rig, far))
    assert one is not None
    assert other is not None
    distance, angle = pose_errors(far.compose(other.rig_from_world), one.rig_from_world)
    assert distance < 1e-4
    assert angle < 1e-3


def test_covariance_is_equivariant_to_the_rig_frame() -> None:
    """The Mahalanobis distance of the pose error does not depend on the frame."""
    scene = make_rig_scene(23)
    old_from_new = Rigid3(Rotation.random(random_state=4).as_matrix(), np.array([3.0, -5.0, 8.0]))
    one = make().estimate(scene.correspondences, scene.rig)
    other = make().estimate(scene.correspondences, in_frame(scene.rig, old_from_new))
    assert one is not None
    assert other is not None
    truth = old_from_new.inverse().compose(scene.rig_from_world)
    before = mahalanobis(one.covariance, one.rig_from_world, scene.rig_from_world)
    after = mahalanobis(other.covariance, other.rig_from_world, truth)
    assert after == pytest.approx(before, rel=0.01)


def test_pose_does_not_depend_on_the_order_of_cameras(estimator: RigEstimator) -> None:
    scene = make_rig_scene(17)
    order = [2, 0, 3, 1]
    one = estimator.estimate(scene.correspondences, scene.rig)
    other = estimator.estimate(
        [scene.correspondences[i] for i in order], Rig(tuple(scene.rig.cameras[i] for i in order))
    )
    assert one is not None
    assert other is not None
    distance, angle = pose_errors(one.rig_from_world, other.rig_from_world)
    assert distance < 1e-5
    assert angle < 1e-4
    for i, mask in zip(order, other.inlier_masks, strict=True):
        np.testing.assert_array_equal(one.inlier_masks[i], mask)


@pytest.mark.parametrize("sampling", ["mixed", "prosac"])
def test_informative_weights_save_samples(sampling: str) -> None:
    trials: dict[str, list[int]] = {"uniform": [], "weighted": []}
    for seed in range(3):
        scene = make_rig_scene(seed, count=2000, inlier_ratio=0.08)
        rng = np.random.default_rng(seed)
        informed = tuple(
            replace(each, weights=np.exp(1.19 * (rng.normal(size=len(true)) + 1.19 * true)))
            for each, true in zip(scene.correspondences, scene.inlier_masks, strict=True)
        )
        for name, given in (("uniform", scene.correspondences), ("weighted", informed)):
            found = make(sampling=sampling).estimate(given, scene.rig)
            assert found is not None
            assert pose_errors(found.rig_from_world, scene.rig_from_world)[0] < 0.1
            trials[name].append(found.num_trials)
    assert np.median(trials["weighted"]) * 4 < np.median(trials["uniform"])


def test_covariance_is_consistent_with_pose_errors() -> None:
    """Squared Mahalanobis errors follow a chi-square distribution with 6 degrees of freedom."""
    from scipy.stats import chi2, kstest

    values = []
    for seed in range(100):
        scene = make_rig_scene(100 + seed, count=200, inlier_ratio=0.8)
        found = make().estimate(scene.correspondences, scene.rig)
        assert found is not None
        values.append(mahalanobis(found.covariance, found.rig_from_world, scene.rig_from_world))
    assert kstest(values, chi2(6).cdf).pvalue > 0.01


def test_more_cameras_reduce_the_covariance_in_every_direction() -> None:
    scene = make_rig_scene(18, inlier_ratio=1.0)
    found = make().estimate(scene.correspondences, scene.rig)
    alone = make().estimate([scene.correspondences[0], NOTHING, NOTHING, NOTHING], scene.rig)
    assert found is not None and found.covariance is not None
    assert alone is not None and alone.covariance is not None
    assert np.linalg.eigvalsh(alone.covariance - found.covariance)[0] > 0


def test_linearized_errors_agree_with_reprojection_errors() -> None:
    """To first order, in units of the inlier bound."""
    scene = make_rig_scene(19, inlier_ratio=1.0, noise_px=0.3)
    config = PoseConfig(max_error_px=6, reference_side_px=1024)
    views = [
        RigView.from_correspondences(each, given, config)
        for each, given in zip(scene.rig.cameras, scene.correspondences, strict=True)
    ]
    forms = RigBatchReprojection.concatenate([view.errors(np.zeros(3)) for view in views])
    pose = np.concatenate([scene.rig_from_world.rotation.ravel(), scene.rig_from_world.translation])
    first, second, depth = forms.evaluate(pose)
    expected = np.concatenate([
        (img_from_cam(each.camera, cam_from_world.apply(given.points3D)) - given.points2D) / 6
        for each, cam_from_world, given in zip(
            scene.rig.cameras,
            scene.rig.cams_from_world(scene.rig_from_world),
            scene.correspondences,
            strict=True,
        )
    ])  # fmt: skip
    np.testing.assert_allclose(np.stack([first, second]).T / depth[:, None], expected, atol=1e-3)
    msac = forms.msac_scores(pose[None])[0]
    np.testing.assert_allclose(msac, 1 - (expected**2).sum(axis=1), atol=1e-3)
    single = forms.astype(np.float32)
    np.testing.assert_allclose(
        single.msac_scores(pose[None].astype(np.float32))[0], msac, atol=1e-3
    )


def test_jacobian_agrees_with_finite_differences() -> None:
    scene = make_rig_scene(20, ring([CAMERA, FISHEYE, PANORAMA], 0.5, 20), count=60)
    observations = RigObservations(
        scene.rig,
        (20, 20, 20),
        np.concatenate([each.points2D for each in scene.correspondences]),
        np.concatenate([each.points3D for each in scene.correspondences]),
        (1.0, 2.0, 0.5),
    )
    jacobian = observations.jacobian(scene.rig_from_world)
    for parameter in range(6):
        step = 1e-6 * np.eye(6)[parameter]
        ends = [
            observations.residuals(
                Rigid3(
                    Rotation.from_rotvec(sign * step[:3]).as_matrix(), sign * step[3:]
                ).compose(scene.rig_from_world)
            )
            for sign in (-1, 1)
        ]  # fmt: skip
        numeric = (ends[1] - ends[0]) / 2e-6
        scale = np.abs(jacobian[parameter]).max()
        np.testing.assert_allclose(jacobian[parameter], numeric, atol=1e-5 * scale)


def test_shared_centers_within_a_tolerance() -> None:
    rig = ring([CAMERA] * 3, 0.5, 21)
    twin = RigCamera(CAMERA, rig.cameras[1].cam_from_rig)
    rig = Rig((*rig.cameras, twin))
    assert shared_centers(rig, 1e-9).tolist() == [0, 1, 2, 1]
    assert shared_centers(rig, 10.0).tolist() == [0, 0, 0, 0]
