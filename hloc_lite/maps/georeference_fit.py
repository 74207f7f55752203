"""Fits the georeference of a map to noisy geodetic positions of its images, with outliers.

Satellite heights are inaccurate, and a street is a line: then positions leave the tilt of the map
undetermined. Photos that were held level determine it better. Both are used, weighted by their
uncertainty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass

import numpy as np
from pydantic import Field
from scipy.optimize import least_squares

from hloc_lite.config import Section
from hloc_lite.errors import GeoreferenceError, counted
from hloc_lite.geometry.geodesy import (
    Geodetic,
    ecef_from_geodetic,
    enu_from_geodetic,
    geodetic_from_ecef,
)
from hloc_lite.geometry.robust_similarity import fit_similarity_robust
from hloc_lite.geometry.rotations import exp_so3, rotation_to_z
from hloc_lite.geometry.similarity import Similarity3, fit_level_similarity, fit_similarity
from hloc_lite.geometry.up_direction import UpEstimate, estimate_up
from hloc_lite.maps.georeference import FitQuality, Georeference
from hloc_lite.types import Bool, Float64, Rigid3


class GeoreferenceConfig(Section):
    """Settings of the fit, and how uncertain it may be."""

    num_samples: int = Field(500, ge=1, le=10**6)
    """Minimal samples; with 40 % outliers, 500 triples are all contaminated with probability
    1e-53."""
    seed: int = Field(0, ge=0)
    outlier_sigmas: float = Field(4.0, gt=0, le=100)
    """Positions with larger 3D errors are outliers; so are 1 in 900 with normal errors."""
    min_sigma_m: float = Field(0.02, gt=0, le=100)
    """Lower bound of the positions' standard deviation: that of surveyed antennas; maps bend by as
    much."""
    max_scale_sigma: float = Field(0.1, gt=0, le=1)
    """Largest relative standard deviation of the scale; above it the fit is refused."""
    max_tilt_sigma_deg: float = Field(5.0, gt=0, le=90)
    """Largest standard deviation of up; a phone's own gravity has 1 to 2 degrees."""
    max_heading_sigma_deg: float = Field(10.0, gt=0, le=180)
    """Largest standard deviation of north: about the accuracy of phone compasses in towns."""


@dataclass(frozen=True, eq=False)
class _SimilarityFit:
    enu_from_map: Similarity3
    is_inlier: Bool
    """(N,) for each position."""
    scale_sigma: float
    tilt_sigma_deg: float
    heading_sigma_deg: float
    up_from: str


def fit_georeference(
    poses: Mapping[str, Rigid3],
    positions: Mapping[str, Geodetic],
    config: GeoreferenceConfig | None = None,
) -> tuple[Georeference, dict[str, float]]:
    """Fit the georeference of a map to geodetic positions of its photos.

    A robust similarity (``fit_similarity_robust``, up to 40 % outliers) is refined by least
    squares over the inliers. The noise, horizontal and vertical, is estimated from their errors.
    The up direction of the cameras (``estimate_up``) is another observation.

    Args:
        poses: image name -> cam_from_world, of the whole map.
        positions: image name -> position; names that are not in the map are ignored.

    Returns:
        The georeference, and image name -> distance of its position from the camera, metres.

    Raises:
        GeoreferenceError: fewer than 3 positions, or they leave scale, north or up undetermined.
    """
    config = config or GeoreferenceConfig()
    names = [name for name in poses if name in positions]
    _check_names(names, poses, positions)
    geodetic = np.array([astuple(positions[name]) for name in names])
    # median in ECEF: robust against outliers, and without the seam of longitudes at 180 degrees
    origin = Geodetic(*geodetic_from_ecef(np.median(ecef_from_geodetic(geodetic), axis=0)).tolist())
    target = enu_from_geodetic(geodetic, origin)
    source = np.array([poses[name].center for name in names])
    up = estimate_up(list(poses.values()))
    fit = _fit_similarity(source, target, up if isinstance(up, UpEstimate) else None, config)
    errors = fit.enu_from_map.apply(source) - target
    _check_determined(fit, up if isinstance(up, str) else "", errors, config)
    residuals_m = dict(zip(names, np.linalg.norm(errors, axis=1).tolist(), strict=True))
    quality = _quality(fit, errors, poses)
    found = Georeference(**asdict(origin), enu_from_map=fit.enu_from_map, quality=quality)
    return found, residuals_m


