"""Labels of landmarks: the majority over their observations in the map's images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hloc_lite.config import SemanticsConfig
from hloc_lite.consistency.labels import (
    CLASS_NAMES,
    NUM_CLASSES,
    SKY,
    class_ids,
    is_class,
    pixel_indices,
    window_radii,
)
from hloc_lite.consistency.semantic_check import trusted_labels
from hloc_lite.scene import SfmModel, keypoints_of
from hloc_lite.types import NO_POINT, UNKNOWN_LABEL, Float32, Float64, LabelMap, UInt8

MAX_SAMPLES = 11
"""Pixels sampled along each side of a window: all of the default window at 1024 px."""
MIN_BORDER_SHARE = 0.1
"""Share of other labels in a window above which an observation lies on the border of the sky."""


@dataclass(frozen=True, eq=False)
class LandmarkLabels:
    """Majority labels of a map's M points."""

    labels: UInt8
    """(M,) Cityscapes train ids; unknown if no observation had a label."""
    shares: Float32
    """(M,) share of the observations that agree with the label, in [0, 1]; 0 if unknown."""


@dataclass(frozen=True, eq=False)
class LandmarkWeights:
    """Weights that a map's M points get from their labels."""

    weights: Float64
    """(M,) in [0, 1]; points of weight 0 are dropped."""
    counts: Mapping[str, int]
    """landmarks, labelled, unstable, dropped; unstable ones also by class (``unstable: car``)."""


def label_landmarks(
    model: SfmModel, labels_of: Callable[[str], LabelMap | None], config: SemanticsConfig
) -> LandmarkLabels:
    """The majority label of each landmark; among equals, the smallest train id.

    Every observation counts 1, divided among the classes in the window around it in proportion to
    their pixels: landmarks lie on borders, where label maps are blurred. The sky has no landmarks:
    it counts only where the window shows hardly anything else.

    Args:
        labels_of: image name -> label map, or None; called at most once per image.
    """
    histograms = np.zeros((model.num_points, NUM_CLASSES), np.float32)
    for image in model.images:
        rows = np.flatnonzero(image.point3D_idxs != NO_POINT)
        label_map = labels_of(image.name) if len(rows) else None
        if label_map is not None:
            observed = label_histograms(label_map, keypoints_of(model, image)[rows], config)
            np.add.at(histograms, image.point3D_idxs[rows], observed)
    total = histograms.sum(axis=1)
    best = histograms.argmax(axis=1)
    top = np.take_along_axis(histograms, best[:, None], axis=1)[:, 0]
    labels = np.where(total > 0, best, UNKNOWN_LABEL).astype(np.uint8)
    return LandmarkLabels(labels, (top / np.where(total > 0, total, 1)).astype(np.float32))


def label_histograms(
    label_map: LabelMap, points2D: npt.NDArray[np.floating], config: SemanticsConfig
) -> Float32:
    """(N, 19) shares of the classes around (N, 2) points; each row sums to 1, or 0 if unknown."""
    rows, columns = pixel_indices(label_map, points2D)
    row_radius, column_radius = window_radii(label_map, config)
    margins = ((row_radius,) * 2, (column_radius,) * 2)
    padded = np.pad(label_map.labels, margins, constant_values=UNKNOWN_LABEL)
    down, right = _sample_offsets(row_radius), _sample_offsets(column_radius)
    around = padded[(rows[:, None] + down)[:, :, None], (columns[:, None] + right)[:, None, :]]
    around = np.where(is_class(around), around, NUM_CLASSES).reshape(len(rows), -1)
    around[rows < 0] = NUM_CLASSES
    bins = np.arange(len(rows))[:, None] * (NUM_CLASSES + 1) + around
    counts = np.bincount(bins.ravel(), minlength=len(rows) * (NUM_CLASSES + 1))
    counts = counts.reshape(len(rows), NUM_CLASSES + 1)[:, :NUM_CLASSES].astype(np.float32)
    total = counts.sum(axis=1)
    at_border = total - counts[:, SKY] >= np.maximum(MIN_BORDER_SHARE * total, 1)
    counts[at_border, SKY] = 0
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def landmark_weights(landmarks: LandmarkLabels, config: SemanticsConfig) -> LandmarkWeights:
    """Weights of landmarks as ``unstable_landmarks`` sets them, with counts of unstable ones."""
    labels = trusted_labels(landmarks.labels, landmarks.shares, config)
    unstable = np.isin(labels, class_ids(config.unstable))
    kept = {"keep": 1.0, "weight": config.unstable_weight, "drop": 0.0}[config.unstable_landmarks]
    weights = np.where(unstable, kept, 1.0)
    counts = {
        "landmarks": len(labels),
        "labelled": int(is_class(labels).sum()),
        "unstable": int(unstable.sum()),
        "dropped": int((weights == 0).sum()),
    }
    by_class = np.bincount(labels[unstable], minlength=NUM_CLASSES)
    counts |= {f"unstable: {CLASS_NAMES[c]}": int(n) for c, n in enumerate(by_class) if n}
    return LandmarkWeights(weights, counts)


def _sample_offsets(radius: int) -> npt.NDArray[np.int64]:
    """Sampled positions along one side of a window, 0 to 2 radius; the centre is one of them."""
    count = min(2 * radius + 1, MAX_SAMPLES)
    return np.rint(np.linspace(0, 2 * radius, count)).astype(np.int64)
