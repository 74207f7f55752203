"""NVM: text by hand with every trap of the format, round trips, damaged files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hloc_lite.errors import FormatError
from hloc_lite.formats.nvm import read_nvm, write_nvm
from hloc_lite.formats.track_lists import parse_numbers
from hloc_lite.types import Camera
from tests.formats.tracked_scenes import (
    assert_same,
    mutations,
    names,
    scene,
    with_first_keypoint_lost,
)

HALF = np.sqrt(0.5)
CENTER_A, CENTER_B = np.array([1.0, 2.0, -9.0]), np.array([-8.0, 0.5, 0.0])
ROTATION_B = np.array([[0, 0, -1.0], [0, 1, 0], [1, 0, 0]])
"""90 degrees about y: camera B looks along the world's +x."""
QUATERNION_B = f"{HALF} 0 {-HALF} 0"
POINTS = np.array(
    [[0, 0, 0], [0.5, 1, 1], [1, -1, 2], [2, 1, -1], [-1, 0.3, 0.7], [0.1, 0.2, -0.9]], float
)
FOCAL, SIZE = 700.0, (640, 480)


def pixels(rotation: np.ndarray, center: np.ndarray, k: float = 0.0) -> np.ndarray:
    """(6, 2) COLMAP pixels by COLMAP's formula of SIMPLE_RADIAL."""
    in_cam = (POINTS - center) @ rotation.T
    uv = in_cam[:, :2] / in_cam[:, 2:]
    distorted = uv * (1 + k * (uv**2).sum(axis=1, keepdims=True))
    return FOCAL * distorted + np.array(SIZE) / 2


def nvm_text(
    first: str = "a.jpg",
    second: str = "b.jpg",
    *,
    header: str = "NVM_V3 ",
    origin: tuple[float, float] = (320, 240),
    k: float = 0.0,
    scale_y: float = 1.0,
    cameras: tuple[str, str] | None = None,
) -> str:
    """A model of two images that both see six points, as VisualSFM writes it."""
    in_a, in_b = pixels(np.eye(3), CENTER_A, k), pixels(ROTATION_B, CENTER_B, k)
    if cameras is None:
        cameras = (
            f"{FOCAL} 1 0 0 0 {CENTER_A[0]} {CENTER_A[1]} {CENTER_A[2]} {-k} 0",
            f"{FOCAL} {QUATERNION_B} {CENTER_B[0]} {CENTER_B[1]} {CENTER_B[2]} {-k} 0",
        )
    lines = [header, "", "2", f"{first}\t{cameras[0]}", f"{second}\t{cameras[1]}", "", "6"]
    for row, (x, y, z) in enumerate(POINTS.tolist()):
        (ax, ay), (bx, by) = in_a[row] - origin, in_b[row] - origin
        lines.append(
            f"{x} {y} {z} {row} 20 255 2 0 {row + 3} {ax} {ay * scale_y} "
            f"1 {row + 7} {bx} {by * scale_y}"
        )
    return "\n".join([*lines, "", "", "0", "", "#the last part of NVM file", "0", ""])


def written(folder: Path, text: str) -> Path:
    path = folder / "model.nvm"
    path.write_text(text, encoding="utf-8")
    return path


def intrinsics(*image_names: str, k: float = 0.0) -> dict[str, Camera]:
    params = np.array([FOCAL, 320, 240, k])
    return {name: Camera("SIMPLE_RADIAL", *SIZE, params) for name in image_names}


def save_images(folder: Path, *image_names: str, size: tuple[int, int] = SIZE) -> None:
    for name in image_names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(folder / name)


