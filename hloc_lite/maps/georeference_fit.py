"""Fitting a map to positions on Earth: of some of its images, with noise, and some far off.

Satellite heights are poor, and a street is a line: then positions leave open how the map is tilted.
Photos held level say it better, so both count, each by how sure it is.
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
    num_samples: int = Field(500, ge=1, le=10**6)
    """Minimal samples tried; with 40 % of positions far off, 500 triples miss a clean one with a
    probability of 1e-53."""
    seed: int = Field(0, ge=0)
    outlier_sigmas: float = Field(4.0, gt=0, le=100)
    """Positions farther off are not used: 1 in 900 of normal errors in space."""
    min_sigma_m: float = Field(0.02, gt=0, le=100)
    """No position is surer: surveyed antennas reach it, and maps bend by as much."""
    max_scale_sigma: float = Field(0.1, gt=0, le=1)
    """Relative. A worse scale is none: refused."""
    max_tilt_sigma_deg: float = Field(5.0, gt=0, le=90)
    """Of up: beyond, gravity of phones (1 to 2 degrees) would be compared with something worse."""
    max_heading_sigma_deg: float = Field(10.0, gt=0, le=180)
    """Of north: about what phones' compasses reach in towns."""


@dataclass(frozen=True, eq=False)
class _Fit:
    enu_from_map: Similarity3
    inliers: Bool
    """(N,) of the positions."""
    scale_sigma: float
    tilt_sigma_deg: float
    heading_sigma_deg: float
    up_from: str


def fit_georeference(
    poses: Mapping[str, Rigid3],
    positions: Mapping[str, Geodetic],
    config: GeoreferenceConfig | None = None,
) -> tuple[Georeference, dict[str, float]]:
    """The place of a map on Earth from where some of its photos were taken.

    A robust similarity first (``fit_similarity_robust``: up to 40 % of the positions may be anywhere), then
    least squares of the inliers, with the noise that they show across and upwards, and with up as
    the cameras say it.

    Args:
        poses: image name -> cam_from_world, of the whole map.
        positions: image name -> place; those of other images are ignored.

    Returns:
        The georeference, and by image name how far each position is from its camera, metres.

    Raises:
        GeoreferenceError: fewer than 3 positions, or they leave scale, north or up undetermined.
    """
    config = config or GeoreferenceConfig()
    names = [name for name in poses if name in positions]
    _check_names(names, poses, positions)
    places = np.array([astuple(positions[name]) for name in names])
    # the median in space: latitudes and longitudes have seams, and some positions are far off
    origin = Geodetic(*geodetic_from_ecef(np.median(ecef_from_geodetic(places), axis=0)).tolist())
    target = enu_from_geodetic(places, origin)
    source = np.array([poses[name].center for name in names])
    up = estimate_up(list(poses.values()))
    fit = _fitted(source, target, up if isinstance(up, UpEstimate) else None, config)
    errors = fit.enu_from_map.apply(source) - target
    _check_sure(fit, up if isinstance(up, str) else "", errors, config)
    residuals = dict(zip(names, np.linalg.norm(errors, axis=1).tolist(), strict=True))
    quality = _quality(fit, errors, poses)
    found = Georeference(**asdict(origin), enu_from_map=fit.enu_from_map, quality=quality)
    return found, residuals


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


