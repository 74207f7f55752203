"""Assessment of a map from scratch: which of its cameras are doubtful, and why.

Each check answers one way in which structure from motion goes wrong without an error: cameras that
the observations hardly determine, cameras whose matches contradict their pose, places that look
alike put on top of each other, groups that hang together by few points, cameras far from their GPS
position, and photos from one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hloc_lite.config import AssessmentConfig, Config
from hloc_lite.errors import counted
from hloc_lite.geometry.geodesy import Geodetic
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.mapping.camera_uncertainty import camera_uncertainty
from hloc_lite.mapping.gps_check import compare_with_gps
from hloc_lite.mapping.pair_agreement import agreeing_pairs, image_agreement
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.pure_rotation import rotation_pair_share
from hloc_lite.mapping.unmatched_overlap import contradicting_counts, flagged
from hloc_lite.mapping.weak_links import link_bound, weakly_linked
from hloc_lite.scene import SfmModel, keypoints_of, visible_points
from hloc_lite.types import Float64

DISPLACED = frozenset({"agreement", "link", "look-alike"})
"""Kinds of doubt about cameras that may be far from their place, together with others."""


@dataclass(frozen=True, eq=False)
class CameraAssessment:
    """Evidence for and against the pose of one camera."""

    points: int
    """Landmarks that it observes."""
    agreement: float
    """Share of its verified matches that agree with its pose."""
    position_sigma: float | None = None
    """Standard deviation of its position, as a share of the spread of the cameras."""
    rotation_sigma_deg: float | None = None
    contradicting: int = 0
    """Images that see the same landmarks by their poses, but have no matches with it."""
    gps_error_m: float | None = None
    link: int | None = None
    """Most points shared with an image of the largest group, where the link to it is weak."""
    reasons: tuple[str, ...] = ()
    """Kinds of doubt, keys of ``assessment_text.KINDS``."""

    @property
    def is_doubtful(self) -> bool:
        return bool(self.reasons)


@dataclass(frozen=True, eq=False)
class MapAssessment:
    """Assessment of all cameras of a map, and of the map as a whole."""

    cameras: Mapping[str, CameraAssessment]
    """Image name -> assessment of its camera."""
    reasons: tuple[str, ...]
    """Doubts that concern all cameras, in words."""
    numbers: Mapping[str, float]

    @property
    def doubtful_names(self) -> tuple[str, ...]:
        """Names of the doubtful cameras; all of them if the map as a whole is doubtful."""
        return tuple(n for n, each in self.cameras.items() if each.is_doubtful or self.reasons)

    @property
    def is_doubtful(self) -> bool:
        return bool(self.doubtful_names)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as report.json keeps them."""
        return {
            "doubtful": self.is_doubtful,
            "doubtful_cameras": list(self.doubtful_names),
            "reasons": list(self.reasons),
            "numbers": {key: round(value, 4) for key, value in self.numbers.items()},
            "cameras": {name: _camera_json(each) for name, each in self.cameras.items()},
        }


def assess_map(
    model: SfmModel,
    two_views: Mapping[Pair, TwoView],
    config: Config,
    positions: Mapping[str, Geodetic] | None = None,
) -> MapAssessment:
    """Judge a model that was made without known poses.

    Args:
        model: a model with keypoints, after its last bundle adjustment.
        two_views: verified matches of all pairs that were tried.
        config: its section ``assessment`` holds the bounds.
        positions: GPS positions of photos, by name.
    """
    rules = config.assessment
    keypoints = {image.name: keypoints_of(model, image) for image in model.images}
    inside = {p: v for p, v in two_views.items() if p[0] in keypoints and p[1] in keypoints}
    agreement = image_agreement(model, inside, config.geometry)
    contradicting = contradicting_counts(model, inside, rules)
    apart = flagged(contradicting, rules)
    agreeing = agreeing_pairs(model, inside, config.geometry, rules.min_link_agreement)
    needed = link_bound(model, rules.min_link_points, config.scratch)
    links = weakly_linked(model, agreeing, needed)
    gps = compare_with_gps(model, positions or {}, rules)
    sigmas = _relative_uncertainty(model, rules)
    cameras = {}
    for row, image in enumerate(model.images):
        name = image.name
        position, rotation = (None, None) if sigmas is None else sigmas[row]
        cameras[name] = CameraAssessment(
            points=len(visible_points(image)),
            agreement=agreement[name],
            position_sigma=position,
            rotation_sigma_deg=rotation,
            contradicting=contradicting[name][0],
            gps_error_m=None if gps is None else gps.errors_m.get(name),
            link=links.get(name),
            reasons=_reasons(
                position,
                rotation,
                agreement[name],
                rules,
                is_weak=name in links,
                is_apart=name in apart,
                is_far=gps is not None and name in gps.far,
            ),
        )
    camera_of = {image.name: model.cameras[image.camera_id] for image in model.images}
    turned = rotation_pair_share(inside, keypoints, camera_of, config)
    determined = sigmas is not None or len(model.images) > rules.max_images
    reasons = _map_reasons(cameras, turned, rules, is_determined=determined)
    numbers = {"pairs_without_parallax": turned}
    if sigmas is not None:
        numbers |= {"largest_position_sigma": float(sigmas[:, 0].max())}
    if gps is not None:
        numbers |= {"gps_positions": len(gps.errors_m), "gps_sigma_m": gps.sigma_m}
    return MapAssessment(cameras, reasons, numbers)


