"""Sections of the config about evidence: semantic labels, depth, and how cues are weighed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hloc_lite.config_stages import Section

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


class DepthConfig(Section):
    """Where depth maps come from, and how far a match may disagree with them."""

    source: str = "none"
    """none | files:FOLDER | hf:MODEL (a folder or a hub name; extra ``hf``)."""
    revision: str = ""
    """hf: commit, tag or branch of the hub; empty: the main branch of that day."""
    values: Literal["auto", "metric", "relative", "inverse"] = "auto"
    """metric: depths in one unit throughout; relative: depths up to a scale and a shift; inverse:
    inverse depths up to both. auto: files are metric, networks what their config says."""
    integer_step: float = Field(0.001, gt=0, le=1000)
    """Depth of one step of an integer image: most datasets store millimetres."""
    max_megapixels: float = Field(50.0, gt=0, le=1000)
    """Larger depth maps are refused before decoding (50 take 0.2 GB)."""
    max_side_px: int = Field(1024, ge=32, le=8192)
    """Longer side of the maps kept of networks: they see hardly more detail than that."""
    max_relative_gradient: float = Field(0.1, gt=0, le=10)
    """Change of depth from pixel to pixel, over depth, above which a pixel is an edge and unused:
    a keypoint there may lie on either side."""
    min_matches: int = Field(15, ge=3, le=100000)
    """Of an image or a hypothesis: from fewer, median and spread say little."""
    outlier_sigmas: float = Field(2.5, gt=0, le=100)
    """Standard deviations (1.4826 median absolute deviations) of log depth that agree: 98.8 % of
    normal errors."""
    view_shift: bool = True
    """Between query and retrieved image: fit a shift also where depths are metric, as going forward
    does. Without it 6 to 11 % of the right matches on rendered streets lose, with it 1 to 3 %."""
    view_ratio: float = Field(1.1, gt=1, le=10)
    """Between query and retrieved image: a ratio below always agrees, however exact the rest."""
    view_support_ratio: float = Field(1.4, gt=1, le=10)
    """Between query and retrieved image: a ratio below supports the line that relates depths. 1.25
    finds as many wrong matches, but at 15 % depth error takes twice as many right ones for such."""
    min_view_gain: float = Field(0.05, ge=0, le=1)
    """Share of an image's matches that must support that line beyond what chance would give; with
    less the views differ too much, or nearly all matches are wrong, for depth to say anything."""
    pose_ratio: float = Field(1.25, gt=1, le=10)
    """Under a pose: a ratio below agrees (the usual accuracy bound of depth networks)."""
    max_pose_ratio: float = Field(2.0, gt=1, le=100)
    """Under a pose: a ratio above always lowers the factor; or wrong poses would excuse themselves
    by their own spread."""
    full_agreement: float = Field(0.75, gt=0.5, le=1)
    """Share of agreeing inliers above which no more speaks for a pose within RANSAC: of a depth
    error of 15 % right poses have 0.86, give or take 0.05; wrong ones 0.3 to 0.5."""
    in_ransac: bool = False
    """The agreement of depths counts in the score of each pose within RANSAC (``weighted`` only),
    not only where poses of different groups of images are compared. On 240 queries of rendered
    streets it changed no recall, and where depths are useless it took up to 3 times the trials."""
    min_factor: float = Field(0.1, ge=0, le=1)
    """Least factor of a match: predicted depth can be wrong, too."""


class WeightingConfig(Section):
    """How cues become one weight: the product of factor ** exponent, rows of one pair by maximum.

    Exponents are those of a logistic regression of right and wrong on 460,000 RootSIFT matches of
    240 queries in two rendered towns, with labels and depth as wrong as networks make them
    (``python -m pipelines.calibrate_weights``): together they take the log loss from 0.46 to 0.19.
    """

    score: float = Field(1.0, ge=0, le=20)
    """Exponent of the odds that the matcher gives. Fitted: 1.03."""
    retrieval: float = Field(1.5, ge=0, le=20)
    """Exponent of the image's similarity to the query, relative to the best image's."""
    places: float = Field(1.0, ge=0, le=20)
    """Exponent of the agreement of labels under the pose that the image alone gives (Shi 2019)."""
    semantics: float = Field(1.6, ge=0, le=20)
    """Exponent of the agreement of labels of keypoint and landmark."""
    depth: float = Field(2.0, ge=0, le=20)
    """Exponent of the agreement of depths of keypoint and landmark."""
    track: float = Field(1.7, ge=0, le=20)
    """Exponent of the landmark's own quality: track length and reprojection error."""
    off: tuple[Literal["score", "retrieval", "places", "semantics", "depth", "track"], ...] = (
        "places",
    )
    """Cues left out. Places takes a pose for each retrieved image, and has not been shown to pay.
    Semantics and depth speak only if they have a source."""
    half_error_px: float = Field(2.0, gt=0, le=1000)
    """Mean reprojection error of a landmark at which its track counts half: COLMAP keeps up to 4,
    good ones have below 1."""
    bound_exponent: float = Field(0.0, ge=0, le=2)
    """How the inlier bound of a match grows with the noise of its landmark, from that one's track
    length and reprojection error; 0: one bound for all, 1: in proportion. At 1 two more of 240
    queries on rendered streets were right and none was lost: too few to put it on."""
    min_bound_factor: float = Field(0.5, gt=0, le=1)
    """Of the inlier bound: the noise of a query's keypoints is not the map's to know."""
    max_bound_factor: float = Field(2.0, ge=1, le=10)
    """Of the inlier bound: beyond, chance agrees four times as often as at the common bound."""
    min_weight: float = Field(0.0001, gt=0, le=1)
    """Least weight, relative to the largest: cues can be wrong all at once (labels at night), and a
    right match must not become impossible to draw."""


class ConfidenceConfig(Section):
    """Which poses are too likely wrong to be given."""

    enabled: bool = True
    """false: every pose is given, without a probability; then ``pose.min_inliers`` should be 12."""
    file: str = ""
    """Coefficients of ``pipelines/calibrate_confidence.py``; empty: the shipped ones."""
    min_confidence: float = Field(0.75, ge=0, le=1)
    """Poses less likely right come back as not localized. Of 720 queries of another town none is
    accepted at 0.75 and 14 at 0.5; of the right poses at 20 retrieved images 3.2 % and 1.6 % are
    withheld (RootSIFT, cross-validated on the towns of the fit). 0: all are given."""
    bounds: Literal["auto", "metric", "relative"] = "auto"
    """metric: right is within 0.25 map units, which are metres; relative: within 2.5 % of the
    median distance of the inliers; both within 2 deg. auto: maps from known poses are metric."""
