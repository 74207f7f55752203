"""Localizers and query pipelines of the exact scene, with stand-in networks injected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hloc_lite.clock import StageClock
from hloc_lite.config import Config, load_config
from hloc_lite.localize.acceptance import Promises
from hloc_lite.localize.cascade import MatchingStep
from hloc_lite.localize.compatibility import landmark_matching_config, query_matching_config
from hloc_lite.localize.confidence import load_calibration
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.map_confidence import map_errors
from hloc_lite.localize.map_matcher import MapMatcher
from hloc_lite.localize.pipeline import QueryPipeline
from hloc_lite.localize.prior import PriorFilter
from hloc_lite.localize.query import PhotoPredictor, Query
from hloc_lite.localize.verification import PoseVerifier
from hloc_lite.localize.weighting import MatchWeigher
from hloc_lite.maps.map import Map
from hloc_lite.maps.track_lifter import TrackLifter
from hloc_lite.models import FIRST_PASS_MATCHER, Models, load_models
from hloc_lite.registry import ESTIMATORS, MATCHERS, Runtime, create
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.types import (
    Camera,
    LocalFeatures,
    LocalizationResult,
    Photo,
    RetrievalHits,
    UInt8,
)
from tests.exact_scene import NoWeights


class FixedExtractor:
    """Extractor that returns the same features for every photo."""

    def __init__(self, features: LocalFeatures) -> None:
        self.features, self.descriptor_dim = features, features.descriptors.shape[1]

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        return [self.features for _ in photos]


class CountingMatcher(MapMatcher):
    """``MapMatcher`` that counts the images and the sets of landmarks that it matches."""

    num_images = 0
    num_landmark_sets = 0

    def match_images(self, photo: Photo, features: LocalFeatures, hits: RetrievalHits) -> Any:
        self.num_images += len(hits.names)
        return super().match_images(photo, features, hits)

    def match_landmarks(self, features: LocalFeatures, hits: RetrievalHits) -> Any:
        self.num_landmark_sets += 1
        return super().match_landmarks(features, hits)

    @property
    def counts(self) -> tuple[int, int]:
        """(images matched one by one, sets of landmarks matched)."""
        return self.num_images, self.num_landmark_sets


def query_config(sfm_map: Map, settings: Sequence[str]) -> Config:
    """Config of queries: the map's, with ``settings`` as after ``--set``."""
    return load_config(base=sfm_map.config, settings=settings)


def query_models(config: Config, **stand_ins: Any) -> Models:
    """Networks for queries; ``stand_ins`` replace fields of ``Models``."""
    loaded = load_models(query_matching_config(config), Runtime(NoWeights()))
    return replace(loaded, **stand_ins)


def make_localizer(
    sfm_map: Map, *settings: str, extra_maps: Sequence[Map] = (), **stand_ins: Any
) -> Localizer:
    """Localizer in a map of the exact scene.

    Args:
        settings: settings of the queries.
        stand_ins: networks by field of ``Models``.
    """
    config = query_config(sfm_map, settings)
    models = query_models(config, **stand_ins)
    return Localizer(sfm_map, config, extra_maps=extra_maps, weights=NoWeights(), models=models)


def localizer_with(sfm_map: Map, features: LocalFeatures, *settings: str) -> Localizer:
    """Localizer that finds the given features in every query."""
    return make_localizer(sfm_map, *settings, extractor=FixedExtractor(features))


def make_matcher(sfm_map: Map, config: Config, *, is_learned: bool = False) -> CountingMatcher:
    """``MapMatcher`` of the first map of a pipeline."""
    models = query_models(config)
    runtime = Runtime(NoWeights())
    return CountingMatcher(
        sfm_map,
        models.extractor,
        models.matcher,
        create(MATCHERS, FIRST_PASS_MATCHER, landmark_matching_config(config), runtime),
        TrackLifter(sfm_map.model),
        is_learned=is_learned,
        cached_images=10,
        only_landmarks=config.localize.only_landmarks,
    )


def make_pipeline(
    sfm_map: Map,
    *settings: str,
    matcher: MapMatcher | None = None,
    verifier: PoseVerifier | None = None,
) -> QueryPipeline:
    """Query pipeline of one map without labels and depth, put together by hand.

    Args:
        matcher: stand-in of the map's matcher.
        verifier: stand-in of the pose verifier.
    """
    config = query_config(sfm_map, settings)
    models = query_models(config)
    models.global_descriptor.load_state(sfm_map.retrieval_state)
    lifter = TrackLifter(sfm_map.model)
    calibration = load_calibration(config.confidence)
    return QueryPipeline(
        config,
        models.global_descriptor,
        RetrievalIndex(sfm_map.global_names, sfm_map.global_descriptors),
        [make_matcher(sfm_map, config) if matcher is None else matcher],
        [MatchWeigher(sfm_map, lifter, config, with_labels=False)],
        PhotoPredictor(None, None, config.semantics),
        create(ESTIMATORS, config.pose.estimator, config.pose, Runtime(NoWeights())),
        verifier
        or PoseVerifier(
            lifter,
            None,
            calibration,
            config,
            map_errors(calibration, config, [sfm_map]),
            metres_per_unit=1.0,
        ),
        PriorFilter(sfm_map, config.prior),
        Promises(config.confidence, None, lambda: ()),
    )


def run(
    pipeline: QueryPipeline,
    image: UInt8,
    camera: Camera,
    clock: StageClock | None = None,
    **options: Any,
) -> LocalizationResult:
    """Localize the pixels of an image with a pipeline."""
    clock = StageClock() if clock is None else clock
    photo = Photo("query", image)
    return pipeline.run(photo, camera, name="query", calibrated=True, clock=clock, **options)


def solve(
    localizer: Localizer, query: Query, hits: RetrievalHits, step: MatchingStep
) -> LocalizationResult:
    """Estimate the pose that given matches lead to."""
    return localizer.pipeline.localize(query, hits, "query", StageClock(), steps=[step])
