"""Looks closer at single queries: localizes them (again), and draws matches and views.

Results files hold neither matches nor photos, so a query is localized again when it is clicked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock

import cv2
import numpy as np

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import HlocLiteError, ImageError
from hloc_lite.evaluation.cue_picture import draw_cues
from hloc_lite.evaluation.flip_cards import with_pose
from hloc_lite.evaluation.match_picture import draw_matches
from hloc_lite.evaluation.shared_view import best_map_image
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.geometry.surface_rendering import render_surface, scaled_camera
from hloc_lite.io.images import photo_from_bytes
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.query import query_camera
from hloc_lite.maps.units import length_text
from hloc_lite.types import Bool, Camera, LocalizationResult, Photo, UInt8
from hloc_lite.viz.config import ViewConfig
from hloc_lite.viz.queries import QueryMark

MAX_KEPT = 64
"""Queries whose pictures are kept in memory, about 1 MB each."""
THUMBNAIL_PX = 320
"""Longer side of the photo in the frustum."""
SAME_POSE = 1e-6
"""Difference that rounding makes: of centres over the size of coordinates, of angles in rad."""
NO_SURFACE = "no view: the map has no surface; `hloc-lite surface MAP` makes one"


@dataclass(frozen=True, eq=False)
class View:
    """Photo and the map's surface seen from its pose, of equal size."""

    photo: UInt8
    """(h, w, 3)."""
    rendered: UInt8
    """(h, w, 3)."""
    mask: Bool
    """(h, w) True where the surface is seen."""


@dataclass(frozen=True, eq=False)
class QueryPictures:
    """Pictures of a query."""

    photo: UInt8
    """(h, w, 3) at the size of the panel."""
    weights_uri: str | None
    """``data:`` URI of the photo with its matches coloured by weight; None without matches."""
    matches_uri: str | None
    """``data:`` URI of matches with a map image; None if its photo is not at hand."""
    map_name: str | None
    """Map image of ``matches_uri``."""
    view: View | None
    notes: tuple[str, ...]
    """Sentences on what is missing or differs."""