def _check_names(
    names: list[str], poses: Mapping[str, Rigid3], positions: Mapping[str, Geodetic]
) -> None:
    if len(names) >= 3:
        return
    hint = ""
    if positions and not names:
        hint = (
            f"; the map has names like {min(poses)!r}, the positions like {min(positions)!r}"
            if poses
            else "; the map has no images"
        )
    raise GeoreferenceError(
        f"a georeference needs positions of at least 3 of the map's images, got {len(names)} of "
        f"{counted(len(poses), 'image')}{hint}"
    )


def _fit_similarity(
    source: Float64, target: Float64, up: UpEstimate | None, config: GeoreferenceConfig
) -> _SimilarityFit:
    """Fit (N, 3) camera centres in the map to their (N, 3) positions in ENU."""
    found = fit_similarity_robust(
        source, target, fit_similarity, 3, config.num_samples, config.min_sigma_m, config.seed
    )
    if found is None or float(np.ptp(target, axis=0).max()) < config.min_sigma_m:
        raise GeoreferenceError(
            "the map's cameras, or their positions, all coincide, which leaves the scale "
            "undetermined"
        )
    start, sigma_m = found
    tilt_deg = _tilt_sigma_deg(start.apply(source), sigma_m)
    if up is not None and up.sigma_deg < tilt_deg:
        level_from_map = rotation_to_z(up.direction)
        level = source @ level_from_map.T
        found = fit_similarity_robust(
            level, target, fit_level_similarity, 2,
            config.num_samples, config.min_sigma_m, config.seed,
        )  # fmt: skip
        if found is not None:
            leveled, sigma_m = found
            rotation = leveled.rotation @ level_from_map
            start = Similarity3(leveled.scale, rotation, leveled.translation)
    sigmas_m = np.full(3, sigma_m)
    for _ in range(4):
        normalized = np.linalg.norm((start.apply(source) - target) / sigmas_m, axis=1)
        inliers = normalized <= config.outlier_sigmas
        start, covariance = _refine(start, source[inliers], target[inliers], sigmas_m, up)
        errors = start.apply(source[inliers]) - target[inliers]
        sigmas_m = _error_sigmas_m(errors, config.min_sigma_m)
    east, north, heading, scale = np.sqrt(np.diag(covariance)[:4])
    return _SimilarityFit(
        start,
        inliers,
        float(scale),
        float(np.degrees(np.hypot(east, north))),
        float(np.degrees(heading)),
        "positions" if up is None else "cameras" if up.sigma_deg < tilt_deg else "both",
    )


def _tilt_sigma_deg(centers: Float64, sigma_m: float) -> float:
    """Standard deviation of up if only (N, 3) positions with errors of ``sigma_m`` determine it."""
    arms = centers - np.median(centers, axis=0)
    lengths = np.linalg.norm(arms, axis=1)
    arms = arms[lengths <= 4 * np.median(lengths)]  # outliers would pretend a long lever
    inertia = (arms**2).sum() * np.eye(3) - arms.T @ arms
    values, vectors = np.linalg.eigh(inertia)
    variances = (vectors**2 / np.maximum(values, 1e-12)).sum(axis=1) * sigma_m**2
    return float(np.degrees(np.sqrt(variances[0] + variances[1])))


