"""transforms.json: poses and lenses by hand, files on disk, writers, damaged files."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hloc_lite.errors import FormatError
from hloc_lite.formats.nerfstudio import TransformsScene, read_transforms
from hloc_lite.formats.nerfstudio_writers import write_instant_ngp, write_nerfstudio
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.geometry.cameras import CAMERA_MODELS, img_from_cam
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Rigid3
from tests.formats.tracked_scenes import mutations, names

IDENTITY = np.eye(4).tolist()
PINHOLE = {"fl_x": 700.0, "fl_y": 710.0, "cx": 321.0, "cy": 239.0, "w": 640, "h": 480}
STATED = {**PINHOLE, "camera_model": "PINHOLE"}


def frame(name: str, **keys: Any) -> dict[str, Any]:
    return {"file_path": name, "transform_matrix": IDENTITY, **keys}


def read(folder: Path, content: Any, **options: Any) -> TransformsScene:
    path = folder / "transforms.json"
    path.write_text(json.dumps(content))
    return read_transforms(path, **{"check_images": False, **options})


def only_camera(scene: TransformsScene) -> Camera:
    (camera,) = scene.posed.model.cameras.values()
    return camera


def save_images(folder: Path, *image_names: str, size: tuple[int, int] = (640, 480)) -> None:
    for name in image_names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(folder / name)


def test_matrices_are_world_from_cam_of_opengl_cameras(tmp_path: Path) -> None:
    # columns: right, up, back, position
    right, up, back, position = [0, 1, 0], [0, 0, 1], [1, 0, 0], [3.0, 4.0, 5.0]
    matrix = [*np.column_stack([right, up, back, position]).tolist(), [0, 0, 0, 1]]
    scene = read(tmp_path, {**STATED, "frames": [frame("a.png", transform_matrix=matrix)]})
    pose = scene.posed.model.images[0].cam_from_world
    np.testing.assert_allclose(pose.center, position, atol=1e-12)
    np.testing.assert_allclose(pose.rotation[0], right, atol=1e-12)
    np.testing.assert_allclose(pose.rotation[1], np.negative(up), atol=1e-12)
    np.testing.assert_allclose(pose.rotation[2], np.negative(back), atol=1e-12)
    three_rows = read(tmp_path, {**STATED, "frames": [frame("a", transform_matrix=matrix[:3])]})
    np.testing.assert_array_equal(
        three_rows.posed.model.images[0].cam_from_world.matrix, pose.matrix
    )


def test_the_applied_transform_and_scale_are_undone(tmp_path: Path) -> None:
    # nerfstudio's exporter: rows 0, 2, 1 of the world, then z negated; and a factor of 2.5
    applied = np.array([[1.0, 0, 0, 0.5], [0, 0, 1, 0], [0, -1, 0, 0]])
    before = np.eye(4)
    before[:3, :3], before[:3, 3] = exp_so3([0.3, -0.2, 0.9]), [1.0, 2.0, 3.0]
    after = np.vstack([applied, [0, 0, 0, 1]]) @ before
    after[:3, 3] *= 2.5
    keys = {"applied_transform": applied.tolist(), "applied_scale": 2.5}
    plain = read(tmp_path, {**STATED, "frames": [frame("a", transform_matrix=before.tolist())]})
    undone = read(
        tmp_path, {**STATED, **keys, "frames": [frame("a", transform_matrix=after.tolist())]}
    )
    np.testing.assert_allclose(
        undone.posed.model.images[0].cam_from_world.matrix,
        plain.posed.model.images[0].cam_from_world.matrix,
        atol=1e-12,
    )
    assert undone.posed.notes == ("applied_transform and applied_scale were undone",)


def test_scale_and_offset_of_instant_ngp_do_not_change_poses(tmp_path: Path) -> None:
    content = {**PINHOLE, "scale": 0.1, "offset": [1, 2, 3], "frames": [frame("a.png")]}
    scene = read(tmp_path, content)
    np.testing.assert_array_equal(scene.posed.model.images[0].cam_from_world.center, 0)
    assert "scale and offset of instant-ngp only show the world" in scene.posed.notes[0]


@pytest.mark.parametrize("model", [name for name in CAMERA_MODELS if name != "EQUIRECTANGULAR"])
def test_every_camera_model_of_colmap_is_read_by_its_parameter_names(
    model: str, tmp_path: Path
) -> None:
    params, keys = [], {"w": 640, "h": 480, "camera_model": model}
    keys_of = {"f": "fl_x", "fx": "fl_x", "fy": "fl_y", "k": "k1"}
    values = {"f": 700.0, "fx": 700.0, "fy": 710.0, "cx": 321.0, "cy": 239.0}
    values |= {"alpha": 0.4, "beta": 1.1, "omega": 0.7}
    for index, name in enumerate(CAMERA_MODELS[model].param_names):
        value = values.get(name, 0.001 * (index + 1))
        params.append(value)
        keys[keys_of.get(name, name)] = value
    camera = only_camera(read(tmp_path, {**keys, "frames": [frame("a.png")]}))
    assert camera.model == model
    np.testing.assert_array_equal(camera.params, params)


@pytest.mark.parametrize(
    ("keys", "model", "params"),
    [
        (STATED, "PINHOLE", [700, 710, 321, 239]),
        (PINHOLE, "PINHOLE", [700, 710, 321, 239]),
        ({**STATED, "camera_model": "SIMPLE_PINHOLE"}, "OPENCV", [700, 710, 321, 239, 0, 0, 0, 0]),
        ({**STATED, "k1": 0.1, "p2": 0.01}, "OPENCV", [700, 710, 321, 239, 0.1, 0, 0, 0.01]),
        (
            {**STATED, "camera_model": "OPENCV", "k3": 0.02},
            "FULL_OPENCV",
            [700, 710, 321, 239, 0, 0, 0, 0, 0.02, 0, 0, 0],
        ),
        (
            {**PINHOLE, "is_fisheye": True, "k1": 0.1, "k4": 0.01, "p1": 0.3},
            "OPENCV_FISHEYE",
            [700, 710, 321, 239, 0.1, 0, 0, 0.01],
        ),
        (
            {**STATED, "camera_model": "FISHEYE", "k1": 0.1},
            "OPENCV_FISHEYE",
            [700, 710, 321, 239, 0.1, 0, 0, 0],
        ),
        ({"w": 640, "h": 480, "camera_model": "EQUIRECTANGULAR"}, "EQUIRECTANGULAR", [640, 480]),
        ({"w": 640, "h": 480, "fl_x": 700}, "PINHOLE", [700, 700, 320, 240]),
        (
            {"w": 640, "h": 480, "camera_angle_x": 2 * math.atan(0.5)},
            "PINHOLE",
            [640, 640, 320, 240],
        ),
        ({"w": 640, "h": 480, "x_fov": 90, "y_fov": 60}, "PINHOLE", [320, 415.692194, 320, 240]),
    ],
)
def test_lenses(keys: dict[str, Any], model: str, params: list[float], tmp_path: Path) -> None:
    camera = only_camera(read(tmp_path, {**keys, "frames": [frame("a.png")]}))
    assert camera.model == model
    np.testing.assert_allclose(camera.params, params, rtol=1e-8, atol=1e-12)


def test_intrinsics_of_a_frame_override_those_of_the_file(tmp_path: Path) -> None:
    frames = [frame("a.png"), frame("b.png", fl_x=650.0, w=320, h=240, cx=160, cy=120)]
    cameras = read(tmp_path, {**STATED, "frames": frames}).posed.cameras
    np.testing.assert_array_equal(cameras["a.png"].params, [700, 710, 321, 239])
    np.testing.assert_array_equal(cameras["b.png"].params, [650, 710, 160, 120])
    assert cameras["b.png"].width == 320


def test_contradicting_fields_of_view_are_told(tmp_path: Path) -> None:
    content = {**PINHOLE, "camera_angle_x": 1.5, "frames": [frame("a.png")]}
    assert "camera_angle_x contradicts fl_x: fl_x was used" in read(tmp_path, content).posed.notes


def test_half_pixels_are_shifted_only_on_request(tmp_path: Path) -> None:
    content = {**STATED, "frames": [frame("a.png")]}
    camera = only_camera(read(tmp_path, content, pixel_shift=0.5))
    np.testing.assert_array_equal(camera.params[2:], [321.5, 239.5])


def test_synthetic_scenes_have_no_suffix_and_no_size(tmp_path: Path) -> None:
    save_images(tmp_path, "train/r_0.png", size=(80, 80))
    content = {"camera_angle_x": 2 * math.atan(0.5), "frames": [frame("./train/r_0")]}
    scene = read(tmp_path, content, check_images=True)
    assert [*scene.posed.cameras] == ["train/r_0.png"]
    np.testing.assert_allclose(only_camera(scene).params, [80, 80, 40, 40])
    with pytest.raises(FormatError, match="w and h are missing"):
        read(tmp_path, content)


def test_images_beside_the_file_at_a_quarter_of_the_size(tmp_path: Path) -> None:
    save_images(tmp_path, "1.png", "3.png", size=(160, 120))
    frames = [frame(f"./images/{number}.png") for number in range(1, 5)]
    scene = read(tmp_path, {**STATED, "frames": frames}, check_images=True)
    assert [image.name for image in scene.posed.model.images] == ["1.png", "3.png"]
    camera = only_camera(scene)
    assert (camera.width, camera.height) == (160, 120)
    np.testing.assert_allclose(camera.params, [175, 177.5, 80.25, 59.75])
    assert scene.posed.image_folder == tmp_path
    text = " ".join(scene.posed.notes)
    assert "2 frames of 4 left out, whose files are missing, such as './images/2.png'" in text
    assert "2 frames found in another folder" in text
    assert "2 images of another size than stated, such as '1.png' with 160 x 120" in text


def test_images_in_their_place_make_no_notes(tmp_path: Path) -> None:
    save_images(tmp_path, "images/a b.png", "images/c.PNG".lower())
    frames = [frame("./images/a b.png"), frame("images\\c")]
    scene = read(tmp_path, {**STATED, "frames": frames}, check_images=True)
    assert [*scene.posed.cameras] == ["images/a b.png", "images/c.png"]
    assert scene.posed.notes == ()


def test_paths_of_another_machine_need_the_image_folder(tmp_path: Path) -> None:
    save_images(tmp_path, "photos/a.png", "photos/b.png", "photos/x/c.png")
    written = ("/home/me/images/a.png", "C:\\data\\b.png", "../../x/c.png")
    for each in written:
        with pytest.raises(FormatError, match=r"frame 1: .*leaves.*give the image folder"):
            read(tmp_path, {**STATED, "frames": [frame(each)]}, check_images=True)
    scene = read(
        tmp_path,
        {**STATED, "frames": [frame(each) for each in written]},
        check_images=True,
        image_folder=tmp_path / "photos",
    )
    assert [*scene.posed.cameras] == ["a.png", "b.png", "x/c.png"]


@pytest.mark.parametrize("path", ["..", "a/..", "/", "C:", "", ".", "a\0", "../.."])
def test_no_path_leads_out_of_the_folder(path: str, tmp_path: Path) -> None:
    for options in ({}, {"image_folder": tmp_path}):
        with pytest.raises(FormatError):
            read(tmp_path, {**STATED, "frames": [frame(path)]}, **options)


def test_masks_and_depths_are_returned_by_image(tmp_path: Path) -> None:
    save_images(tmp_path, "a.png", "b.png", "masks/a.png", "depths/a.png")
    frames = [
        frame("a.png", mask_path="masks/a.png", depth_file_path="./depths/a.png"),
        frame("b.png", mask_path="masks/b.png"),
    ]
    scene = read(tmp_path, {**STATED, "frames": frames}, check_images=True)
    assert scene.masks == {"a.png": tmp_path / "masks/a.png"}
    assert scene.depths == {"a.png": tmp_path / "depths/a.png"}
    assert scene.posed.notes == ("1 frame without its mask, whose file is missing",)
    with pytest.raises(FormatError, match=r"frame 1: .*leaves the image folder"):
        read(tmp_path, {**STATED, "frames": [frame("a", mask_path="../m.png")]})


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    save_images(tmp_path, "a.png", size=(480, 640))
    with pytest.raises(FormatError, match=r"frame 1: .*shapes differ"):
        read(tmp_path, {**STATED, "frames": [frame("a.png")]}, check_images=True)
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(FormatError, match=r"a\.png: its size cannot be read"):
        read(tmp_path, {**STATED, "frames": [frame("a.png")]}, check_images=True)


BAD = [[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
MIRROR = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected an object with a list 'frames'"),
        ({"frames": 3}, "expected an object with a list 'frames'"),
        ({"frames": [3]}, "expected an object with a list 'frames'"),
        ({**STATED, "frames": [{"transform_matrix": IDENTITY}]}, "frame 1: 'file_path' is missing"),
        ({**STATED, "frames": [frame("a", file_path=3)]}, "frame 1: 'file_path' must be text"),
        ({**STATED, "frames": [frame("a"), frame("./a")]}, "frame 2: 'a' is the image of two"),
        ({**STATED, "frames": [{"file_path": "a"}]}, "'transform_matrix' must have 3 or 4 rows"),
        ({**STATED, "frames": [frame("a", transform_matrix=[[1, 2]])]}, "3 or 4 rows"),
        ({**STATED, "frames": [frame("a", transform_matrix=BAD)]}, "frame 1: .*no rotation"),
        ({**STATED, "frames": [frame("a", transform_matrix=MIRROR)]}, "frame 1: .*no rotation"),
        (
            {**STATED, "frames": [frame("a", transform_matrix=[*BAD[:3], [1, 0, 0, 1]])]},
            "last row 0 0 0 1",
        ),
        (
            {**STATED, "frames": [frame("a", transform_matrix=[[None] * 4] * 3)]},
            "3 or 4 rows of 4 numbers",
        ),
        (
            {**STATED, "frames": [frame("a", transform_matrix=[[math.nan] * 4] * 3)]},
            "must be a finite number",
        ),
        ({**STATED, "fl_x": 10**400, "frames": [frame("a")]}, "'fl_x' must be a finite number"),
        ({**STATED, "fl_x": "700", "frames": [frame("a")]}, "'fl_x' must be a finite number"),
        ({**STATED, "fl_x": True, "frames": [frame("a")]}, "'fl_x' must be a finite number"),
        ({**STATED, "fl_x": 20, "frames": [frame("a")]}, "frame 1: focal length 20 px"),
        ({**STATED, "w": 640.5, "frames": [frame("a")]}, "w and h must be whole pixels"),
        ({**STATED, "w": -640, "frames": [frame("a")]}, "w and h must be whole pixels"),
        ({"w": 640, "h": 480, "frames": [frame("a")]}, "neither fl_x nor camera_angle_x"),
        ({"w": 9, "h": 9, "camera_angle_x": 4, "frames": [frame("a")]}, "field of view must be"),
        ({"w": 9, "h": 9, "x_fov": 5e-324, "frames": [frame("a")]}, "field of view must be"),
        ({**STATED, "applied_scale": 1e-320, "frames": [frame("a")]}, "'applied_scale' must be"),
        ({**STATED, "camera_model": "X", "frames": [frame("a")]}, "unknown camera_model 'X'"),
        ({**STATED, "camera_model": [], "frames": [frame("a")]}, "unknown camera_model"),
        ({**STATED, "is_fisheye": True, "frames": [frame("a")]}, "contradicts is_fisheye"),
        ({**STATED, "k4": 0.1, "frames": [frame("a")]}, "a perspective lens with k4"),
        ({**STATED, "camera_model": "FOV", "frames": [frame("a")]}, "FOV needs 'omega'"),
        (
            {**STATED, "camera_model": "FOV", "omega": 0.5, "k1": 0.1, "frames": [frame("a")]},
            "FOV does not have",
        ),
        (
            {**STATED, "camera_model": "SIMPLE_DIVISION", "frames": [frame("a")]},
            "SIMPLE_DIVISION does not have two focal lengths",
        ),
        ({**STATED, "ftheta_p0": 0.1, "frames": [frame("a")]}, "is an f-theta lens"),
        ({**STATED, "applied_scale": 0, "frames": [frame("a")]}, "'applied_scale' must be above 0"),
        (
            {**STATED, "applied_transform": MIRROR, "frames": [frame("a")]},
            "'applied_transform' is no rotation",
        ),
        ({**STATED, "applied_transform": BAD, "frames": [frame("a")]}, "'applied_transform'"),
    ],
)
def test_bad_content_is_named(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        read(tmp_path, content)


def test_missing_images_only_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none of the 1 images was found.*give the image folder"):
        read(tmp_path, {**STATED, "frames": [frame("a.png")]}, check_images=True)
    (tmp_path / "transforms.json").write_text("[" * 100_000)
    with pytest.raises(FormatError, match="is not JSON"):
        read_transforms(tmp_path / "transforms.json")


finite = st.floats(-1e6, 1e6)
poses = st.builds(
    lambda r, t: Rigid3(exp_so3(r), np.array(t)),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(finite, finite, finite),
)
WRITABLE = (
    "SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "SIMPLE_FISHEYE", "FISHEYE",
    "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "OPENCV_FISHEYE",
)  # fmt: skip


def some_camera(model: str, focal: float) -> Camera:
    layout = CAMERA_MODELS[model]
    params = np.linspace(0.01, 0.03, layout.num_params)
    params[: layout.num_focals] = [focal, 1.1 * focal][: layout.num_focals]
    params[layout.num_focals : layout.num_focals + 2] = 321, 239
    return Camera(model, 640, 480, params)


@settings(max_examples=60)
@given(
    st.dictionaries(names, st.tuples(poses, st.sampled_from(WRITABLE)), min_size=1, max_size=4),
    st.sampled_from([write_nerfstudio, write_instant_ngp]),
)
def test_written_files_are_read_again(images: dict[str, tuple[Rigid3, str]], write: Any) -> None:
    cameras = {name: some_camera(model, 600.0) for name, (_, model) in images.items()}
    model = posed_model(cameras, {name: pose for name, (pose, _) in images.items()})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "transforms.json"
        write(path, model)
        found = read_transforms(path, check_images=False).posed
    assert [image.name for image in found.model.images] == [i.name for i in model.images]
    points = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 4], (20, 3))
    for got, want in zip(found.model.images, model.images, strict=True):
        pose = want.cam_from_world
        np.testing.assert_allclose(got.cam_from_world.rotation, pose.rotation, atol=1e-14)
        np.testing.assert_allclose(
            got.cam_from_world.translation,
            pose.translation,
            atol=1e-14 * (1 + np.abs(pose.translation).max()),
        )
        np.testing.assert_allclose(
            img_from_cam(found.cameras[got.name], points),
            img_from_cam(cameras[want.name], points),
            atol=1e-9,
        )


def test_instant_ngp_gets_cameras_around_its_cube(tmp_path: Path) -> None:
    center = np.array([100.0, -50, 7])
    offsets = [(20, 0, 0), (-20, 0, 0), (0, 20, 0), (0, -20, 0)]
    model = posed_model(
        {f"{i}.png": some_camera("PINHOLE", 600) for i in range(4)},
        {f"{i}.png": Rigid3(np.eye(3), -(center + offsets[i])) for i in range(4)},
    )
    write_instant_ngp(tmp_path / "t.json", model, prefix="images/")
    content = json.loads((tmp_path / "t.json").read_text())
    placed = [
        np.array(each["transform_matrix"])[:3, 3] * content["scale"] + content["offset"]
        for each in content["frames"]
    ]
    np.testing.assert_allclose(np.mean(placed, axis=0), [0.5, 0.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(np.subtract(placed, 0.5), axis=1), 1.32)
    assert content["frames"][0]["file_path"] == "images/0.png"
    assert content["camera_angle_x"] == pytest.approx(2 * math.atan(320 / 600))


@pytest.mark.parametrize("write", [write_nerfstudio, write_instant_ngp])
def test_what_a_file_cannot_hold_is_refused(write: Any, tmp_path: Path) -> None:
    def model(name: str, camera: Camera) -> SfmModel:
        return posed_model({name: camera}, {name: Rigid3.identity()})

    with pytest.raises(FormatError, match="no lens like FOV: undistort"):
        write(tmp_path / "t.json", model("a", some_camera("FOV", 600)))
    with pytest.raises(FormatError, match="leaves the folder"):
        write(tmp_path / "t.json", model("../a", some_camera("PINHOLE", 600)))
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mutations(
        json.dumps(
            {**STATED, "applied_transform": IDENTITY[:3], "k1": 0.1, "frames": [frame("a.png")]}
        ).encode()
    )
)
def test_mutated_files_raise_only_format_errors(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mutated.json"
    path.write_bytes(data)
    try:
        scene = read_transforms(path, check_images=False)
    except FormatError:
        return
    for image in scene.posed.model.images:
        assert np.isfinite(image.cam_from_world.matrix).all()


def test_a_real_file_with_most_images_missing() -> None:
    folder = os.environ.get("HLOC_LITE_FIELD_DATA")
    path = Path(folder or ".").parent / "cases" / "transforms" / "transforms.json"
    if folder is None or not path.is_file():
        pytest.skip("needs HLOC_LITE_FIELD_DATA")
    posed = read_transforms(path).posed
    assert len(posed.model.images) == 61
    (camera,) = posed.model.cameras.values()
    assert (camera.model, camera.width, camera.height) == ("OPENCV", 480, 270)
    np.testing.assert_allclose(camera.params[:4] * 4, [1676.08, 1676.22, 961.43, 530.84], atol=0.01)
    assert "241 frames of 302 left out" in posed.notes[0]
