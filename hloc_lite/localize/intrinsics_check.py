"""Doubts about intrinsics: if others explain a query's matches clearly better, and what an error of
theirs does to the pose.

Wrong intrinsics still give a pose, and many matches agree with it: half the focal length is half
the distance. What tells is that with free intrinsics the same matches agree far more closely.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.config import Config, PoseConfig
from hloc_lite.geometry.camera_models import get_camera_model
from hloc_lite.geometry.cameras import CAMERA_MODELS, focal_lengths, principal_point
from hloc_lite.pose.inlier_model import RAYLEIGH_MEDIAN, bounds_px, prior_odds, usable_mask
from hloc_lite.pose.intrinsics_fit import (
    RADIAL_MODELS,
    IntrinsicsFit,
    fit_intrinsics,
    with_principal_point,
    with_radial,
)
from hloc_lite.pose.landmark_precision import landmark_precisions
from hloc_lite.pose.other_focals import other_starts
from hloc_lite.pose.quality import MIN_SIGMA_PX
from hloc_lite.pose.refine import refine_on_inliers, reprojection_errors
from hloc_lite.types import Camera, Correspondences, Float64, PoseEstimate, Rigid3

FREE_SIGMAS = np.array([1.0, 0.05, 0.05, 0.2])
"""Standard deviations of free intrinsics about the given ones (``intrinsics_fit.NUM_INTRINSICS``):
a factor of e in the focal length, 5 % of the side in the principal point, strong distortion.
Matches outweigh them where they speak clearly."""
LIKELY_SIGMAS = np.array([1.0, 0.01, 0.01, 0.1])
"""Same about likely intrinsics: of unknown focal length, but with the principal point where it was
given or in the centre, and little distortion. Errors of a map are also made smaller by a principal
point of 3 % of the side beside the centre, which no lens has."""
CROP_SIGMAS = np.array([1.0, 0.3, 0.3, 0.05])
"""Same about the intrinsics of a photo that may have been cropped, taken with a usual lens."""
SUSPICIOUS = 0.5
"""Share of the least gain from which on likely intrinsics are tried."""
OTHER_LENS = {
    "OPENCV": "OPENCV_FISHEYE",
    "OPENCV_FISHEYE": "OPENCV",
    "SIMPLE_RADIAL": "SIMPLE_RADIAL_FISHEYE",
    "SIMPLE_RADIAL_FISHEYE": "SIMPLE_RADIAL",
    "RADIAL": "RADIAL_FISHEYE",
    "RADIAL_FISHEYE": "RADIAL",
}
"""Models of the other kind of lens, perspective or fisheye, with the same first parameters."""
MAX_OTHER_K1 = 1 / 6
"""Distortion up to which such a fit shows the other kind of lens. tan(x) is x + x^3 / 3 + ...: with
k1 near 1/3 a fisheye model describes a perspective lens, and with -1/3 a perspective one a fisheye.
It then only has distortion that the given kind of lens lacks, and explained errors of a map."""

SHIFT_SIGMAS = 0.5
"""Standard deviation over the shift to the pose with free intrinsics: the true pose then lies
within two of them, whichever of both is right."""


@dataclass(frozen=True, eq=False)
class IntrinsicsTest:
    """Outcome of the test of given intrinsics against free ones."""

    factor: float
    """Factor of the confidence in the pose; 1 where nothing speaks against its intrinsics."""
    shift: Float64
    """(6,) standard deviation of the pose along its way to that with free intrinsics, as
    ``PoseEstimate.covariance`` counts; zero where these do not fit better."""
    fitted: PoseEstimate | None = None
    """Pose with intrinsics that fit clearly better; None if those given will do."""
    sentence: str = ""
    """The given and the fitted intrinsics, for people."""


NOTHING_FOUND = IntrinsicsTest(1.0, np.zeros(6))


def compare_intrinsics(
    correspondences: Correspondences,
    pose: PoseEstimate,
    limits: tuple[float, float],
    config: Config,
    *,
    is_calibrated: bool = True,
) -> IntrinsicsTest:
    """Test the intrinsics of a pose against free ones, on the same correspondences.

    Those given do not fit if free ones gain clearly (``confidence_factor``), and if it matters:
    they move the pose by more than its limits, explain ``intrinsics.min_more_matches`` more, or
    gain ``intrinsics.clear_gain``.
    With any other gain the pose is only more uncertain.

    Args:
        limits: (distance in map units, angle in deg) within which a pose counts as correct.
        is_calibrated: False where the focal length was estimated with the pose: then only a
            principal point far from the image centre, that of a cropped photo, is found.
    """
    if get_camera_model(pose.camera).num_focals == 0:
        return NOTHING_FOUND
    usable = usable_mask(correspondences)
    kept = correspondences.subset(usable)
    given_score = log_likelihood(kept, pose.camera, pose.cam_from_world, config.pose)

    def gain(fit: IntrinsicsFit) -> float:
        free_score = log_likelihood(kept, fit.camera, fit.cam_from_world, config.pose)
        return gain_by_inlier(free_score - given_score, fit.num_inliers)

    fit = _likely_fit(kept, pose, gain, config, is_calibrated=is_calibrated)
    if fit is None or gain(fit) <= 0:
        return NOTHING_FOUND
    by_inlier = gain(fit)
    if not is_calibrated and center_distance(fit.camera) < config.intrinsics.min_crop_shift:
        return NOTHING_FOUND
    shift = pose_difference(fit.cam_from_world, pose.cam_from_world)
    matters = (
        np.linalg.norm(shift[3:]) > limits[0]
        or np.degrees(np.linalg.norm(shift[:3])) > limits[1]
        or by_inlier > config.intrinsics.clear_gain
        or fit.num_inliers > (1 + config.intrinsics.min_more_matches) * pose.num_inliers
    )
    slope = math.log(9) / config.intrinsics.gain_scale
    factor = 0.5 * (1 - math.tanh(0.5 * slope * (by_inlier - config.intrinsics.min_gain)))
    if factor >= 0.5 or not matters:
        sigma = _shift_sigma(by_inlier, config) * shift
        return IntrinsicsTest(factor if matters else 1.0, sigma)
    fitted = refine_on_inliers(  # with the focal length, so that the covariance contains its own
        kept, fit.camera, fit.cam_from_world, config.pose, pose.num_trials, refine_focal=True
    )
    if fitted is None:
        return IntrinsicsTest(factor, SHIFT_SIGMAS * shift)
    mask = np.zeros(len(correspondences), bool)
    mask[usable] = fitted.inlier_mask
    fitted = replace(fitted, inlier_mask=mask)
    return IntrinsicsTest(
        factor,
        SHIFT_SIGMAS * shift,
        fitted,
        _sentence(pose, fitted, "given" if is_calibrated else "assumed"),
    )


def _shift_sigma(gain: float, config: Config) -> float:
    """Standard deviation over the shift, less where other intrinsics gain little by inlier.

    Free intrinsics also explain errors of a small or coarse map, by large shifts. Counted in full
    at any gain, they withheld 44 of 161 right poses in three rendered towns.
    """
    return SHIFT_SIGMAS * min(1.0, gain / config.intrinsics.min_gain)


def _likely_fit(
    kept: Correspondences,
    pose: PoseEstimate,
    gain: Callable[[IntrinsicsFit], float],
    config: Config,
    *,
    is_calibrated: bool,
) -> IntrinsicsFit | None:
    """Fit with likely intrinsics that gains most; None if even free ones hardly gain."""
    camera = with_radial(pose.camera)
    usual_lens = camera if is_calibrated else without_distortion(camera)
    first = FREE_SIGMAS if is_calibrated else CROP_SIGMAS
    least = SUSPICIOUS * config.intrinsics.min_gain
    free = fit_intrinsics(kept, camera, pose.cam_from_world, config.pose, first, usual_lens)
    is_sure = pose.num_inliers >= config.intrinsics.sure_inlier_share * len(kept)
    starts = other_starts(camera, pose.cam_from_world, kept) if is_calibrated else ()
    for start, moved in () if is_sure else starts:
        if free is not None and gain(free) > least:
            break
        other = fit_intrinsics(kept, start, moved, config.pose, first, usual_lens)
        free = max((each for each in (free, other) if each), key=gain, default=None)
    if free is None or gain(free) <= least:
        return None
    cameras = likely_cameras(free.camera, camera) if is_calibrated else [(free.camera, usual_lens)]
    sigmas = LIKELY_SIGMAS if is_calibrated else CROP_SIGMAS
    likely = [
        fit_intrinsics(kept, each, free.cam_from_world, config.pose, sigmas, center)
        for each, center in cameras
    ]
    lenses = [each for each in likely if each and is_lens_of_its_kind(each.camera, camera)]
    return max(lenses, key=gain, default=None)


def is_lens_of_its_kind(fitted: Camera, given: Camera) -> bool:
    """Return False for a lens of the other kind that its distortion turns into the given kind."""
    if fitted.model == given.model:
        return True
    return abs(float(fitted.params[get_camera_model(fitted).extra_start])) <= MAX_OTHER_K1


def likely_cameras(free: Camera, given: Camera) -> list[tuple[Camera, Camera]]:
    """Initial values, and means of the prior, of likely intrinsics instead of those given.

    They are those given but for the focal length, those of a lens in the image centre, and those of
    the other kind of lens.
    """
    width, height = given.width, given.height
    cameras = [(free, given)]
    if center_distance(given) > LIKELY_SIGMAS[1]:
        cameras.append((free, with_principal_point(given, (width / 2, height / 2))))
    other = OTHER_LENS.get(given.model)
    if other is not None:
        params = np.zeros(CAMERA_MODELS[other].num_params)
        params[: get_camera_model(given).extra_start] = free.params[
            : get_camera_model(free).extra_start
        ]
        start = replace(given, model=other, params=params)
        cameras.append((start, with_principal_point(start, (width / 2, height / 2))))
    return cameras


def without_distortion(camera: Camera) -> Camera:
    """Return the same camera without radial distortion."""
    params = camera.params.copy()
    if camera.model in RADIAL_MODELS:
        params[get_camera_model(camera).extra_start] = 0.0
    return replace(camera, params=params)


def center_distance(camera: Camera) -> float:
    """Distance of the principal point from the image centre, over the longer side."""
    x, y = principal_point(camera)
    side = max(camera.width, camera.height)
    return math.hypot(x - camera.width / 2, y - camera.height / 2) / side


def gain_by_inlier(gain: float, num_inliers: int) -> float:
    """Gain of log likelihood per inlier, after the penalty for additional parameters.

    The penalty is that of the Bayesian information criterion (Schwarz 1978). Significance alone
    says little: with a thousand matches, a tenth of a percent of the focal length is significant.

    Args:
        gain: difference of the log likelihoods, nats.
        num_inliers: inliers with free intrinsics.
    """
    penalty = 0.5 * len(FREE_SIGMAS) * math.log(max(num_inliers, 2))
    return (gain - penalty) / max(num_inliers, 1)


def pose_difference(pose: Rigid3, other: Rigid3) -> Float64:
    """(6,) left perturbation (rotation vector in rad, translation) that makes a pose of another."""
    moved = pose.compose(other.inverse())
    return np.concatenate([Rotation.from_matrix(moved.rotation).as_rotvec(), moved.translation])


def log_likelihood(
    correspondences: Correspondences, camera: Camera, pose: Rigid3, config: PoseConfig
) -> float:
    """Log-likelihood ratio of a pose with its intrinsics to none at all, nats.

    A correct correspondence is normally distributed about its projection, with the spread that the
    inliers have, and more where its landmark is uncertain; a wrong one uniformly over the image. Of
    each keypoint the best one counts.
    """
    errors = reprojection_errors(correspondences.points2D, correspondences.points3D, camera, pose)
    bounds = bounds_px(correspondences, camera, config)
    inliers = errors <= bounds
    if not inliers.any():
        return 0.0
    precisions = landmark_precisions(correspondences, camera, pose, config)
    scaled = errors if precisions is None else errors * precisions
    sigma = max(float(np.median(scaled[inliers])) / RAYLEIGH_MEDIAN, MIN_SIGMA_PX)
    spread = sigma if precisions is None else sigma / precisions
    odds = prior_odds(correspondences.weights, config) * camera.width * camera.height
    relative = np.square(np.where(inliers, errors, 0) / spread)
    terms = np.log1p(odds / (2 * math.pi * spread**2) * np.exp(-0.5 * relative)) * inliers
    _, keypoints = np.unique(correspondences.keypoint_idxs, return_inverse=True)
    best = np.zeros(keypoints.max(initial=-1) + 1)
    np.maximum.at(best, keypoints, terms)
    return float(best.sum())


def _sentence(given: PoseEstimate, fitted: PoseEstimate, source: str) -> str:
    """Intrinsics that were given or assumed, those that fit, and how many matches each explains."""
    old, new = given.camera, fitted.camera
    counts = f"fits {fitted.num_inliers} instead of {given.num_inliers} matches"
    before, after = float(focal_lengths(old)[0]), float(focal_lengths(new)[0])
    parts = []
    if abs(math.log(after / before)) > 0.02:
        parts.append((f"f = {before:.0f} px", f"{after:.0f} px"))
    (x, y), (new_x, new_y) = principal_point(old), principal_point(new)
    if math.hypot(new_x - x, new_y - y) > 0.02 * max(old.width, old.height):
        parts.append((f"principal point ({x:.0f}, {y:.0f})", f"({new_x:.0f}, {new_y:.0f})"))
    if not parts:
        first, second = get_camera_model(old), get_camera_model(new)
        k1 = old.params[first.extra_start] if len(old.params) > first.extra_start else 0.0
        parts.append((f"{old.model} with k1 = {k1:.3g}", f"{new.params[second.extra_start]:.3g}"))
    before_text = " and ".join(part[0] for part in parts)
    after_text = " and ".join(part[1] for part in parts)
    return f"the intrinsics do not fit: {before_text} {source}, {after_text} {counts}"
