"""Maps of the features and matches in COLMAP databases: exact scenes, and photos seen by COLMAP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite import Localizer, Map
from hloc_lite.cli.main import main
from hloc_lite.config import Config, load_config
from hloc_lite.errors import ConfigError, FormatError, MappingError, StaleArtefactError
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.colmap.database import ColmapDatabase
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.geometry.similarity import fit_similarity
from hloc_lite.mapping.colmap_features import ColmapFeatures, features_of_database
from hloc_lite.mapping.from_colmap import build_map_from_colmap
from hloc_lite.mapping.run import MapInputs
from hloc_lite.scene import SfmModel
from hloc_lite.types import Rigid3, Status
from tests.compat.box_scene import CAMERA, poses, render, write_room
from tests.compat.hloc_files import View, model_of_scene, views_of
from tests.exact_scene import ExactScene, NoWeights, make_scene, use_scene
from tests.mapping.colmap_databases import change, run_colmap, write_scene_database
from tests.robustness.stand_ins import register

MAPPED = {"db/a.png": 0, "db/ü b.png": 2, "db/c.png": 4, "db/d.png": 6, "e.png": 8}
QUERY = 5


class Database:
    """Database of an exact scene, with its photos."""

    def __init__(self, folder: Path, scene: ExactScene, config: Config) -> None:
        self.path, self.photos = folder / "database.db", folder / "photos"
        self.scene, self.config = scene, config
        self.views: dict[str, View] = views_of(scene, MAPPED)
        scene.write_images(self.photos, MAPPED)
        write_scene_database(self.path, scene, self.views)

    def build(self, reference: SfmModel | None = None, output: Path | None = None) -> Map:
        return build_map_from_colmap(
            self.path, self.photos, self.config, inputs=MapInputs(reference=reference),
            features_name="exact", output=output, weights=NoWeights(),
        )  # fmt: skip

    def error_of_query(self, sfm_map: Map) -> float:
        """Distance of a left-out photo from its true place."""
        localizer = Localizer(sfm_map, weights=NoWeights())
        result = localizer.localize(self.scene.image(QUERY), self.scene.camera)
        assert result.status is Status.LOCALIZED and result.pose is not None
        return pose_errors(result.pose.cam_from_world, self.scene.poses[QUERY])[0]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    scene = make_scene()
    return Database(tmp_path, scene, use_scene(monkeypatch, scene))


def test_points_are_triangulated_with_known_poses(database: Database, tmp_path: Path) -> None:
    reference = database.scene.reference(MAPPED)
    built = database.build(reference, tmp_path / "map")
    assert built.model.num_points > 200 and built.report["known_poses"]
    for image in built.model.images:
        view = database.views[image.name]
        np.testing.assert_allclose(image.keypoints, view.xy, atol=1e-4)  # COLMAP's pixels are ours
        seen = np.flatnonzero(image.point3D_idxs >= 0)
        true = database.scene.points[view.points[seen]]
        errors = np.linalg.norm(built.model.xyz[image.point3D_idxs[seen]] - true, axis=1)
        assert np.median(errors) < 1e-3
    assert database.error_of_query(built) < 1e-3
    again = database.build(reference, tmp_path / "map")
    assert again.fingerprint == built.fingerprint
    change(database.path, "DELETE FROM matches")
    with pytest.raises(StaleArtefactError, match="--overwrite"):
        database.build(reference, tmp_path / "map")


def test_matches_that_colmap_did_not_verify_are_verified(database: Database) -> None:
    reference = database.scene.reference(MAPPED)
    for kind in ("", "UNDEFINED"):  # not verified, and put in by another program
        database.path.unlink()
        write_scene_database(database.path, database.scene, database.views, kind)
        built = database.build(reference)
        assert built.model.num_points > 200
        assert database.error_of_query(built) < 1e-3
    database.path.unlink()
    write_scene_database(database.path, database.scene, database.views, "WATERMARK")
    with pytest.raises(FormatError, match="no matches between the images"):
        database.build(reference)


@pytest.mark.parametrize("kind", ["CALIBRATED", "CALIBRATED_RIG", ""])
def test_a_map_from_scratch(database: Database, kind: str) -> None:
    database.path.unlink()
    write_scene_database(database.path, database.scene, database.views, kind)
    built = database.build()
    assert len(built.model.images) == len(MAPPED) and not built.report["known_poses"]
    assert "assessment" in built.report and built.report["candidates"]
    true = {name: database.scene.poses[index].center for name, index in MAPPED.items()}
    found = np.array([image.cam_from_world.center for image in built.model.images])
    centers = np.array([true[image.name] for image in built.model.images])
    similarity = fit_similarity(found, centers)
    assert similarity is not None
    np.testing.assert_allclose(similarity.apply(found), centers, atol=0.01)
    result = Localizer(built, weights=NoWeights()).localize(
        database.scene.image(QUERY), database.scene.camera
    )
    assert result.pose is not None
    place = similarity.apply(result.pose.cam_from_world.center[None])[0]
    assert np.linalg.norm(place - database.scene.poses[QUERY].center) < 0.02


def test_points_of_a_model_of_the_database_are_kept(database: Database) -> None:
    model = model_of_scene(database.scene, MAPPED, database.views)
    kept = database.build(model)
    np.testing.assert_array_equal(kept.model.xyz, database.scene.points)
    assert database.error_of_query(kept) < 1e-3
    # of keypoints half a pixel off: poses are kept, points are triangulated again
    images = [replace(i, keypoints=np.asarray(i.keypoints) + 0.5) for i in model.images]
    other = database.build(replace(model, images=tuple(images)))
    assert len(other.model.xyz) != len(database.scene.points)
    np.testing.assert_allclose(
        other.model.images[0].cam_from_world.matrix, model.images[0].cam_from_world.matrix
    )
    assert database.error_of_query(other) < 1e-3


def test_wrong_poses_are_noticed(database: Database) -> None:
    reference = database.scene.reference(MAPPED)
    inverse = [replace(i, cam_from_world=i.cam_from_world.inverse()) for i in reference.images]
    with pytest.raises(MappingError, match="given poses do not fit"):
        database.build(replace(reference, images=tuple(inverse)))


def test_images_that_cannot_be_used_have_a_reason(database: Database, tmp_path: Path) -> None:
    change(database.path, "DELETE FROM descriptors WHERE image_id = 1")
    (database.photos / "e.png").unlink()
    known = {name: index for name, index in MAPPED.items() if name != "db/c.png"}
    built = database.build(database.scene.reference(known))
    reasons = {name: each.get("reason") for name, each in built.report["images"].items()}
    assert reasons == {
        "db/a.png": "it has no features in the database",
        "db/ü b.png": None,
        "db/c.png": "the reference model lacks it",
        "db/d.png": None,
        "e.png": "its photo is not in the folder of the photos",
    }
    with pytest.raises(FormatError, match="relative to the folder of the photos"):
        build_map_from_colmap(
            database.path, tmp_path, database.config, features_name="exact", weights=NoWeights()
        )


@pytest.mark.parametrize(
    ("statement", "error", "message"),
    [
        ("DELETE FROM descriptors", FormatError, "has no descriptors.*--from-hloc"),
        ("DROP TABLE descriptors", FormatError, "has no descriptors"),
        ("UPDATE descriptors SET type = 3", ConfigError, "type LOMA_B, which hloc_lite cannot"),
        ("UPDATE descriptors SET type = 77", ConfigError, "type 77, which hloc_lite cannot"),
        ("UPDATE descriptors SET type = image_id % 2", FormatError, "several types"),
    ],
)
def test_features_that_queries_cannot_have(
    database: Database, statement: str, error: type[Exception], message: str
) -> None:
    change(database.path, statement)
    with (
        ColmapDatabase(database.path) as opened,
        pytest.raises(error, match=message),
    ):
        features_of_database(opened)


def test_damaged_features_are_refused(database: Database) -> None:
    change(
        database.path,
        "UPDATE descriptors SET rows = rows - 1, data = substr(data, 1, length(data) - cols)",
    )
    with ColmapDatabase(database.path) as opened:
        features = ColmapFeatures(opened, tuple(MAPPED))
        with pytest.raises(FormatError, match=r"keypoints, .* descriptors"):
            features["e.png"]
        with pytest.raises(KeyError):
            features["f.png"]
        with pytest.raises(FormatError, match=r"no features of 1 image .*'f\.png'"):
            ColmapFeatures(opened, ["f.png"])


def test_features_of_another_network_are_refused(database: Database) -> None:
    scene = database.scene
    rolled = replace(scene, descriptors=np.roll(scene.descriptors, 1, axis=1))
    database.path.unlink()
    write_scene_database(database.path, rolled, database.views)
    with pytest.raises(FormatError, match=r"are not exact: .* let hloc_lite extract its own"):
        database.build(scene.reference(MAPPED))


def test_keypoints_half_a_pixel_off_are_warned_of(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.build(database.scene.reference(MAPPED))
    assert "another origin" not in caplog.text
    shifted = {n: View(view.xy - 0.5, view.points) for n, view in database.views.items()}
    database.path.unlink()
    write_scene_database(database.path, database.scene, shifted)
    database.build(database.scene.reference(MAPPED))
    assert "the keypoints lie (-0.50, -0.50) px from those of exact" in caplog.text


class Room:
    """Photos of a room with known poses, whose SIFT and matches pycolmap has computed."""

    def __init__(self, root: Path) -> None:
        self.images, self.reference = root / "images", root / "reference"
        cameras = poses(9)
        named: dict[str, Rigid3] = {f"db/raum {i}.png": cameras[i] for i in (0, 1, 2, 3, 5, 6, 8)}
        self.query = cameras[4]
        self.model = write_room(self.images, named)
        write_model(self.reference, self.model)
        for normalization in ("L1_ROOT", "L2"):
            run_colmap(
                root / f"{normalization}.db", self.images, list(named), normalization=normalization
            )
        self.databases = root

    def error_of_query(self, sfm_map: Map) -> float:
        result = Localizer(sfm_map, weights=NoWeights()).localize(render(self.query), CAMERA)
        assert result.status is Status.LOCALIZED and result.pose is not None
        return pose_errors(result.pose.cam_from_world, self.query)[0]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with register():
        yield Room(tmp_path_factory.mktemp("room"))


@pytest.mark.parametrize("normalization", ["L1_ROOT", "L2"])
def test_sift_of_colmap_is_rootsift(room: Room, normalization: str) -> None:
    config = load_config(overrides={"retrieval": {"name": "thumbnail"}})
    path = room.databases / f"{normalization}.db"
    built = build_map_from_colmap(
        path, room.images, config, inputs=MapInputs(reference=room.model), weights=NoWeights()
    )
    assert built.config.features.name == "rootsift"
    assert room.error_of_query(built) < 0.01  # of a room of 8 m
    name = built.model.images[0].name
    with ColmapDatabase(room.databases / "L1_ROOT.db") as database:
        rooted = ColmapFeatures(database, [name])[name]
    stored = built.features[name]
    assert len(rooted) == len(stored)
    similarity = np.einsum("kd,kd->k", rooted.descriptors, stored.descriptors)
    assert np.median(similarity) > 0.999  # plain SIFT would have 0.93 to 0.96


def test_the_command(room: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = room.databases / "L1_ROOT.db"
    command = ["map", str(room.images), "-o", str(tmp_path / "map"), "--offline",
               "--retrieval", "thumbnail", "--from-colmap", str(database)]  # fmt: skip
    with pytest.raises(SystemExit) as stop:
        main([*command, "--reference", str(room.reference), "--metric"])
    assert stop.value.code == 0
    assert "7 of 7 images registered" in capsys.readouterr().out
    built = Map.open(tmp_path / "map", trust=True)
    assert built.config.matching.max_ratio == 0.85  # tuned for rootsift
    assert built.report["metric"] and room.error_of_query(built) < 0.01


def test_the_command_needs_photos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["map", "-o", str(tmp_path / "map"), "--from-colmap", str(tmp_path / "a.db")])
    assert stop.value.code == 2 and "give IMAGES" in capsys.readouterr().err
