"""Maps of hloc's files, and maps as hloc's files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pycolmap
import pytest

from hloc_lite import Localizer, Map
from hloc_lite.errors import ConfigError, FormatError, StaleArtefactError
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.formats.colmap.database import ColmapDatabase
from hloc_lite.formats.hloc.features import FeaturesFile, StoredFeatures
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.mapping.from_hloc import build_map_from_hloc
from hloc_lite.mapping.hloc_files import HlocFiles
from hloc_lite.maps.hloc_export import export_hloc
from hloc_lite.scene import SfmModel
from hloc_lite.types import Status
from tests.compat.hloc_files import View, write_hloc_folder, write_matches_h5
from tests.exact_scene import ExactScene, NoWeights, mapped_scene

MAPPED = {"db/a.png": 0, "db/ü b.png": 3, "db/c.png": 6}


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[ExactScene, Map]]:
    with mapped_scene() as both:
        yield both


def write_global(path: Path, names: list[str], scene: ExactScene) -> None:
    with h5py.File(path, "w") as file:
        for name in names:
            angle = 0.1 * MAPPED[name]
            file[f"{name}/global_descriptor"] = np.array([np.cos(angle), np.sin(angle)])


def hloc_run(folder: Path, scene: ExactScene) -> dict[str, View]:
    """Output folder of hloc with three map images and a query."""
    views = write_hloc_folder(folder, scene, MAPPED, {"query/q.png": 4})
    write_global(folder / "global-feats-exact.h5", list(MAPPED), scene)
    return views


def test_round_trip(made: tuple[ExactScene, Map], tmp_path: Path) -> None:
    scene, sfm_map = made
    files = export_hloc(sfm_map, tmp_path / "hloc")
    assert files.features.name == "feats-exact.h5"
    assert files.matches.name == "feats-exact_matches-tracks_pairs-tracks.h5"
    again = build_map_from_hloc(tmp_path / "hloc", sfm_map.config, weights=NoWeights())
    assert again.config.features.name == again.config.retrieval.name == "exact"
    assert again.global_names == sfm_map.global_names
    np.testing.assert_array_equal(again.global_descriptors, sfm_map.global_descriptors)
    np.testing.assert_array_equal(again.retrieval_state["learned"], np.ones((2, 3)))
    np.testing.assert_array_equal(again.model.xyz, sfm_map.model.xyz)
    for ours, theirs in zip(sfm_map.model.images, again.model.images, strict=True):
        assert ours.name == theirs.name
        np.testing.assert_allclose(
            ours.cam_from_world.matrix, theirs.cam_from_world.matrix, atol=1e-12
        )
        np.testing.assert_array_equal(ours.point3D_idxs, theirs.point3D_idxs)
        before, after = sfm_map.features[ours.name], again.features[ours.name]
        np.testing.assert_array_equal(before.keypoints, after.keypoints)
        np.testing.assert_array_equal(before.descriptors, after.descriptors)
        np.testing.assert_array_equal(before.scores, after.scores)
    result = Localizer(again, weights=NoWeights()).localize(scene.image(5), scene.camera)
    assert result.pose is not None
    assert pose_errors(result.pose.cam_from_world, scene.poses[5])[0] < 1e-4


def test_exported_files_are_read_by_pycolmap_and_match_the_tracks(
    made: tuple[ExactScene, Map], tmp_path: Path
) -> None:
    files = export_hloc(made[1], tmp_path)
    model = pycolmap.Reconstruction(str(files.model))
    assert model.num_points3D() == made[1].model.num_points
    with ColmapDatabase(files.model / "database.db") as database:
        pairs = database.verified_pairs()
        view = database.two_view(*pairs[0])
    assert view is not None and view.kind == "CALIBRATED"  # COLMAP ignores pairs without a kind
    first, second = (model.find_image_with_name(name) for name in pairs[0])
    for i, j in view.inliers.tolist():
        assert first.points2D[i].point3D_id == second.points2D[j].point3D_id
    with pytest.raises(ConfigError, match="--overwrite"):
        export_hloc(made[1], tmp_path)
    export_hloc(made[1], tmp_path, overwrite=True)


def test_a_map_of_an_hloc_run(made: tuple[ExactScene, Map], tmp_path: Path) -> None:
    scene, sfm_map = made
    hloc_run(tmp_path / "run", scene)
    scene.write_images(tmp_path / "photos", MAPPED)
    built = build_map_from_hloc(
        tmp_path / "run",
        sfm_map.config,
        images=tmp_path / "photos",
        output=tmp_path / "map",
        weights=NoWeights(),
    )
    assert [image.name for image in built.model.images] == sorted(MAPPED)
    assert not built.config.images.exif_rotation
    result = Localizer(built, weights=NoWeights()).localize(scene.image(4), scene.camera)
    assert result.status is Status.LOCALIZED and result.pose is not None
    assert pose_errors(result.pose.cam_from_world, scene.poses[4])[0] < 1e-3
    again = build_map_from_hloc(
        tmp_path / "run", sfm_map.config, images=tmp_path / "photos", output=tmp_path / "map",
        weights=NoWeights(),
    )  # fmt: skip
    assert again.fingerprint == built.fingerprint
    with pytest.raises(StaleArtefactError, match="--overwrite"):
        build_map_from_hloc(
            tmp_path / "run", sfm_map.config, images=tmp_path / "photos",
            output=tmp_path / "map", weights=NoWeights(), metric=True,
        )  # fmt: skip


def test_descriptors_are_read_once(
    made: tuple[ExactScene, Map], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are large: keypoints alone are read for all else."""
    scene, sfm_map = made
    hloc_run(tmp_path / "run", scene)
    scene.write_images(tmp_path / "photos", MAPPED)
    read: list[str] = []
    original = FeaturesFile.__getitem__

    def counted(file: FeaturesFile, name: str) -> StoredFeatures:
        read.append(name)
        return original(file, name)

    monkeypatch.setattr(FeaturesFile, "__getitem__", counted)
    build_map_from_hloc(
        tmp_path / "run", sfm_map.config, images=tmp_path / "photos", weights=NoWeights()
    )
    # one image is compared with own features and checked against the model besides
    assert set(read) == set(MAPPED) and len(read) == len(MAPPED) + 2


