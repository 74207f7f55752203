"""Builds the pipeline of a localizer from its maps, its config and its networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from hloc_lite.config import Config, with_matching_of_map
from hloc_lite.consistency.cue_combination import cue_exponents
from hloc_lite.consistency.depth_models import depth_model
from hloc_lite.errors import ConfigError
from hloc_lite.localize.acceptance import Promises, own_answers
from hloc_lite.localize.compatibility import (
    check_config,
    check_extra_maps,
    check_recalibrate,
    check_weights,
    landmark_matching_config,
    query_matching_config,
    warn_of_another_confidence_model,
    warn_of_untested_intrinsics,
    warn_of_unused_names,
)
from hloc_lite.localize.confidence import load_calibration
from hloc_lite.localize.known_answers import load_known_answers
from hloc_lite.localize.landmark_check import LandmarkCheck
from hloc_lite.localize.map_confidence import (
    fitting_calibration,
    map_errors,
    typical_landmarks,
)
from hloc_lite.localize.map_matcher import MapMatcher
from hloc_lite.localize.multi_map import JointLifter, concatenate_point_values
from hloc_lite.localize.photo_matcher import PhotoMapMatcher
from hloc_lite.localize.pipeline import QueryPipeline
from hloc_lite.localize.prior import PriorFilter
from hloc_lite.localize.query import PhotoPredictor
from hloc_lite.localize.verification import PoseVerifier
from hloc_lite.localize.view_check import ViewCheck
from hloc_lite.localize.view_cues import lasting_points
from hloc_lite.localize.view_overlap import ViewOverlap
from hloc_lite.localize.weighting import ExtraCue, MatchWeigher, wants_labels
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
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
from hloc_lite.protocols import FeatureExtractor, Lifter, Matcher, PairMatcher, Segmenter
from hloc_lite.registry import CUES, ESTIMATORS, MATCHERS, Runtime, create, is_learned
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.types import UInt8


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
        lifters: sources of 3D points, one for each map; None for the tracks of their models. They
            have no semantic labels, and descriptors are computed for their points.
        cues: name -> exponent of cues that other packages add.

    Raises:
        ConfigError, StaleArtefactError: the config or a map does not fit, see ``compatibility``.
    """
    check_config(config, sfm_map.config)
    check_extra_maps(sfm_map, extra_maps)
    check_recalibrate(config, config.localize.recalibrate)
    warn_of_untested_intrinsics(config)
    warn_of_unused_names(config, (sfm_map, *extra_maps))
    if models is None:
        models = load_models(query_matching_config(config), runtime)
    check_weights(models.weights, sfm_map.weights)
    models.global_descriptor.load_state(sfm_map.retrieval_state)
    maps = (sfm_map, *extra_maps)
    with_labels = wants_labels(config) and models.segmenter is not None
    points = _points_of_maps(maps, lifters, with_labels)
    make_weigher = partial(
        MatchWeigher, extra_cues=_make_cues(cues, config, runtime), with_labels=with_labels
    )
    weighers = [make_weigher(sfm_map, points[0][0], config)]
    predictor = _make_predictor(models.segmenter if with_labels else None, config, runtime)
    cached_images = -(-config.localize.cached_images // len(maps))
    make_matcher = partial(_make_matcher, runtime=runtime, cached_images=cached_images)
    if models.pair_matcher is not None:
        if extra_maps:
            raise _photo_matcher_error(config)
        first = _make_photo_matcher(sfm_map, config, models.pair_matcher, points[0][0], runtime)
        matchers: list[MapMatcher] = [first]
    else:
        _check_has_descriptors(sfm_map, config)
        matchers = [make_matcher(sfm_map, config, models.extractor, models.matcher, *points[0])]
    for each, own_points in zip(extra_maps, points[1:], strict=True):
        its_config = query_matching_config(with_matching_of_map(config, each.config))
        extractor, matcher, weights = load_extractor_and_matcher(its_config, runtime)
        if takes_photos(matcher):
            raise _photo_matcher_error(its_config)
        check_weights(weights, each.weights)
        matchers.append(make_matcher(each, its_config, extractor, matcher, *own_points))
        weighers.append(_extra_weigher(make_weigher, each, own_points[0], its_config))
    known = load_calibration(config.confidence)
    return QueryPipeline(
        config,
        models.global_descriptor,
        _make_index(sfm_map, matchers[0].image_names),
        matchers,
        weighers,
        predictor,
        create(ESTIMATORS, config.pose.estimator, config.pose, runtime),
        _make_verifier(
            [lifter for lifter, _ in points], weighers, calibration, known, config, maps
        ),
        PriorFilter(sfm_map, config.prior),
        _make_promises(sfm_map, known, config),
        _make_view_check(sfm_map, weighers[0].point_labels, config),
    )


def _photo_matcher_error(config: Config) -> ConfigError:
    return ConfigError(
        f"matcher {matcher_name(config)!r} takes photos and finds keypoints itself: it localizes "
        f"in one map alone, and cannot be combined with other maps"
    )


def _check_has_descriptors(sfm_map: Map, config: Config) -> None:
    """Refuse a matcher of features in a map whose keypoints a matcher of photos found."""
    made_by = matcher_name(sfm_map.config)
    images = sfm_map.model.images[:1]
    if any(sfm_map.features[image.name].descriptors.shape[1] == 0 for image in images):
        raise ConfigError(
            f"the map was made by the matcher {made_by!r}, which takes photos: its keypoints have "
            f"no descriptors that {matcher_name(config)!r} could match. Localize with "
            f"matching.name={made_by}"
        )


def _make_photo_matcher(
    sfm_map: Map, config: Config, pair_matcher: PairMatcher, lifter: Lifter, runtime: Runtime
) -> PhotoMapMatcher:
    return PhotoMapMatcher(
        sfm_map,
        pair_matcher,
        create(MATCHERS, FIRST_PASS_MATCHER, config.matching, runtime),
        lifter,
        cell_px=config.matching.dense_cell_px,
        cached_images=config.localize.cached_images,
        only_landmarks=config.localize.only_landmarks,
    )


def _points_of_maps(
    maps: Sequence[Map], lifters: Sequence[Lifter] | None, with_labels: bool
) -> list[tuple[Lifter, LandmarkDescriptors | None]]:
    """Lifter of each map, and the descriptors that the map stores for its points."""
    if lifters is None:
        return [(TrackLifter(each.model), each.landmark_descriptors) for each in maps]
    if with_labels:
        raise ConfigError(
            "the labels of a map belong to the points of its SfM tracks, not to those of another "
            "lifter: localize with semantics.source=none (--labels none), or without a lifter"
        )
    return [(lifter, None) for lifter in lifters]


def _make_cues(cues: Mapping[str, float], config: Config, runtime: Runtime) -> list[ExtraCue]:
    return [
        ExtraCue(name, create(CUES, name, config, runtime), exponent)
        for name, exponent in cues.items()
    ]


def _make_predictor(
    segmenter: Segmenter | None, config: Config, runtime: Runtime
) -> PhotoPredictor:
    depth = depth_model(config.depth, runtime)  # in any case: it checks the source
    with_depth = cue_exponents(config.weighting)["depth"] > 0
    return PhotoPredictor(segmenter, depth if with_depth else None, config.semantics)


def _make_matcher(
    sfm_map: Map,
    config: Config,
    extractor: FeatureExtractor,
    matcher: Matcher,
    lifter: Lifter,
    descriptors: LandmarkDescriptors | None,
    *,
    runtime: Runtime,
    cached_images: int,
) -> MapMatcher:
    overlap = None
    if sfm_map.landmark_sigmas is not None:  # from depth: few images share a point
        overlap = ViewOverlap(sfm_map.model, lifter, config.localize.min_overlap)
    return MapMatcher(
        sfm_map,
        extractor,
        matcher,
        create(MATCHERS, FIRST_PASS_MATCHER, landmark_matching_config(config), runtime),
        lifter,
        descriptors,
        is_learned=is_learned(matcher_name(config)),
        cached_images=cached_images,
        only_landmarks=config.localize.only_landmarks,
        min_matches=config.localize.min_image_matches,
        overlap=overlap,
    )


def _extra_weigher(
    make_weigher: Callable[..., MatchWeigher], sfm_map: Map, lifter: Lifter, config: Config
) -> MatchWeigher:
    try:
        return make_weigher(sfm_map, lifter, config)
    except ConfigError as error:
        name = config.features.name
        raise ConfigError(f"the map of {name!r} features: {error}") from None


def _make_verifier(
    lifters: Sequence[Lifter],
    weighers: Sequence[MatchWeigher],
    calibration: Calibration | None,
    known: Calibration | None,
    config: Config,
    maps: Sequence[Map],
) -> PoseVerifier:
    """Verifier of poses in all maps; ``known`` is the global confidence model."""
    lifter = lifters[0] if len(lifters) == 1 else JointLifter(lifters)
    typical = typical_landmarks(known, config, maps)
    return PoseVerifier(
        lifter,
        concatenate_point_values([each.point_labels for each in weighers]),
        calibration,
        config,
        map_errors(known, config, maps),
        LandmarkCheck(lifter, maps[0].model, config, typical),
        metres_per_unit=maps[0].metres_per_unit,
    )


def _make_view_check(sfm_map: Map, point_labels: UInt8 | None, config: Config) -> ViewCheck | None:
    """Comparison of photos with the map's surface; None without one, or where it is disabled.

    Raises:
        ConfigError: it is demanded of a map without a surface.
    """
    wanted = config.view_synthesis.enabled
    if wanted == "on" and sfm_map.surface is None:
        raise ConfigError(
            "view_synthesis.enabled=on, but the map has no surface: make one with `hloc-lite "
            "surface MAP --depth DIR` (or --scan, --points), or set it to auto"
        )
    if wanted == "off" or sfm_map.surface is None:
        return None
    labelled = None
    if point_labels is not None:
        labelled = lasting_points(sfm_map.model.xyz, point_labels, config.semantics)
    return ViewCheck(sfm_map.surface, config, labelled)


def _make_promises(sfm_map: Map, known: Calibration | None, config: Config) -> Promises:
    # shipped answers are of the global model, also where a map corrects it
    fitting = fitting_calibration(known, sfm_map)
    if fitting is None and known is not None and sfm_map.calibration is not None:
        warn_of_another_confidence_model()
    own = own_answers(fitting)
    return Promises(config.confidence, own, partial(load_known_answers, known))


def _make_index(sfm_map: Map, image_names: frozenset[str]) -> RetrievalIndex:
    """Index of those images that can contribute to a pose."""
    rows = [row for row, name in enumerate(sfm_map.global_names) if name in image_names]
    names = [sfm_map.global_names[row] for row in rows]
    return RetrievalIndex(names, sfm_map.global_descriptors[rows])
