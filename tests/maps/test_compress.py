"""Compression of maps: byte budgets, encodings, output folders, and georeferences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import ConfigError, FormatError, HlocLiteError
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.compact import ProjectedFeatures
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.georeference import FitQuality, Georeference, write_georeference
from hloc_lite.maps.landmark_descriptors import LandmarkDescriptors
from hloc_lite.maps.map import Map
from hloc_lite.maps.mean_descriptors import mean_descriptors
from hloc_lite.maps.quantization import Coding
from hloc_lite.maps.storage import StoredFeatures
from hloc_lite.maps.summary import summarize_map
from hloc_lite.types import Rigid3, Status
from tests.exact_scene import MAP_NAMES, NoWeights


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("max_bytes", [18000, 25000, 40000, 10**7])
@pytest.mark.parametrize("coding", [Coding.FLOAT16, Coding.INT8])
def test_budget_is_kept_and_used(labelled_map: Map, tmp_path: Path, coding, max_bytes) -> None:
    full = labelled_map
    selection = compress_map(full, tmp_path / "c", coding=coding, max_bytes=max_bytes)
    everything = compress_map(full, tmp_path / "all", coding=coding)
    assert bytes_in(tmp_path / "c") <= max_bytes
    assert bytes_in(tmp_path / "c") > min(max_bytes - 1600, 0.99 * bytes_in(tmp_path / "all"))
    found = Map.open(tmp_path / "c")
    counts = [len(image.point3D_idxs) for image in found.model.images]
    totals = [len(np.unique(i.point3D_idxs[i.point3D_idxs >= 0])) for i in full.model.images]
    minimum = selection.min_per_image
    assert all(c >= min(t, minimum) for c, t in zip(counts, totals, strict=True))
    assert everything.min_per_image == max(totals)
    kept = full.landmark_labels.labels[selection.landmark_idxs]
    assert np.array_equal(found.landmark_labels.labels, kept)


def test_too_small_a_budget_is_refused_before_anything_is_written(exact_map, tmp_path) -> None:
    with pytest.raises(HlocLiteError, match=r"3000 bytes are too few: .* to each landmark"):
        compress_map(exact_map[1], tmp_path / "c", max_bytes=3000)
    assert not (tmp_path / "c").exists()


def test_the_metric_scale_of_a_map_is_stored_and_compressed(exact_map, tmp_path: Path) -> None:
    full = exact_map[1]
    assert full.metres_per_unit is None  # also maps of versions that did not ask
    metric = replace(full, report={**full.report, "metric": True})
    metric.save(tmp_path / "m")
    compress_map(metric, tmp_path / "c")
    assert Map.open(tmp_path / "m").metres_per_unit == 1.0
    assert Map.open(tmp_path / "c").metres_per_unit == 1.0


def test_compact_map_can_be_reduced_further(exact_map, tmp_path: Path) -> None:
    scene, full = exact_map
    compress_map(full, tmp_path / "c")
    selection = compress_map(Map.open(tmp_path / "c"), tmp_path / "s", max_bytes=22000)
    found = Map.open(tmp_path / "s")
    assert 50 < found.model.num_points == len(selection.landmark_idxs) < full.model.num_points
    result = Localizer(found, weights=NoWeights()).localize(scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED, result.reason
    assert summarize_map(tmp_path / "s").num_landmarks_before == full.model.num_points


def test_default_encoding_keeps_most_landmarks_within_the_budget(exact_map, tmp_path) -> None:
    """With 40 dimensions, pq takes 10 bytes per landmark instead of 40, and 20 kB of codebooks."""
    _, full = exact_map
    rng, num, pose = np.random.default_rng(0), 3000, full.model.images[0].cam_from_world
    images = tuple(
        replace(image, keypoints=rng.uniform(0, 240, (900, 2)),
                point3D_idxs=rng.choice(num, 900, replace=False))
        for image in full.model.images
    )  # fmt: skip
    points = pose.inverse().apply(rng.uniform((-2, -1, 5), (2, 1, 9), (num, 3)))
    model = replace(full.model, images=images, point3D_ids=np.arange(num), xyz=points,
                    rgb=np.zeros((num, 3)), errors_px=np.ones(num))  # fmt: skip
    values = rng.standard_normal((num, 40)).astype(np.float32)
    descriptors = replace(mean_descriptors(full), values=values, offsets=np.arange(num + 1))
    features = ProjectedFeatures(model, descriptors)
    large = replace(full, model=model, features=features, landmark_descriptors=descriptors)
    counts = {}
    for max_bytes, expected in ((None, "int8"), (150_000, "pq"), (30_000, "int8")):
        compress_map(large, tmp_path / "c", max_bytes=max_bytes, overwrite=True)
        summary = summarize_map(tmp_path / "c")
        counts[max_bytes] = summary.num_landmarks
        assert summary.coding == expected and summary.total_bytes <= (max_bytes or 10**9)
    assert counts[None] == counts[150_000] > 1500 > counts[30_000] > 100


@pytest.mark.parametrize(
    ("coding", "retrieval"), [(Coding.BITS, Coding.INT8), (Coding.INT8, Coding.PQ)]
)
def test_encodings_that_do_not_fit_are_refused(exact_map, tmp_path, coding, retrieval) -> None:
    with pytest.raises(ConfigError, match="landmark descriptors can be float16, int8 or pq"):
        compress_map(exact_map[1], tmp_path / "c", coding=coding, retrieval=retrieval)


def test_stored_landmark_descriptors_are_used(exact_map, tmp_path: Path) -> None:
    _, full = exact_map
    num = full.model.num_points
    values = np.random.default_rng(0).standard_normal((num, 32))
    other = LandmarkDescriptors(values, np.arange(num + 1))
    marked = replace(full, landmark_descriptors=other)
    compress_map(marked, tmp_path / "c", coding=Coding.FLOAT16)
    rows, owners = Map.open(tmp_path / "c").landmark_descriptors.rows_of(np.arange(9))
    assert np.allclose(rows, other.rows_of(owners)[0], atol=1e-3)


def test_full_and_compact_maps_do_not_replace_each_other(exact_map, tmp_path: Path) -> None:
    _, full = exact_map
    compress_map(full, tmp_path / "c")
    with pytest.raises(HlocLiteError, match="not empty and holds no map"):
        full.save(tmp_path / "c")
    full.save(tmp_path / "full")
    with pytest.raises(HlocLiteError, match="not empty"):
        compress_map(full, tmp_path / "full", overwrite=True)
    assert isinstance(Map.open(tmp_path / "full").features, StoredFeatures)


def test_georeference_stays_as_long_as_the_poses_do(exact_map, tmp_path: Path) -> None:
    _, full = exact_map
    folder = tmp_path / "c"
    compress_map(full, folder)
    quality = FitQuality(3, 3, 0.1, 0.1, 0.1, 0.01, 1.0, 1.0, "positions", (0.0, 1.0))
    similarity = Similarity3(2.0, np.eye(3), np.zeros(3))
    write_georeference(folder, Georeference(48.0, 11.0, 500.0, similarity, quality))
    compress_map(full, folder, coding=Coding.PQ, overwrite=True)
    assert Map.open(folder).georeference.metres_per_unit == 2.0
    first, *others = full.model.images
    moved = Rigid3(first.cam_from_world.rotation, first.cam_from_world.translation + 1)
    images = (replace(first, cam_from_world=moved), *others)
    rebuilt = replace(full, model=replace(full.model, images=images))
    compress_map(rebuilt, folder, overwrite=True)
    assert Map.open(folder).georeference is None
    assert not (folder / "georeference.json").exists()
    (folder / "georeference.json").write_text("{")
    with pytest.raises(FormatError, match="delete the file, and run `hloc-lite georeference` aga"):
        Map.open(folder)


def test_georeference_of_the_full_map_is_inherited(exact_map, tmp_path: Path) -> None:
    quality = FitQuality(3, 3, 0.1, 0.1, 0.1, 0.01, 1.0, 1.0, "positions", (0.0, 1.0))
    georeference = Georeference(48.0, 11.0, 5.0, Similarity3(2, np.eye(3), np.zeros(3)), quality)
    compress_map(replace(exact_map[1], georeference=georeference), tmp_path / "c")
    assert Map.open(tmp_path / "c").georeference.metres_per_unit == 2.0


def test_maps_without_landmarks(exact_map, tmp_path: Path) -> None:
    scene, full = exact_map
    empty = replace(
        full,
        model=scene.reference(MAP_NAMES),
        landmark_descriptors=None,
        features=dict.fromkeys(MAP_NAMES, scene.features(0, 0)),
    )
    compress_map(empty, tmp_path / "c", max_bytes=20000)
    found = Map.open(tmp_path / "c")
    assert found.model.num_points == 0 and len(found.model.images) == len(MAP_NAMES)
    assert found.landmark_labels is None and len(found.features["map 0.png"]) == 0
    assert summarize_map(tmp_path / "c").min_landmarks_per_image == 0