def test_a_model_without_points_is_triangulated(
    made: tuple[ExactScene, Map], tmp_path: Path
) -> None:
    scene, sfm_map = made
    views = hloc_run(tmp_path, scene)
    model = read_model(tmp_path / "sfm")
    none = np.zeros(0, np.int64)
    xyz, rgb, errors = np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0)
    images = tuple(
        replace(image, keypoints=np.zeros((0, 2)), point3D_idxs=none) for image in model.images
    )
    bare = SfmModel(model.cameras, images, none, xyz, rgb, errors)
    write_model(tmp_path / "sfm", bare)
    names = list(MAPPED)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    write_matches_h5(tmp_path / "map-matches.h5", views, pairs)
    scene.write_images(tmp_path / "photos", MAPPED)
    built = build_map_from_hloc(
        tmp_path, sfm_map.config, images=tmp_path / "photos", weights=NoWeights()
    )
    assert built.model.num_points > 100
    image = built.model.images[0]
    seen = np.flatnonzero(image.point3D_idxs >= 0)
    true = scene.points[views[image.name].points[seen]]
    assert (
        np.median(np.linalg.norm(built.model.xyz[image.point3D_idxs[seen]] - true, axis=1)) < 1e-3
    )


def test_unknown_features_are_stored_and_opened_but_not_queried(
    made: tuple[ExactScene, Map], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene, sfm_map = made
    hloc_run(tmp_path / "run", scene)
    (tmp_path / "run/feats-exact.h5").rename(tmp_path / "run/feats-superpoint-n4096-r1024.h5")
    (tmp_path / "run/global-feats-exact.h5").rename(tmp_path / "run/global-feats-megaloc.h5")
    build_map_from_hloc(
        tmp_path / "run", sfm_map.config, output=tmp_path / "map", weights=NoWeights()
    )
    assert "queries need features from elsewhere" in caplog.text
    assert "registers the name 'megaloc'" in caplog.text
    opened = Map.open(tmp_path / "map")
    assert opened.outside_names["features.name"] == "superpoint-n4096-r1024"
    assert len(opened.features["db/a.png"]) > 100
    with pytest.raises(ConfigError, match="superpoint-n4096-r1024"):
        Localizer(opened, weights=NoWeights())


def test_features_of_another_network_are_refused(
    made: tuple[ExactScene, Map], tmp_path: Path
) -> None:
    scene, sfm_map = made
    hloc_run(tmp_path / "run", scene)
    scene.write_images(tmp_path / "photos", MAPPED)
    with h5py.File(tmp_path / "run/feats-exact.h5", "r+") as file:
        for name in MAPPED:
            values = file[f"{name}/descriptors"]
            values[...] = np.roll(values[...], 1, axis=0)
    with pytest.raises(FormatError, match=r"are not exact: at .* common keypoints"):
        build_map_from_hloc(
            tmp_path / "run", sfm_map.config, images=tmp_path / "photos", weights=NoWeights()
        )


def test_a_model_of_keypoints_half_a_pixel_off_is_refused(
    made: tuple[ExactScene, Map], tmp_path: Path
) -> None:
    scene, sfm_map = made
    write_hloc_folder(tmp_path, scene, MAPPED, {}, shift=0.0)
    write_global(tmp_path / "global-feats-exact.h5", list(MAPPED), scene)
    with pytest.raises(FormatError, match="keypoints elsewhere"):
        build_map_from_hloc(tmp_path, sfm_map.config, weights=NoWeights())


def test_several_files_of_a_kind_are_listed(made: tuple[ExactScene, Map], tmp_path: Path) -> None:
    scene, sfm_map = made
    hloc_run(tmp_path, scene)
    content = (tmp_path / "feats-exact.h5").read_bytes()
    (tmp_path / "more").mkdir()
    (tmp_path / "more/feats-other.h5").write_bytes(content)
    with pytest.raises(ConfigError, match=r"--hloc-features: .*feats-exact.h5, .*feats-other.h5"):
        build_map_from_hloc(tmp_path, sfm_map.config, weights=NoWeights())
    files = HlocFiles(features=tmp_path / "feats-exact.h5")
    with pytest.raises(FormatError, match="--hloc-global"):
        (tmp_path / "global-feats-exact.h5").unlink()
        build_map_from_hloc(tmp_path, sfm_map.config, files=files, weights=NoWeights())
    # a file of the queries only is not one of the model
    with h5py.File(tmp_path / "more/feats-other.h5", "r+") as file:
        del file["db"]
    scene.write_images(tmp_path / "photos", MAPPED)
    built = build_map_from_hloc(
        tmp_path, sfm_map.config, images=tmp_path / "photos", weights=NoWeights()
    )
    assert len(built.model.images) == 3


def test_an_empty_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(FormatError, match="no COLMAP model"):
        build_map_from_hloc(tmp_path, weights=NoWeights())