def test_positions_are_camera_centres_and_measurements_are_centred(tmp_path: Path) -> None:
    save_images(tmp_path, "a.jpg", "b.jpg")
    posed = read_nvm(written(tmp_path, nvm_text()), image_folder=tmp_path)
    a, b = posed.model.images
    np.testing.assert_allclose(a.cam_from_world.center, CENTER_A, atol=1e-12)
    np.testing.assert_allclose(b.cam_from_world.center, CENTER_B, atol=1e-12)
    np.testing.assert_allclose(b.cam_from_world.rotation, ROTATION_B, atol=1e-12)
    assert a.keypoints is not None
    np.testing.assert_allclose(a.keypoints, pixels(np.eye(3), CENTER_A), atol=1e-9)
    np.testing.assert_array_equal(a.point3D_idxs, range(6))
    np.testing.assert_array_equal(posed.model.xyz, POINTS)
    np.testing.assert_array_equal(posed.model.rgb[:, 0], range(6))
    assert posed.model.errors_px.max() < 1e-9
    camera = posed.cameras["a.jpg"]
    assert (camera.model, camera.width, camera.height) == ("SIMPLE_PINHOLE", 640, 480)
    np.testing.assert_array_equal(camera.params, [FOCAL, 320, 240])
    assert posed.notes == ("measurements are counted from the image centre",)
    assert len(posed.model.cameras) == 1  # equal intrinsics are shared


def test_measurements_from_the_corner_are_found_by_their_range(tmp_path: Path) -> None:
    path = written(tmp_path, nvm_text(origin=(0, 0)))
    posed = read_nvm(path, cameras=intrinsics("a.jpg", "b.jpg"))
    a = posed.model.images[0]
    assert a.keypoints is not None
    np.testing.assert_allclose(a.keypoints, pixels(np.eye(3), CENTER_A), atol=1e-9)
    assert posed.notes == ("measurements are counted from the image corner",)


def test_the_sign_of_the_radial_term_is_turned(tmp_path: Path) -> None:
    save_images(tmp_path, "a.jpg", "b.jpg")
    posed = read_nvm(written(tmp_path, nvm_text(k=0.2)), image_folder=tmp_path)
    camera = posed.cameras["b.jpg"]
    assert camera.model == "SIMPLE_RADIAL"
    np.testing.assert_array_equal(camera.params, [FOCAL, 320, 240, 0.2])
    assert posed.model.errors_px.max() < 1e-9


def test_given_intrinsics_replace_those_of_the_file(tmp_path: Path) -> None:
    given = intrinsics("a.jpg", "b.jpg", k=-0.05)
    posed = read_nvm(written(tmp_path, nvm_text()), cameras=given)
    assert posed.cameras["a.jpg"] is given["a.jpg"]
    other = {name: Camera("SIMPLE_PINHOLE", *SIZE, np.array([800, 320, 240])) for name in given}
    notes = read_nvm(written(tmp_path, nvm_text()), cameras=other).notes
    assert "2 images of which the given focal length differs" in " ".join(notes)
    assert "do not project to their measurements" in " ".join(notes)


def test_of_several_models_the_largest_or_a_given_one_is_read(tmp_path: Path) -> None:
    small = "1\nc.jpg 600 1 0 0 0 5 6 7 0 0\n\n0\n"
    header, _, rest = nvm_text().partition("\n")
    text = f"{header}\n\n{small}\n{rest}"
    cameras = intrinsics("a.jpg", "b.jpg", "c.jpg")
    path = written(tmp_path, text)
    posed = read_nvm(path, cameras=cameras)
    assert [image.name for image in posed.model.images] == ["a.jpg", "b.jpg"]
    assert "2 models, of 1, 2 images; model 1 (from 0) was read" in posed.notes[0]
    (only,) = read_nvm(path, cameras=cameras, model_index=0).model.images
    assert only.name == "c.jpg" and only.cam_from_world.center.tolist() == [5, 6, 7]
    with pytest.raises(FormatError, match="2 models, there is no model 2"):
        read_nvm(path, cameras=cameras, model_index=2)


