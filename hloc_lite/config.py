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
    estimator: str = "poselib"
    """A name of ``registry.ESTIMATORS``."""
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
        if field is None or not issubclass(field.annotation, Section):
            return []
        section = field.annotation
    return list(section.model_fields)


def _all_keys() -> list[str]:
    return [f"{name}.{key}" for name in Config.model_fields for key in _valid_keys([name])]
