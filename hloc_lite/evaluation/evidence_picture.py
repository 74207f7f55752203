"""What evidence said of a query's matches: labels over its photo, weights of matches, a table."""

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
from hloc_lite.evaluation.match_picture import encoded, opaque, shown_inliers, shrunk
from hloc_lite.types import Bool, Cue, Float64, LabelMap, LocalizationResult, Photo, UInt8

LABELS = "semantics"
"""The cue that the left panel is about."""
NUM_DECADES = 3
"""Weights are coloured by their logarithm, from the largest down to so many tenfold steps less:
nine of ten inliers of rendered streets lie in there, and most wrong matches at its dark end."""
COLOURS = "plasma"
MIN_SHARE = 0.01
"""Of the photo, below which a class is not named."""


@dataclass(frozen=True)
class EvidencePicture:
    """A picture as a ``data:`` address, and the classes that its left panel shows."""

    uri: str
    width: int
    height: int
    classes: tuple[tuple[str, str], ...]
    """(name, CSS colour), the largest first; empty without labels: then one panel is all."""


def weight_gradient() -> str:
    """The colours of weights, least to largest, as a CSS gradient."""
    stops = colormaps[COLOURS](np.linspace(0.05, 0.95, 7))
    return "linear-gradient(to right, " + ", ".join(_css(255 * stop[:3]) for stop in stops) + ")"


def weight_ticks() -> list[tuple[float, str]]:
    """(percent of the scale, weight relative to the largest) of each tenfold step."""
    steps = range(NUM_DECADES + 1)
    return [(100 * i / NUM_DECADES, f"{10.0 ** (i - NUM_DECADES):g}") for i in steps]


def weight_shades(weights: Float64) -> Float64:
    """(K,) in [0, 1]: where weights lie on the scale, 1 for the largest."""
    if len(weights) == 0:
        return np.zeros(0)
    largest = max(float(weights.max()), np.finfo(float).tiny)
    least = 10.0**-NUM_DECADES
    return np.asarray(1 + np.log10(np.maximum(weights / largest, least)) / NUM_DECADES)


def draw_evidence(
    result: LocalizationResult, photo: Photo, label_map: LabelMap | None
) -> EvidencePicture:
    """Left the photo under the colours of its labels, with the matches that these lowered as
    crosses; right the photo in grey, with matches in the colours of their weights.

    Args:
        result: of the query, with correspondences and cues.
        photo: of the query.
        label_map: of the photo; None: without the left panel.
    """
    assert result.correspondences is not None
    small, scale = shrunk(photo)
    height, width = small.shape[:2]
    panels = [_grey(small)]
    if label_map is not None:
        panels.insert(0, label_picture(replace(photo, pixels=small, mask=None), label_map, 0.45))
    gap = 8
    full = len(panels) * width + (len(panels) - 1) * gap
    canvas = np.zeros((height, full, 4), np.uint8)
    for index, panel in enumerate(panels):
        start = index * (width + gap)
        canvas[:, start : start + width] = opaque(panel)

    figure = Figure(figsize=(full / 100, height / 100), dpi=100)
    target = FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(canvas, extent=(0, full, height, 0), interpolation="nearest")
    axes.set_axis_off()
    points = result.correspondences.points2D * scale
    if label_map is not None:
        _draw_lowered(axes, points, next((c for c in result.cues if c.name == LABELS), None))
    right = points + np.array([full - width, 0])
    _draw_weights(axes, right, result.correspondences.weights, shown_inliers(result))
    axes.set(xlim=(0, full), ylim=(height, 0))
    target.draw()
    classes = () if label_map is None else classes_shown(label_map)
    return EvidencePicture(encoded(target), full, height, classes)


def classes_shown(label_map: LabelMap) -> tuple[tuple[str, str], ...]:
    """Names and CSS colours of the classes that cover most of a label map."""
    pixels = np.bincount(label_map.labels.ravel(), minlength=256)[: len(CLASS_NAMES)]
    order = [int(i) for i in np.argsort(-pixels, kind="stable")]
    found = [i for i in order if pixels[i] >= MIN_SHARE * label_map.labels.size]
    return tuple((CLASS_NAMES[i], _css(class_colours()[i])) for i in found)


def cue_rows(result: LocalizationResult) -> list[dict[str, Any]]:
    """Of each cue: correspondences that it spoke of and lowered, among inliers and others.

    A cue pays where it lowers few inliers and many others. Without a pose all are others.
    """
    if result.correspondences is None:
        return []
    inliers = shown_inliers(result)
    return [_cue_row(cue, inliers) for cue in result.cues]


def _cue_row(cue: Cue, inliers: Bool) -> dict[str, Any]:
    lowered = cue.factors < 1
    return {
        "name": cue.name,
        "touched": int(cue.touched.sum()),
        "lowered": int(lowered.sum()),
        "of_inliers": _part(lowered, cue.factors, inliers),
        "of_others": _part(lowered, cue.factors, ~inliers),
    }


def _part(lowered: Bool, factors: Float64, group: Bool) -> dict[str, Any]:
    count = int(group.sum())
    return {
        "count": count,
        "lowered": int((lowered & group).sum()),
        "factor": float(factors[group].mean()) if count else None,
    }


def _draw_lowered(axes: Axes, points: Float64, cue: Cue | None) -> None:
    """Crosses where labels spoke against a match, dots where they let it be."""
    lowered = np.zeros(len(points), bool) if cue is None else cue.factors < 1
    x, y = points[~lowered].T
    axes.scatter(x, y, s=3, color="white", alpha=0.7, linewidths=0)
    x, y = points[lowered].T
    axes.scatter(x, y, s=30, color="black", marker="x", linewidths=2.6)
    axes.scatter(x, y, s=24, color="white", marker="x", linewidths=1.1)


def _draw_weights(axes: Axes, points: Float64, weights: Float64, inliers: Bool) -> None:
    """The least first, so that the largest lie on top; inliers have a ring."""
    colours = colormaps[COLOURS](0.05 + 0.9 * weight_shades(weights))
    order = np.argsort(weights, kind="stable")
    others, agreeing = order[~inliers[order]], order[inliers[order]]
    for group, area, ring in ((others, 10, 0.25), (agreeing, 18, 0.9)):
        x, y = points[group].T
        axes.scatter(x, y, s=area, c=colours[group], linewidths=ring, edgecolors="white")


def _grey(pixels: UInt8) -> UInt8:
    """Dimmed, so that dark and bright dots stand out."""
    grey = 0.5 * cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None] + 30
    return np.repeat(grey.astype(np.uint8), 3, axis=2)


def _css(colour: Any) -> str:
    return "#" + "".join(f"{round(float(c)):02x}" for c in colour)
