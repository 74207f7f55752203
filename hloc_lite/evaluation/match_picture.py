"""Draws a query's matches beside the retrieved map image that sees most of its inliers."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from hloc_lite.evaluation.figures import data_uri
from hloc_lite.evaluation.shared_view import SharedView, inlier_mask, spread_rows
from hloc_lite.types import Float64, LocalizationResult, Photo, UInt8

HEIGHT_PX, MAX_WIDTH_PX = 440, 800
"""Photos are reduced to this height, panoramas to this width: two photos fill the page."""
MAX_LINES = 60
"""Match lines drawn; more would hide the photos."""
INLIER, OUTLIER = "#3fd0ff", "#ff9d3a"


@dataclass(frozen=True)
class MatchPicture:
    """Picture of a query's matches."""

    uri: str
    """``data:`` URI of the image."""
    width: int
    height: int
    map_name: str | None
    """Map image beside the query; None if the query is alone."""
    num_lines: int
    """Correspondences shared with the map image: inliers, or all of them without a pose."""


def draw_matches(
    result: LocalizationResult,
    query: Photo,
    map_image: tuple[SharedView, Photo] | None,
) -> MatchPicture:
    """Draw the query's matched keypoints (inliers blue, others orange) and lines to the map image.

    Args:
        result: result of the query.
        query: the query photo.
        map_image: ``best_map_image`` and its photo; None: the query alone.
    """
    left, left_scale = resize_photo(query)
    right, right_scale = resize_photo(map_image[1]) if map_image else (left[:0, :0], 1.0)
    gap = 8 if map_image else 0
    height = max(left.shape[0], right.shape[0])
    width = left.shape[1] + gap + right.shape[1]
    canvas = np.full((height, width, 4), 0, np.uint8)
    canvas[: left.shape[0], : left.shape[1]] = add_alpha(left)
    offset = np.array([left.shape[1] + gap, 0.0])
    if map_image:
        canvas[: right.shape[0], left.shape[1] + gap :] = add_alpha(right)

    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    target = FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(canvas, extent=(0, width, height, 0), interpolation="nearest")
    axes.set_axis_off()
    if result.correspondences is not None:
        points = result.correspondences.points2D * left_scale
        inliers = inlier_mask(result)
        x, y = points[~inliers].T
        axes.scatter(x, y, s=5, color=OUTLIER, alpha=0.8, linewidths=0)
        if map_image:
            color = INLIER if inliers.any() else OUTLIER
            shared = map_image[0]
            ends = shared.keypoints * right_scale + offset
            _draw_lines(axes, points[shared.rows], ends, color)
        _draw_dots(axes, points[inliers], INLIER)
    axes.set(xlim=(0, width), ylim=(height, 0))
    target.draw()
    name, num_lines = (map_image[0].name, len(map_image[0].rows)) if map_image else (None, 0)
    return MatchPicture(encode_canvas(target), width, height, name, num_lines)


def _draw_lines(axes: Axes, starts: Float64, ends: Float64, color: str) -> None:
    chosen = spread_rows(starts, MAX_LINES)
    segments = np.stack([starts[chosen], ends[chosen]], axis=1)
    # neighbouring lines differ in hue, so that the eye can follow one
    colors = colormaps["viridis"](np.linspace(0.25, 1.0, len(chosen)))
    axes.add_collection(LineCollection(list(segments), colors=colors, linewidths=0.7, alpha=0.75))
    _draw_dots(axes, ends, color)


def _draw_dots(axes: Axes, points: Float64, color: str) -> None:
    """Draw outlined dots, smaller if they are many, to keep the photo visible."""
    area = float(np.clip(6000 / max(len(points), 1), 5.0, 11.0))
    x, y = points.T
    axes.scatter(x, y, s=area, color=color, linewidths=0.04 * area, edgecolors="#08303f")


def resize_photo(photo: Photo) -> tuple[UInt8, float]:
    """Reduce a photo to the size of the report's pictures; also returns the scale."""
    scale = min(1.0, HEIGHT_PX / photo.height, MAX_WIDTH_PX / photo.width)
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    image = Image.fromarray(photo.pixels).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(image), size[0] / photo.width


def add_alpha(pixels: UInt8) -> UInt8:
    """Add an opaque alpha channel: (h, w, 3) to (h, w, 4)."""
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


def encode_canvas(target: FigureCanvasAgg) -> str:
    """Encode a drawn canvas as a ``data:`` URI."""
    buffer = io.BytesIO()
    image = Image.fromarray(np.asarray(target.buffer_rgba()))
    image.save(buffer, "WEBP", quality=82)  # small files with transparency
    return data_uri(buffer.getvalue(), "image/webp")