@pytest.mark.parametrize(
    "header",
    ["NVM_V3 FixedK 700 330 770 250", "NVM_V3\nFixedK 700 330 770 250"],
)
@pytest.mark.parametrize("scale_y", [1.0, 700 / 770])
def test_a_fixed_calibration_gives_the_principal_point(
    header: str, scale_y: float, tmp_path: Path
) -> None:
    save_images(tmp_path, "a.jpg", "b.jpg")
    # measurements of a camera with f = 700; the calibration stretches y by 1.1
    text = nvm_text(header=header)
    if scale_y == 1.0:
        lines = text.split("\n")
        for index, line in enumerate(lines):
            words = line.split()
            if len(words) == 15:
                words[10], words[14] = (str(float(words[i]) * 1.1) for i in (10, 14))
                lines[index] = " ".join(words)
        text = "\n".join(lines)
    posed = read_nvm(written(tmp_path, text), image_folder=tmp_path)
    camera = posed.cameras["a.jpg"]
    assert camera.model == "PINHOLE"
    np.testing.assert_array_equal(camera.params, [700, 770, 330, 250])
    assert posed.model.errors_px.max() < 1e-9
    assert "principal point" in posed.notes[0]


def test_matrices_come_with_translations(tmp_path: Path) -> None:
    def line(rotation: np.ndarray, center: np.ndarray) -> str:
        numbers = [FOCAL, *rotation.ravel(), *(-rotation @ center), 0, 0]
        return " ".join(str(float(each)) for each in numbers)

    lines = line(np.eye(3), CENTER_A), line(ROTATION_B, CENTER_B)
    text = nvm_text(header="NVM_V3_R9T", cameras=lines)
    posed = read_nvm(written(tmp_path, text), cameras=intrinsics("a.jpg", "b.jpg"))
    np.testing.assert_allclose(posed.model.images[1].cam_from_world.center, CENTER_B, atol=1e-12)
    assert posed.model.errors_px.max() < 1e-9


@pytest.mark.parametrize(
    ("in_file", "name"),
    [
        ("./a.jpg", "a.jpg"),
        ("x//a b 1.jpg", "x/a b 1.jpg"),
        ('my"photo.jpg', "my photo.jpg"),
        ("x\\y\\a.jpg", "x/y/a.jpg"),
        ("seq1/a.jpg", "seq1/a.png"),
        ("seq1/a", "seq1/a.png"),
        ("# 1 0 0 0.jpg", "# 1 0 0 0.jpg"),
    ],
)
def test_names_are_found_in_intrinsics_and_folder(in_file: str, name: str, tmp_path: Path) -> None:
    path = written(tmp_path, nvm_text(in_file))
    by_cameras = read_nvm(path, cameras=intrinsics(name, "b.jpg"))
    assert {image.name for image in by_cameras.model.images} == {name, "b.jpg"}
    save_images(tmp_path, name, "b.jpg")
    by_folder = read_nvm(path, image_folder=tmp_path)
    assert {image.name for image in by_folder.model.images} == {name, "b.jpg"}


def test_suffixes_are_mapped_on_request(tmp_path: Path) -> None:
    path = written(tmp_path, nvm_text("a.png"))
    cameras = intrinsics("a.png", "a.jpg", "b.jpg")
    kept = read_nvm(path, cameras=cameras).model
    mapped = read_nvm(path, cameras=cameras, suffixes={".png": ".jpg"}).model
    assert kept.images[0].name == "a.png"
    assert mapped.images[0].name == "a.jpg"


def test_images_of_unknown_size_are_left_out_or_refused(tmp_path: Path) -> None:
    path = written(tmp_path, nvm_text())
    posed = read_nvm(path, cameras=intrinsics("b.jpg"))
    assert [image.name for image in posed.model.images] == ["b.jpg"]
    assert len(posed.model.images[0].point3D_idxs) == posed.model.num_points == 6
    assert "1 image left out, whose size is unknown, such as 'a.jpg'" in posed.notes
    with pytest.raises(FormatError, match=r"no image sizes.*'a.jpg'.*give the image folder"):
        read_nvm(path)


def test_images_of_another_size_are_told_by_the_measurements(tmp_path: Path) -> None:
    save_images(tmp_path, "a.jpg", "b.jpg", size=(160, 120))
    with pytest.raises(FormatError, match=r"lie in their images.*another size"):
        read_nvm(written(tmp_path, nvm_text()), image_folder=tmp_path)


