"""``Localizer``: a map and its networks, loaded once, answering query after query in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hloc_lite.clock import StageClock, peak_memory_mb
from hloc_lite.concurrency import prefetch, sleeping_openmp_threads
from hloc_lite.config import Config, load_config, query_profile
from hloc_lite.deprecation import renamed_argument
from hloc_lite.display import html_table
from hloc_lite.errors import ConfigError, HlocLiteError, ShapeError
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.acceptance import check_max_wrong
from hloc_lite.localize.map_confidence import calibration_in
from hloc_lite.localize.multi_map import joint_model
from hloc_lite.localize.own_photos import OwnPhotos
from hloc_lite.localize.prior import ignored_parts
from hloc_lite.localize.query import (
    Image,
    name_in_map,
    name_of,
    query_camera,
    read_if_possible,
    read_query,
)
from hloc_lite.localize.result import make_failure, with_fallback
from hloc_lite.localize.rig import localize_photos, make_rig_estimator
from hloc_lite.localize.sequence import Frame, Tracker
from hloc_lite.localize.setup import build_pipeline
from hloc_lite.localize.turned import may_lie, retry_turned
from hloc_lite.maps.map import Map
from hloc_lite.models import Models
from hloc_lite.protocols import Weights
from hloc_lite.registry import LIFTERS, Runtime, create
from hloc_lite.scene import SfmModel, median_scene_distance
from hloc_lite.types import (
    Camera,
    LabelMap,
    LocalizationResult,
    Photo,
    Prior,
    Rig,
    RigLocalizationResult,
    Status,
)


class Localizer:
    """Estimates the camera poses of photos in a map; keeps networks and map features in memory.

    With extra maps, images are retrieved by the first map and matched with all. Poses that agree
    are joined, and one pose is solved on all their matches. The ``features`` of a result are those
    of the first map. Its correspondences number the keypoints and points of each map after those of
    the maps before it (``model``). A localizer may be used by several threads.

    Args:
        sfm_map: the map.
        config: config of the queries; None for the map's own. Features and retrieval must be the
            map's.
        extra_maps: maps of the same images and poses with other features (``build_map`` with the
            first map's model as reference). Features and matcher are those of each map's config.
        weights: source of network weights; None for the default store.
        device: torch device of the networks.
        models: networks to use in place of those that ``config`` names.
        lifter: registry name of the source of 3D points; None for the tracks of the map's model.
        cues: registry name -> exponent of cues that other packages add.

    Raises:
        ConfigError: features or retrieval differ from the map's, or an extra map does not fit.
        FormatError: the coefficients of ``confidence.file`` cannot be read.
        StaleArtefactError: networks are not those of the map, or an extra map has other poses.
    """

    @renamed_argument("also", "extra_maps")
    def __init__(
        self,
        sfm_map: Map,
        config: Config | None = None,
        *,
        extra_maps: Sequence[Map] = (),
        weights: Weights | None = None,
        device: str = "cpu",
        models: Models | None = None,
        lifter: str | None = None,
        cues: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self.map, self.maps = sfm_map, (sfm_map, *extra_maps)
        self.config = sfm_map.config if config is None else config
        self.calibration = calibration_in(self.config, self.maps)
        """Coefficients of the confidence model; None if confidence is disabled."""
        runtime = Runtime(WeightsStore() if weights is None else weights, device)
        lifters = None
        if lifter is not None:
            lifters = [create(LIFTERS, lifter, each, runtime) for each in self.maps]
        self.pipeline = build_pipeline(
            sfm_map, self.config, extra_maps, self.calibration, runtime, models, lifters, cues
        )
        self._rig_estimator = make_rig_estimator(self.config.pose, runtime)

    def __repr__(self) -> str:
        return f"Localizer({', '.join(map(repr, self.maps))}, {self.config!r})"

    def _repr_html_(self) -> str:
        rows = {f"map {number}": each for number, each in enumerate(self.maps, start=1)}
        return html_table("Localizer", {**rows, "config": repr(self.config)})

    @classmethod
    def open(
        cls,
        path: Path | str,
        config: Config | None = None,
        *,
        profile: str | None = None,
        trust: bool = False,
        **options: Any,
    ) -> Localizer:
        """Open the map in a folder; ``options`` are those of the class.

        Args:
            profile: effort per pose: ``fast``, ``balanced`` or ``accurate``; None for the map's.
            trust: use what the map names outside hloc_lite, see ``Map.open``.

        Raises:
            ConfigError: unknown profile.
            FormatError: no map there, or a damaged one.
        """
        sfm_map = Map.open(path, trust=trust)
        if profile is not None:
            config = load_config(base=config or sfm_map.config, overrides=query_profile(profile))
        return cls(sfm_map, config, **options)

    @cached_property
    def _own_photos(self) -> OwnPhotos:
        return OwnPhotos(self.map)

    @cached_property
    def model(self) -> SfmModel:
        """SfM model whose points the correspondences of results index, joint for several maps."""
        return joint_model(self.maps)

    @sleeping_openmp_threads()
    def localize(
        self,
        image: Image,
        camera: Camera | None = None,
        *,
        name: str | None = None,
        fallback: bool = False,
        prior: Prior | None = None,
        budget_ms: float | None = None,
        max_wrong: float | None = None,
        recalibrate: bool | None = None,
    ) -> LocalizationResult:
        """Estimate the pose of a photo.

        Args:
            image: a file, an (H, W, 3) uint8 RGB array, or a decoded photo.
            camera: its intrinsics, rescaled if they are for another resolution; None to take them
                from EXIF or estimate them. A guessed focal length (``has_prior_focal`` is False) is
                estimated with the pose.
            name: name in the result; None for the file name. A map image of the name given here or
                by a ``Photo`` is not retrieved (``localize.exclude_same_name``), and neither is
                the map image that the file is a copy of.
            fallback: give a failed query the pose of its best retrieved image, as ``fallback``.
            prior: narrows the retrieved map images; a pose that contradicts it is withheld as
                ``Status.DOUBTFUL``.
            budget_ms: wall time after which no further step of the cascade begins; ``skipped`` of
                the result names what was left.
            max_wrong: promised share of wrong answers (0.01 for 1 %); None for the config's.
            recalibrate: where given intrinsics do not fit, use those that do; None for the config's
                ``localize.recalibrate``.

        Returns:
            A result whose reason says why there is no pose. Unreadable images and intrinsics that
            do not fit give ``Status.UNREADABLE``. A photo on its side is tried turned.

        Raises:
            ConfigError: an argument of another type or out of range.
        """
        _check_arguments(prior, camera, budget_ms, max_wrong)
        clock = StageClock()
        label = name if name is not None else name_of(image)
        try:
            with clock("read"):
                photo = read_query(image, label, self.config)
                intrinsics = query_camera(photo, camera, self.config)
        except HlocLiteError as error:
            return make_failure(label, Status.UNREADABLE, str(error), clock)
        known_as = name_in_map(image, name)
        how: dict[str, Any] = {
            "name": label,
            "calibrated": camera is not None and camera.has_prior_focal,
            "exclude": known_as and self._own_photos.find(known_as, photo.file_hash),
            "prior": prior,
            "budget_ms": budget_ms,
            "max_wrong": max_wrong,
            "clock": clock,
        }
        pipeline = self.pipeline.recalibrating(recalibrate)
        result = pipeline.run(photo, intrinsics, **how)
        if may_lie(result, self.config.localize):
            result = retry_turned(pipeline, result, photo, intrinsics, **how)
        result = replace(
            result, peak_memory_mb=peak_memory_mb(), reason=self._reason(result.reason, prior)
        )
        return with_fallback(result, self.map.model) if fallback else result

    def localize_batch(
        self,
        images: Iterable[Image],
        cameras: Iterable[Camera | None] | None = None,
        **options: Any,
    ) -> Iterator[LocalizationResult]:
        """Estimate the poses of many photos in order; the next one is read meanwhile.

        Args:
            cameras: intrinsics of each image; None if all are unknown. Options as for ``localize``.

        Raises:
            ShapeError: the numbers of cameras and images differ.
        """
        listed = list(images)
        known = [None] * len(listed) if cameras is None else list(cameras)
        if len(known) != len(listed):
            raise ShapeError(f"{len(known)} cameras for {len(listed)} images")
        photos = prefetch(lambda image: read_if_possible(image, self.config), listed, ahead=2)
        for image, photo, camera in zip(listed, photos, known, strict=True):
            yield self.localize(photo, camera, **{"name": name_of(image), **options})

    def localize_sequence(self, frames: Iterable[Frame]) -> Iterator[LocalizationResult]:
        """Estimate the poses of a moving camera, frame by frame (``sequence.Tracker``)."""

        def localize(frame: Frame, prior: Prior | None) -> LocalizationResult:
            return self.localize(frame.image, frame.camera, prior=prior)

        distance = median_scene_distance(self.map.model)
        verifier, config = self.pipeline.verifier, self.config
        tracker = Tracker(localize, self._rig_estimator, verifier, distance, config)
        return (tracker.next(frame) for frame in frames)

    @sleeping_openmp_threads()
    def localize_rig(
        self, images: Sequence[Image], rig: Rig, *, prior: Prior | None = None
    ) -> RigLocalizationResult:
        """Estimate one pose of a rig from photos that its cameras took at the same time.

        Args:
            images: a photo of each camera, in order; unreadable ones are left out.
            prior: prior of the rig; it narrows the search, but no pose is withheld.

        Raises:
            ShapeError: the numbers of images and cameras differ.
            ConfigError: ``confidence.max_wrong`` is set, for poses without confidence.
        """
        _check_arguments(prior)
        if len(images) != len(rig):
            raise ShapeError(f"{len(images)} images for the {len(rig)} cameras of the rig")
        result = localize_photos(self.pipeline, self._rig_estimator, images, rig, prior)
        return replace(result, reason=self._reason(result.reason, prior))

    def unreadable(self, name: str, error: HlocLiteError) -> LocalizationResult:
        """Make the result of a query whose image could not be decoded."""
        return make_failure(name, Status.UNREADABLE, str(error), StageClock())

    def predict_labels(self, photo: Photo) -> LabelMap | None:
        """Segment a photo; None without labels."""
        return self.pipeline.predictor.predict_labels(photo)

    def _reason(self, reason: str, prior: Prior | None) -> str:
        """Reason of a result, with the parts of the prior that could not be used."""
        georeference = self.map.georeference
        down = None if georeference is None else georeference.down_in_map
        ignored = "" if prior is None else ignored_parts(prior, down)
        return f"{reason} ({ignored})" if ignored and ignored not in reason else reason


def _check_arguments(
    prior: object,
    camera: object = None,
    budget_ms: float | None = None,
    max_wrong: float | None = None,
) -> None:
    if max_wrong is not None:
        check_max_wrong(max_wrong)
    if not isinstance(prior, Prior | None):
        raise ConfigError(f"expected a Prior or None, got {prior!r}")
    if budget_ms is not None and not (isinstance(budget_ms, Real) and budget_ms >= 0):
        raise ConfigError(f"budget_ms: expected milliseconds, 0 or more, got {budget_ms!r}")
    if not isinstance(camera, Camera | None):
        raise ConfigError(
            f"expected a Camera or None, got {camera!r}; formats.hloc_lists.parse_camera makes one "
            f"from 'MODEL W H params...'"
        )
