"""Config of semantic labels."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hloc_lite.config.section import Section

SemanticClass = Literal[
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
    "motorcycle", "bicycle",
]  # fmt: skip
"""The classes of Cityscapes, in the order of their train ids 0..18."""


class Confusion(Section):
    """Classes that segmenters take for one another."""

    classes: tuple[SemanticClass, ...] = Field(min_length=2)
    compatibility: float = Field(ge=0, le=1)
    """How well two different ones of them go together; 1: as good as the same class."""


class SemanticsConfig(Section):
    source: str = "none"
    """none | files:FOLDER | hf:MODEL (a folder or a hub name; extra ``hf``) | a name of
    ``registry.SEGMENTERS``: deeplab-edgetpu-cityscapes is small and quick (extra ``semantics``)."""
    table: str = ""
    """files: what their ids or colours mean, if not Cityscapes train ids: a TOML file, or
    cityscapes-label-ids, cityscapes-colours, ade20k, coco-stuff."""
    revision: str = ""
    """hf: commit, tag or branch of the hub; empty: the main branch of that day."""
    max_side_px: int = Field(1024, ge=64, le=16384)
    """hf: photos are shrunk to it, and their label maps are at most so large."""
    max_aspect: float = Field(2.0, ge=1, le=10)
    """Wider photos are cut into overlapping tiles no wider than this, each squashed to the
    network's square. 1 cuts every photo: more of the people found, more noise in the sky and at
    night (62 % of pixels right against 68 % on rendered streets), twice the time."""
    threads: int = Field(1, ge=1, le=256)
    """Of the LiteRT network."""
    window_px: float = Field(5.0, ge=0, le=100)
    """Labels within this distance (in x and in y) of a keypoint count as its own: keypoints lie on
    borders, and label maps are blurred there. With the small network 5 instead of 0 spares a
    third of the right matches that disagree, and a tenth of the wrong ones."""
    reference_side_px: int = Field(1024, ge=64, le=10**6)
    """The longer image side at which the window holds; scaled with other sizes."""
    mode: Literal["soft", "hard"] = "soft"
    """soft: a disagreeing match loses weight; hard: it loses all of it."""
    disagreement_factor: float = Field(0.2, gt=0, le=1)
    """soft: what a match keeps whose labels exclude one another. On rendered streets 3 % of right
    and 15 % of wrong matches disagree in the small network's labels, so a fifth; in exact ones 1 %
    and 19 %."""
    min_compatibility: float = Field(0.5, gt=0, le=1)
    """hard: matches of less compatible labels are rejected."""
    min_share: float = Field(0.5, ge=0, le=1)
    """Landmarks whose label has a smaller share of the votes count as unlabelled."""
    confusable: tuple[Confusion, ...] = (
        Confusion(classes=("vegetation", "terrain"), compatibility=0.9),
        Confusion(classes=("building", "wall", "fence"), compatibility=0.9),
        Confusion(classes=("road", "sidewalk", "terrain"), compatibility=0.9),
        Confusion(classes=("pole", "traffic light", "traffic sign"), compatibility=0.9),
        # thin things in front of walls: a few pixels decide which of the two is seen
        Confusion(classes=("building", "pole", "traffic light", "traffic sign"), compatibility=0.5),
        Confusion(classes=("vegetation", "fence"), compatibility=0.5),
    )
    """Pairs in several groups take the largest value."""
    unstable: tuple[SemanticClass, ...] = (
        "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    )  # fmt: skip
    """Classes that carry no lasting landmark: moving things and the sky. Agreement of two such
    labels does not count."""
    unstable_landmarks: Literal["keep", "weight", "drop"] = "weight"
    """What becomes of landmarks with such a label. Parked cars are landmarks too for a day: a
    lower weight loses less than a drop where the labels are wrong."""
    unstable_weight: float = Field(0.1, ge=0, le=1)
    """weight: what such landmarks keep."""
    rerank_keep: int = Field(0, ge=0, le=1000)
    """Retrieved images that are kept after their labels were compared; 0: all. It pays at few
    images, if at all: the others still help the pose."""
    rerank_min_matches: int = Field(10, ge=1, le=10**6)
    """Retrieved images with fewer labelled matches keep their place."""
    rerank_similarity_exponent: float = Field(1.0, ge=0, le=10)
    rerank_consistency_exponent: float = Field(1.0, ge=0, le=10)
    rerank_count_exponent: float = Field(1.0, ge=0, le=10)
    """Of ln(1 + agreeing matches); 0: their number does not count."""
