"""Config of semantic labels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hloc_lite.config.section import Section, Use

SemanticClass = Literal[
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
    "motorcycle", "bicycle",
]  # fmt: skip
"""The classes of Cityscapes, in the order of their train ids 0..18."""

_LABELS = Use.LABELS | Use.QUERY


class Confusion(Section):
    """Classes that segmenters confuse with one another."""

    classes: tuple[SemanticClass, ...] = Field(min_length=2)
    compatibility: float = Field(ge=0, le=1)
    """Compatibility of two different classes of the group; 1: as good as the same class."""


class SemanticsConfig(Section):
    """Source of semantic labels, and the weight of matches whose labels disagree."""

    source: Annotated[str, _LABELS] = "none"
    """none | files:FOLDER | hf:MODEL (a folder or a hub name; extra ``hf``) | name of a segmenter
    in the registry: deeplab-edgetpu-cityscapes is small and fast (extra ``semantics``)."""
    table: Annotated[str, _LABELS] = ""
    """files: meaning of ids or colours, if not Cityscapes train ids: a TOML file, or
    cityscapes-label-ids, cityscapes-colours, ade20k, coco-stuff."""
    revision: Annotated[str, _LABELS] = ""
    """hf: commit, tag or branch on the hub; empty: the current main branch."""
    max_side_px: Annotated[int, _LABELS] = Field(1024, ge=64, le=16384)
    """hf: photos are downscaled to this longer side; label maps are at most this large."""
    max_aspect: Annotated[float, _LABELS] = Field(2.0, ge=1, le=10)
    """Wider photos are cut into overlapping tiles of at most this aspect ratio, each squeezed into
    the network's square input. 1 cuts every photo: it finds more of the people, but is noisier in
    the sky and at night (62 % of pixels correct against 68 % on rendered streets), in twice the
    time."""
    threads: int = Field(1, ge=1, le=256)
    """Threads of the LiteRT network."""
    window_px: Annotated[float, _LABELS] = Field(5.0, ge=0, le=100)
    """Labels within this distance (in x and in y) of a keypoint count as its own: keypoints lie on
    borders, where label maps are blurred. With the small network, 5 instead of 0 removes a third of
    the correct matches that disagree, and a tenth of the wrong ones."""
    reference_side_px: Annotated[int, _LABELS] = Field(1024, ge=64, le=10**6)
    """Longer image side at which the window holds; scaled with other sizes."""
    mode: Literal["soft", "hard"] = "soft"
    """soft: matches with incompatible labels lose weight; hard: they are rejected."""
    disagreement_factor: float = Field(0.2, gt=0, le=1)
    """soft: factor of a match whose labels exclude each other. On rendered streets 3 % of correct
    and 15 % of wrong matches disagree in the labels of the small network, hence a fifth; with exact
    labels 1 % and 19 %."""
    min_compatibility: float = Field(0.5, gt=0, le=1)
    """hard: matches with less compatible labels are rejected."""
    min_share: float = Field(0.5, ge=0, le=1)
    """Landmarks whose label has a smaller share of the observations count as unlabelled."""
    confusable: tuple[Confusion, ...] = (
        Confusion(classes=("vegetation", "terrain"), compatibility=0.9),
        Confusion(classes=("building", "wall", "fence"), compatibility=0.9),
        Confusion(classes=("road", "sidewalk", "terrain"), compatibility=0.9),
        Confusion(classes=("pole", "traffic light", "traffic sign"), compatibility=0.9),
        # thin objects in front of walls: a few pixels decide which of the two is visible
        Confusion(classes=("building", "pole", "traffic light", "traffic sign"), compatibility=0.5),
        Confusion(classes=("vegetation", "fence"), compatibility=0.5),
    )
    """Pairs of classes in several groups take the largest value."""
    unstable: tuple[SemanticClass, ...] = (
        "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    )  # fmt: skip
    """Classes without lasting landmarks: moving objects and the sky. Agreement of two such labels
    does not count."""
    unstable_landmarks: Literal["keep", "weight", "drop"] = "weight"
    """Treatment of landmarks with such a label. Parked cars are useful for a day, and labels can be
    wrong: a lower weight costs less than dropping them."""
    unstable_weight: float = Field(0.1, ge=0, le=1)
    """weight: factor of such landmarks."""
    rerank_keep: int = Field(0, ge=0, le=1000)
    """Retrieved images kept after re-ranking by labels; 0: all. It pays with few images at most,
    because the others still help the pose."""
    rerank_min_matches: int = Field(10, ge=1, le=10**6)
    """Retrieved images with fewer labelled matches keep their rank."""
    rerank_similarity_exponent: float = Field(1.0, ge=0, le=10)
    """Exponent of the image's similarity to the query."""
    rerank_consistency_exponent: float = Field(1.0, ge=0, le=10)
    """Exponent of the share of matches whose labels agree."""
    rerank_count_exponent: float = Field(1.0, ge=0, le=10)
    """Exponent of ln(1 + agreeing matches); 0: their number does not count."""
