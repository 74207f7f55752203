"""Pictures and tables of what semantic and depth cues did to the weights of a query's matches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hloc_lite.consistency.label_picture import class_colours, label_picture
from hloc_lite.consistency.labels import CLASS_NAMES
from hloc_lite.evaluation.match_picture import add_alpha, encode_canvas, resize_photo
from hloc_lite.evaluation.shared_view import inlier_mask
from hloc_lite.types import Bool, Cue, Float64, LabelMap, LocalizationResult, Photo, UInt8

LABELS_CUE = "semantics"
"""Name of the cue shown in the left panel."""
NUM_DECADES = 3
"""Decades of the logarithmic colour scale of weights, downwards from the largest weight. Three hold
nine of ten inliers of rendered streets; most wrong matches are at the dark end."""
COLORMAP = "plasma"
MIN_SHARE = 0.01
"""Share of the photo's area below which a class is not listed."""


@dataclass(frozen=True)
class CuePicture:
    """Picture of a query's cues, and the classes in its left panel."""

    uri: str
    """``data:`` URI of the image."""
    width: int
    height: int
    classes: tuple[tuple[str, str], ...]
    """(name, CSS colour) by decreasing area; empty without labels, when there is one panel."""


def weight_gradient() -> str:
    """CSS gradient of the colour scale of weights, smallest to largest."""
    stops = colormaps[COLORMAP](np.linspace(0.05, 0.95, 7))
    return "linear-gradient(to right, " + ", ".join(_css(255 * stop[:3]) for stop in stops) + ")"


def weight_ticks() -> list[tuple[float, str]]:
    """(position on the colour scale in percent, weight relative to the largest) of each decade."""
    steps = range(NUM_DECADES + 1)
    return [(100 * i / NUM_DECADES, f"{10.0 ** (i - NUM_DECADES):g}") for i in steps]


def weight_shades(weights: Float64) -> Float64:
    """(K,) positions of weights on the colour scale in [0, 1], 1 for the largest."""
    if len(weights) == 0:
        return np.zeros(0)
    largest = max(float(weights.max()), np.finfo(float).tiny)
    least = 10.0**-NUM_DECADES
    return np.asarray(1 + np.log10(np.maximum(weights / largest, least)) / NUM_DECADES)


def draw_cues(result: LocalizationResult, photo: Photo, label_map: LabelMap | None) -> CuePicture:
    """Draw a query's matches over its labels (left panel) and by their weights (right panel).

    Matches that the labels down-weighted are crosses in the left panel, others dots.

    Args:
        result: result of the query, with correspondences and cues.
        photo: the query photo.
        label_map: labels of the photo; None: no left panel.
    """
    assert result.correspondences is not None
    small, scale = resize_photo(photo)
    height, width = small.shape[:2]
    panels = [_grey(small)]
    if label_map is not None:
        panels.insert(0, label_picture(replace(photo, pixels=small, mask=None), label_map, 0.45))
    gap = 8
    full = len(panels) * width + (len(panels) - 1) * gap
    canvas = np.zeros((height, full, 4), np.uint8)
    for index, panel in enumerate(panels):
        start = index * (width + gap)
        canvas[:, start : start + width] = add_alpha(panel)

    figure = Figure(figsize=(full / 100, height / 100), dpi=100)
    target = FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(canvas, extent=(0, full, height, 0), interpolation="nearest")
    axes.set_axis_off()
    points = result.correspondences.points2D * scale
    if label_map is not None:
        _draw_lowered(axes, points, next((c for c in result.cues if c.name == LABELS_CUE), None))
    right = points + np.array([full - width, 0])
    _draw_weights(axes, right, result.correspondences.weights, inlier_mask(result))
    axes.set(xlim=(0, full), ylim=(height, 0))
    target.draw()
    classes = () if label_map is None else classes_shown(label_map)
    return CuePicture(encode_canvas(target), full, height, classes)


def classes_shown(label_map: LabelMap) -> tuple[tuple[str, str], ...]:
    """Names and CSS colours of the classes that cover at least ``MIN_SHARE`` of a label map."""
    pixels = np.bincount(label_map.labels.ravel(), minlength=256)[: len(CLASS_NAMES)]
    order = [int(i) for i in np.argsort(-pixels, kind="stable")]
    found = [i for i in order if pixels[i] >= MIN_SHARE * label_map.labels.size]
    return tuple((CLASS_NAMES[i], _css(class_colours()[i])) for i in found)


def cue_rows(result: LocalizationResult) -> list[dict[str, Any]]:
    """Count, for each cue, the correspondences it assessed and down-weighted.

    A useful cue lowers few inliers and many outliers. Without a pose all are outliers.
    """
    if result.correspondences is None:
        return []
    inliers = inlier_mask(result)
    return [_cue_row(cue, inliers) for cue in result.cues]


def _cue_row(cue: Cue, inliers: Bool) -> dict[str, Any]:
    lowered = cue.factors < 1
    return {
        "name": cue.name,
        "assessed": int(cue.touched.sum()),
        "lowered": int(lowered.sum()),
        "inliers": _group_counts(lowered, cue.factors, inliers),
        "outliers": _group_counts(lowered, cue.factors, ~inliers),
    }


def _group_counts(lowered: Bool, factors: Float64, group: Bool) -> dict[str, Any]:
    count = int(group.sum())
    return {
        "count": count,
        "lowered": int((lowered & group).sum()),
        "factor": float(factors[group].mean()) if count else None,
    }


def _draw_lowered(axes: Axes, points: Float64, cue: Cue | None) -> None:
    """Draw matches that the labels down-weighted as crosses, others as dots."""
    lowered = np.zeros(len(points), bool) if cue is None else cue.factors < 1
    x, y = points[~lowered].T
    axes.scatter(x, y, s=3, color="white", alpha=0.7, linewidths=0)
    x, y = points[lowered].T
    axes.scatter(x, y, s=30, color="black", marker="x", linewidths=2.6)
    axes.scatter(x, y, s=24, color="white", marker="x", linewidths=1.1)


def _draw_weights(axes: Axes, points: Float64, weights: Float64, inliers: Bool) -> None:
    """Draw matches in the colours of their weights, large weights on top; inliers have a ring."""
    colours = colormaps[COLORMAP](0.05 + 0.9 * weight_shades(weights))
    order = np.argsort(weights, kind="stable")
    for group, area, ring in ((order[~inliers[order]], 10, 0.25), (order[inliers[order]], 18, 0.9)):
        x, y = points[group].T
        axes.scatter(x, y, s=area, c=colours[group], linewidths=ring, edgecolors="white")


def _grey(pixels: UInt8) -> UInt8:
    """Convert to a dimmed grey image, on which dark and bright dots stand out."""
    grey = 0.5 * cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None] + 30
    return np.repeat(grey.astype(np.uint8), 3, axis=2)


def _css(colour: Any) -> str:
    return "#" + "".join(f"{round(float(c)):02x}" for c in colour)
