"""Files in hloc's layout, written by hand from a scene of known poses.

They do not use the writers of the package, so that a mistake of these cannot hide another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from hloc_lite.formats.colmap import write_model
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import NO_POINT
from tests.exact_scene import SIZE, ExactScene

HALF_PIXEL = 0.5
"""COLMAP's pixel of the centre of the first pixel, which is 0 in hloc's files."""


@dataclass(frozen=True, eq=False)
class View:
    """Exact keypoints of an image; row i shows the point ``points[i]``."""

    xy: np.ndarray
    points: np.ndarray


def views_of(scene: ExactScene, names: Mapping[str, int]) -> dict[str, View]:
    """Keypoints of each named image in COLMAP's pixels, each image in an order of its own."""
    views = {}
    for name, index in names.items():
        xy = img_from_cam(scene.camera, scene.poses[index].apply(scene.points))
        rows = np.flatnonzero(((xy > 0) & (xy < SIZE)).all(axis=1))
        order = np.random.default_rng(index).permutation(rows)
        views[name] = View(xy[order], order)
    return views


def model_of_scene(
    scene: ExactScene, names: Mapping[str, int], views: Mapping[str, View]
) -> SfmModel:
    """True model of the named images; point i has the COLMAP id 3 i + 7."""
    images = tuple(
        SfmImage(number, name, 1, scene.poses[names[name]], views[name].xy, views[name].points)
        for number, name in enumerate(sorted(names), start=1)
    )
    count = len(scene.points)
    ids = 3 * np.arange(count) + 7
    return SfmModel(
        {1: scene.camera}, images, ids, scene.points, np.zeros((count, 3), np.uint8),
        np.zeros(count),
    )  # fmt: skip


def write_features_h5(
    path: Path, scene: ExactScene, views: Mapping[str, View], shift: float = -HALF_PIXEL
) -> None:
    """Features file; ``shift`` is added to COLMAP's pixels."""
    with h5py.File(path, "w") as file:
        for name, view in views.items():
            group = file.create_group(name)
            group["keypoints"] = (view.xy + shift).astype(np.float32)
            group["keypoints"].attrs["uncertainty"] = 1.0
            group["descriptors"] = scene.descriptors[view.points].T
            group["scores"] = np.linspace(1, 0.5, len(view.xy), dtype=np.float32)
            group["image_size"] = np.array(SIZE)


def write_matches_h5(path: Path, views: Mapping[str, View], pairs: list[tuple[str, str]]) -> None:
    """Matches file with all true matches of the pairs."""
    with h5py.File(path, "w") as file:
        for first, second in pairs:
            row_of = {int(point): row for row, point in enumerate(views[second].points)}
            found = [row_of.get(int(point), NO_POINT) for point in views[first].points]
            group = file.create_group(f"{first.replace('/', '-')}/{second.replace('/', '-')}")
            group["matches0"] = np.array(found, np.int16)
            group["matching_scores0"] = np.ones(len(found), np.float16)


def write_hloc_folder(
    folder: Path,
    scene: ExactScene,
    names: Mapping[str, int],
    queries: Mapping[str, int],
    shift: float = -HALF_PIXEL,
) -> dict[str, View]:
    """``sfm``, ``feats-exact.h5``, ``matches.h5``, ``retrieval.txt`` and ``queries.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    views = views_of(scene, {**names, **queries})
    mapped = {name: views[name] for name in names}
    write_model(folder / "sfm", model_of_scene(scene, names, mapped))
    write_features_h5(folder / "feats-exact.h5", scene, views, shift)
    pairs = [(query, name) for query in queries for name in names]
    write_matches_h5(folder / "matches.h5", views, pairs)
    lines = "".join(f"{query} {name}\n" for query, name in pairs)
    (folder / "retrieval.txt").write_text(lines, encoding="utf-8")
    params = " ".join(map(repr, map(float, scene.camera.params)))
    lines = "".join(f"{q} SIMPLE_RADIAL {SIZE[0]} {SIZE[1]} {params}\n" for q in queries)
    (folder / "queries.txt").write_text(lines, encoding="utf-8")
    return views
