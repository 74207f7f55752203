"""Configuration: one frozen model per stage; every number with its unit, range and reason.

A run's config is ``Config``: defaults of a profile, then a TOML file, then ``key=value`` settings.
Unknown keys and values out of range are refused. ``fingerprint`` names what a stage was made with.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hloc_lite.errors import ConfigError

SemanticClass = Literal[
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
    "motorcycle", "bicycle",
]  # fmt: skip
"""The classes of Cityscapes, in the order of their train ids 0..18."""


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys refused, finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ImagesConfig(Section):
    max_megapixels: float = Field(200.0, gt=0, le=2000)
    """Larger images are refused before decoding (a 200 MP photo takes 0.6 GB decoded)."""
    max_file_mb: float = Field(200.0, gt=0, le=4000)
    """Larger files are refused before reading."""
    exif_rotation: bool = True
    """Turn photos upright as their EXIF says; false for reference models made without."""


class FeaturesConfig(Section):
    name: str = "aliked-n16"
    """A name of ``registry.FEATURES``."""
    max_keypoints: int = Field(1024, ge=16, le=65536)
    """Best-scored keypoints kept; LightGlue's time grows with the square (0.3 s a pair at 1024)."""
    max_side_px: int = Field(1024, ge=64, le=16384)
    """Longer side at which the detector runs; keypoints come back in original pixels."""
    min_score: float = Field(0.0, ge=0, le=1)
    """Detections below are dropped, on top of the detector's own threshold; 0 keeps its default."""
    batch_size: int = Field(1, ge=1, le=256)
    """Photos of equal size run at once; above 1 it pays on GPUs only."""


class MatchingConfig(Section):
    name: str = "auto"
    """A name of ``registry.MATCHERS``; auto: the one that goes with the features."""
    max_ratio: float = Field(0.95, gt=0, le=1)
    """mutual-nn: best over second-best distance. On rendered street pairs 0.95 keeps 1.2 times the
    right matches of 0.9 for ALIKED, at 78 % precision; others in ``FEATURE_DEFAULTS``."""
    min_similarity: float = Field(0.0, ge=-1, le=1)
    """mutual-nn: cosine below which no match is made; 0 leaves it to the ratio."""
    min_score: float = Field(0.1, ge=0, le=1)
    """LightGlue's filter threshold (the authors' default)."""
    batch_size: int = Field(1, ge=1, le=256)
    """Pairs run at once; above 1 it pays on GPUs only."""


class RetrievalConfig(Section):
    name: str = "netvlad-lite0"
    """A name of ``registry.GLOBAL_DESCRIPTORS``."""
    max_side_px: int = Field(640, ge=64, le=4096)
    """Longer side at which the backbone runs."""
    num_clusters: int = Field(64, ge=2, le=4096)
    """NetVLAD words, the paper's number; 4 to 9 points of mean average precision above 32 on
    rendered streets."""
    vocabulary_images: int = Field(200, ge=1, le=100000)
    """Images sampled (seeded) for the vocabulary."""
    whiten_min_images: int = Field(2000, ge=2, lt=2**31)
    """PCA-whitening is learned only from at least so many images: from a few it halves recall."""
    output_dim: int = Field(1024, ge=8, le=65536)
    """Dimensions kept by the PCA, if one is learned."""
    seed: int = Field(0, ge=0, lt=2**31)


class PairsConfig(Section):
    spec: str = "auto"
    """exhaustive | retrieval:K | covisible:K | poses:K | sequential:K | a file of name pairs.
    auto: exhaustive up to ``exhaustive_max_images``, else retrieval:20."""
    exhaustive_max_images: int = Field(25, ge=2, le=1000)
    """Up to here all pairs are cheaper than a missed one (300 pairs)."""
    max_angle_deg: float = Field(60.0, gt=0, le=180)
    """poses:K only pairs cameras whose viewing directions differ by less."""


class GeometryConfig(Section):
    """Verification of matches between two map images."""

    max_epipolar_error_px: float = Field(4.0, gt=0, le=100)
    """Inlier bound; at original resolution for 1024 px images, scaled with larger ones."""
    reference_side_px: int = Field(1024, ge=64, le=10**6)
    """The image side at which the bound above holds."""
    min_inliers: int = Field(15, ge=5, le=1000)
    """Pairs with fewer verified matches are dropped (COLMAP's default)."""
    min_pose_agreement: float = Field(0.2, ge=0, le=1)
    """Share of its matches that must agree with given poses, in the best pair of the median image;
    right poses give 0.6 to 1, wrong ones below 0.1."""
    seed: int = Field(0, ge=0, lt=2**31)


