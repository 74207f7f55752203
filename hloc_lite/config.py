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
from typing import Any

from pydantic import BaseModel, ValidationError

from hloc_lite.config_evidence import ConfidenceConfig as ConfidenceConfig
from hloc_lite.config_evidence import Confusion as Confusion
from hloc_lite.config_evidence import DepthConfig as DepthConfig
from hloc_lite.config_evidence import SemanticClass as SemanticClass
from hloc_lite.config_evidence import SemanticsConfig as SemanticsConfig
from hloc_lite.config_evidence import WeightingConfig as WeightingConfig
from hloc_lite.config_stages import CascadeConfig as CascadeConfig
from hloc_lite.config_stages import FeaturesConfig as FeaturesConfig
from hloc_lite.config_stages import GeometryConfig as GeometryConfig
from hloc_lite.config_stages import ImagesConfig as ImagesConfig
from hloc_lite.config_stages import LocalizeConfig as LocalizeConfig
from hloc_lite.config_stages import MappingConfig as MappingConfig
from hloc_lite.config_stages import MatchingConfig as MatchingConfig
from hloc_lite.config_stages import PairsConfig as PairsConfig
from hloc_lite.config_stages import PoseConfig as PoseConfig
from hloc_lite.config_stages import PriorConfig as PriorConfig
from hloc_lite.config_stages import RetrievalConfig as RetrievalConfig
from hloc_lite.config_stages import Section as Section
from hloc_lite.config_stages import SequenceConfig as SequenceConfig
from hloc_lite.errors import ConfigError


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
    cascade: CascadeConfig = CascadeConfig()
    prior: PriorConfig = PriorConfig()
    sequence: SequenceConfig = SequenceConfig()
    semantics: SemanticsConfig = SemanticsConfig()
    depth: DepthConfig = DepthConfig()
    weighting: WeightingConfig = WeightingConfig()
    confidence: ConfidenceConfig = ConfidenceConfig()


PROFILES: Mapping[str, Mapping[str, Any]] = {
    # XFeat at 800 px: 0.05 s an image on two cores, 20 times less than ALIKED
    "fast": {
        "features": {"name": "xfeat", "max_side_px": 800},
        "matching": {"name": "mutual-nn"},
        "localize": {"num_retrieved": 10},
        # as many right poses as with 10 images, in four fifths of the time
        "cascade": {"first_images": 5, "max_images": 0},
    },
    "balanced": {},
    # twice the keypoints at 1.5 times the resolution: about four times the matching time
    "accurate": {
        "features": {"name": "aliked-n16", "max_side_px": 1600, "max_keypoints": 2048},
        "localize": {"num_retrieved": 30},
        "cascade": {"enough": 0.99, "max_images": 20},
    },
}


_EVERY_PAIR = {"cheap_first": False}
"""Of features for which nobody has measured yet what nearest neighbours first cost a map."""
FEATURE_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "aliked-n16rot": {"matching": _EVERY_PAIR},
    "aliked-n32": {"matching": _EVERY_PAIR},
    "disk": {"matching": _EVERY_PAIR},
    # no ratio but a similarity bound, as its authors match: twice the right matches of ratio 0.9
    "xfeat": {
        "features": {"max_keypoints": 2048},
        "matching": {"max_ratio": 1.0, "min_similarity": 0.82, **_EVERY_PAIR},
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


def query_profile(profile: str) -> dict[str, Any]:
    """What a profile says of queries alone, whatever features the map has.

    Raises:
        ConfigError: unknown profile.
    """
    if profile not in PROFILES:
        raise ConfigError(f"unknown profile {profile!r}; known are {', '.join(PROFILES)}")
    wanted = {name: PROFILES[profile].get(name, {}) for name in ("localize", "cascade")}
    defaults = Config().model_dump()
    keys = {
        (name, key) for each in PROFILES.values() for name in wanted for key in each.get(name, {})
    }
    return {
        name: {
            key: wanted[name].get(key, defaults[name][key])
            for own, key in sorted(keys)
            if own == name
        }
        for name in wanted
    }


def config_from_dict(values: Mapping[str, Any]) -> Config:
    """A config from nested plain values; what is missing takes its default.

    Raises:
        ConfigError: naming each bad key, with the nearest valid one.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item) for item in error.errors())) from None


def config_of_another_version(values: Mapping[str, Any]) -> tuple[Config, list[str]]:
    """A config as ``config_from_dict``, and the keys left out that this version does not know.

    Raises:
        ConfigError: a value that this version does not allow.
    """
    try:
        return Config.model_validate(values), []
    except ValidationError as error:
        paths = [item["loc"] for item in error.errors() if item["type"] == "extra_forbidden"]
    known = json.loads(json.dumps(values))
    for *sections, key in paths:
        section = known
        for name in sections:
            section = section[name]
        del section[key]
    return config_from_dict(known), [".".join(str(part) for part in path) for path in paths]


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