def _refine(
    start: Similarity3,
    source: Float64,
    target: Float64,
    sigmas_m: Float64,
    up: UpEstimate | None,
) -> tuple[Similarity3, Float64]:
    """Minimize the errors of positions and of up, each in units of its standard deviation.

    Returns:
        The similarity, and the (7, 7) covariance of (rotation vector in ENU, log scale,
        translation).
    """
    mean = source.mean(axis=0)
    centered, target_mean = source - mean, start.apply(mean)

    def unpack(values: Float64) -> tuple[float, Float64, Float64]:
        scale = start.scale * float(np.exp(values[3]))
        return scale, exp_so3(values[:3]) @ start.rotation, target_mean + values[4:]

    def residuals(values: Float64) -> Float64:
        scale, rotation, translation = unpack(values)
        errors = (scale * centered @ rotation.T + translation - target) / sigmas_m
        if up is None:
            return errors.ravel()
        tilt = (rotation @ up.direction)[:2] / np.radians(up.sigma_deg)
        return np.concatenate([errors.ravel(), tilt])

    found = least_squares(residuals, np.zeros(7), x_scale="jac", max_nfev=50)
    scale, rotation, translation = unpack(found.x)
    values, vectors = np.linalg.eigh(found.jac.T @ found.jac)
    # an undetermined direction gets a huge variance instead of a division by zero
    covariance = (vectors / np.maximum(values, 1e-12)) @ vectors.T
    return Similarity3(scale, rotation, translation - scale * rotation @ mean), covariance


def _error_sigmas_m(errors: Float64, min_sigma_m: float) -> Float64:
    """(3,) standard deviations east, north (equal) and up, estimated from (N, 3) errors of a fit.

    The 7 parameters of a similarity take 7/3 degrees of freedom from each axis.
    """
    variances = np.square(errors).sum(axis=0) / max(len(errors) - 7 / 3, 1 / 3)
    horizontal = (variances[0] + variances[1]) / 2
    return np.maximum(np.sqrt([horizontal, horizontal, variances[2]]), min_sigma_m)


def _check_determined(
    fit: _SimilarityFit, no_up_reason: str, errors: Float64, config: GeoreferenceConfig
) -> None:
    """Raise GeoreferenceError if scale, north or up is too uncertain.

    Args:
        no_up_reason: clause that says why the cameras give no up direction; "" if they do.
    """
    median_m = float(np.median(np.linalg.norm(errors[fit.is_inlier], axis=1)))
    noise = f"the median error of the positions is {median_m:.2g} m"
    if fit.scale_sigma > config.max_scale_sigma:
        raise GeoreferenceError(
            f"the positions leave the map's scale uncertain by {100 * fit.scale_sigma:.0f} % "
            f"({100 * config.max_scale_sigma:.0f} % is allowed): {noise}, which is too much for "
            f"such a small map; give more or better ones"
        )
    # rotation about a slanting line changes both heading and tilt; report the larger one
    if fit.heading_sigma_deg > max(config.max_heading_sigma_deg, fit.tilt_sigma_deg):
        raise GeoreferenceError(
            f"the positions leave north uncertain by {min(fit.heading_sigma_deg, 180):.0f} deg: "
            f"they lie on a vertical line, or too close together for their errors ({noise}); give "
            f"some that are farther apart"
        )
    if fit.tilt_sigma_deg > config.max_tilt_sigma_deg:
        raise GeoreferenceError(
            f"the positions leave the map's tilt uncertain by {min(fit.tilt_sigma_deg, 90):.0f} "
            f"deg: they lie nearly on a line, about which the map can rotate, or too close "
            f"together for their errors ({noise}). The cameras do not determine up either: "
            f"{no_up_reason or 'they differ too much'}. Give positions away from that line, too"
        )


def _quality(fit: _SimilarityFit, errors: Float64, poses: Mapping[str, Rigid3]) -> FitQuality:
    inlier_errors = errors[fit.is_inlier]
    distances = np.linalg.norm(inlier_errors, axis=1)
    centers = np.array([pose.center for pose in poses.values()])
    heights = fit.enu_from_map.apply(centers)[:, 2]
    return FitQuality(
        num_positions=len(errors),
        num_inliers=int(fit.is_inlier.sum()),
        median_error_m=float(np.median(distances)),
        rms_error_m=float(np.sqrt(np.mean(distances**2))),
        rms_error_up_m=float(np.sqrt(np.mean(inlier_errors[:, 2] ** 2))),
        scale_sigma=float(fit.scale_sigma),
        tilt_sigma_deg=float(fit.tilt_sigma_deg),
        heading_sigma_deg=float(fit.heading_sigma_deg),
        up_from=fit.up_from,
        heights_m=(float(heights.min()), float(heights.max())),
    )
