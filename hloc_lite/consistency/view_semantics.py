"""Semantic score of the pose that one retrieved image gives (Shi 2019, "sparse semantic 3D map").

The landmarks that the retrieved image sees are projected into the query under that pose; those that
fall on their own label are counted, and all matches of the image inherit the count.
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
    """How the labels of projected landmarks agree with those of the query."""

    num_agreeing: int
    num_compared: int
    """Landmarks that fall into the image, both labels known."""

    @property
    def share(self) -> float:
        """Of the compared ones; 0 if there are none."""
        return self.num_agreeing / self.num_compared if self.num_compared else 0.0


def pose_label_agreement(
    cam_from_world: Rigid3,
    camera: Camera,
    xyz: Float64,
    labels: UInt8,
    query: LabelWindows,
    config: SemanticsConfig,
) -> PoseLabelAgreement:
    """The agreement of V landmarks with the query's labels under a pose.

    Args:
        camera: of the query, at the size that its label map covers.
        xyz: (V, 3) world, map units: what the retrieved image sees.
        labels: (V,) train ids.
    """
    points2D = img_from_cam(camera, cam_from_world.apply(xyz))
    agreement = label_agreement(points2D, query, labels, config)
    compared = ~np.isnan(agreement)
    agreeing = agreement[compared] >= config.min_compatibility
    return PoseLabelAgreement(int(agreeing.sum()), int(compared.sum()))


def view_semantics_cue(
    sightings: PutativeMatches, scores: Sequence[PoseLabelAgreement | None], config: SemanticsConfig
) -> Cue:
    """The agreeing landmarks of each match's retrieved image, relative to the best image.

    An image whose matches give no pose (None) has none. No match falls below
    ``disagreement_factor``; nothing is said if no image has any.
    """
    counts = np.array([0 if s is None else s.num_agreeing for s in scores], np.float64)
    most = counts.max(initial=0.0)
    touched = np.full(len(sightings), most > 0)
    if most == 0:
        return Cue(VIEW_SEMANTICS, np.ones(len(sightings)), touched)
    least = config.disagreement_factor
    return Cue(VIEW_SEMANTICS, (least + (1 - least) * counts / most)[sightings.hit_idxs], touched)
