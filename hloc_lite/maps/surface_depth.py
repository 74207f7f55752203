"""Depth of map images rendered from a surface: a registered scan or mesh is seen from them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from hloc_lite.config import RenderingConfig
from hloc_lite.errors import FormatError
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.mesh_rendering import MeshRenderer
from hloc_lite.geometry.surface_rendering import render_surface, scaled_camera
from hloc_lite.maps.surface import StoredSurface
from hloc_lite.scene import SfmImage, SfmModel, visible_points
from hloc_lite.types import DepthMap, Float64, Surface

MAX_SIDE_PX = 1024
"""Longer side of rendered depth images."""
CHECKED_IMAGES = 20
CHECKED_SIDE_PX = 256
"""Longer side of the views by which a surface is judged."""
CHECKED_SPLAT_PX = 4
"""Largest splats in them: sparse points do not cover a view by being large."""
MIN_COVERAGE = 0.02
"""Least median share of the images that the surface must cover to be at their place at all."""
MIN_POINTS = 50
"""Points of the model with rendered depth, from which depths are compared."""
MAX_DISAGREEMENT = 0.1
"""Largest median relative difference of rendered depths and those of the model's points. Right
surfaces have below 0.03; a scale of 1.3 has 0.3."""


class SurfaceDepth:
    """Depth of map images, rendered from a surface in the frame of their poses (``MapDepth``).

    Raises:
        MissingDependencyError: the surface is a mesh, and the extra ``depth`` is not installed.
    """

    def __init__(
        self,
        surface: Surface | StoredSurface,
        model: SfmModel,
        config: RenderingConfig | None = None,
        max_side_px: int = MAX_SIDE_PX,
    ) -> None:
        self._max_side_px = max_side_px
        self._model, self._config = model, config or RenderingConfig()
        if isinstance(surface, StoredSurface):
            self._content = surface.checksum
        else:
            self._content = hashlib.sha256(np.ascontiguousarray(surface.xyz).tobytes()).hexdigest()
        if isinstance(surface, StoredSurface) and surface.is_mesh:
            surface = surface.whole()
        self._surface = surface
        is_mesh = isinstance(surface, Surface) and surface.triangles is not None
        self._mesh = MeshRenderer(surface) if is_mesh else None  # type: ignore[arg-type]

    def depth_of(self, image_name: str) -> DepthMap | None:
        """Rendered depth of a map image; None if it has no pose, or sees nothing of the surface."""
        image = self._model.image_named(image_name)
        return None if image is None else self._render(image)

    def fingerprint(self, image_name: str) -> str | None:
        """Fingerprint of the depth of an image without rendering it; None without a pose."""
        image = self._model.image_named(image_name)
        if image is None:
            return None
        camera = self._model.cameras[image.camera_id]
        pose = image.cam_from_world.matrix.ravel()
        values = " ".join(f"{value:.9g}" for value in [*camera.params, *pose])
        return f"{self._content} {camera.model} {camera.width} {camera.height} {values}"

    def _render(self, image: SfmImage) -> DepthMap | None:
        camera = self._model.cameras[image.camera_id]
        scale = min(1.0, self._max_side_px / max(camera.width, camera.height))
        small = scaled_camera(camera, scale)
        if self._mesh is not None:
            view = self._mesh.render(small, image.cam_from_world)
        else:
            view = render_surface(self._surface, small, image.cam_from_world, config=self._config)
        if not view.mask.any():
            return None
        return DepthMap(view.depth, (camera.width, camera.height))


@dataclass(frozen=True)
class SurfaceAgreement:
    """How well a surface fits the poses and the points of a model."""

    coverage: float
    """Median share of an image that the surface covers."""
    num_points: int
    """Observations of model points that have a rendered depth."""
    log_ratio: float
    """Median logarithm of rendered depth over depth of the point; NaN without points."""
    disagreement: float
    """Median absolute value of that logarithm; NaN without points."""


def surface_agreement(surface: Surface | StoredSurface, model: SfmModel) -> SurfaceAgreement:
    """Compare a surface with the poses and points of a model, in small views of some images."""
    depth = SurfaceDepth(
        surface, model, RenderingConfig(max_splat_px=CHECKED_SPLAT_PX), max_side_px=CHECKED_SIDE_PX
    )
    images = model.images[:: max(1, len(model.images) // CHECKED_IMAGES)]
    coverages, ratios = [], [np.zeros(0)]
    for image in images:
        depth_map = depth.depth_of(image.name)
        coverages.append(0.0 if depth_map is None else float(np.isfinite(depth_map.depths).mean()))
        if depth_map is not None:
            ratios.append(_log_ratios(depth_map, model, image))
    found = np.concatenate(ratios)
    enough = len(found) > 0
    return SurfaceAgreement(
        float(np.median(coverages)) if coverages else 0.0,
        len(found),
        float(np.median(found)) if enough else np.nan,
        float(np.median(np.abs(found))) if enough else np.nan,
    )


def check_surface(surface: Surface | StoredSurface, model: SfmModel, name: str) -> SurfaceAgreement:
    """Refuse a surface in another frame or unit than the poses.

    Args:
        name: of the surface, for the message.

    Raises:
        FormatError: the cameras see next to nothing of it, or its depths contradict the model's
            points.
    """
    found = surface_agreement(surface, model)
    if found.coverage < MIN_COVERAGE:
        raise FormatError(
            f"{name} covers {100 * found.coverage:.1f} % of the photos as their poses say: it is "
            f"in another frame or unit than the poses. Give a surface in the frame of the poses "
            f"(the transform that registers it, in metres if they are), or poses as cam_from_world"
        )
    if found.num_points >= MIN_POINTS and found.disagreement > MAX_DISAGREEMENT:
        raise FormatError(
            f"{name} contradicts the map: seen from its cameras, depths are "
            f"{np.exp(found.log_ratio):.3g} times those of its points (median; they differ by "
            f"{100 * found.disagreement:.0f} %). It is in another frame or unit than the poses"
        )
    return found


def _log_ratios(depth_map: DepthMap, model: SfmModel, image: SfmImage) -> Float64:
    """Logarithms of rendered depth over depth, of the points that an image observes."""
    in_cam = image.cam_from_world.apply(model.xyz[visible_points(image)])
    in_cam = in_cam[in_cam[:, 2] > 0]
    height, width = depth_map.depths.shape
    pixels = img_from_cam(model.cameras[image.camera_id], in_cam)
    pixels *= np.array([width, height]) / np.array(depth_map.image_size)
    inside = np.isfinite(pixels).all(axis=1) & (pixels >= 0).all(axis=1)
    inside &= (pixels < [width, height]).all(axis=1)
    columns, rows = pixels[inside].astype(np.int64).T
    ratios = np.log(depth_map.depths[rows, columns] / in_cam[inside, 2])
    return np.asarray(ratios[np.isfinite(ratios)], np.float64)
