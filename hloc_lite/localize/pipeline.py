"""``QueryPipeline``: from a decoded photo to its pose. ``run`` reads from top to bottom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import copy

import numpy as np

from hloc_lite.clock import StageClock
from hloc_lite.config import Config
from hloc_lite.localize.acceptance import Promises
from hloc_lite.localize.cascade import (
    ImageTiming,
    MatchingStep,
    is_decided,
    match_images,
    match_landmarks,
    matching_steps,
)
from hloc_lite.localize.compatibility import check_recalibrate
from hloc_lite.localize.correspondences import (
    NearestMatches,
    cluster_images,
    lift,
    nearest_matches,
)
from hloc_lite.localize.estimation import PoseSolver, estimate_hypotheses, select_hypothesis
from hloc_lite.localize.map_matcher import MapMatcher
from hloc_lite.localize.multi_map import CueSet, concatenate, first_rows, renumber
from hloc_lite.localize.photo_matcher import only_photo_matcher, photo_steps
from hloc_lite.localize.prior import PriorFilter
from hloc_lite.localize.query import (
    MapMatches,
    PhotoPredictor,
    Query,
    describe_query,
    with_matched_keypoints,
)
from hloc_lite.localize.result import Answer, make_result, nothing_to_match, result_counts
from hloc_lite.localize.verification import PoseVerifier, VerifiedPose
from hloc_lite.localize.view_check import QueryViews, ViewCheck
from hloc_lite.localize.weighting import MatchWeigher, weigh
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.pose.focal import RANKING_TRIALS
from hloc_lite.protocols import GlobalDescriptor, Lifter, PoseEstimator
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.types import (
    Camera,
    Correspondences,
    Float32,
    LocalizationResult,
    Photo,
    Prior,
    RetrievalHits,
    Rigid3,
)


class QueryPipeline:
    """All steps of a query in one map, or in several maps of the same images.

    Args:
        config: config of the queries.
        global_descriptor: descriptor that ``index`` was made with.
        index: global descriptors of the map images.
        matchers: one for each map.
        weighers: one for each map.
        predictor: predicts labels and depth of queries.
        estimator: estimates poses.
        verifier: scores poses.
        priors: applies priors in the map.
        promises: least confidence of poses that are given.
        view_check: compares photos with views of the map's surface; None without one.
    """

    def __init__(
        self,
        config: Config,
        global_descriptor: GlobalDescriptor,
        index: RetrievalIndex,
        matchers: Sequence[MapMatcher],
        weighers: Sequence[MatchWeigher],
        predictor: PhotoPredictor,
        estimator: PoseEstimator,
        verifier: PoseVerifier,
        priors: PriorFilter,
        promises: Promises,
        view_check: ViewCheck | None = None,
    ) -> None:
        self.config, self.matchers, self.weighers = config, tuple(matchers), tuple(weighers)
        self.predictor = predictor
        self.global_descriptor, self._index = global_descriptor, index
        self._estimator, self.verifier, self._priors = estimator, verifier, priors
        self._lifters = [matcher.lifter for matcher in matchers]
        self._first_points = first_rows([lifter.num_points for lifter in self._lifters])
        self._promises, self._view_check = promises, view_check
        self._timing = ImageTiming()
        self._photo_matcher = only_photo_matcher(self.matchers)

    def run(
        self,
        photo: Photo,
        camera: Camera,
        *,
        name: str,
        calibrated: bool,
        exclude: str | None = None,
        prior: Prior | None = None,
        budget_ms: float | None = None,
        max_wrong: float | None = None,
        clock: StageClock,
    ) -> LocalizationResult:
        """Localize a photo.

        Args:
            camera: intrinsics of the photo.
            name: name of the query in the result.
            calibrated: False if the focal length of ``camera`` is only an initial value.
            exclude: name of a map image that is the query itself and is not retrieved.
            prior: narrows the retrieved images; a pose that contradicts it is withheld.
            budget_ms: time after which no further matching step begins.
            max_wrong: share of given answers that may be wrong; None for the config's.
            clock: receives the time of each stage; its total counts against the budget.
        """
        query, hits = self.describe(
            photo, camera, calibrated=calibrated, exclude=exclude, prior=prior, clock=clock
        )
        return self.localize(query, hits, name, clock, prior, budget_ms, max_wrong=max_wrong)

    def localize(
        self,
        query: Query,
        hits: RetrievalHits,
        name: str,
        clock: StageClock,
        prior: Prior | None = None,
        budget_ms: float | None = None,
        steps: Iterable[MatchingStep] | None = None,
        max_wrong: float | None = None,
    ) -> LocalizationResult:
        """Localize a described photo; other arguments as for ``run``.

        Args:
            hits: retrieved images.
            steps: matches to use instead of those that ``localize.matching`` asks for.
        """
        answer = self.answer(query, hits, clock, prior, budget_ms, steps)
        query, hits, step, skipped = answer.query, answer.hits, answer.step, answer.skipped
        acceptance = self._promises.acceptance(max_wrong)
        if answer.verified is None:
            found = (name, query, hits, step.num_images, skipped, clock)
            return nothing_to_match(*found, self.config, acceptance)
        features = [matcher.map.config.features.name for matcher in self.matchers]
        counts = result_counts(query, answer, features)
        known = (name, query, hits, answer.verified, counts, skipped, clock)
        return make_result(*known, self.config, acceptance)

    def answer(
        self,
        query: Query,
        hits: RetrievalHits,
        clock: StageClock,
        prior: Prior | None = None,
        budget_ms: float | None = None,
        steps: Iterable[MatchingStep] | None = None,
    ) -> Answer:
        """Take matching steps until the pose is decided; arguments as for ``localize``."""
        skipped: tuple[str, ...] = ()
        num_clusters, verified = 0, None  # until a step has something to match
        views = None if self._view_check is None else self._view_check.of(query)
        for step in self._steps(query, hits, clock) if steps is None else steps:
            hits = step.matches[0].hits
            if self._photo_matcher is not None:
                query = with_matched_keypoints(query, step.matches)
            if any(of_map.by_image for of_map in step.matches):
                found = step.with_landmarks or step.matches
                nearest = nearest_matches(found, self._lifters, self._first_points)
                cues = self.compute_cues(query, hits, step.matches, clock)
                num_clusters = cues.num_clusters
                verified = self._verify(query, hits, step.matches, cues, nearest, views, clock)
                if prior is not None:
                    verified = self._priors.check(verified, prior)
            if is_decided(verified, step.accept_above, self.config):
                break
            if clock.is_late(budget_ms, step.next_s):
                skipped = step.remaining
                break
        return Answer(query, step, hits, num_clusters, verified, skipped)

    def describe(
        self,
        photo: Photo,
        camera: Camera,
        *,
        calibrated: bool = True,
        exclude: str | None = None,
        prior: Prior | None = None,
        clock: StageClock | None = None,
    ) -> tuple[Query, RetrievalHits]:
        """Extract a photo's features and retrieve similar map images; arguments as for ``run``."""
        clock = StageClock() if clock is None else clock
        extractors = [matcher.extractor for matcher in self.matchers]
        query = describe_query(
            photo, camera, extractors, self.predictor, clock, calibrated=calibrated
        )
        with clock("retrieval"):
            hits = self.retrieve_for(photo, exclude, prior)
        return query, hits

    def retrieve_for(self, photo: Photo, exclude: str | None, prior: Prior | None) -> RetrievalHits:
        """Retrieve the map images most similar to a photo; arguments as for ``run``."""
        return self.retrieve(self.global_descriptor.describe([photo]), exclude, prior)

    def retrieve(
        self,
        descriptor: Float32,
        exclude: str | None = None,
        prior: Prior | None = None,
        allowed: Collection[str] | None = None,
    ) -> RetrievalHits:
        """Retrieve the map images with the most similar global descriptors.

        Args:
            descriptor: (1, D) global descriptor of a photo, a unit row.
            exclude: name of a map image that is the photo itself.
            prior: only images that may share its view are compared.
            allowed: names to compare without a prior; None for all.
        """
        excluded = [exclude] if exclude and self.config.localize.exclude_same_name else None
        allowed = allowed if prior is None else self._priors.image_names(prior)
        count = self.config.localize.num_retrieved
        (hits,) = self._index.search(descriptor, count, excluded, allowed)
        return hits

    def match(self, query: Query, hits: RetrievalHits, clock: StageClock) -> tuple[MapMatches, ...]:
        """Match a query with retrieved images or landmarks, as ``localize.matching`` says.

        Landmarks of a map whose matcher finds keypoints itself have no descriptors: its images are
        matched.
        """
        by_images = self.config.localize.matching == "images" or self._photo_matcher is not None
        match = match_images if by_images else match_landmarks
        return match(query, hits, self.matchers, clock)

    def compute_cues(
        self,
        query: Query,
        hits: RetrievalHits,
        matches: Sequence[MapMatches],
        clock: StageClock,
    ) -> CueSet:
        """Lift the matches with each map to 3D points and compute the cues about them."""

        def quick_pose(correspondences: Correspondences) -> Rigid3 | None:
            found = self._estimator.ransac(correspondences, query.camera, RANKING_TRIALS)
            return None if found is None else found[0]

        with clock("cues"):
            by_map = []
            for index in [i for i, each in enumerate(matches) if each.by_image] or [0]:
                of_map, lifter = matches[index], self.matchers[index].lifter
                putative = lift(of_map, lifter)
                clusters = cluster_images(of_map, self.config.localize)
                cues = self.weighers[index].compute_cues(query, of_map, putative, quick_pose)
                if len(self.matchers) > 1:
                    rows = np.array([hits.names.index(name) for name in of_map.hits.names], int)
                    first_keypoint = sum(map(len, query.features[:index]))
                    cues = renumber(cues, first_keypoint, self._first_points[index], rows)
                    clusters = [rows[cluster] for cluster in clusters]
                by_map.append((index, cues, tuple(clusters)))
        parts = [each for _, each, _ in by_map]
        joined = parts[0] if len(parts) == 1 else concatenate(parts)
        return CueSet(tuple(by_map), joined, sum(len(clusters) for _, _, clusters in by_map))

    def with_points(self, lifter: Lifter, descriptors: LandmarkDescriptors) -> QueryPipeline:
        """Pipeline in the first map with other points, such as those of ``left_out``."""
        return QueryPipeline(
            self.config, self.global_descriptor, self._index,
            [self.matchers[0].with_points(lifter, descriptors)],
            [self.weighers[0].with_points(lifter)],
            self.predictor, self._estimator, self.verifier.with_points(lifter), self._priors,
            self._promises, self._view_check,
        )  # fmt: skip

    def recalibrating(self, recalibrate: bool | None) -> QueryPipeline:
        """Pipeline with another value of ``localize.recalibrate``; itself for None."""
        if recalibrate is None:
            return self
        check_recalibrate(self.config, recalibrate)
        other = copy(self)
        other.verifier = self.verifier.recalibrating(recalibrate)
        return other

    def _steps(
        self, query: Query, hits: RetrievalHits, clock: StageClock
    ) -> Iterator[MatchingStep]:
        if self.config.localize.matching == "cascade":
            config, timing = self.config.cascade, self._timing
            if self._photo_matcher is not None:
                return photo_steps(query, hits, self._photo_matcher, config, timing, clock)
            return matching_steps(query, hits, self.matchers, config, timing, clock)
        return iter([MatchingStep(self.match(query, hits, clock))])

    def _verify(
        self,
        query: Query,
        hits: RetrievalHits,
        matches: Sequence[MapMatches],
        cues: CueSet,
        nearest: NearestMatches,
        views: QueryViews | None,
        clock: StageClock,
    ) -> VerifiedPose:
        """Estimate the pose from weighted matches, look at it, and score it."""
        depth_map = query.predictions.depth_map
        solver = PoseSolver(self._estimator, self.config, query.camera, query.calibrated, depth_map)
        with clock("pose"):
            weighted = weigh(cues.by_map, keypoints_of(query), self.config)
            hypotheses = estimate_hypotheses(weighted, solver)
            selected = select_hypothesis(hypotheses, solver)
        if views is not None:
            with clock("views"):
                selected = views.check(selected, solver)
        with clock("confidence"):
            putative = cues.joined.matches
            is_learned = any(each.is_learned for each in matches)
            windows = query.predictions.windows
            return self.verifier.verify(
                selected, putative, windows, hits, nearest, is_learned=is_learned,
                is_calibrated=query.calibrated,
            )  # fmt: skip


def keypoints_of(query: Query) -> Float32:
    """(N, 2) keypoints of all kinds of features, one after the other."""
    return np.concatenate([features.keypoints for features in query.features])
