"""Networks of a map: extractor, matcher, global descriptor and segmenter, loaded by config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hloc_lite.config import Config
from hloc_lite.entries import Entry
from hloc_lite.errors import ConfigError
from hloc_lite.geometry.cameras import CAMERA_MODELS
from hloc_lite.io.weights_recording import RecordingWeights
from hloc_lite.protocols import FeatureExtractor, GlobalDescriptor, Matcher, PairMatcher, Segmenter
from hloc_lite.registry import (
    ESTIMATORS,
    FEATURES,
    GLOBAL_DESCRIPTORS,
    MATCHERS,
    SEGMENTERS,
    Runtime,
    check_matcher_fits,
    create,
    lookup,
)

FIRST_PASS_MATCHER = "mutual-nn"
"""Matcher of the first of two passes: it needs no weights and matches all features."""


@dataclass(frozen=True, eq=False)
class Models:
    """Networks of a map, with name -> sha256 of the weights that each of them uses."""

    extractor: FeatureExtractor
    matcher: Matcher
    """Matcher of features; nearest neighbours if the configured matcher takes photos."""
    global_descriptor: GlobalDescriptor
    extractor_weights: Mapping[str, str]
    matcher_weights: Mapping[str, str]
    global_descriptor_weights: Mapping[str, str]
    segmenter: Segmenter | None = None
    segmenter_weights: Mapping[str, str] = field(default_factory=dict)
    first_pass_matcher: Matcher | None = None
    """Matcher of the first of two matching passes; None if there is one pass only."""
    pair_matcher: PairMatcher | None = None
    """Configured matcher, if it takes photos and finds keypoints itself."""

    @property
    def weights(self) -> dict[str, str]:
        """Name -> sha256 of all weights in use."""
        networks = (
            self.extractor_weights,
            self.matcher_weights,
            self.global_descriptor_weights,
            self.segmenter_weights,
        )
        return {name: digest for used in networks for name, digest in used.items()}


def load_models(config: Config, runtime: Runtime) -> Models:
    """Load the networks that a config names.

    Raises:
        ConfigError: an unknown name (also of the estimator and camera model, which are used later),
            or a matcher that was trained for other features.
    """
    lookup(ESTIMATORS, config.pose.estimator)
    lookup(FEATURES, config.features.name)
    check_matcher_fits(matcher_name(config), config.features.name)
    if config.mapping.camera_model not in CAMERA_MODELS:
        known = ", ".join(CAMERA_MODELS)
        raise ConfigError(
            f"unknown camera model {config.mapping.camera_model!r}; known are {known}"
        )
    extractor, extractor_weights = _load_extractor(config, runtime)
    named, matcher_weights = _load_matcher(config, runtime)
    nearest: Matcher = create(MATCHERS, FIRST_PASS_MATCHER, config.matching, runtime)
    has_first_pass = config.matching.two_pass and matcher_name(config) != FIRST_PASS_MATCHER
    descriptor, descriptor_weights = create_recorded(
        GLOBAL_DESCRIPTORS, config.retrieval.name, config.retrieval, runtime
    )
    segmenter: Segmenter | None = None
    segmenter_weights: Mapping[str, str] = {}
    if config.semantics.source != "none":
        segmenter, segmenter_weights = create_recorded(
            SEGMENTERS, config.semantics.source, config.semantics, runtime
        )
    return Models(
        extractor=extractor,
        matcher=nearest if takes_photos(named) else named,
        global_descriptor=descriptor,
        extractor_weights=extractor_weights,
        matcher_weights=matcher_weights,
        global_descriptor_weights=descriptor_weights,
        segmenter=segmenter,
        segmenter_weights=segmenter_weights,
        first_pass_matcher=nearest if has_first_pass and not takes_photos(named) else None,
        pair_matcher=named if takes_photos(named) else None,
    )


def takes_photos(matcher: object) -> bool:
    """True for a ``PairMatcher``: a matcher that takes photos and finds keypoints itself."""
    return hasattr(matcher, "match_photos")


def load_extractor_and_matcher(
    config: Config, runtime: Runtime
) -> tuple[FeatureExtractor, Matcher, dict[str, str]]:
    """Load the extractor and matcher of an extra map, with name -> sha256 of their weights."""
    extractor, extractor_weights = _load_extractor(config, runtime)
    matcher, matcher_weights = _load_matcher(config, runtime)
    return extractor, matcher, {**extractor_weights, **matcher_weights}


def create_recorded(
    table: Mapping[str, Entry], name: str, config: object, runtime: Runtime
) -> tuple[Any, dict[str, str]]:
    """Create a model of a registry table, and record name -> sha256 of the weights it uses."""
    recording = RecordingWeights(runtime.weights)
    return create(table, name, config, replace(runtime, weights=recording)), recording.used


def matcher_name(config: Config) -> str:
    """Name of the configured matcher; ``auto`` resolves to the default of the features."""
    if config.matching.name != "auto":
        return config.matching.name
    return lookup(FEATURES, config.features.name).default_matcher


def _load_extractor(config: Config, runtime: Runtime) -> tuple[FeatureExtractor, dict[str, str]]:
    return create_recorded(FEATURES, config.features.name, config.features, runtime)


def _load_matcher(config: Config, runtime: Runtime) -> tuple[Any, dict[str, str]]:
    return create_recorded(MATCHERS, matcher_name(config), config.matching, runtime)
