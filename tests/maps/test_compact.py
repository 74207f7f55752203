"""Compact maps: what is kept, how exactly, within how many bytes, and that queries still work."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.cli.compress import parse_bytes
from hloc_lite.cli.main import main
from hloc_lite.consistency.landmark_labels import LandmarkLabels
from hloc_lite.errors import ConfigError, FormatError, HlocLiteError
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.compact import ProjectedFeatures
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.georeference import FitQuality, Georeference, write_georeference
from hloc_lite.maps.map import Map
from hloc_lite.maps.mean_descriptors import mean_descriptors
from hloc_lite.maps.quantization import Coding
from hloc_lite.maps.storage import StoredFeatures
from hloc_lite.maps.summary import summarize_map
from hloc_lite.scene import keypoints_of
from hloc_lite.types import NO_POINT, Rigid3, Status
from tests.exact_scene import MAP_NAMES, NoWeights, make_scene, mapped_scene


@pytest.fixture(scope="module")
def built():
    with mapped_scene() as (scene, place):
        rng = np.random.default_rng(0)
        labels = LandmarkLabels(
            rng.integers(0, 19, place.model.num_points), rng.random(place.model.num_points)
        )
        yield scene, replace(place, landmark_labels=labels)


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("coding", [Coding.FLOAT16, Coding.INT8, Coding.PQ])
def test_all_of_a_map_comes_back(built, tmp_path: Path, coding: Coding) -> None:
    _, place = built
    compress_map(place, tmp_path / "c", coding=coding)
    found = Map.open(tmp_path / "c")
    assert found.config == place.config and found.fingerprint == place.fingerprint
    assert found.weights == place.weights and found.global_names == place.global_names
    assert {key: v for key, v in place.report.items() if key != "images"} == found.report
    assert np.array_equal(found.model.point3D_ids, place.model.point3D_ids)
    assert np.array_equal(found.model.rgb, place.model.rgb)
    assert np.abs(found.model.xyz - place.model.xyz).max() < 1e-6
    assert np.allclose(found.model.errors_px, place.model.errors_px, rtol=1e-3, atol=1e-4)
    assert np.array_equal(found.landmark_labels.labels, place.landmark_labels.labels)
    assert np.allclose(found.landmark_labels.shares, place.landmark_labels.shares, atol=1e-3)
    assert np.array_equal(found.retrieval_state["learned"], np.ones((2, 3)))
    assert np.allclose(found.global_descriptors, place.global_descriptors, atol=0.01)
    assert [c.params.tolist() for c in found.model.cameras.values()] == [
        c.params.tolist() for c in place.model.cameras.values()
    ]
    for image in place.model.images:
        same = found.model.image_named(image.name)
        assert (same.image_id, same.camera_id) == (image.image_id, image.camera_id)
        assert np.array_equal(same.cam_from_world.rotation, image.cam_from_world.rotation)
        assert np.array_equal(same.cam_from_world.translation, image.cam_from_world.translation)
        seen = image.point3D_idxs != NO_POINT
        order = np.argsort(image.point3D_idxs[seen])
        assert np.array_equal(same.point3D_idxs, image.point3D_idxs[seen][order])
        assert np.abs(keypoints_of(found.model, same) - image.keypoints[seen][order]).max() < 1e-3


def test_as_a_colmap_model_its_images_have_keypoints(built, tmp_path: Path) -> None:
    """Where landmarks project to, also of a map that was cut down and opened again."""
    _, place = built
    compress_map(place, tmp_path / "c")
    compress_map(Map.open(tmp_path / "c"), tmp_path / "part", max_bytes=20000)
    part = Map.open(tmp_path / "part").model
    assert all(image.keypoints is None for image in part.images)
    write_model(tmp_path / "sfm", part)
    found = read_model(tmp_path / "sfm")
    assert 50 < found.num_points < place.model.num_points
    for image in found.images:
        original = place.model.image_named(image.name)
        points = place.model.point3D_ids[original.point3D_idxs]
        where = {
            point: xy
            for point, xy, idx in zip(
                points, original.keypoints, original.point3D_idxs, strict=True
            )
            if idx != NO_POINT
        }
        expected = [where[point] for point in found.point3D_ids[image.point3D_idxs]]
        assert len(expected) and np.abs(image.keypoints - expected).max() < 0.1


def test_images_offer_their_landmarks_with_their_own_descriptors(built, tmp_path: Path) -> None:
    _, place = built
    means = mean_descriptors(place)
    dots = {}
    for coding in (Coding.FLOAT16, Coding.INT8, Coding.PQ):
        compress_map(place, tmp_path / coding, coding=coding)
        found = Map.open(tmp_path / coding)
        features = found.features["map 4.png"]
        image = found.model.image_named("map 4.png")
        assert len(features) == len(image.point3D_idxs) > 100
        assert features.image_size == (320, 240) and "map 4.png" in found.features
        assert "nothing" not in found.features and len(list(found.features)) == len(MAP_NAMES)
        expected, owners = means.of(image.point3D_idxs)
        assert np.array_equal(owners, image.point3D_idxs)
        assert np.allclose(np.linalg.norm(features.descriptors, axis=1), 1, atol=1e-5)
        dots[coding] = (features.descriptors * expected).sum(axis=1).min()
        assert found.landmark_descriptors.num_landmarks == found.model.num_points
    assert dots[Coding.FLOAT16] > 1 - 1e-6 and dots[Coding.INT8] > 1 - 1e-4
    assert dots[Coding.PQ] > 0.5
    with pytest.raises(KeyError):
        found.features["nothing"]


@pytest.mark.parametrize("coding", [Coding.INT8, Coding.PQ])
def test_queries_are_localized_in_it_as_in_the_full_map(built, tmp_path: Path, coding) -> None:
    scene, place = built
    compress_map(place, tmp_path / "c", coding=coding)
    made = Localizer(Map.open(tmp_path / "c"), weights=NoWeights())
    for index in (3, 5):
        result = made.localize(scene.image(index), scene.camera)
        assert result.status is Status.LOCALIZED, result.reason
        assert pose_errors(result.pose.cam_from_world, scene.poses[index])[0] < 1e-3


def test_a_compact_map_is_cut_down_further(built, tmp_path: Path) -> None:
    scene, place = built
    compress_map(place, tmp_path / "c")
    small = compress_map(Map.open(tmp_path / "c"), tmp_path / "s", max_bytes=22000)
    found = Map.open(tmp_path / "s")
    assert 50 < found.model.num_points == len(small.selection.landmarks) < place.model.num_points
    result = Localizer(found, weights=NoWeights()).localize(scene.image(3), scene.camera)
    assert result.status is Status.LOCALIZED, result.reason
    assert summarize_map(tmp_path / "s").of_landmarks == place.model.num_points


@pytest.mark.parametrize("max_bytes", [18000, 25000, 40000, 10**7])
@pytest.mark.parametrize("coding", [Coding.FLOAT16, Coding.INT8])
def test_the_budget_is_kept_and_used(built, tmp_path: Path, coding, max_bytes) -> None:
    _, place = built
    selected = compress_map(place, tmp_path / "c", coding=coding, max_bytes=max_bytes).selection
    whole = compress_map(place, tmp_path / "all", coding=coding).selection
    assert bytes_in(tmp_path / "c") <= max_bytes
    assert bytes_in(tmp_path / "c") > min(max_bytes - 1600, 0.99 * bytes_in(tmp_path / "all"))
    found = Map.open(tmp_path / "c")
    counts = [len(image.point3D_idxs) for image in found.model.images]
    totals = [
        len(np.unique(i.point3D_idxs)) - (i.point3D_idxs < 0).any() for i in place.model.images
    ]
    assert all(c >= min(t, selected.least) for c, t in zip(counts, totals, strict=True))
    assert whole.least == max(totals)
    kept = place.landmark_labels.labels[selected.landmarks]
    assert np.array_equal(found.landmark_labels.labels, kept)


def test_a_budget_for_nothing_is_refused_and_nothing_is_written(built, tmp_path: Path) -> None:
    with pytest.raises(HlocLiteError, match=r"3000 bytes are too few: .* to each landmark"):
        compress_map(built[1], tmp_path / "c", max_bytes=3000)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("coding", "retrieval"), [(Coding.BITS, Coding.INT8), (Coding.INT8, Coding.PQ)]
)
def test_codings_have_their_places(built, tmp_path: Path, coding, retrieval) -> None:
    with pytest.raises(ConfigError, match="landmarks are coded as"):
        compress_map(built[1], tmp_path / "c", coding=coding, retrieval=retrieval)


@pytest.mark.parametrize(
    "name", ["landmarks/descriptors.npy", "images/landmarks.npy", "images/poses.npy", "map.json"]
)
def test_damage_has_a_remedy(built, tmp_path: Path, name: str) -> None:
    compress_map(built[1], tmp_path / "c")
    data = bytearray((tmp_path / "c" / name).read_bytes())
    data[-9] ^= 4
    (tmp_path / "c" / name).write_bytes(data)
    with pytest.raises(FormatError, match=f"{name}.*hloc-lite compress"):
        Map.open(tmp_path / "c")
    (tmp_path / "c" / name).unlink()
    with pytest.raises(FormatError, match=r"missing.*hloc-lite compress|no finished map"):
        Map.open(tmp_path / "c")


def test_neither_kind_replaces_the_other(built, tmp_path: Path) -> None:
    _, place = built
    compress_map(place, tmp_path / "c")
    with pytest.raises(HlocLiteError, match="not empty and holds no map"):
        place.save(tmp_path / "c")
    place.save(tmp_path / "full")
    with pytest.raises(HlocLiteError, match="not empty"):
        compress_map(place, tmp_path / "full", overwrite=True)
    assert isinstance(Map.open(tmp_path / "full").features, StoredFeatures)


def test_a_georeference_goes_with_the_poses_that_it_was_fitted_to(built, tmp_path: Path) -> None:
    _, place = built
    folder = tmp_path / "c"
    compress_map(place, folder)
    quality = FitQuality(3, 3, 0.1, 0.1, 0.1, 0.01, 1.0, 1.0, "positions", (0.0, 1.0))
    similarity = Similarity3(2.0, np.eye(3), np.zeros(3))
    write_georeference(folder, Georeference(48.0, 11.0, 500.0, similarity, quality))
    compress_map(place, folder, coding=Coding.PQ, overwrite=True)
    assert Map.open(folder).georeference.metres_per_unit == 2.0
    first, *others = place.model.images
    moved = Rigid3(first.cam_from_world.rotation, first.cam_from_world.translation + 1)
    images = (replace(first, cam_from_world=moved), *others)
    built_again = replace(place, model=replace(place.model, images=images))
    compress_map(built_again, folder, overwrite=True)
    assert Map.open(folder).georeference is None
    assert not (folder / "georeference.json").exists()
    (folder / "georeference.json").write_text("{")
    with pytest.raises(FormatError, match="delete the file, and run `hloc-lite georeference` aga"):
        Map.open(folder)


def test_far_from_the_origin_nothing_is_lost(built, tmp_path: Path) -> None:
    """Single precision holds half a metre at the coordinates of a national grid."""
    scene, place = built
    offset = np.array([5.1e6, -3.4e5, 120.0])
    images = tuple(
        replace(
            image,
            cam_from_world=replace(
                image.cam_from_world,
                translation=image.cam_from_world.translation
                - image.cam_from_world.rotation @ offset,
            ),
        )
        for image in place.model.images
    )
    far = replace(place.model, images=images, xyz=place.model.xyz + offset)
    compress_map(replace(place, model=far), tmp_path / "c")
    found = Map.open(tmp_path / "c")
    assert np.abs(found.model.xyz - far.xyz).max() < 1e-6
    result = Localizer(found, weights=NoWeights()).localize(scene.image(3), scene.camera)
    center = result.pose.cam_from_world.center - offset
    assert np.linalg.norm(center - scene.poses[3].center) < 1e-3


def test_maps_without_landmarks_or_images(built, tmp_path: Path) -> None:
    scene, place = built
    features = dict.fromkeys(MAP_NAMES, scene.features(0, 0))
    model = scene.reference(MAP_NAMES)
    bare = replace(
        place, model=model, landmark_labels=None, landmark_descriptors=None, features=features
    )
    compress_map(bare, tmp_path / "bare", max_bytes=20000)
    found = Map.open(tmp_path / "bare")
    assert found.model.num_points == 0 and len(found.model.images) == len(MAP_NAMES)
    assert found.landmark_labels is None and len(found.features["map 0.png"]) == 0
    assert summarize_map(tmp_path / "bare").least_landmarks == 0


def test_opening_parses_nothing_per_landmark(built, tmp_path: Path) -> None:
    """100,000 landmarks in 480 images, 400,000 observations: in half a second."""
    _, place = built
    rng = np.random.default_rng(0)
    num, pose = 100_000, place.model.images[0].cam_from_world
    points = pose.inverse().apply(rng.uniform((-2, -1, 5), (2, 1, 9), (num, 3)))
    images = []
    for i in range(480):
        seen = np.sort(rng.choice(num, 833, replace=False))
        images.append(
            replace(place.model.images[0], image_id=i, name=f"{i:04}.jpg",
                    keypoints=np.zeros((833, 2)), point3D_idxs=seen)
        )  # fmt: skip
    model = replace(place.model, images=tuple(images), point3D_ids=np.arange(num), xyz=points,
                    rgb=np.zeros((num, 3)), errors_px=np.ones(num))  # fmt: skip

    values = np.zeros((num, 128), np.int8)
    values[:, 0] = 1
    descriptors = replace(mean_descriptors(place), values=values, offsets=np.arange(num + 1))
    names = tuple(image.name for image in model.images)
    features = dict.fromkeys(names, make_scene().features(0, 0))
    features[names[0]] = replace(
        place.features["map 0.png"], keypoints=np.zeros((833, 2)), scores=np.zeros(833),
        descriptors=np.zeros((833, 128)),
    )  # fmt: skip
    large = replace(place, model=model, landmark_descriptors=descriptors, landmark_labels=None,
                    features=features, global_names=names,
                    global_descriptors=np.eye(480, 1024, dtype=np.float32))  # fmt: skip
    compress_map(large, tmp_path / "c")
    spent = []
    for _ in range(3):
        start = time.process_time()
        found = Map.open(tmp_path / "c")
        spent.append(time.process_time() - start)
    assert min(spent) < 0.5 and found.model.num_points > 95_000
    assert isinstance(found.landmark_descriptors.values, np.memmap)


def test_under_a_budget_the_coding_that_holds_most_landmarks_is_taken(built, tmp_path) -> None:
    """Of 40 dimensions: 10 bytes of codes a landmark in place of 40, but 20 kB of codebooks."""
    _, place = built
    rng, num, pose = np.random.default_rng(0), 3000, place.model.images[0].cam_from_world
    images = tuple(
        replace(image, keypoints=rng.uniform(0, 240, (900, 2)),
                point3D_idxs=rng.choice(num, 900, replace=False))
        for image in place.model.images
    )  # fmt: skip
    points = pose.inverse().apply(rng.uniform((-2, -1, 5), (2, 1, 9), (num, 3)))
    model = replace(place.model, images=images, point3D_ids=np.arange(num), xyz=points,
                    rgb=np.zeros((num, 3)), errors_px=np.ones(num))  # fmt: skip
    values = rng.standard_normal((num, 40)).astype(np.float32)
    descriptors = replace(mean_descriptors(place), values=values, offsets=np.arange(num + 1))
    features = ProjectedFeatures(model, descriptors)
    large = replace(place, model=model, features=features, landmark_descriptors=descriptors,
                    landmark_labels=None)  # fmt: skip
    counts = {}
    for max_bytes, expected in ((None, "int8"), (150_000, "pq"), (30_000, "int8")):
        compress_map(large, tmp_path / "c", max_bytes=max_bytes, overwrite=True)
        content = summarize_map(tmp_path / "c")
        counts[max_bytes] = content.num_landmarks
        assert content.coding == expected and content.total_bytes <= (max_bytes or 10**9)
    assert counts[None] == counts[150_000] > 1500 > counts[30_000] > 100


@pytest.mark.parametrize(
    ("text", "size"),
    [("50MB", 50_000_000), ("1.5 GiB", 3 << 29), ("800000", 800_000), ("3 kb", 3000), ("7B", 7)],
)
def test_budgets(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "much", "-5MB", "5 TB", "0", "0.1", "nan", "5 MB MB", "9" * 400]
)
def test_no_budgets(text: str) -> None:
    with pytest.raises(ConfigError, match="--budget takes bytes"):
        parse_bytes(text)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code


def test_both_verbs(built, tmp_path: Path, capsys) -> None:
    _, place = built
    place.save(tmp_path / "full")
    full, small = str(tmp_path / "full"), str(tmp_path / "small")
    assert run("compress", full, "-o", small, "--budget", "30kB") == 0
    said = capsys.readouterr().out
    total = place.model.num_points
    assert f"of {total} landmarks" in said and "landmarks/descriptors.npy" in said
    for folder, kind in ((full, "full map"), (small, "compact map")):
        assert run("info", folder) == 0 and kind in capsys.readouterr().out
        assert run("info", folder, "--json") == 0
        told = json.loads(capsys.readouterr().out)
        assert told["total_bytes"] == bytes_in(Path(folder)) == sum(told["bytes_of"].values())
        assert told["num_images"] == len(MAP_NAMES) and told["labelled_share"] == 1.0
    assert told["num_landmarks"] < told["of_landmarks"] == total and told["total_bytes"] <= 30000
    assert run("compress", full, "-o", small) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run("compress", full, "-o", f"{full}/../full", "--overwrite") == 2
    assert "another folder" in capsys.readouterr().err
    assert run("compress", full, "-o", f"{full}/work") == 2
    assert "not in MAP" in capsys.readouterr().err and not Path(full, "work").exists()
    assert run("compress", full, "-o", small, "--descriptors", "pq", "--overwrite") == 0
    assert "64 dimensions, pq" in capsys.readouterr().out
