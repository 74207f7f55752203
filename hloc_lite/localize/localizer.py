"""``Localizer``: a map and its models, loaded once, answering query after query in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hloc_lite.clock import StageClock, peak_memory_mb
from hloc_lite.concurrency import prefetch
from hloc_lite.config import Config, load_config, query_profile
from hloc_lite.errors import ConfigError, HlocLiteError, ShapeError
from hloc_lite.geometry.cameras import check_camera, guess_camera, rescaled
from hloc_lite.io.images import read_photo
from hloc_lite.localize.answers import failure, with_fallback
from hloc_lite.localize.engine import Engine
from hloc_lite.localize.rigs import nothing, solve_rig
from hloc_lite.localize.sequence import Frame, Tracker
from hloc_lite.maps.map import Map
from hloc_lite.scene import median_scene_distance
from hloc_lite.types import (
    Camera,
    Correspondences,
    LocalizationResult,
    Photo,
    Prior,
    Rig,
    RigLocalizationResult,
    Status,
)

Image = Photo | npt.NDArray[np.uint8] | Path | str
"""A decoded photo, (H, W, 3) RGB pixels, or a file."""


class Localizer(Engine):
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

    @classmethod
    def open(
        cls,
        path: Path | str,
        config: Config | None = None,
        *,
        profile: str | None = None,
        **options: Any,
    ) -> Localizer:
        """The localizer of the map in a folder; ``options`` as for the class.

        Args:
            profile: how far to go for a pose: ``fast`` (landmarks of few images), ``balanced`` or
                ``accurate``; None: as the map's own. Features and retrieval are always the map's.

        Raises:
            ConfigError: unknown profile.
        """
        place = Map.open(path)
        if profile is not None:
            base = place.config if config is None else config
            config = load_config(base=base, overrides=query_profile(profile))
        return cls(place, config, **options)

    def localize(
        self,
        image: Image,
        camera: Camera | None = None,
        *,
        name: str | None = None,
        fallback: bool = False,
        prior: Prior | None = None,
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
            prior: what is known of the camera: only map images that may see the same are retrieved,
                and a pose that contradicts it is withheld as ``Status.DOUBTFUL``.
            budget_ms: wall time after which nothing more is tried to make a pose surer
                (``localize.matching`` = cascade); the result's ``skipped`` says what was left out.

        Returns:
            A result whose status says whether there is a pose, and its reason why not. Unreadable
            images and intrinsics that do not fit come back as ``Status.UNREADABLE``.

        Raises:
            ConfigError: ``camera`` or ``prior`` is of another type, ``budget_ms`` no time.
        """
        _check_prior(prior)
        if budget_ms is not None and not (isinstance(budget_ms, Real) and budget_ms >= 0):
            raise ConfigError(f"budget_ms: expected milliseconds, 0 or more, got {budget_ms!r}")
        if not isinstance(camera, Camera | None):
            raise ConfigError(
                f"expected a Camera or None, got {camera!r}; "
                f"hloc_lite.formats.hloc_lists.parse_camera makes one of 'MODEL W H params...'"
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
        seen = self.look(
            photo, intrinsics, calibrated=calibrated, itself=itself, prior=prior, clock=clock
        )
        result = self.answer(seen, label, clock, prior, budget_ms)
        result = replace(result, peak_memory_mb=peak_memory_mb())
        return with_fallback(result, self.map.model) if fallback else result

    def localize_batch(
        self,
        images: Iterable[Image],
        cameras: Iterable[Camera | None] | None = None,
        **options: Any,
    ) -> Iterator[LocalizationResult]:
        """Where each of many photos was taken, in their order; the next one is read meanwhile.

        Args:
            cameras: one for each image; None: of none.
            options: as of ``localize``.

        Raises:
            ShapeError: not as many cameras as images.
        """
        listed = list(images)
        known = [None] * len(listed) if cameras is None else list(cameras)
        if len(known) != len(listed):
            raise ShapeError(f"{len(known)} cameras for {len(listed)} images")
        photos = prefetch(lambda image: _or_itself(image, self.config), listed, ahead=2)
        for image, photo, camera in zip(listed, photos, known, strict=True):
            named = {"name": _name_of(image), **options}
            yield self.localize(photo, camera, **named)

    def localize_sequence(self, frames: Iterable[Frame]) -> Iterator[LocalizationResult]:
        """Where a moving camera is, frame by frame (``sequence.Tracker``)."""

        def localize(frame: Frame, prior: Prior | None) -> LocalizationResult:
            return self.localize(frame.image, frame.camera, prior=prior)

        depth = median_scene_distance(self.map.model)
        tracker = Tracker(localize, self._rig_estimator, depth, self.config.sequence)
        return (tracker.next(frame) for frame in frames)

    def localize_rig(
        self, images: Sequence[Image], rig: Rig, *, prior: Prior | None = None
    ) -> RigLocalizationResult:
        """Where a rig was when its cameras took photos at once.

        Each photo is matched with landmarks by itself; one pose is solved of all their matches.

        Args:
            images: one of each camera, in the rig's order; those that cannot be read are left out.
            prior: of the rig; its position and heights narrow the search, and no pose is withheld
                for contradicting it.

        Raises:
            ShapeError: not one image for each camera.
        """
        _check_prior(prior)
        if len(images) != len(rig):
            raise ShapeError(f"{len(images)} images for the {len(rig)} cameras of the rig")
        clock, unreadable, found = StageClock(), dict[str, str](), list[Correspondences]()
        names = [f"{index}: {_name_of(image)}" for index, image in enumerate(images)]
        for name, image, each in zip(names, images, rig.cameras, strict=True):
            try:
                with clock("read"):
                    photo = _photo(image, name, self.config)
                    camera = self._camera(photo, each.camera)
            except HlocLiteError as error:
                unreadable[name] = str(error)
                found.append(nothing())
                continue
            seen = self.look(photo, camera, prior=prior, clock=clock)
            found.append(self.correspondences(seen, clock))
        return solve_rig(
            self._rig_estimator, names, found, rig, unreadable, self.config.pose, clock
        )

    def unreadable(self, name: str, error: HlocLiteError) -> LocalizationResult:
        """The result of a query whose image could not even be decoded."""
        return failure(name, Status.UNREADABLE, str(error), StageClock())

    def _camera(self, photo: Photo, camera: Camera | None) -> Camera:
        if camera is not None:
            return rescaled(check_camera(camera), photo.width, photo.height)
        model = self.config.mapping.camera_model
        return guess_camera(model, (photo.width, photo.height), photo.exif)


def _check_prior(prior: object) -> None:
    if not isinstance(prior, Prior | None):
        raise ConfigError(f"expected a Prior or None, got {prior!r}")


def _or_itself(image: Image, config: Config) -> Image:
    """Decoded, if that can be done."""
    try:
        return _photo(image, _name_of(image), config)
    except HlocLiteError:
        return image  # ``localize`` will meet the error, and tell it


def _photo(image: Image, label: str, config: Config) -> Photo:
    if isinstance(image, Photo):
        return image
    if isinstance(image, str | Path):
        return read_photo(Path(image), label, config.images)
    return Photo(label, image)


def _name_of(image: Image) -> str:
    if isinstance(image, Photo):
        return image.name
    return Path(image).name if isinstance(image, str | Path) else "query"