def test_translations_instead_of_centres_are_told_by_the_points(tmp_path: Path) -> None:
    tb = -ROTATION_B @ CENTER_B
    lines = (
        f"{FOCAL} 1 0 0 0 {-CENTER_A[0]} {-CENTER_A[1]} {-CENTER_A[2]} 0 0",
        f"{FOCAL} {QUATERNION_B} {tb[0]} {tb[1]} {tb[2]} 0 0",
    )
    with pytest.raises(FormatError, match=r"only if the positions.*read as translations"):
        read_nvm(written(tmp_path, nvm_text(cameras=lines)), cameras=intrinsics("a.jpg", "b.jpg"))


CAMERA = "a.jpg 700 1 0 0 0 1 2 3 0 0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected an NVM file"),
        ("NVM_V4\n\n0\n", "line 1: expected an NVM file.*'NVM_V4'"),
        ("NVM_V3 FixedK 1 2 3\n\n0\n", "line 1: expected 'NVM_V3' or"),
        ("NVM_V3 FixedK 0 2 3 4\n\n0\n", "line 1: expected fx and fy above 0"),
        ("NVM_V3\n\n0\n", "contains no model"),
        (f"NVM_V3\n\n{2**60}\n{CAMERA}\n", "line 3: .*cameras are announced.*at most 1"),
        (f"NVM_V3\n\n{'9' * 5000}\n{CAMERA}\n", "line 3: .*cameras are announced"),
        (f"NVM_V3\n\n-1\n{CAMERA}\n", "line 3: expected the number of cameras, got '-1'"),
        (f"NVM_V3\n\n1\n{CAMERA}\n", "expected a number of points, got the end"),
        (f"NVM_V3\n\n1\n{CAMERA}\n2\n1 2 3 4 5 6 0\n", "points are announced.*at most 1"),
        ("NVM_V3\n\n1\na.jpg 700 1 0 0 0 1 2 3\n0\n", "line 4: expected a name and 10 numbers"),
        ("NVM_V3\n\n1\na.jpg x 1 0 0 0 1 2 3 0 0\n0\n", "line 4: could not convert"),
        ("NVM_V3\n\n1\na.jpg 700 1 0 0 0 1 nan 3 0 0\n0\n", "line 4: all numbers must be finite"),
        ("NVM_V3\n\n1\na.jpg 700 0 0 0 0 1 2 3 0 0\n0\n", "line 4: a quaternion needs"),
        ("NVM_V3\n\n1\na.jpg 700 1 2 0 0 1 2 3 0 0\n0\n", "line 4: .*not a unit quaternion"),
        ("NVM_V3\n\n1\na.jpg -7 1 0 0 0 1 2 3 0 0\n0\n", "line 4: expected a focal length"),
        ("NVM_V3\n\n1\n../a.jpg 700 1 0 0 0 1 2 3 0 0\n0\n", "line 4: .*leaves the image folder"),
        ("NVM_V3\n\n1\n/a.jpg 700 1 0 0 0 1 2 3 0 0\n0\n", "line 4: .*leaves the image folder"),
        ("NVM_V3\n\n1\na\0.jpg 700 1 0 0 0 1 2 3 0 0\n0\n", "line 4: .*leaves the image folder"),
        (f"NVM_V3\n\n2\n{CAMERA}\n./{CAMERA}\n0\n", "line 5: 'a.jpg' is listed twice"),
        (f"NVM_V3\n\n1\n{CAMERA}\n1\n1 2 3 4 5 6 1 0 0 1\n", "line 6: point 1 of 1 is cut off"),
        (f"NVM_V3\n\n1\n{CAMERA}\n1\n1 2 3 4 5 6 0 7\n", "line 6: expected the end after 1 point"),
        (f"NVM_V3\n\n1\n{CAMERA}\n1\n1 2 3 4 5 6 1 1 0 0 0\n", "line 6: expected an image from"),
        (f"NVM_V3\n\n1\n{CAMERA}\n1\n1 2 3 4 5 6 1 0 .5 0 0\n", "line 6: expected an image from"),
        (f"NVM_V3\n\n1\n{CAMERA}\n1\n1 2 3 4 5 256 0\n", "line 6: expected a colour in 0..255"),
        (f"NVM_V3\n\n1\n{CAMERA}\n1\n1 2 inf 4 5 6 0\n", "line 6: numbers must be finite"),
        (f"NVM_V3\n\n1\n{CAMERA}\n1\n1 2 x 4 5 6 0\n", "line 6: expected numbers, got 'x'"),
        (f"NVM_V3\n\n1\n{CAMERA}\n1\n1 2 3 4 5 6 1e300\n", "line 6: numbers must be finite"),
    ],
)
def test_damaged_files_are_named_with_their_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        read_nvm(written(tmp_path, text), cameras=intrinsics("a.jpg", "b.jpg"))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(names, max_size=5, unique=True),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["SIMPLE_PINHOLE", "SIMPLE_RADIAL"]),
)
def test_models_round_trip(image_names: list[str], seed: int, kind: str) -> None:
    params = [731.25, 400.5, 300.5] + ([-0.07] if kind == "SIMPLE_RADIAL" else [])
    cameras = [Camera(kind, 801, 601, np.array(params))] * len(image_names)
    model = scene(image_names, cameras, seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.nvm"
        write_nvm(path, with_first_keypoint_lost(model))
        if not image_names:  # "0 cameras" ends the file
            with pytest.raises(FormatError, match="contains no model"):
                read_nvm(path)
            return
        posed = read_nvm(path, cameras=dict(zip(image_names, cameras, strict=True)))
    assert_same(posed.model, model)


def test_written_intrinsics_round_trip(tmp_path: Path) -> None:
    cameras = [
        Camera("SIMPLE_PINHOLE", 640, 480, np.array([700, 320, 240])),
        Camera("SIMPLE_RADIAL", 640, 480, np.array([710, 320, 240, 0.01])),
    ]
    save_images(tmp_path, "a.jpg", "b.jpg")
    write_nvm(tmp_path / "m.nvm", scene(["a.jpg", "b.jpg"], cameras, 5))
    found = read_nvm(tmp_path / "m.nvm", image_folder=tmp_path).cameras
    for name, camera in zip(["a.jpg", "b.jpg"], cameras, strict=True):
        assert found[name].model == camera.model
        np.testing.assert_array_equal(found[name].params, camera.params)


@pytest.mark.parametrize(
    ("name", "camera", "message"),
    [
        ("a", Camera("PINHOLE", 64, 48, np.array([70, 70, 32, 24])), "not PINHOLE: undistort"),
        ("a", Camera("SIMPLE_PINHOLE", 64, 48, np.array([70, 31, 24])), "1 px off: undistort"),
        ('a"b', Camera("SIMPLE_PINHOLE", 64, 48, np.array([70, 32, 24])), "cannot hold the name"),
        (" a", Camera("SIMPLE_PINHOLE", 64, 48, np.array([70, 32, 24])), "cannot hold the name"),
        ("a\nb", Camera("SIMPLE_PINHOLE", 64, 48, np.array([70, 32, 24])), "cannot hold the name"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(
    name: str, camera: Camera, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match=message):
        write_nvm(tmp_path / "m.nvm", scene([name], [camera], 0))
    assert not (tmp_path / "m.nvm").exists()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations(nvm_text().encode()))
def test_mutated_files_raise_only_format_errors(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mutated.nvm"
    path.write_bytes(data)
    try:
        posed = read_nvm(path, cameras=intrinsics("a.jpg", "b.jpg"))
    except FormatError as error:
        assert str(path) in str(error)
        return
    for image in posed.model.images:
        assert np.isfinite(image.cam_from_world.matrix).all()


def test_many_lines_are_converted_in_parts() -> None:
    lines = [(number, "1 2.5") for number in range(1, 45_001)]
    numbers = parse_numbers("p", lines)
    assert len(numbers.values) == 90_000 and numbers.where(89_999) == "p, line 45000"
    lines[30_000] = (30_001, "1 x")
    with pytest.raises(FormatError, match="p, line 30001: expected numbers, got 'x'"):
        parse_numbers("p", lines)
