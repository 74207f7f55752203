"""Cue from the label agreement of the pose that each retrieved image gives alone (Shi 2019).

The landmarks that the image observes are projected into the query under that pose. The number that
fall on their own label becomes the factor of all matches of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hloc_lite.config import SemanticsConfig
from hloc_lite.consistency.cue_combination import VIEW_SEMANTICS
from hloc_lite.consistency.labels import LabelWindows
from hloc_lite.consistency.semantic_check import label_agreement
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.types import Camera, Cue, Float64, PutativeMatches, Rigid3, UInt8


@dataclass(frozen=True)
class PoseLabelAgreement:
    """Counts of projected landmarks that agree with the labels of the query."""

    num_agreeing: int
    num_compared: int
    """Landmarks inside the image whose own label and the label there are known."""

    @property
    def share(self) -> float:
        """``num_agreeing`` over ``num_compared``; 0 if none were compared."""
        return self.num_agreeing / self.num_compared if self.num_compared else 0.0


def pose_label_agreement(
    cam_from_world: Rigid3,
    camera: Camera,
    xyz: Float64,
    labels: UInt8,
    query: LabelWindows,
    config: SemanticsConfig,
) -> PoseLabelAgreement:
    """Project V landmarks under a pose and compare their labels with those of the query.

    Args:
        camera: camera of the query, for the image size that the label map covers.
        xyz: (V, 3) world, map units; the landmarks that a retrieved image observes.
        labels: (V,) train ids.
        query: label windows of the query.
    """
    points2D = img_from_cam(camera, cam_from_world.apply(xyz))
    agreement = label_agreement(points2D, query, labels, config)
    compared = ~np.isnan(agreement)
    agreeing = agreement[compared] >= config.min_compatibility
    return PoseLabelAgreement(int(agreeing.sum()), int(compared.sum()))


def view_semantics_cue(
    matches: PutativeMatches,
    agreements: Sequence[PoseLabelAgreement | None],
    config: SemanticsConfig,
) -> Cue:
    """The cue ``view_semantics``: agreeing landmarks of each match's image over those of the best.

    No factor is below ``disagreement_factor``; all are 1 if no image has agreeing landmarks.

    Args:
        agreements: one per retrieved image; None if its matches give no pose.
    """
    counts = np.array([0 if a is None else a.num_agreeing for a in agreements], np.float64)
    most = counts.max(initial=0.0)
    touched = np.full(len(matches), most > 0)
    if most == 0:
        return Cue(VIEW_SEMANTICS, np.ones(len(matches)), touched)
    least = config.disagreement_factor
    return Cue(VIEW_SEMANTICS, (least + (1 - least) * counts / most)[matches.hit_idxs], touched)
