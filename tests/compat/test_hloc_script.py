"""A script as users of hloc write it, with one import changed, on photos of a small room."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pycolmap
import pytest

from hloc_lite.compat.hloc import (
    extract_features,
    localize_sfm,
    match_features,
    networks,
    pairs_from_covisibility,
    pairs_from_exhaustive,
    pairs_from_poses,
    pairs_from_retrieval,
    reconstruction,
    triangulation,
    visualization,
)
from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.geometry.similarity import fit_similarity
from hloc_lite.types import Rigid3
from tests.compat.box_scene import CAMERA, poses, write_room
from tests.robustness.stand_ins import register

FEATURES: dict[str, Any] = {
    "output": "feats-sift",
    "model": {"name": "dog", "max_keypoints": 800},
    "preprocessing": {"resize_max": 1600},
}
OUTPUT = "feats-sift"
RETRIEVAL = {"output": "global-feats-thumbnail", "model": {"name": "thumbnail"}}
MATCHES = match_features.confs["NN-ratio"]


class Room:
    """Folder with photos, a reference model, and the names of both kinds of photos."""

    def __init__(self, root: Path) -> None:
        cameras = poses(9)
        self.images, self.outputs = root / "images", root / "outputs"
        named = {f"db/raum {i}.png": cameras[i] for i in (0, 1, 2, 3, 5, 6, 8)}
        self.queries = {f"query/nacht/ü{i}.png": cameras[i] for i in (4, 7)}
        write_model(root / "reference", write_room(self.images, named))
        write_room(self.images, self.queries)
        self.reference, self.mapped = root / "reference", named
        params = " ".join(map(str, CAMERA.params))
        lines = [f"{name} SIMPLE_RADIAL 320 240 {params}\n" for name in self.queries]
        self.query_list = root / "queries_with_intrinsics.txt"
        self.query_list.write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with register():
        yield Room(tmp_path_factory.mktemp("room"))


@pytest.fixture(scope="module")
def features(room: Room) -> Path:
    return extract_features.main(FEATURES, room.images, room.outputs)


@pytest.fixture(scope="module")
def model(room: Room, features: Path) -> pycolmap.Reconstruction:
    """Triangulated from the reference poses, as in hloc's pipeline for Aachen."""
    pairs = room.outputs / "pairs-db-poses3.txt"
    pairs_from_poses.main(room.reference, pairs, 3)
    matches = match_features.main(MATCHES, pairs, OUTPUT, room.outputs)
    assert matches.name == "feats-sift_matches-NN-mutual-ratio.8_pairs-db-poses3.h5"
    return triangulation.main(
        room.outputs / "sfm", room.reference, room.images, pairs, features, matches
    )


def test_known_poses_and_localization(
    room: Room, features: Path, model: pycolmap.Reconstruction
) -> None:
    assert features == room.outputs / "feats-sift.h5"
    assert model.num_reg_images() == 7 and model.num_points3D() > 300
    files = {path.name for path in (room.outputs / "sfm").iterdir()}
    assert {"cameras.bin", "images.bin", "points3D.bin", "database.db"} <= files
    descriptors = extract_features.main(RETRIEVAL, room.images, room.outputs)
    pairs = room.outputs / "pairs-query-thumbnail4.txt"
    pairs_from_retrieval.main(
        descriptors, pairs, 4, query_prefix="query", db_model=room.outputs / "sfm"
    )
    lines = pairs.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 8 and lines[0].startswith("query/nacht/ü4.png db/raum ")
    matches = match_features.main(MATCHES, pairs, OUTPUT, room.outputs)
    results = room.outputs / "results.txt"
    localize_sfm.main(room.outputs / "sfm", room.query_list, pairs, features, matches, results)
    found = read_poses(results)
    for name, true in room.queries.items():
        distance, angle_deg = pose_errors(found[name.split("/")[-1]], true)
        assert distance < 0.02 and angle_deg < 0.2, name
    drawn = visualization.visualize_loc(
        results, room.images, room.outputs / "sfm", n=2, output=room.outputs / "pictures"
    )
    assert [path.suffix for path in drawn] == [".png", ".png"]


def test_colors_and_pictures_of_the_model(room: Room, model: pycolmap.Reconstruction) -> None:
    colors = np.array([point.color for point in model.points3D.values()])
    assert colors.std() > 20
    for kind in visualization.COLORINGS:
        (path,) = visualization.visualize_sfm_2d(
            model, room.images, color_by=kind, output=room.outputs / kind
        )
        assert path.read_bytes().startswith(b"\x89PNG")