def _fitted(
    source: Float64, target: Float64, up: UpEstimate | None, config: GeoreferenceConfig
) -> _Fit:
    """Of (N, 3) cameras in the map to their (N, 3) positions in ENU."""
    found = fit_similarity_robust(
        source, target, fit_similarity, 3, config.num_samples, config.min_sigma_m, config.seed
    )
    if found is None or float(np.ptp(target, axis=0).max()) < config.min_sigma_m:
        raise GeoreferenceError(
            "the map's cameras, or their positions, are all in one place: that has no scale"
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
            turn, sigma_m = found
            start = Similarity3(turn.scale, turn.rotation @ level_from_map, turn.translation)
    sigmas_m = np.full(3, sigma_m)
    for _ in range(4):
        inliers = _distances(start, source, target, sigmas_m) <= config.outlier_sigmas
        start, covariance = _refined(start, source[inliers], target[inliers], sigmas_m, up)
        sigmas_m = _sigmas(start.apply(source[inliers]) - target[inliers], config.min_sigma_m)
    east, north, heading, scale = np.sqrt(np.diag(covariance)[:4])
    return _Fit(
        start,
        inliers,
        float(scale),
        float(np.degrees(np.hypot(east, north))),
        float(np.degrees(heading)),
        "positions" if up is None else "cameras" if up.sigma_deg < tilt_deg else "both",
    )


def _distances(fit: Similarity3, source: Float64, target: Float64, sigmas_m: Float64) -> Float64:
    """(N,) errors in standard deviations."""
    return np.linalg.norm((fit.apply(source) - target) / sigmas_m, axis=1)


def _tilt_sigma_deg(moved: Float64, sigma_m: float) -> float:
    """How uncertain (N, 3) positions alone leave which way is up."""
    arms = moved - np.median(moved, axis=0)
    # those far off are no support
    lengths = np.linalg.norm(arms, axis=1)
    arms = arms[lengths <= 4 * np.median(lengths)]
    inertia = (arms**2).sum() * np.eye(3) - arms.T @ arms
    values, vectors = np.linalg.eigh(inertia)
    variances = (vectors**2 / np.maximum(values, 1e-12)).sum(axis=1) * sigma_m**2
    return float(np.degrees(np.sqrt(variances[0] + variances[1])))


def _refined(
    start: Similarity3,
    source: Float64,
    target: Float64,
    sigmas_m: Float64,
    up: UpEstimate | None,
) -> tuple[Similarity3, Float64]:
    """Least squares over position errors in standard deviations, and up in its own.

    Returns:
        The similarity, and the (7, 7) covariance of (rotation vector in ENU, log scale, shift).
    """
    middle = source.mean(axis=0)
    arms, shift = source - middle, start.apply(middle)

    def moved(values: Float64) -> tuple[float, Float64, Float64]:
        scale = start.scale * float(np.exp(values[3]))
        return scale, exp_so3(values[:3]) @ start.rotation, shift + values[4:]

    def residuals(values: Float64) -> Float64:
        scale, rotation, place = moved(values)
        errors = (scale * arms @ rotation.T + place - target) / sigmas_m
        if up is None:
            return errors.ravel()
        aside = (rotation @ up.direction)[:2] / np.radians(up.sigma_deg)
        return np.concatenate([errors.ravel(), aside])

    found = least_squares(residuals, np.zeros(7), x_scale="jac", max_nfev=50)
    scale, rotation, place = moved(found.x)
    values, vectors = np.linalg.eigh(found.jac.T @ found.jac)
    # what is not determined at all becomes uncertain without bounds, not an error
    covariance = (vectors / np.maximum(values, 1e-12)) @ vectors.T
    return Similarity3(scale, rotation, place - scale * rotation @ middle), covariance


def _sigmas(errors: Float64, min_sigma_m: float) -> Float64:
    """(3,) standard deviations east, north (alike) and up that (N, 3) errors of a fit show."""
    squares = np.square(errors).sum(axis=0) / max(len(errors) - 7 / 3, 1 / 3)
    across = (squares[0] + squares[1]) / 2
    return np.maximum(np.sqrt([across, across, squares[2]]), min_sigma_m)


def _check_sure(
    fit: _Fit, why_not_cameras: str, errors: Float64, config: GeoreferenceConfig
) -> None:
    noise = float(np.median(np.linalg.norm(errors[fit.inliers], axis=1)))
    about = f"the positions are {noise:.2g} m off in the median"
    if fit.scale_sigma > config.max_scale_sigma:
        raise GeoreferenceError(
            f"the positions leave the map's scale uncertain by {100 * fit.scale_sigma:.0f} % "
            f"({100 * config.max_scale_sigma:.0f} % is allowed): {about}, which is too much for so "
            f"small a map; give more or better ones"
        )
    # what is open about a slanting line is open of both: the larger part names it
    if fit.heading_sigma_deg > max(config.max_heading_sigma_deg, fit.tilt_sigma_deg):
        raise GeoreferenceError(
            f"the positions leave north uncertain by {min(fit.heading_sigma_deg, 180):.0f} deg: "
            f"they lie one above the other, or too close together for their errors ({about}); "
            f"give some farther apart"
        )
    if fit.tilt_sigma_deg > config.max_tilt_sigma_deg:
        raise GeoreferenceError(
            f"the positions leave the map's tilt uncertain by {min(fit.tilt_sigma_deg, 90):.0f} "
            f"deg: they lie nearly on a line, about which the map may be turned, or too close "
            f"together for their errors ({about}). Nor do the cameras say which way is up: "
            f"{why_not_cameras or 'they differ too much'}. Give positions beside that line, too"
        )


def _quality(fit: _Fit, errors: Float64, poses: Mapping[str, Rigid3]) -> FitQuality:
    inside = errors[fit.inliers]
    distances = np.linalg.norm(inside, axis=1)
    centers = np.array([pose.center for pose in poses.values()])
    heights = fit.enu_from_map.apply(centers)[:, 2]
    return FitQuality(
        num_positions=len(errors),
        num_inliers=int(fit.inliers.sum()),
        median_error_m=float(np.median(distances)),
        rms_error_m=float(np.sqrt(np.mean(distances**2))),
        rms_error_up_m=float(np.sqrt(np.mean(inside[:, 2] ** 2))),
        scale_sigma=float(fit.scale_sigma),
        tilt_sigma_deg=float(fit.tilt_sigma_deg),
        heading_sigma_deg=float(fit.heading_sigma_deg),
        up_from=fit.up_from,
        heights_m=(float(heights.min()), float(heights.max())),
    )
