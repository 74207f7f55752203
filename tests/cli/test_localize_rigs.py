"""``hloc-lite localize --rig``: photos of one time get one pose, by any definition of COLMAP."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hloc_lite.cli.main import main
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.colmap.database_writing import number_images, write_database
from hloc_lite.formats.colmap.model_rigs import rigs_of_model
from hloc_lite.formats.colmap.rig_config import ConfigCamera, read_rig_config, write_rig_config
from hloc_lite.formats.hloc_lists import read_poses, write_queries
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.results import read_results_jsonl
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Rigid3, Status
from tests.exact_scene import ExactScene, NoWeights, make_scene, use_scene

QUERIES = {"left/1.png": 3, "left/2.png": 7, "right/1.png": 5}
"""Two photos of one time, and one that was taken alone."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    """A folder with map/ and images/ of the exact scene, and the scene."""
    with pytest.MonkeyPatch.context() as patch:
        root, scene = tmp_path_factory.mktemp("world"), make_scene()
        config = use_scene(patch, scene)
        names = {f"map {i}.png": i for i in (0, 1, 2, 4, 6, 8)}
        images = {name: scene.image(index) for name, index in names.items()}
        inputs = MapInputs(reference=scene.reference(names))
        build_map(images, config, inputs=inputs, weights=NoWeights(), output=root / "map")
        scene.write_images(root / "images", QUERIES)
        yield root, scene


@pytest.fixture
def run(world: tuple[Path, ExactScene], tmp_path: Path, monkeypatch, capsys):
    """(exit code, stderr) of ``hloc-lite localize MAP ...`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    folder = ("--images", world[0] / "images", "-o", "poses.txt", "--jsonl", "all.jsonl")

    def call(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as stop:
            main(["localize", str(world[0] / "map"), *map(str, (*folder, *arguments))])
            raise SystemExit(0)
        return int(stop.value.code or 0), capsys.readouterr().err

    return call


def right_from_left(scene: ExactScene) -> Rigid3:
    return scene.poses[5].compose(scene.poses[3].inverse())


def rig_model(scene: ExactScene, names: dict[str, int] = QUERIES) -> SfmModel:
    """Model with a camera of its own for each side; the first photos of both are of one frame."""
    none = np.zeros((0, 2)), np.zeros(0, np.int64)
    images = [
        SfmImage(
            number, name, 4 if "left" in name else 9, scene.poses[index], *none,
            1 if "1" in name else None,
        )
        for number, (name, index) in enumerate(sorted(names.items()), start=1)
    ]  # fmt: skip
    cameras = {4: scene.camera, 9: scene.camera}
    return replace(scene.reference({}), cameras=cameras, images=tuple(images))


def as_model(path: Path, scene: ExactScene) -> Path:
    write_model(path / "sparse/0", rig_model(scene))
    return path


def as_text(path: Path, scene: ExactScene) -> Path:
    pycolmap = pytest.importorskip("pycolmap")
    write_model(path / "bin", rig_model(scene))
    (path / "txt").mkdir()
    pycolmap.Reconstruction(str(path / "bin")).write_text(str(path / "txt"))
    return path / "txt"


def as_database(path: Path, scene: ExactScene) -> Path:
    model = rig_model(scene)
    images = number_images({image.name: scene.camera for image in model.images})
    ids = {image.name: image.camera_id for image in model.images}
    path.mkdir()
    write_database(path / "d.db", replace(images, camera_ids=ids), {}, rigs=rigs_of_model(model))
    return path / "d.db"


def as_config(path: Path, scene: ExactScene, **right: Any) -> Path:
    given = {"model": scene.camera.model, "params": scene.camera.params}
    pose = right.pop("pose", right_from_left(scene))
    path.mkdir()
    write_rig_config(path / "rig_config.json", [(
        ConfigCamera(image_prefix="left/", is_reference=True, cam_from_rig=None, **given),
        ConfigCamera(image_prefix="right/", cam_from_rig=pose, **{**given, **right}),
    )])  # fmt: skip
    return path / "rig_config.json"


def of_other_photos(path: Path, scene: ExactScene) -> Path:
    names = {"drive/left/a1.png": 3, "drive/right/a1.png": 5}
    moved = {name.removeprefix("drive/"): index for name, index in names.items()}
    write_model(path, rig_model(scene, moved))
    return path


@pytest.mark.parametrize(
    ("definition", "kind"),
    [
        (as_model, "COLMAP model"),
        (as_text, "COLMAP model"),
        (as_database, "COLMAP database"),
        (as_config, "rig_config.json"),
        (of_other_photos, "COLMAP model"),
    ],
)
def test_a_rig_is_localized_by_any_definition(world, run, tmp_path, definition, kind) -> None:
    _, scene = world
    path = definition(tmp_path / "rig", scene)
    code, err = run("--rig", path)
    assert code == 0, err
    assert f"{kind}, 1 frame of several photos, with 2 of the 3 photos" in err
    assert ("its images are others" in err) == (definition is of_other_photos)
    poses = read_poses(Path("poses.txt"))
    assert set(poses) == set(QUERIES)
    for name, index in QUERIES.items():
        distance, angle_deg = pose_errors(poses[name], scene.poses[index])
        assert distance < 1e-4 and angle_deg < 1e-3
    results = {result.query_name: result for result in read_results_jsonl(Path("all.jsonl"))}
    for name in ("left/1.png", "right/1.png"):
        assert results[name].counts["rig_photos"] == 2
        assert results[name].reason.startswith("rig of 2 photos: ")
        assert results[name].confidence is None
    assert results["left/2.png"].confidence is not None
    assert "rig_photos" not in results["left/2.png"].counts
    assert not list(Path().glob(".*"))


def test_a_camera_that_contradicts_its_rig_has_no_pose(world, run, tmp_path: Path) -> None:
    _, scene = world
    right = right_from_left(scene)
    shifted = Rigid3(right.rotation, right.translation + np.array([1.5, 0, 0]))
    run("--rig", as_config(tmp_path / "rig", scene, pose=shifted))
    results = {result.query_name: result for result in read_results_jsonl(Path("all.jsonl"))}
    pair = [results["left/1.png"], results["right/1.png"]]
    (doubtful,) = (result for result in pair if result.status is Status.DOUBTFUL)
    assert "its mounting or intrinsics are likely wrong" in doubtful.reason
    assert "1.5 map units" in doubtful.reason and doubtful.pose is None
    (agreeing,) = (result for result in pair if result is not doubtful)
    true = scene.poses[QUERIES[agreeing.query_name]]
    assert pose_errors(agreeing.pose.cam_from_world, true)[0] < 1e-3


def test_a_photo_without_inliers_has_the_pose_of_its_rig(world, run, tmp_path: Path) -> None:
    _, scene = world
    wrong = {"params": scene.camera.params * (2, 1, 1, 1)}  # no pose fits its matches
    code, err = run("--rig", as_config(tmp_path / "rig", scene, **wrong))
    assert code == 0, err
    for name, pose in read_poses(Path("poses.txt")).items():
        assert pose_errors(pose, scene.poses[QUERIES[name]])[0] < 1e-3
    results = {result.query_name: result for result in read_results_jsonl(Path("all.jsonl"))}
    assert results["right/1.png"].counts["inliers"] == 0


def test_lists_give_intrinsics_and_choose_photos(world, run, tmp_path: Path) -> None:
    _, scene = world
    path = as_config(tmp_path / "rig", scene)
    value = json.loads(path.read_text())
    for camera in value[0]["cameras"]:
        del camera["camera_model_name"], camera["camera_params"]
    path.write_text(json.dumps(value))
    code, err = run("--rig", path)
    assert code == 2 and "has no intrinsics, which rigs need: give them with --queries" in err
    write_queries(Path("q.txt"), dict.fromkeys(["left/1.png", "right/1.png"], scene.camera))
    code, err = run("--rig", path, "--queries", "q.txt")
    assert code == 0 and "with 2 of the 2 photos" in err, err
    write_queries(Path("q.txt"), {"left/1.png": scene.camera, "left/2.png": scene.camera})
    code, err = run("--rig", path, "--queries", "q.txt")
    assert code == 2 and "no two of the 2 photos were taken at one time" in err


def test_cameras_without_pose_are_localized_alone(world, run, tmp_path: Path) -> None:
    _, scene = world
    path = as_config(tmp_path / "rig", scene, pose=None)
    assert read_rig_config(path)[0][1].cam_from_rig is None
    code, err = run("--rig", path)
    assert code == 2 and "1 photo of cameras whose pose on the rig is unknown" in err


def test_guessed_intrinsics_of_a_database_are_named(world, run, tmp_path: Path) -> None:
    scene = world[1]
    guessed = replace(scene, camera=replace(scene.camera, has_prior_focal=False))
    _, err = run("--rig", as_database(tmp_path / "rig", guessed))
    assert "the focal lengths of 2 photos are guesses" in err


def test_an_interrupted_run_resumes(world, run, tmp_path: Path, monkeypatch) -> None:
    from hloc_lite.localize.localizer import Localizer

    path, calls = as_config(tmp_path / "rig", world[1]), []

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    whole = Localizer.localize_rig
    with monkeypatch.context() as patch:
        patch.setattr(Localizer, "localize", stop)
        run("--rig", path)
    assert Path(".poses.txt.progress").is_file() and not Path("poses.txt").exists()

    def counted(self: Localizer, *arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return whole(self, *arguments, **options)

    monkeypatch.setattr(Localizer, "localize_rig", counted)
    code, err = run("--rig", path)
    assert code == 0 and calls == [], err
    assert set(read_poses(Path("poses.txt"))) == set(QUERIES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fallback", "retrieval"), "--fallback is for single photos"),
        (("--max-wrong", "0.1"), "--max-wrong is for single photos"),
        (("--recalibrate",), "--recalibrate is for single photos"),
        (("--report", "report"), "--report is for single photos"),
    ],
)
def test_options_that_rigs_do_not_have_are_refused(world, run, tmp_path, options, message) -> None:
    code, err = run("--rig", as_config(tmp_path / "rig", world[1]), *options)
    assert code == 2 and message in err


def test_what_defines_no_rig_is_refused(world, run, tmp_path: Path) -> None:
    root, scene = world
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "a.json").write_text("{}")
    old = rig_model(scene)
    write_model(tmp_path / "old", old)
    for part in ("rigs", "frames"):
        (tmp_path / "old" / f"{part}.bin").unlink()
    apart = replace(scene.reference({}), cameras=old.cameras, images=tuple(
        replace(image, name=f"top {image.image_id}.png") for image in old.images
    ))  # fmt: skip
    write_model(tmp_path / "others", apart)
    for path, message in [
        ("a.txt", "defines no rigs: expected a folder with a COLMAP model"),
        ("a.json", "expected a list of rigs"),
        ("old", "has no rigs: expected rigs.bin and frames.bin"),
        ("others", "is of other photos, first 'top 1.png'"),
        ("none", "does not exist"),
    ]:
        code, err = run("--rig", tmp_path / path)
        assert code == 2 and message in err, err
    code, err = run("--queries", as_config(tmp_path / "rig", scene))
    assert code == 2 and "names no images: give it as --rig" in err
    code, err = run("--rig", root / "images/left/1.png")
    assert code == 2 and "defines no rigs" in err


def test_an_unreadable_photo_has_no_pose(world, run, tmp_path: Path) -> None:
    root, scene = world
    photo = root / "images/right/1.png"
    whole = photo.read_bytes()
    photo.write_bytes(b"no image")
    try:
        code, err = run("--rig", as_model(tmp_path / "rig", scene))
    finally:
        photo.write_bytes(whole)
    assert code == 0, err
    results = {result.query_name: result for result in read_results_jsonl(Path("all.jsonl"))}
    assert results["right/1.png"].status is Status.UNREADABLE
    assert results["left/1.png"].status is Status.LOCALIZED
