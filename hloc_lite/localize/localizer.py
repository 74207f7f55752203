"""``Localizer``: a map and its models, loaded once, answering query after query in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hloc_lite.clock import StageClock
from hloc_lite.config import Config
from hloc_lite.consistency.depth_models import depth_model
from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.geometry.cameras import check_camera, rescaled
from hloc_lite.io.images import read_photo
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.answers import failure, verdict, with_fallback
from hloc_lite.localize.attempts import attempts_of
from hloc_lite.localize.cascade import Cascade, SeenQuery
from hloc_lite.localize.checks import check_config, check_layers, check_weights, for_queries
from hloc_lite.localize.confidence import calibration_of
from hloc_lite.localize.cues import Evidence, Witnesses
from hloc_lite.localize.hypotheses import choose
from hloc_lite.localize.joint_model import joint_model, of_all_points
from hloc_lite.localize.judging import Judge
from hloc_lite.localize.layers import (
    Layer,
    further_layer,
    landmark_matcher,
    layer_counts,
    num_matches,
    pooled,
    testimonies,
)
from hloc_lite.localize.lifting import Landmarks
from hloc_lite.localize.query import MatchedQuery
from hloc_lite.localize.solving import PoseSolver
from hloc_lite.mapping.cameras import guess_camera
from hloc_lite.mapping.map import Map
from hloc_lite.mapping.run import load_models
from hloc_lite.registry import ESTIMATORS, Runtime, Weights, create
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.types import (
    Camera,
    LabelMap,
    LocalizationResult,
    Photo,
    Status,
)


class Localizer:
    """Finds the camera poses of photos in one map; keeps models and map features warm.

    With further maps in ``also``, photos are matched with all of them: images are retrieved by the
    first map, each map's features give poses of their own, and the place that most speaks for is
    solved again on the matches of all that found it. A result's ``features`` are then those of the
    first map, its correspondences count on: the keypoints and points of the next map have the
    numbers after those of the one before (``model``).

    Args:
        place: the map.
        config: None: the map's own; else its features and retrieval must be those of the map.
        also: maps of the same images and poses with other features (``mapping.build`` with the
            first one's model as reference). Features and matcher are those of each map's own
            config, all else is ``config``; images that one of them lacks are not matched there.
        weights: where networks come from; None: the default store.
        device: torch's name.

    Raises:
        ConfigError: the config asks for other features or retrieval than the map has, or ``also``
            has the same features again, or no common images.
        FormatError: the coefficients of ``confidence.file`` cannot be read.
        StaleArtefactError: the networks are not those that the map was made with, or the poses of
            ``also`` are others.
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
        self.calibration = calibration_of(self.config.confidence)
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
        self._layers = (
            Layer(place, models, witnesses, nearest, kept, only_landmarks),
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
        self._index = RetrievalIndex(names, place.global_descriptors[useful])
        self._cascade = Cascade(self._layers, self.config)

    @classmethod
    def open(cls, path: Path | str, config: Config | None = None, **options: object) -> Localizer:
        """The localizer of the map in a folder; ``options`` as for the class."""
        return cls(Map.open(path), config, **options)  # type: ignore[arg-type]

    def localize(
        self,
        image: Photo | npt.NDArray[np.uint8] | Path | str,
        camera: Camera | None = None,
        *,
        name: str | None = None,
        fallback: bool = False,
        budget_ms: float | None = None,
    ) -> LocalizationResult:
        """Where a photo was taken.

        Args:
            image: a file, an (H, W, 3) uint8 RGB array, or a decoded photo.
            camera: its intrinsics, rescaled if they are for another resolution; their focal length
                is estimated along with the pose if it is a guess (``has_prior_focal`` false).
                None: from EXIF, or estimated.
            name: what to call it in the result; None: its file name. A map image of this name, or
                of that of a ``Photo``, is taken for the query itself and not retrieved
                (``localize.exclude_same_name``).
            fallback: give a failed query the pose of its best retrieved image, in ``fallback``.
            budget_ms: wall time after which nothing more is tried to make a pose surer
                (``localize.matching`` = cascade); the result's ``skipped`` says what was left out.

        Returns:
            A result whose status says whether there is a pose, and its reason why not. Unreadable
            images and intrinsics that do not fit come back as ``Status.UNREADABLE``.

        Raises:
            ConfigError: ``camera`` is of another type.
        """
        if not isinstance(camera, Camera | None):
            raise ConfigError(
                f"expected a Camera or None, got {camera!r}; hloc_lite.io.poses.parse_camera makes "
                f"one of 'MODEL W H params...'"
            )
        clock = StageClock()
        label = name if name is not None else _name_of(image)
        itself = label if name is not None or isinstance(image, Photo) else None
        try:
            with clock("read"):
                photo = _photo(image, label, self.config)
                intrinsics = self._camera(photo, camera)
        except HlocLiteError as error:
            return failure(label, Status.UNREADABLE, str(error), clock)
        calibrated = camera is not None and camera.has_prior_focal
        seen = self.look(photo, intrinsics, calibrated=calibrated, itself=itself, clock=clock)
        result = self._answer(seen, label, clock, budget_ms)
        return with_fallback(result, self.map.model) if fallback else result

    def labels_of(self, photo: Photo) -> LabelMap | None:
        """What a photo shows; None where labels are not in use, or there are none of it."""
        return self._layers[0].witnesses.labels_of(photo)

    def unreadable(self, name: str, error: HlocLiteError) -> LocalizationResult:
        """The result of a query whose image could not even be decoded."""
        return failure(name, Status.UNREADABLE, str(error), StageClock())

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
        by_images = self.config.localize.matching == "images"
        match = self._cascade.match_images if by_images else self._cascade.match_landmarks
        return match(seen, seen.hits, clock)

    def look(
        self,
        photo: Photo,
        camera: Camera,
        *,
        calibrated: bool = True,
        itself: str | None = None,
        clock: StageClock | None = None,
    ) -> SeenQuery:
        """A photo's features, and the map images like it.

        Args:
            camera: of the photo; with ``calibrated`` false only the start for its focal length.
            itself: name of a map image that is the query itself.
        """
        clock = StageClock() if clock is None else clock
        with clock("features"):
            features = tuple(layer.extract(photo) for layer in self._layers)
        with clock("retrieval"):
            described = self._models.describer.describe([photo])
            excluded = [itself] if itself and self.config.localize.exclude_same_name else None
            (hits,) = self._index.search(described, self.config.localize.num_retrieved, excluded)
        return SeenQuery(photo, camera, calibrated, features, hits)

    def _answer(
        self, seen: SeenQuery, label: str, clock: StageClock, budget_ms: float | None
    ) -> LocalizationResult:
        def solve(query: MatchedQuery) -> LocalizationResult:
            return self.solve(query, label, clock)

        if self.config.localize.matching == "cascade":
            return self._cascade.answer(seen, solve, clock, budget_ms)
        by_images = self.config.localize.matching == "images"
        match = self._cascade.match_images if by_images else self._cascade.match_landmarks
        return solve(match(seen, seen.hits, clock))

    def evidence(self, query: MatchedQuery) -> Evidence:
        """What is known of a query's matches with the map points of all layers."""
        solver = PoseSolver(self._estimator, self.config, query.camera, query.calibrated)
        found = testimonies(self._layers, query, solver.quick)
        return pooled([each.evidence for each in found])

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
            reason = "the map has no image to compare with"
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
            judgement = self._judge.judge(choice, evidence, hits)
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
        return verdict(label, choice, judgement, features, hits, counts, clock, self.config)

    def _camera(self, photo: Photo, camera: Camera | None) -> Camera:
        if camera is not None:
            return rescaled(check_camera(camera), photo.width, photo.height)
        model = self.config.mapping.camera_model
        return guess_camera(model, (photo.width, photo.height), photo.exif)

    def landmarks_of(self, name: str) -> Landmarks:
        """What an image of the first map offers to be matched."""
        return self._layers[0].landmarks_of(name)


def _photo(image: Photo | npt.NDArray[np.uint8] | Path | str, label: str, config: Config) -> Photo:
    if isinstance(image, Photo):
        return image
    if isinstance(image, str | Path):
        return read_photo(Path(image), label, config.images)
    return Photo(label, image)


def _name_of(image: Photo | npt.NDArray[np.uint8] | Path | str) -> str:
    if isinstance(image, Photo):
        return image.name
    return Path(image).name if isinstance(image, str | Path) else "query"