def test_reconstruction_from_scratch(room: Room, features: Path) -> None:
    names = list(room.mapped)
    pairs = room.outputs / "pairs-exhaustive.txt"
    pairs_from_exhaustive.main(pairs, image_list=names)
    assert len(pairs.read_text(encoding="utf-8").splitlines()) == 21
    matches = match_features.main(MATCHES, pairs, OUTPUT, room.outputs)
    options = {"camera_model": "SIMPLE_RADIAL", "camera_params": "260,160,120,0"}
    model = reconstruction.main(
        room.outputs / "scratch", room.images, pairs, features, matches,
        image_list=names, image_options=options, camera_mode=pycolmap.CameraMode.SINGLE,
    )  # fmt: skip
    assert model.num_reg_images() == 7 and len(model.cameras) == 1
    images = {image.name: image for image in model.images.values()}
    found = np.array([images[name].projection_center() for name in names])
    true = np.array([room.mapped[name].center for name in names])
    fitted = fit_similarity(found, true)
    assert fitted is not None
    assert np.linalg.norm(fitted.apply(found) - true, axis=1).max() < 0.05
    covisible = room.outputs / "pairs-covisible.txt"
    pairs_from_covisibility.main(room.outputs / "scratch", covisible, 2)
    assert len(covisible.read_text(encoding="utf-8").splitlines()) == 14


def test_queries_join_files_that_are_there(room: Room, tmp_path: Path) -> None:
    names = list(room.mapped)
    first = extract_features.main(FEATURES, room.images, tmp_path, image_list=names[:2])
    with h5py.File(first) as file:
        before = {name: file[f"{name}/keypoints"][()] for name in names[:2]}
        assert file[f"{names[0]}/descriptors"].dtype == np.float16
        assert file[f"{names[0]}/descriptors"].shape == (128, len(before[names[0]]))
        assert file[f"{names[0]}/keypoints"].dtype == np.float32
        np.testing.assert_array_equal(file[f"{names[0]}/image_size"][()], [320, 240])
    extract_features.main(FEATURES, room.images, tmp_path, image_list=names[:3])
    with h5py.File(first) as file:
        for name, keypoints in before.items():
            np.testing.assert_array_equal(file[f"{name}/keypoints"][()], keypoints)
        assert names[2] in file
    pairs = tmp_path / "pairs.txt"
    pairs_from_exhaustive.main(pairs, image_list=names[:2])
    path = match_features.main(MATCHES, pairs, first, matches=tmp_path / "m.h5")
    with h5py.File(path) as file:
        (key,), (other,) = list(file), list(file["db-raum 0.png"])
        matches0 = file[f"{key}/{other}/matches0"][()]
    pairs_from_exhaustive.main(pairs, features=first)
    match_features.main(MATCHES, pairs, first, matches=path)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file[f"{key}/{other}/matches0"][()], matches0)
        assert sum(len(group) for group in file.values()) == 3
    write_pairs = f"{names[0]} {names[4]}\n"
    pairs.write_text(write_pairs, encoding="utf-8")
    with pytest.raises(FormatError, match="known names"):
        match_features.main(MATCHES, pairs, first, matches=path)


def test_other_networks_are_named_once(
    room: Room, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    networks.warn_once.cache_clear()
    for _ in range(2):
        found = networks.features_network(extract_features.confs["superpoint_aachen"]["model"])
        assert found is not None and found.name == "aliked-n16"
        assert networks.matcher_network(match_features.confs["superglue"]["model"]).name == (
            "lightglue-aliked"
        )
    assert len(caplog.records) == 2
    assert "aliked-n16 is used in its place" in caplog.text
    aliked = networks.features_network(extract_features.confs["aliked-n16"]["model"])
    assert aliked == networks.Network("aliked-n16", True)
    assert len(caplog.records) == 2
    with pytest.raises(ConfigError, match="unknown extractor 'nothing'"):
        networks.features_network({"name": "nothing"})


@pytest.mark.parametrize(
    "conf", [*extract_features.confs.values()], ids=list(extract_features.confs)
)
def test_every_configuration_of_features_has_a_network(conf: dict[str, dict[str, str]]) -> None:
    model = conf["model"]
    assert (networks.features_network(model) or networks.descriptor_network(model)).name


@pytest.mark.parametrize("conf", [*match_features.confs.values()], ids=list(match_features.confs))
def test_every_configuration_of_matchers_has_a_network(conf: dict[str, dict[str, str]]) -> None:
    assert networks.matcher_network(conf["model"]).name


def test_command_line(room: Room, features: Path, tmp_path: Path) -> None:
    output = tmp_path / "pairs.txt"
    command = [sys.executable, "-m", "hloc_lite.compat.hloc.pairs_from_exhaustive"]
    done = subprocess.run(
        [*command, "--output", str(output), "--features", str(features)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(output.read_text(encoding="utf-8").splitlines()) == 36
    done = subprocess.run([*command, "--output", str(output)], capture_output=True, text=True)
    assert done.returncode == 2 and "error: give image_list or features" in done.stderr


def test_poses_are_those_of_the_reference(room: Room, model: pycolmap.Reconstruction) -> None:
    for image in model.images.values():
        matrix = image.cam_from_world().matrix()
        found = Rigid3(matrix[:, :3], matrix[:, 3])
        np.testing.assert_allclose(found.matrix, room.mapped[image.name].matrix, atol=1e-9)
