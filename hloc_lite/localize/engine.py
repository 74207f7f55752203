"""A map and its models, loaded once: what a photo is like, what it matches, and its pose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import Config
from hloc_lite.consistency.depth_models import depth_model
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.answers import failure, verdict
from hloc_lite.localize.attempts import attempts_of
from hloc_lite.localize.cascade import Cascade, SeenQuery
from hloc_lite.localize.checks import (
    check_config,
    check_layers,
    check_weights,
    for_queries,
)
from hloc_lite.localize.confidence import load_calibration
from hloc_lite.localize.cues import Evidence, Witnesses
from hloc_lite.localize.hypotheses import choose
from hloc_lite.localize.joint_model import joint_model, of_all_points
from hloc_lite.localize.judging import Judge
from hloc_lite.localize.layers import Layer, further_layer, landmark_matcher
from hloc_lite.localize.lifting import Landmarks
from hloc_lite.localize.query import MatchedQuery
from hloc_lite.localize.rigs import nothing, rig_estimator
from hloc_lite.localize.solving import PoseSolver
from hloc_lite.localize.testimony import layer_counts, num_matches, pooled, testimonies
from hloc_lite.localize.vicinity import Vicinity
from hloc_lite.maps.map import Map
from hloc_lite.models import load_models, matcher_name
from hloc_lite.registry import ESTIMATORS, Runtime, Weights, create, is_learned
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.types import (
    Camera,
    Correspondences,
    Float32,
    LabelMap,
    LocalizationResult,
    Photo,
    Prior,
    RetrievalHits,
    Status,
)


class Engine:
    """All steps from a decoded photo to its pose in one map, or in several of the same images.

    Arguments and errors are those of ``Localizer``.
    """

    def __init__(
        self,
        place: Map,
        config: Config | None = None,
        *,
        also: Sequence[Map] = (),
        weights: Weights | None = None,
        device: str = "cpu",
    ) -> None:
        self.map, self.maps = place, (place, *also)
        self.config = place.config if config is None else config
        check_config(self.config, place.config)
        check_layers(place, also)
        runtime = Runtime(WeightsStore() if weights is None else weights, device)
        self.calibration = load_calibration(self.config.confidence)
        """Coefficients of ``confidence``; None: it is not asked for."""
        models = load_models(for_queries(self.config), runtime)
        check_weights(models.weights, place.weights)
        models.describer.load_state(place.retrieval_state)
        depth = depth_model(self.config.depth, runtime)
        witnesses = Witnesses(place, self.config, models.segmenter, depth)
        self._models = models
        kept = -(-self.config.localize.cached_images // len(self.maps))
        only_landmarks = self.config.localize.only_landmarks
        nearest = landmark_matcher(self.config, runtime)
        learned = is_learned(matcher_name(for_queries(self.config)))
        self._layers = (
            Layer(place, models, witnesses, nearest, learned, kept, only_landmarks),
            *(
                further_layer(each, self.config, runtime, models.segmenter, depth, kept)
                for each in also
            ),
        )
        self.model = joint_model(self.maps)
        """Whose points a result's correspondences are with."""
        all_of_them = [layer.witnesses for layer in self._layers]
        self._bound_factors = of_all_points([each.bound_factors for each in all_of_them])
        self._judge = Judge(
            self.model,
            of_all_points([each.point_labels for each in all_of_them]),
            self.calibration,
            self.config,
            known_poses=bool(place.report.get("known_poses", True)),
        )
        self._estimator = create(ESTIMATORS, self.config.pose.estimator, self.config.pose, runtime)
        known = self._layers[0].useful_names
        useful = [i for i, name in enumerate(place.global_names) if name in known]
        names = [place.global_names[i] for i in useful]
        self._rig_estimator = rig_estimator(self.config.pose, runtime)
        self._index = RetrievalIndex(names, place.global_descriptors[useful])
        self.cascade = Cascade(self._layers, self.config)
        self._vicinity = Vicinity(place, self.config.prior)

    def labels_of(self, photo: Photo) -> LabelMap | None:
        """What a photo shows; None where labels are not in use, or there are none of it."""
        return self._layers[0].witnesses.labels_of(photo)

    def look(
        self,
        photo: Photo,
        camera: Camera,
        *,
        calibrated: bool = True,
        itself: str | None = None,
        prior: Prior | None = None,
        clock: StageClock | None = None,
    ) -> SeenQuery:
        """A photo's features, and the map images like it.

        Args:
            camera: of the photo; with ``calibrated`` false only the start for its focal length.
            itself: name of a map image that is the query itself.
            prior: only images that may see the same are retrieved.
            clock: gets the time of ``features`` and ``retrieval``.
        """
        clock = StageClock() if clock is None else clock
        with clock("features"):
            features = tuple(layer.extract(photo) for layer in self._layers)
        with clock("retrieval"):
            described = self._models.describer.describe([photo])
            hits = self.search(described, itself, prior)
        return SeenQuery(photo, camera, calibrated, features, hits)

    def search(
        self, described: Float32, itself: str | None = None, prior: Prior | None = None
    ) -> RetrievalHits:
        """The map images most like a photo.

        Args:
            described: (1, D) its global descriptor, a unit row.
            itself: name of a map image that is the photo itself.
            prior: only images that may see the same are compared.
        """
        excluded = [itself] if itself and self.config.localize.exclude_same_name else None
        allowed = None if prior is None else self._vicinity.names_within(prior)
        count = self.config.localize.num_retrieved
        (hits,) = self._index.search(described, count, excluded, allowed)
        return hits

    def match(
        self,
        photo: Photo,
        camera: Camera,
        *,
        calibrated: bool = True,
        itself: str | None = None,
        clock: StageClock | None = None,
    ) -> MatchedQuery:
        """A photo matched with all retrieved images, or with their landmarks: all but the pose.

        Args:
            camera: of the photo; with ``calibrated`` false only the start for its focal length.
            itself: name of a map image that is the query itself.
        """
        clock = StageClock() if clock is None else clock
        seen = self.look(photo, camera, calibrated=calibrated, itself=itself, clock=clock)
        return self.matched(seen, clock)

    def matched(self, seen: SeenQuery, clock: StageClock) -> MatchedQuery:
        """A query matched with all its retrieved images, or with all their landmarks."""
        by_images = self.config.localize.matching == "images"
        match = self.cascade.match_images if by_images else self.cascade.match_landmarks
        return match(seen, seen.hits, clock)

    def answer(
        self,
        seen: SeenQuery,
        label: str,
        clock: StageClock,
        prior: Prior | None = None,
        budget_ms: float | None = None,
    ) -> LocalizationResult:
        """A query's pose, as ``localize.matching`` says; arguments as of ``Localizer.localize``."""

        def solve(query: MatchedQuery) -> LocalizationResult:
            result = self.solve(query, label, clock)
            return result if prior is None else self._vicinity.checked(result, prior)

        if self.config.localize.matching == "cascade":
            return self.cascade.answer(seen, solve, clock, budget_ms)
        return solve(self.matched(seen, clock))

    def evidence(self, query: MatchedQuery) -> Evidence:
        """What is known of a query's matches with the map points of all layers."""
        solver = PoseSolver(self._estimator, self.config, query.camera, query.calibrated)
        found = testimonies(self._layers, query, solver.quick)
        return pooled([each.evidence for each in found])

    def correspondences(self, seen: SeenQuery, clock: StageClock) -> Correspondences:
        """The weighted matches of a query with the landmarks of all its retrieved images."""
        query = self.cascade.match_landmarks(seen, seen.hits, clock)
        if not any(each.matched for each in query.layers):
            return nothing()
        with clock("cues"):
            evidence = self.evidence(query)
            weighting = evidence.weigh(np.arange(len(query.hits.names)))
            return weighting.correspondences(
                evidence.keypoints, self.model.xyz, self._bound_factors
            )

    def solve(
        self, query: MatchedQuery, label: str, clock: StageClock | None = None
    ) -> LocalizationResult:
        """The answer that matches give.

        Args:
            query: of ``match``.
            label: what to call it in the result.
        """
        clock = StageClock() if clock is None else clock
        features, hits = query.features, query.hits
        num_keypoints = sum(len(each.features) for each in query.layers)
        counts = {"keypoints": num_keypoints, "retrieved": len(hits.names)}
        if num_keypoints > 0 and not hits.names:
            reason = "the map has no image to compare with, or none near the expected position"
            return failure(label, Status.NO_RETRIEVAL, reason, clock, counts, features, hits)
        if not any(each.matched for each in query.layers):
            reason = "no keypoints found: the image is blank, masked away or far too dark"
            status = Status.TOO_FEW_MATCHES
            return failure(label, status, reason, clock, counts, features, hits)
        solver = PoseSolver(self._estimator, self.config, query.camera, query.calibrated)
        with clock("cues"):
            found = testimonies(self._layers, query, solver.quick)
        with clock("pose"):
            parts = [(each.evidence, each.groups) for each in found]
            attempts = attempts_of(parts, self.model.xyz, solver, self._bound_factors)
            choice = choose(attempts, solver.refine, solver.rival, self.config.localize)
        with clock("confidence"):
            evidence = pooled([each.evidence for each in found])
            learned = any(each.learned for each in query.layers)
            confidence = self._judge.judge(choice, evidence, hits, learned=learned)
        attempt = choice.attempt
        inliers = np.flatnonzero(attempt.pose.inlier_mask if attempt.pose else ())
        counts |= {
            **attempt.cue_counts,
            **layer_counts(self._layers, query, attempt.correspondences, inliers),
            "matches": sum(num_matches(each.matched) for each in query.layers),
            "clusters": sum(len(each.groups) for each in found),
            "agreeing_clusters": choice.num_agreeing,
            "correspondences": len(attempt.correspondences),
            "inliers": len(inliers),
        }
        return verdict(label, choice, confidence, features, hits, counts, clock, self.config)

    def landmarks_of(self, name: str) -> Landmarks:
        """What an image of the first map offers to be matched."""
        return self._layers[0].landmarks_of(name)
