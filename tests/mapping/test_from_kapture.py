"""Maps of the features, matches and poses of a kapture: an exact scene."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hloc_lite import Localizer, Map
from hloc_lite.config import Config
from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.kapture import (
    FeatureHeader,
    Features,
    open_features,
    write_features,
    write_kapture,
)
from hloc_lite.formats.kapture.features import Kind
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.mapping.from_kapture import build_map_from_kapture
from hloc_lite.mapping.kapture_features import chosen_descriptors, own_name
from hloc_lite.scene import SfmModel
from hloc_lite.types import Status
from tests.compat.hloc_files import model_of_scene, views_of
from tests.exact_scene import DIM, ExactScene, NoWeights, make_scene, use_scene
from tests.mapping.colmap_databases import true_matches

MAPPED = {"db/a.png": 0, "db/ü b.png": 2, "db/c.png": 4, "e.png": 8}
QUERY = 5
TYPE = "exact"
CENTRE_COUNTED = "r2d2_exact"
"""Type of keypoints that are stored half a pixel less than COLMAP's."""


class Folder:
    """A kapture of an exact scene, with its photos; ``has_points`` keeps the true points."""

    def __init__(
        self, root: Path, scene: ExactScene, config: Config, *, has_points: bool, posed: bool,
        keypoints_type: str = TYPE,
    ) -> None:  # fmt: skip
        self.root, self.scene, self.config = root, scene, config
        views = views_of(scene, MAPPED)
        model = model_of_scene(scene, MAPPED, views)
        if not has_points:
            bare = posed_model({}, {})
            none = np.zeros(0, np.int64)
            images = tuple(
                replace(i, point3D_idxs=np.full(len(i.point3D_idxs), -1)) for i in model.images
            )
            model = SfmModel(model.cameras, images, none, bare.xyz, bare.rgb, bare.errors_px)
        cameras = dict.fromkeys(MAPPED, scene.camera)
        write_kapture(
            root, PosedImages(model=model, cameras=cameras), keypoints_type=keypoints_type,
            matches=true_matches(views),
        )  # fmt: skip
        if not posed:
            (root / "sensors/trajectories.txt").unlink()
        self.write("descriptors", {n: scene.descriptors[v.points] for n, v in views.items()},
                   keypoints_type=keypoints_type)  # fmt: skip
        scene.write_images(root / "sensors/records_data", MAPPED)

    def write(self, kind: Kind, arrays: dict[str, np.ndarray], keypoints_type: str = TYPE) -> None:
        size = next(iter(arrays.values())).shape[-1]
        header = FeatureHeader(TYPE, "float32", size, keypoints_type, "L2")
        stored = {name: rows.astype(np.float32) for name, rows in arrays.items()}
        write_features(self.root, kind, TYPE, header, stored)

    def build(self, output: Path | None = None, **options: Any) -> Map:
        return build_map_from_kapture(
            self.root, self.config, output=output, weights=NoWeights(), **options
        )

    def error_of_query(self, sfm_map: Map) -> float:
        localizer = Localizer(sfm_map, weights=NoWeights())
        result = localizer.localize(self.scene.image(QUERY), self.scene.camera)
        assert result.status is Status.LOCALIZED and result.pose is not None
        return pose_errors(result.pose.cam_from_world, self.scene.poses[QUERY])[0]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> tuple[ExactScene, Config]:
    made = make_scene()
    return made, use_scene(monkeypatch, made)


