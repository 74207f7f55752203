"""Depth of map images from files: found by name, registered, and with honest errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.config import LiftingConfig
from hloc_lite.errors import FormatError
from hloc_lite.formats import seven_scenes
from hloc_lite.formats.depth_cameras import DepthCamera, depth_camera_of
from hloc_lite.formats.map_depth import DepthFile, DepthFiles, find_depth_files
from hloc_lite.formats.recorded_depth import depth_files
from hloc_lite.types import Camera, Rigid3

CAMERA = Camera("PINHOLE", 64, 48, np.array([50.0, 50.0, 32.0, 24.0]))
DEPTH_CAMERA = """
camera = ["PINHOLE", 64, 48, 58.0, 58.0, 32.0, 24.0]
photo_from_depth = [[1.0, 0.0, 0.0, -0.02], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
"""


def write_depth(path: Path, value: int = 2000, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size[::-1], value, np.uint16)).save(path)
    return path


@pytest.mark.parametrize(
    ("photo", "depth"),
    [
        ("a.jpg", "a.jpg.png"),
        ("a.jpg", "a.png"),
        ("seq-01/frame-000000.color.png", "seq-01/frame-000000.depth.png"),
        ("seq-01/frame-000000.color.png", "seq-01/frame-000000.color.png"),
        ("frame-000000.color.jpg", "frame-000000.rendered.depth.png"),
        ("frame_00000.jpg", "depth_00000.png"),
        ("rgb/0001.png", "depth/0001.png"),
    ],
)
def test_depth_images_are_found_by_the_name_of_the_photo(
    tmp_path: Path, photo: str, depth: str
) -> None:
    write_depth(tmp_path / depth)
    files = find_depth_files(tmp_path, [photo, "other.jpg"])
    assert {name: file.path for name, file in files.items()} == {photo: tmp_path / depth}
    found = DepthFiles(files, {photo: CAMERA}).depth_of(photo)
    assert found is not None and (found.depths == 2).all() and found.image_size == (64, 48)


def test_names_stay_in_the_folder_and_the_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="does not exist"):
        find_depth_files(tmp_path / "no", ["a.jpg"])
    with pytest.raises(FormatError, match="leaves the depth folder"):
        find_depth_files(tmp_path, ["../a.jpg"])


def test_steps_and_fingerprints(tmp_path: Path) -> None:
    files = {"a.jpg": DepthFile(write_depth(tmp_path / "a.png", 10000))}
    depth = DepthFiles(files, {"a.jpg": CAMERA}, LiftingConfig(integer_step=0.0002))
    found = depth.depth_of("a.jpg")
    assert found is not None and np.allclose(found.depths, 2.0)
    assert depth.depth_of("b.jpg") is None and depth.fingerprint("b.jpg") is None
    before = depth.fingerprint("a.jpg")
    assert before == DepthFiles(files, {"a.jpg": CAMERA}).fingerprint("a.jpg")
    moved = DepthCamera(CAMERA, Rigid3(np.eye(3), np.array([0.1, 0.0, 0.0])))
    assert DepthFiles(files, {"a.jpg": CAMERA}, camera=moved).fingerprint("a.jpg") != before
    write_depth(tmp_path / "a.png", 9999)
    assert depth.fingerprint("a.jpg") != before


def test_depth_of_another_camera_is_registered(tmp_path: Path) -> None:
    (tmp_path / "camera.toml").write_text(DEPTH_CAMERA, encoding="utf-8")
    camera = depth_camera_of(str(tmp_path / "camera.toml"))
    values = np.full((48, 64), 4000, np.uint16)
    values[:, 32:] = 2000  # a step in the middle of the depth image
    Image.fromarray(values).save(tmp_path / "a.png")
    files = {"a.jpg": DepthFile(tmp_path / "a.png")}
    found = DepthFiles(files, {"a.jpg": CAMERA}, camera=camera).depth_of("a.jpg")
    assert found is not None
    # the near side moves by 50 * 0.02 / 2 = 0.5 px to the left
    assert (found.depths[24, 32:50] == 2).all() and (found.depths[24, 10:30] == 4).all()
    assert set(np.unique(found.depths[np.isfinite(found.depths)])) == {2.0, 4.0}


def test_the_camera_of_seven_scenes_is_known() -> None:
    camera = depth_camera_of("7scenes")
    assert camera.camera.params[0] == seven_scenes.DEPTH_FOCAL_PX
    np.testing.assert_allclose(camera.photo_from_depth.translation[0], -0.02556, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camera = 3", "expected camera ="),
        ('camera = ["PINHOLE", 64, 48, 58.0]', "PINHOLE"),
        ('camera = ["NONE", 64, 48, 58.0]', "NONE"),
        ('camera = ["PINHOLE", 64, "48", 58.0]', "expected numbers"),
        (DEPTH_CAMERA.replace("-0.02], ", "], "), "three or four rows"),
        (DEPTH_CAMERA.replace("[1.0, 0.0, 0.0,", "[5.0, 0.0, 0.0,"), "rotation"),
        ('camera = ["PINHOLE", inf, 48, 58.0, 58.0, 32.0, 24.0]', "camera: cannot convert"),
        ('camera = ["PINHOLE", 64, nan, 58.0, 58.0, 32.0, 24.0]', "camera: cannot convert"),
        ('camera = ["PINHOLE", 64, 1e300, 58.0, 58.0, 32.0, 24.0]', "out of range"),
        ("camera = [", "not TOML"),
    ],
)
def test_a_bad_depth_camera_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "camera.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=message):
        depth_camera_of(str(path))
    with pytest.raises(FormatError, match="known camera"):
        depth_camera_of("no such camera")


def test_transforms_json_names_depth_images(tmp_path: Path) -> None:
    write_depth(tmp_path / "depth" / "one.png")
    frames = [
        {
            "file_path": "images/0001.jpg",
            "depth_file_path": "depth/one.png",
            "transform_matrix": np.eye(4).tolist(),
        }
    ]
    values = {"fl_x": 50, "fl_y": 50, "cx": 32, "cy": 24, "w": 64, "h": 48, "frames": frames}
    (tmp_path / "transforms.json").write_text(json.dumps(values), encoding="utf-8")
    for path in (tmp_path, tmp_path / "transforms.json"):
        for name in ("images/0001.jpg", "0001.jpg"):
            files = depth_files(path, [name])
            assert files[name].path == tmp_path / "depth" / "one.png"


def test_kapture_depth_has_its_own_camera_and_raw_values(tmp_path: Path) -> None:
    sensors = tmp_path / "sensors"
    (sensors / "records_data").mkdir(parents=True)
    tables = {
        "sensors.txt": "cam, , camera, PINHOLE, 64, 48, 50, 50, 32, 24\n"
        "tof, , depth, PINHOLE, 32, 24, 25, 25, 16, 12\n",
        "rigs.txt": "rig, cam, 1, 0, 0, 0, 0, 0, 0\nrig, tof, 1, 0, 0, 0, 0.1, 0, 0\n",
        "records_camera.txt": "5, cam, a.jpg\n6, cam, b.jpg\n",
        "records_depth.txt": "5, tof, a.depth\n",
    }
    for name, text in tables.items():
        (sensors / name).write_text("# kapture format: 1.1\n" + text, encoding="utf-8")
    np.full((24, 32), 2.0, "<f4").tofile(sensors / "records_data" / "a.depth")
    files = depth_files(tmp_path, ["a.jpg", "b.jpg"])
    assert list(files) == ["a.jpg"] and files["a.jpg"].raw_size == (32, 24)
    camera = files["a.jpg"].camera
    assert camera is not None
    # tof_from_rig moves by 0.1, so the camera sees its points at -0.1
    np.testing.assert_allclose(camera.photo_from_depth.translation, [-0.1, 0, 0])
    found = DepthFiles(files, {"a.jpg": CAMERA}).depth_of("a.jpg")
    assert found is not None and found.depths.shape == (48, 64)
    assert (found.depths[:, :60] == 2.0).mean() > 0.9


def test_capture_sessions_keep_depth_beside_their_images(tmp_path: Path) -> None:
    tables = {
        "sensors.txt": "cam, , camera, PINHOLE, 64, 48, 50, 50, 32, 24\n",
        "images.txt": "5, cam, a.jpg\n",
        "depths.txt": "5, cam, a.depth.png\n",
    }
    for name, text in tables.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    write_depth(tmp_path / "raw_data" / "a.depth.png")
    files = depth_files(tmp_path, ["a.jpg"])
    assert files["a.jpg"].path.name == "a.depth.png" and files["a.jpg"].camera is None


def test_unsure_pixels_of_phones_are_left_out(tmp_path: Path) -> None:
    header = "timestamp, frame, x, y, z, qx, qy, qz, qw\n0.0, 000000, 0, 0, 0, 0, 0, 0, 1\n"
    (tmp_path / "odometry.csv").write_text(header, encoding="utf-8")
    (tmp_path / "camera_matrix.csv").write_text("50,0,32\n0,50,24\n0,0,1\n", encoding="utf-8")
    write_depth(tmp_path / "depth" / "000000.png", size=(16, 12))
    sure = np.full((12, 16), 2, np.uint8)
    sure[:6] = 0
    (tmp_path / "confidence").mkdir()
    Image.fromarray(sure).save(tmp_path / "confidence" / "000000.png")
    for name in ("000000.jpg", "frame_000000.jpg"):
        files = depth_files(tmp_path, [name])
        found = DepthFiles(files, {name: CAMERA}).depth_of(name)
        assert found is not None
        assert np.isnan(found.depths[:6]).all() and (found.depths[6:] == 2).all()


def test_tum_depth_is_the_nearest_in_time(tmp_path: Path) -> None:
    (tmp_path / "rgb.txt").write_text("1.00 rgb/1.png\n2.00 rgb/2.png\n", encoding="utf-8")
    (tmp_path / "depth.txt").write_text("1.01 depth/a.png\n2.50 depth/b.png\n", encoding="utf-8")
    for name in "ab":
        write_depth(tmp_path / "depth" / f"{name}.png")
    files = depth_files(tmp_path, ["rgb/1.png", "rgb/2.png"])
    assert {name: file.path.name for name, file in files.items()} == {"rgb/1.png": "a.png"}