class MappingConfig(Section):
    mapper: Literal["incremental", "global"] = "incremental"
    camera_model: str = "SIMPLE_RADIAL"
    """Model of cameras that have no given intrinsics (COLMAP's default)."""
    cameras: Literal["auto", "single", "per-image", "per-folder"] = "auto"
    """auto: images of equal size, EXIF camera and focal length share one camera."""
    min_triangulation_angle_deg: float = Field(1.5, gt=0, le=90)
    """Points seen under less are dropped (COLMAP's default)."""
    max_reprojection_error_px: float = Field(4.0, gt=0, le=100)
    """Observations with more are dropped (COLMAP's default)."""
    min_triangulated_share: float = Field(0.02, ge=0, le=1)
    """Share of the keypoints with verified matches that must get a point under given poses, else
    there is no map. Right ones gave 0.26 to 0.84, 1.5 times the right focal length 0.02."""
    low_triangulated_share: float = Field(0.15, ge=0, le=1)
    """Less is warned of: 1.1 to 1.25 times the right focal length gave 0.02 to 0.13 on rendered
    streets, twice the right one 0.1 on a textured wall."""
    threads: int = Field(-1, ge=-1, le=1024)
    """-1: all cores."""
    seed: int = Field(0, ge=0, lt=2**31)


class PoseConfig(Section):
    estimator: str = "weighted"
    """A name of ``registry.ESTIMATORS``; the only one that uses weights. Against ``poselib`` it
    takes 0.1 to 0.7 of the time at 10 % inliers, 1 to 1.4 of it at 50 %."""
    max_error_px: float = Field(12.0, gt=0, le=1000)
    """Inlier bound at ``reference_side_px``, scaled with the image's longer side (hloc's 12 px)."""
    reference_side_px: int = Field(1600, ge=64, le=10**6)
    min_inliers: int = Field(12, ge=4, le=10000)
    """Fewer: no pose (HF-Net's bound)."""
    confidence: float = Field(0.9999, gt=0, lt=1)
    """That RANSAC has drawn one clean sample."""
    min_num_trials: int = Field(100, ge=1, lt=2**31)
    """With local optimization 100 end in the poses of 1000, in a third of the time."""
    max_num_trials: int = Field(100000, ge=1, lt=2**31)
    sampling: Literal["mixed", "prosac"] = "mixed"
    """How ``weighted`` draws: by weight and uniformly, or best weights first."""
    early_trials: int = Field(5000, ge=0)
    """Informative weights have found the pose by then: at 2 % inliers they need 2000."""
    early_weighted_share: float = Field(0.7, ge=0, le=1)
    """Of the samples until then, drawn by weight."""
    late_weighted_share: float = Field(0.05, ge=0, le=1)
    """Of those after: the rest is uniform, so that wrong weights cost 5 % of the samples."""
    max_score_weight: float = Field(2.0, ge=1, le=1e6)
    """In means: none counts more in the consensus than so many average ones, lest a few wrong ones
    of great weight outvote all others."""
    first_batch: int = Field(128, ge=1, le=65536)
    """Samples solved at once at first, doubled each time: enough at 50 % inliers."""
    max_batch: int = Field(4096, ge=1, le=65536)
    """Larger ones leave the processor's cache."""
    screen_size: int = Field(128, ge=8, le=65536)
    """Correspondences that all poses of a batch are compared on: 6 inliers at 5 %."""
    screen_survivors: int = Field(32, ge=1, le=65536)
    """Poses of a batch that are scored on all correspondences."""
    optimized_per_batch: int = Field(2, ge=1, le=1000)
    """Poses of a batch that may be optimized locally, if they beat all minimal ones before."""
    optimization_steps: int = Field(6, ge=0, le=100)
    """Of Gauss-Newton, fewer where they stop helping."""
    refine_loss_sigmas: float = Field(2.385, gt=0, le=1000)
    """Scale of the Cauchy loss of the refinement, in standard deviations of the inliers' errors
    (taken from their median): 2.385 has 95 % of least squares' efficiency on normal noise."""
    seed: int = Field(0, ge=0, lt=2**31)


