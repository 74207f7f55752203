"""Builds the pipeline of a localizer from its maps, its config and its networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType

from hloc_lite.config import Config, with_matching_of_map
from hloc_lite.consistency.cue_combination import cue_exponents
from hloc_lite.consistency.depth_models import depth_model
from hloc_lite.errors import ConfigError
from hloc_lite.localize.compatibility import (
    check_config,
    check_extra_maps,
    check_weights,
    landmark_matching_config,
    query_matching_config,
)
from hloc_lite.localize.map_matcher import MapMatcher
from hloc_lite.localize.multi_map import JointLifter, concatenate_point_values
from hloc_lite.localize.pipeline import QueryPipeline
from hloc_lite.localize.prior import PriorFilter
from hloc_lite.localize.query import PhotoPredictor
from hloc_lite.localize.verification import PoseVerifier
from hloc_lite.localize.weighting import ExtraCue, MatchWeigher, wants_labels
from hloc_lite.maps.map import Map
from hloc_lite.maps.track_lifter import TrackLifter
from hloc_lite.models import (
    FIRST_PASS_MATCHER,
    Models,
    load_extractor_and_matcher,
    load_models,
    matcher_name,
    takes_photos,
)
from hloc_lite.pose.confidence import Calibration
from hloc_lite.protocols import FeatureExtractor, Lifter, Matcher
from hloc_lite.registry import CUES, ESTIMATORS, MATCHERS, Runtime, create, is_learned
from hloc_lite.retrieval.index import RetrievalIndex


def build_pipeline(
    sfm_map: Map,
    config: Config,
    extra_maps: Sequence[Map],
    calibration: Calibration | None,
    runtime: Runtime,
    models: Models | None = None,
    lifters: Sequence[Lifter] | None = None,
    cues: Mapping[str, float] = MappingProxyType({}),
) -> QueryPipeline:
    """Build the pipeline of queries in a map, or in several maps of the same images.

    Args:
        config: config of the queries.
        extra_maps: maps of the same images and poses with other features.
        calibration: coefficients of the confidence model; None to give every pose.
        models: networks of the first map; None to load those that ``config`` names.
        lifters: sources of 3D points, one for each map; None for the tracks of their models.
        cues: name -> exponent of cues that other packages add.

    Raises:
        ConfigError, StaleArtefactError: the config or a map does not fit, see ``compatibility``.
    """
    check_config(config, sfm_map.config)
    check_extra_maps(sfm_map, extra_maps)
    if models is None:
        models = load_models(query_matching_config(config), runtime)
    if models.pair_matcher is not None:
        raise _photo_matcher_error(config)
    check_weights(models.weights, sfm_map.weights)
    models.global_descriptor.load_state(sfm_map.retrieval_state)
    maps = (sfm_map, *extra_maps)
    if lifters is None:
        lifters = [TrackLifter(each.model) for each in maps]
    cached_images = -(-config.localize.cached_images // len(maps))
    extra_cues = [
        ExtraCue(name, create(CUES, name, config, runtime), exponent)
        for name, exponent in cues.items()
    ]
    with_labels = wants_labels(config) and models.segmenter is not None
    weighers = [MatchWeigher(sfm_map, lifters[0], config, extra_cues, with_labels=with_labels)]
    depth = depth_model(config.depth, runtime)  # in any case: it checks the source
    with_depth = cue_exponents(config.weighting)["depth"] > 0
    predictor = PhotoPredictor(
        models.segmenter if with_labels else None,
        depth if with_depth else None,
        config.semantics,
    )
    make = partial(_make_matcher, runtime=runtime, cached_images=cached_images)
    matchers = [make(sfm_map, config, models.extractor, models.matcher, lifters[0])]
    for each, lifter in zip(extra_maps, lifters[1:], strict=True):
        its_config = query_matching_config(with_matching_of_map(config, each.config))
        extractor, matcher, weights = load_extractor_and_matcher(its_config, runtime)
        if takes_photos(matcher):
            raise _photo_matcher_error(its_config)
        check_weights(weights, each.weights)
        matchers.append(make(each, its_config, extractor, matcher, lifter))
        weighers.append(_extra_weigher(each, its_config, lifter, extra_cues, with_labels))
    verifier = PoseVerifier(
        lifters[0] if len(maps) == 1 else JointLifter(lifters),
        concatenate_point_values([each.point_labels for each in weighers]),
        calibration,
        config,
        known_poses=bool(sfm_map.report.get("known_poses", True)),
    )
    known = matchers[0].image_names
    rows = [row for row, name in enumerate(sfm_map.global_names) if name in known]
    names = [sfm_map.global_names[row] for row in rows]
    return QueryPipeline(
        config,
        models.global_descriptor,
        RetrievalIndex(names, sfm_map.global_descriptors[rows]),
        matchers,
        weighers,
        predictor,
        create(ESTIMATORS, config.pose.estimator, config.pose, runtime),
        verifier,
        PriorFilter(sfm_map, config.prior),
    )


def _photo_matcher_error(config: Config) -> ConfigError:
    return ConfigError(
        f"matcher {matcher_name(config)!r} takes photos, so its map has no descriptors that a "
        f"query could be matched with; build it with a matcher of features to localize in it"
    )


def _make_matcher(
    sfm_map: Map,
    config: Config,
    extractor: FeatureExtractor,
    matcher: Matcher,
    lifter: Lifter,
    *,
    runtime: Runtime,
    cached_images: int,
) -> MapMatcher:
    return MapMatcher(
        sfm_map,
        extractor,
        matcher,
        create(MATCHERS, FIRST_PASS_MATCHER, landmark_matching_config(config), runtime),
        lifter,
        is_learned=is_learned(matcher_name(config)),
        cached_images=cached_images,
        only_landmarks=config.localize.only_landmarks,
    )


def _extra_weigher(
    sfm_map: Map,
    config: Config,
    lifter: Lifter,
    extra_cues: Sequence[ExtraCue],
    with_labels: bool,
) -> MatchWeigher:
    try:
        return MatchWeigher(sfm_map, lifter, config, extra_cues, with_labels=with_labels)
    except ConfigError as error:
        name = config.features.name
        raise ConfigError(f"the map of {name!r} features: {error}") from None