def _relative_uncertainty(model: SfmModel, rules: AssessmentConfig) -> Float64 | None:
    """(I, 2) standard deviations: position as a share of the spread, rotation in degrees."""
    if len(model.images) > rules.max_images:
        return None
    found = camera_uncertainty(model)
    if found is None:
        return None
    centers = np.array([image.cam_from_world.center for image in model.images])
    spread = float(np.linalg.norm(centers - centers.mean(axis=0), axis=1).mean())
    return np.stack([found.position / max(spread, 1e-300), found.rotation_deg], axis=1)


def _reasons(
    position: float | None,
    rotation: float | None,
    agreement: float,
    rules: AssessmentConfig,
    *,
    is_weak: bool,
    is_apart: bool,
    is_far: bool,
) -> tuple[str, ...]:
    """Kinds of doubt about one camera.

    Where many matches contradict a pose, some of those that agree are wrong as well: the position
    is less certain in that proportion.
    """
    doubts = {
        "position": position is not None
        and position * rules.position_sigmas > rules.max_position_error * agreement,
        "rotation": rotation is not None
        and rotation * rules.rotation_sigmas > rules.max_rotation_error_deg,
        "agreement": agreement < rules.min_agreement,
        "link": is_weak,
        "look-alike": is_apart,
        "gps": is_far,
    }
    return tuple(kind for kind, holds in doubts.items() if holds)


def _map_reasons(
    cameras: Mapping[str, CameraAssessment],
    turned: float,
    rules: AssessmentConfig,
    *,
    is_determined: bool,
) -> tuple[str, ...]:
    """Doubts about the map as a whole, in words."""
    reasons, num_images = [], len(cameras)
    if num_images < rules.min_images:
        reasons.append(
            f"it has only {counted(num_images, 'image')}; with fewer than {rules.min_images} "
            f"nothing checks a pose"
        )
    if turned >= rules.rotation_pair_share:
        reasons.append(
            f"the camera only turned about one place: {100 * turned:.0f} % of the pairs show no "
            f"parallax, so the map cannot give positions. Take photos from different places"
        )
    if not is_determined:
        reasons.append("its observations do not determine all of its cameras")
    displaced = sum(not DISPLACED.isdisjoint(each.reasons) for each in cameras.values())
    if displaced > rules.max_displaced_share * num_images:
        reasons.append(
            f"{displaced} of its {counted(num_images, 'camera')} may be at a wrong place: nothing "
            f"tells which part of it is right"
        )
    return tuple(reasons)


def _camera_json(camera: CameraAssessment) -> dict[str, Any]:
    numbers = {
        "agreement": round(camera.agreement, 3),
        "position_sigma": camera.position_sigma,
        "rotation_sigma_deg": camera.rotation_sigma_deg,
        "gps_error_m": camera.gps_error_m,
    }
    return {
        "points": camera.points,
        **{key: round(value, 5) for key, value in numbers.items() if value is not None},
        **({} if camera.link is None else {"link": camera.link}),
        **({"contradicting": camera.contradicting} if camera.contradicting else {}),
        "reasons": list(camera.reasons),
    }