class LocalizeConfig(Section):
    num_retrieved: int = Field(20, ge=1, le=1000)
    """Map images a query is matched against."""
    only_landmarks: bool = True
    """Match only those keypoints of a map image that have a 3D point: others cannot help a pose,
    and leaving them out makes LightGlue faster."""
    cached_images: int = Field(512, ge=1, le=1000000)
    """Map images whose features stay in memory: 256 MB at 1024 keypoints of 128 floats."""
    exclude_same_name: bool = True
    """A map image of the query's own name is not retrieved: it would be the query itself."""
    covisibility_clustering: bool = True
    """Solve each group of retrieved images that share points by itself; the best one counts."""
    max_clusters: int = Field(4, ge=1, le=1000)
    """Groups tried, those with most matches first."""
    focal_candidates: int = Field(16, ge=2, le=200)
    """Focal lengths tried where a photo says nothing of its own, between the two below."""
    min_focal_ratio: float = Field(0.4, gt=0.05, le=10)
    """Focal length over longer image side: 0.4 is a 103 degree lens."""
    max_focal_ratio: float = Field(4.0, gt=0.05, le=50)
    """4 is a 14 degree lens."""

    @model_validator(mode="after")
    def _ordered(self) -> LocalizeConfig:
        if not self.min_focal_ratio < self.max_focal_ratio:
            raise ValueError(
                f"min_focal_ratio must be below max_focal_ratio, got {self.min_focal_ratio:g} and "
                f"{self.max_focal_ratio:g}"
            )
        return self


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
    min_factor: float = Field(0.1, ge=0, le=1)
    """Least factor of a match: predicted depth can be wrong, too."""


class WeightingConfig(Section):
    """How cues become one weight: the product of factor ** exponent, rows of one pair by maximum.

    Exponents are starting points, not measured ones; ``calibrate_exponents`` fits them.
    """

    score: float = Field(1.0, ge=0, le=20)
    """Exponent of the matcher's score."""
    retrieval: float = Field(1.0, ge=0, le=20)
    """Exponent of the image's similarity to the query, relative to the best image's."""
    places: float = Field(1.0, ge=0, le=20)
    """Exponent of the agreement of labels under the pose that the image alone gives (Shi 2019)."""
    semantics: float = Field(1.0, ge=0, le=20)
    """Exponent of the agreement of labels of keypoint and landmark."""
    depth: float = Field(1.0, ge=0, le=20)
    """Exponent of the agreement of depths of keypoint and landmark."""
    track: float = Field(1.0, ge=0, le=20)
    """Exponent of the landmark's own quality: track length and reprojection error."""
    off: tuple[Literal["score", "retrieval", "places", "semantics", "depth", "track"], ...] = (
        "score", "retrieval", "places", "track",
    )  # fmt: skip
    """Cues left out. These have not been shown to pay: with the matcher's score the recalls on the
    rendered town were the same to the last query. The others speak only if they have a source."""
    half_error_px: float = Field(2.0, gt=0, le=1000)
    """Mean reprojection error of a landmark at which its track counts half: COLMAP keeps up to 4,
    good ones have below 1."""
    min_weight: float = Field(0.01, gt=0, le=1)
    """Least weight, relative to the largest: cues can be wrong all at once (labels at night), and a
    right match must not become impossible to draw."""


class Config(Section):
    images: ImagesConfig = ImagesConfig()
    features: FeaturesConfig = FeaturesConfig()
    matching: MatchingConfig = MatchingConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    pairs: PairsConfig = PairsConfig()
    geometry: GeometryConfig = GeometryConfig()
    mapping: MappingConfig = MappingConfig()
    pose: PoseConfig = PoseConfig()
    localize: LocalizeConfig = LocalizeConfig()
    semantics: SemanticsConfig = SemanticsConfig()
    depth: DepthConfig = DepthConfig()
    weighting: WeightingConfig = WeightingConfig()


PROFILES: Mapping[str, Mapping[str, Any]] = {
    # XFeat at 800 px: 0.05 s an image on two cores, 20 times less than ALIKED
    "fast": {
        "features": {"name": "xfeat", "max_side_px": 800},
        "matching": {"name": "mutual-nn"},
        "localize": {"num_retrieved": 10},
    },
    "balanced": {},
    # twice the keypoints at 1.5 times the resolution: about four times the matching time
    "accurate": {
        "features": {"name": "aliked-n16", "max_side_px": 1600, "max_keypoints": 2048},
        "localize": {"num_retrieved": 30},
    },
}


