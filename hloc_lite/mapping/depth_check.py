"""Check of measured depth against triangulated points: units, frames, registration and noise.

Points that are triangulated under the given poses have depths in the units of these poses. Right
depth has the same values at the same pixels. A common factor means other units, an image without
agreement the depth of another image, and better agreement of moved depth images that they are not
registered to the photos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hloc_lite.config import LiftingConfig
from hloc_lite.errors import MappingError, counted
from hloc_lite.mapping.depth_correction import DepthCorrection, fit_correction
from hloc_lite.mapping.depth_registration import IDENTITY, Move
from hloc_lite.types import Float64

NOTED_SCALE = 1.03
"""Median ratio from which a warning says so."""
KNOWN_STEPS = {
    1.0: "metres", 0.01: "centimetres", 0.001: "millimetres", 0.00025: "quarters of a millimetre",
    0.0002: "fifths of a millimetre (TUM RGB-D)", 0.0001: "tenths of a millimetre",
}  # fmt: skip
"""Steps of integer images that occur -> their name."""


@dataclass(frozen=True, eq=False)
class ComparedDepths:
    """Measured depths of the observations of well triangulated points of an image."""

    measured: Float64
    """(K,) NaN where there is none."""
    z: Float64
    """(K,) depths of the triangulated points."""
    sigmas: Float64
    """(K,) standard deviations of ``measured`` by the noise model; NaN where there is none."""
    z_sigmas: Float64
    """(K,) standard deviations of ``z``."""


@dataclass(frozen=True, eq=False)
class DepthCheck:
    """Outcome of the check; the default is that of a map with too few triangulated points."""

    num_compared: int = 0
    scale: float | None = None
    """Median ratio of measured depth to that of triangulated points; None if unknown."""
    agreement: float | None = None
    """Share of compared points that agree, in the median image."""
    correction: DepthCorrection | None = None
    """Systematic errors of the sensor; None if unknown."""
    move: Move = IDENTITY
    """Move of the depth images under which they agree clearly better; the identity without one."""
    move_gain: float = 1.0
    """Factor by which the errors shrink under ``move``."""
    refused: Mapping[str, float] = field(default_factory=dict)
    """Image whose depth is not used -> share of its points that agree."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for the report."""
        moved = None
        if self.move != IDENTITY:
            moved = {"scale": self.move.scale, "x": self.move.x, "y": self.move.y}
        return {
            "compared": self.num_compared,
            "scale": self.scale,
            "agreement": self.agreement,
            "correction": None if self.correction is None else asdict(self.correction),
            "unregistered": moved,
            "registration_gain": self.move_gain,
            "refused": dict(self.refused),
        }


def check_depths(
    compared: Mapping[str, ComparedDepths], move: tuple[Move, float], config: LiftingConfig
) -> DepthCheck:
    """Check measured depths of all images.

    Args:
        compared: by image name.
        move: best move of the depth images, and the factor by which errors shrink under it.

    Raises:
        MappingError: other units, or depth that does not belong to the images.
    """
    known = {name: np.isfinite(each.measured) for name, each in compared.items()}
    ratios = {
        name: np.log(each.measured[known[name]] / each.z[known[name]])
        for name, each in compared.items()
    }
    joined = np.concatenate([np.zeros(0), *ratios.values()])
    if len(joined) < config.min_check_points:
        return DepthCheck(num_compared=len(joined))
    median = float(np.median(joined))
    spread = float(np.median(np.abs(joined - median)))
    limit = np.log(config.agreement_ratio)
    enough = {n: r for n, r in ratios.items() if len(r) >= config.min_check_points / 5}
    shares = {name: float((np.abs(each) <= limit).mean()) for name, each in enough.items()}
    agreement = float(np.median([*shares.values()])) if shares else 0.0
    is_moved = move[1] >= config.registration_gain and move[0] != IDENTITY
    if spread <= limit and abs(median) > np.log(config.max_scale):
        raise MappingError(_scale_message(float(np.exp(median)), config))
    if agreement < config.min_agreement:
        raise MappingError(_disagreement_message(agreement, move[0] if is_moved else IDENTITY))
    return DepthCheck(
        num_compared=len(joined),
        scale=float(np.exp(median)),
        agreement=agreement,
        correction=_correction(compared),
        move=move[0] if is_moved else IDENTITY,
        move_gain=move[1],
        refused={name: share for name, share in shares.items() if share < config.min_agreement},
    )


def check_notes(check: DepthCheck, num_images: int) -> list[str]:
    """Warnings about depth that is used all the same, one sentence each."""
    notes = []
    if check.scale is None:
        notes.append(
            f"measured depth could not be checked: only {check.num_compared} of its points are "
            f"also triangulated well. If its units or frames are wrong, so is the map"
        )
    elif abs(np.log(check.scale)) > np.log(NOTED_SCALE):
        notes.append(
            f"measured depth is {check.scale:.3f} times that of triangulated points: the units, "
            f"the focal lengths or the poses may be slightly wrong"
        )
    if check.move != IDENTITY:
        notes.append(
            f"depth images do not lie over the photos: they agree {check.move_gain:.1f} times as "
            f"well {_move_text(check.move)}. If another camera measured them, give its intrinsics "
            f"and its pose (--depth-camera)"
        )
    if check.refused:
        worst = min(check.refused, key=lambda name: check.refused[name])
        notes.append(
            f"the depth of {counted(len(check.refused), 'image')} of {num_images} is not used: it "
            f"belongs to another image or frame, for example {worst!r} "
            f"({100 * check.refused[worst]:.0f} % of its points agree)"
        )
    return notes


def _correction(compared: Mapping[str, ComparedDepths]) -> DepthCorrection:
    """Systematic errors of all images together."""
    parts = []
    for each in compared.values():
        known = np.isfinite(each.measured)
        sigmas = np.hypot(each.sigmas, each.z_sigmas)
        parts.append(np.stack([each.measured, each.z, sigmas])[:, known])
    return fit_correction(*np.concatenate(parts, axis=1))


def _scale_message(scale: float, config: LiftingConfig) -> str:
    step = config.integer_step / scale
    known = min(KNOWN_STEPS, key=lambda each: abs(np.log(each / step)))
    hint = "the poses have another scale than the depth"
    if abs(np.log(known / step)) < np.log(NOTED_SCALE):
        hint = (
            f"the depth images look like {KNOWN_STEPS[known]}: set lifting.integer_step={known:g}"
        )
    return (
        f"the depth is not in the units of the poses: it is {scale:.4g} times the depth of points "
        f"that are triangulated under the given poses, expected 1. If its units are wrong, change "
        f"lifting.integer_step (now {config.integer_step:g}); else {hint}"
    )


def _disagreement_message(agreement: float, move: Move) -> str:
    cause = "the depth images belong to other photos, or depth is a distance from the camera centre"
    if move != IDENTITY:
        cause = (
            f"the depth images fit better {_move_text(move)}: they are those of another camera, "
            f"whose intrinsics and pose --depth-camera takes"
        )
    return (
        f"the depth does not fit the photos: only {100 * agreement:.0f} % of an image's "
        f"triangulated points have the measured depth. Perhaps {cause}"
    )


def _move_text(move: Move) -> str:
    return (
        f"moved by ({100 * move.x:+.1f}, {100 * move.y:+.1f}) % of the image side and scaled by "
        f"{move.scale:.2f}"
    )