class Inspector:
    """Localizes photos for the page and draws them; one at a time.

    Args:
        localizer: localizer of the map.
        load_query_photo: query name -> photo; None if it is not at hand.
        load_map_photo: map image -> photo; None likewise.
        cameras: query name -> intrinsics, where given.
        config: limits of uploads and sizes of pictures.
    """

    def __init__(
        self,
        localizer: Localizer,
        load_query_photo: Callable[[str], Photo | None],
        load_map_photo: Callable[[str], Photo | None],
        cameras: Mapping[str, Camera | None],
        config: ViewConfig,
    ) -> None:
        self._localizer, self._cameras, self._config = localizer, cameras, config
        self._load_query_photo, self._load_map_photo = load_query_photo, load_map_photo
        self._kept: OrderedDict[str, QueryPictures] = OrderedDict()
        self._lock = Lock()

    def pictures(self, query: QueryMark) -> QueryPictures | None:
        """Pictures of a query at the pose of its result; None if its photo is not at hand."""
        with self._lock:
            if query.name not in self._kept:
                photo = self._load_query_photo(query.name)
                if photo is None:
                    return None
                self._keep(query.name, self._localize_again(query, photo))
            self._kept.move_to_end(query.name)
            return self._kept[query.name]

    def localize_upload(self, data: bytes, name: str) -> LocalizationResult:
        """Localize an image that came as bytes from a stranger; its pictures are kept.

        Raises:
            ImageError: no image of a known format, damaged, or too large.
        """
        if not data:
            raise ImageError("the file is empty (0 bytes)")
        photo = photo_from_bytes(data, name, upload_limits(self._localizer, self._config))
        with self._lock:
            # a name of its own: a map photo that is sent in may be found by itself
            result = self._localizer.localize(replace(photo, name=name), name=name)
            camera = result.pose.camera if result.pose else self._camera(photo, None)
            self._keep(name, self._draw(result, photo, camera, ()))
        return result

    def _localize_again(self, query: QueryMark, photo: Photo) -> QueryPictures:
        given = self._given_camera(query)
        found = self._localizer.localize(photo, given, name=query.name)
        stated = query.result.pose
        camera = found.pose.camera if found.pose else self._camera(photo, given)
        if stated is None:
            note = "localized again, it has a pose" if found.pose else ""
            return self._draw(found, photo, camera, (note,) if note else ())
        notes = self._difference(query.result, found)
        at_stated = with_pose(
            found, stated.cam_from_world, stated.camera, self._localizer.config.pose
        )
        return self._draw(at_stated, photo, stated.camera, notes)

    def _given_camera(self, query: QueryMark) -> Camera | None:
        """Intrinsics given now, else those that the results were made with; None if estimated."""
        given, pose = self._cameras.get(query.name), query.result.pose
        if given is None and pose is not None and pose.camera.has_prior_focal:
            return pose.camera
        return given

    def _difference(self, stated: LocalizationResult, found: LocalizationResult) -> tuple[str, ...]:
        """Sentence if a query, localized again, has another pose than in the results."""
        if stated.pose is None:
            return ()
        if found.pose is None:
            return (f"localized again, it has no pose: {found.reason}",)
        distance, angle = pose_errors(found.pose.cam_from_world, stated.pose.cam_from_world)
        size = 1 + float(np.abs(stated.pose.cam_from_world.translation).max())
        if distance <= SAME_POSE * size and angle <= np.degrees(SAME_POSE):
            return ()
        apart = length_text(distance, self._localizer.map.metres_per_unit)
        return (f"localized again, its pose is {apart} and {angle:.2g}° from that of the results",)

    def _draw(
        self, result: LocalizationResult, photo: Photo, camera: Camera, notes: tuple[str, ...]
    ) -> QueryPictures:
        has_matches = result.correspondences is not None and len(result.correspondences) > 0
        best = best_map_image(result, self._localizer.model)
        map_photo = self._load_map_photo(best.name) if best else None
        if best is not None and map_photo is None:
            notes = (*notes, "no map photo beside it: give their folder with --map-images")
        beside = (best, map_photo) if best is not None and map_photo is not None else None
        view, reason = self._view(result, photo, camera)
        return QueryPictures(
            shrink(photo.pixels, self._config.picture_px),
            draw_cues(result, photo, None).uri if has_matches else None,
            draw_matches(result, photo, beside).uri if beside else None,
            best.name if best else None,
            view,
            (*notes, reason) if reason else notes,
        )

    def _view(
        self, result: LocalizationResult, photo: Photo, camera: Camera
    ) -> tuple[View | None, str]:
        """View at the pose of a result, and why there is none."""
        surface = self._localizer.map.surface
        if result.pose is None:
            return None, "no view: the photo has no pose"
        if surface is None:
            return None, NO_SURFACE
        scale = min(1.0, self._config.picture_px / max(camera.width, camera.height))
        try:
            small = scaled_camera(camera, scale)
            seen = render_surface(surface, camera, result.pose.cam_from_world, scale=scale)
        except HlocLiteError as error:
            return None, f"no view: {error}"
        pixels = cv2.resize(photo.pixels, (small.width, small.height), interpolation=cv2.INTER_AREA)
        return View(np.asarray(pixels, np.uint8), seen.rgb, seen.mask), ""

    def _camera(self, photo: Photo, given: Camera | None) -> Camera:
        try:
            return query_camera(photo, given, self._localizer.config)
        except HlocLiteError:  # the given one does not fit, as the result says
            return query_camera(photo, None, self._localizer.config)

    def _keep(self, name: str, pictures: QueryPictures) -> None:
        self._kept[name] = pictures
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)


def upload_limits(localizer: Localizer, config: ViewConfig) -> ImagesConfig:
    """Limits of uploaded images: those of the page, or of the map if lower."""
    images = localizer.config.images
    return images.model_copy(
        update={
            "max_file_mb": min(images.max_file_mb, config.max_upload_mb),
            "max_megapixels": min(images.max_megapixels, config.max_megapixels),
        }
    )


def blend(view: View, share: float) -> UInt8:
    """(h, w, 3) photo with a share of the view over it, where the surface is seen."""
    mixed = cv2.addWeighted(view.photo, 1 - share, view.rendered, share, 0)
    return np.where(view.mask[..., None], mixed, view.photo)


def shrink(pixels: UInt8, side_px: int) -> UInt8:
    """(h, w, 3) image whose longer side has at most so many pixels."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side_px / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