FEATURE_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    # no ratio but a similarity bound, as its authors match: twice the right matches of ratio 0.9
    "xfeat": {
        "features": {"max_keypoints": 2048},
        "matching": {"max_ratio": 1.0, "min_similarity": 0.82},
    },
    # many cheap keypoints; 0.85 is where precision falls below 80 %
    "rootsift": {"features": {"max_keypoints": 4096}, "matching": {"max_ratio": 0.85}},
}
"""What suits some features better than the defaults above; profile, file and settings win."""


def load_config(
    profile: str = "balanced",
    file: Path | None = None,
    settings: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    base: Config | None = None,
) -> Config:
    """``base`` or profile, then TOML file, then ``overrides`` (nested), then ``key=value``; what
    none of them says comes from ``FEATURE_DEFAULTS`` of the features they name.

    Raises:
        ConfigError: unknown profile or key, a wrong type, or a value out of its range.
    """
    if profile not in PROFILES:
        raise ConfigError(f"unknown profile {profile!r}; known are {', '.join(PROFILES)}")
    merged = _merge({}, PROFILES[profile]) if base is None else base.model_dump()
    if file is not None:
        merged = _merge(merged, _read_toml(file))
        config_from_dict(merged)  # what comes after must not cover up its mistakes
    merged = _merge(merged, overrides or {})
    for setting in settings:
        merged = _merge(merged, _parse_setting(setting))
    features = merged.get("features", {})
    name = features.get("name") if isinstance(features, Mapping) else None
    return config_from_dict(_merge(FEATURE_DEFAULTS.get(str(name), {}), merged))


def config_from_dict(values: Mapping[str, Any]) -> Config:
    """A config from nested plain values; what is missing takes its default.

    Raises:
        ConfigError: naming each bad key, with the nearest valid one.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item) for item in error.errors())) from None


def fingerprint(*parts: object) -> str:
    """16 hex digits that change with any of the parts (sections, or plain JSON values)."""
    plain = [part.model_dump() if isinstance(part, BaseModel) else part for part in parts]
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _merge(base: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in update.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key, {}), Mapping)
        merged[key] = _merge(merged.get(key, {}), value) if both else value
    return merged


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"config file {file} does not exist") from None
    except (OSError, ValueError, RecursionError) as error:  # also for endless numbers and nesting
        raise ConfigError(f"config file {file} is not readable TOML: {error}") from None


def _parse_setting(setting: str) -> dict[str, Any]:
    key, separator, text = setting.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set takes key=value (e.g. pose.max_error_px=6), got {setting!r}")
    if len(text.strip().splitlines()) > 1:  # TOML would take what follows for further keys
        raise ConfigError(f"--set takes one value; give it several times. Got {setting!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text.strip()  # a bare word is a string
    for part in reversed(key.strip().split(".")):
        value = {part: value}
    return value


def _explain(item: Any) -> str:
    path = [str(part) for part in item["loc"]]
    dotted = ".".join(path)
    if item["type"] == "extra_forbidden":
        section = ".".join(path[:-1])
        same_section = [f"{section}.{key}".lstrip(".") for key in _valid_keys(path[:-1])]
        near = difflib.get_close_matches(dotted, same_section or _all_keys(), n=1, cutoff=0.4)
        return f"unknown config key {dotted!r}" + (f"; did you mean {near[0]}?" if near else "")
    if item["type"] == "value_error":  # of a whole section; its message has the values
        return f"config section {dotted!r}: {item['ctx']['error']}"
    return f"config key {dotted!r}: {item['msg']}, got {item['input']!r}"


def _valid_keys(path: Sequence[str]) -> list[str]:
    section: Any = Config
    for part in path:
        field = section.model_fields.get(part)
        annotation = None if field is None else field.annotation
        if not isinstance(annotation, type) or not issubclass(annotation, Section):
            return []
        section = annotation
    return list(section.model_fields)


def _all_keys() -> list[str]:
    return [f"{name}.{key}" for name in Config.model_fields for key in _valid_keys([name])]