@pytest.mark.parametrize("keypoints_type", [TYPE, CENTRE_COUNTED])
@pytest.mark.parametrize("has_points", [True, False])
def test_with_poses(
    scene: tuple[ExactScene, Config],
    tmp_path: Path,
    keypoints_type: str,
    has_points: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kapture = Folder(
        tmp_path / "kapture", *scene, has_points=has_points, posed=True,
        keypoints_type=keypoints_type,
    )  # fmt: skip
    stored = open_features(kapture.root, "keypoints", keypoints_type).read("e.png")
    built = kapture.build(tmp_path / "map")
    assert built.config.features.name == "exact" and built.report["known_poses"]
    assert "another origin" not in caplog.text
    shift = 0.5 if keypoints_type == CENTRE_COUNTED else 0.0
    image = built.model.image_named("e.png")
    assert image is not None
    np.testing.assert_allclose(image.keypoints, stored + shift, atol=1e-4)
    if has_points:
        np.testing.assert_allclose(built.model.xyz, kapture.scene.points)
    assert built.model.num_points > 200
    assert kapture.error_of_query(built) < 1e-3
    again = kapture.build(tmp_path / "map")
    assert again.fingerprint == built.fingerprint


def test_without_poses(scene: tuple[ExactScene, Config], tmp_path: Path) -> None:
    kapture = Folder(tmp_path / "kapture", *scene, has_points=False, posed=False)
    built = kapture.build()
    assert len(built.model.images) == len(MAPPED) and "assessment" in built.report
    with pytest.raises(ConfigError, match="omit --metric"):
        kapture.build(metric=True)


def test_without_photos_its_global_features_are_kept(
    scene: tuple[ExactScene, Config], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kapture = Folder(tmp_path / "kapture", *scene, has_points=True, posed=True)
    shutil.rmtree(kapture.root / "sensors/records_data")
    with pytest.raises(FormatError, match="give the folder of the photos"):
        kapture.build()
    angles = {name: 0.1 * index for name, index in MAPPED.items()}
    rows = {name: 3 * np.array([np.cos(a), np.sin(a)]) for name, a in angles.items()}
    kapture.write("global_features", rows)
    built = kapture.build()
    assert "queries need them from elsewhere, by a package that registers" in caplog.text
    np.testing.assert_allclose(np.linalg.norm(built.global_descriptors, axis=1), 1, atol=1e-6)
    row = built.global_names.index("e.png")
    np.testing.assert_allclose(built.global_descriptors[row], rows["e.png"] / 3, atol=1e-6)


def test_images_without_features_or_pose_have_a_reason(
    scene: tuple[ExactScene, Config], tmp_path: Path
) -> None:
    kapture = Folder(tmp_path / "kapture", *scene, has_points=False, posed=True)
    (kapture.root / f"reconstruction/descriptors/{TYPE}/e.png.desc").unlink()
    reasons = {n: each.get("reason") for n, each in kapture.build().report["images"].items()}
    assert reasons == {
        "db/a.png": None, "db/ü b.png": None, "db/c.png": None,
        "e.png": "it has no features in the kapture",
    }  # fmt: skip


def test_several_types_are_chosen_by_name(scene: tuple[ExactScene, Config], tmp_path: Path) -> None:
    kapture = Folder(tmp_path / "kapture", *scene, has_points=True, posed=True)
    folder = kapture.root / "reconstruction/descriptors"
    shutil.copytree(folder / TYPE, folder / "other")
    with pytest.raises(ConfigError, match="choose one by --features: exact, other"):
        kapture.build()
    assert kapture.build(features_name="exact").config.features.name == "exact"
    shutil.rmtree(folder)
    with pytest.raises(FormatError, match="no descriptors"):
        kapture.build()


def test_which_features_of_this_package_they_are(
    scene: tuple[ExactScene, Config], tmp_path: Path
) -> None:
    kapture = Folder(tmp_path / "kapture", *scene, has_points=True, posed=True)
    name, found = chosen_descriptors(kapture.root, None)
    assert name == TYPE and found.header.dsize == DIM
    assert own_name("SIFT", sift_of(found, 128)) == "rootsift"
    assert own_name("SIFT", sift_of(found, 64)) is None
    assert own_name("aliked-n16_1024", sift_of(found, 128)) == "aliked-n16"
    assert own_name("R2D2", replace(found, header=replace(found.header, name="r2d2"))) is None


def sift_of(features: Features, dsize: int) -> Features:
    return replace(features, header=replace(features.header, name="sift", dsize=dsize))
