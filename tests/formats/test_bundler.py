"""Bundler: projection by the manual's formula, lists, traps, round trips, damaged files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hloc_lite.errors import FormatError
from hloc_lite.formats.bundler import read_bundler, write_bundler
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.types import Camera
from tests.formats.tracked_scenes import assert_same, mutations, names, scene

SIZE = (640, 480)
F, K1, K2 = 700.0, -0.1, 0.02
POINTS = np.array(
    [[0, 0, 0], [0.5, 1, 1], [1, -1, 2], [2, 1, -1], [-1, 0.3, 0.7], [0.1, 0.2, -0.9]], float
)
ROTATIONS = (np.eye(3), np.array([[0, 0, -1.0], [0, 1, 0], [1, 0, 0]]))
"""World to camera in Bundler's axes: x right, y up, camera looking along -z."""
TRANSLATIONS = (np.array([-0.5, 0.25, -9]), np.array([0.5, 0.1, -8.0]))


def measured(index: int) -> np.ndarray:
    """(6, 2) by the manual: P = RX + t, p = -P / P.z, f r(p) p."""
    p3 = POINTS @ ROTATIONS[index].T + TRANSLATIONS[index]
    p = -p3[:, :2] / p3[:, 2:]
    squared = (p**2).sum(axis=1, keepdims=True)
    return F * (1 + K1 * squared + K2 * squared**2) * p


def numbers(*values: float) -> str:
    return " ".join(str(float(value)) for value in values)


def bundle_text(*, y_sign: int = 1, unregistered: bool = False, scale: float = 1.0) -> str:
    num_images = 3 if unregistered else 2
    lines = ["# Bundle file v0.3", f"{num_images} {len(POINTS)}"]
    for rotation, translation in zip(ROTATIONS, TRANSLATIONS, strict=True):
        lines += [numbers(F, K1, K2), *(numbers(*row) for row in rotation), numbers(*translation)]
    lines += ["0 0 0"] * 5 if unregistered else []
    in_a, in_b = measured(0) * (scale, scale * y_sign), measured(1) * (scale, scale * y_sign)
    for row, point in enumerate(POINTS):
        views = f"2 0 {row + 4} {numbers(*in_a[row])} 1 {row + 9} {numbers(*in_b[row])}"
        lines += [numbers(*point), f"{row} 20 255", views]
    return "\n".join(lines) + "\n"


def read(
    folder: Path, bundle: str | bytes, listed: str = "a.jpg\nb.jpg\n", **options: object
) -> PosedImages:
    data = bundle.encode() if isinstance(bundle, str) else bundle
    (folder / "bundle.out").write_bytes(data)
    (folder / "list.txt").write_text(listed, encoding="utf-8")
    if not options:
        options = {"cameras": sizes("a.jpg", "b.jpg", "c.jpg")}
    return read_bundler(folder / "bundle.out", folder / "list.txt", **options)  # type: ignore[arg-type]


def sizes(*image_names: str) -> dict[str, Camera]:
    return {
        name: Camera("SIMPLE_PINHOLE", *SIZE, np.array([500, 320, 240])) for name in image_names
    }


def test_cameras_look_along_minus_z_and_y_is_up(tmp_path: Path) -> None:
    model = read(tmp_path, bundle_text()).model
    a, b = model.images
    camera = model.cameras[a.camera_id]
    assert camera.model == "RADIAL"
    np.testing.assert_array_equal(camera.params, [F, 320, 240, K1, K2])
    # Bundler: centre = -R^T t, viewing direction = R^T (0, 0, -1), up = R^T (0, 1, 0)
    for image, rotation, translation in zip((a, b), ROTATIONS, TRANSLATIONS, strict=True):
        pose = image.cam_from_world
        np.testing.assert_allclose(pose.center, -rotation.T @ translation, atol=1e-12)
        np.testing.assert_allclose(pose.rotation[2], rotation.T @ [0, 0, -1], atol=1e-12)
        np.testing.assert_allclose(-pose.rotation[1], rotation.T @ [0, 1, 0], atol=1e-12)
    assert a.keypoints is not None
    expected = np.array([320, 240]) + measured(0) * (1, -1)
    np.testing.assert_allclose(a.keypoints, expected, atol=1e-9)
    np.testing.assert_array_equal(model.xyz, POINTS)
    assert model.errors_px.max() < 1e-9


def test_unregistered_images_are_left_out_but_counted(tmp_path: Path) -> None:
    posed = read(tmp_path, bundle_text(unregistered=True), "a.jpg\nb.jpg\nc.jpg\n")
    assert [image.name for image in posed.model.images] == ["a.jpg", "b.jpg"]
    assert "1 image left out (not registered), such as 'c.jpg'" in posed.notes


def test_lists_may_have_focal_lengths_and_names_with_spaces(tmp_path: Path) -> None:
    listed = "./my photo 0 5.jpg 0 660.80\r\nx\\b.jpg\n\n"
    cameras = sizes("my photo 0 5.jpg", "x/b.png")
    model = read(tmp_path, bundle_text(), listed, cameras=cameras).model
    assert {image.name for image in model.images} == set(cameras)


def test_sizes_come_from_the_folder(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png"):
        Image.new("RGB", SIZE).save(tmp_path / name)
    posed = read(tmp_path, bundle_text(), image_folder=tmp_path)
    assert [image.name for image in posed.model.images] == ["a.jpg", "b.png"]
    assert posed.cameras["b.png"].width == 640
    with pytest.raises(FormatError, match=r"its size is unknown: 2.*give the image folder"):
        read(tmp_path, bundle_text(), "c.jpg\nd.jpg\n", image_folder=tmp_path)


def test_downward_measurements_are_told_by_the_points(tmp_path: Path) -> None:
    posed = read(tmp_path, bundle_text(y_sign=-1))
    assert "counted downward" in posed.notes[0]
    assert posed.model.errors_px.max() < 1e-9


def test_images_of_another_size_are_told_by_the_measurements(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"lie in their images.*another size"):
        read(tmp_path, bundle_text(scale=8))
    notes = read(tmp_path, bundle_text(scale=1.5)).notes
    assert "the points do not project to their measurements" in notes[-1]


def test_centres_instead_of_translations_are_told_by_the_points(tmp_path: Path) -> None:
    text = bundle_text()
    for rotation, translation in zip(ROTATIONS, TRANSLATIONS, strict=True):
        text = text.replace(numbers(*translation), numbers(*(-rotation.T @ translation)))
    with pytest.raises(FormatError, match="translations as positions"):
        read(tmp_path, text)


def test_impossible_focal_lengths_are_left_out(tmp_path: Path) -> None:
    text = bundle_text().replace(numbers(F, K1, K2), numbers(1e7, K1, K2), 1)
    posed = read(tmp_path, text)
    assert [image.name for image in posed.model.images] == ["b.jpg"]
    assert "the focal length does not fit the size" in posed.notes[0]


GOOD = "# Bundle file v0.3\n1 1\n700 0 0\n1 0 0\n0 1 0\n0 0 1\n0 0 0\n0 0 -5\n1 2 3\n1 0 7 0 0\n"


@pytest.mark.parametrize(
    ("bundle", "listed", "message"),
    [
        ("", "", "line 1: expected '# Bundle file v0.3', got ''"),
        ("# Bundle file v0.2\n0 0\n", "", "line 1: expected '# Bundle file v0.3'"),
        ("# Bundle file v0.3\n", "", "expected the numbers of cameras and points"),
        ("# Bundle file v0.3\n1\n", "", "line 2: expected the numbers of cameras"),
        (GOOD.replace("1 1", f"{2**60} 1", 1), "a.jpg", "line 2: .*cameras are announced"),
        (GOOD.replace("1 1", f"1 {2**60}", 1), "a.jpg", "line 2: .*points are announced"),
        (GOOD.replace("1 1", "-1 1", 1), "a.jpg", "line 2: expected the number of cameras"),
        (GOOD.replace("700", "nan"), "a.jpg", "line 3: numbers must be finite"),
        (GOOD.replace("700", "x"), "a.jpg", "line 3: expected numbers, got 'x'"),
        (GOOD.replace("0 1 0", "0 2 0"), "a.jpg", "line 4: .*no rotation"),
        (GOOD.replace("0 0 1\n", "0 0 -1\n", 1), "a.jpg", "line 4: .*no rotation"),
        (GOOD.replace("1 0 7 0 0", "1 1 7 0 0"), "a.jpg", "line 10: expected an image from 0"),
        (GOOD.replace("1 0 7 0 0", "2 0 7 0 0"), "a.jpg", "line 10: point 1 of 1 is cut off"),
        (GOOD.replace("1 2 3", "1 2 256"), "a.jpg", "line 9: expected a colour"),
        (GOOD + "5\n", "a.jpg", "line 11: expected the end after 1 point"),
        (GOOD, "a.jpg\nb.jpg", "list.txt: expected 1 name, .*got 2"),
        (GOOD, "../a.jpg", "list.txt, line 1: .*leaves the image folder"),
        (bundle_text(), "a.jpg\n./a.jpg", "list.txt, line 2: 'a.jpg' is listed twice"),
    ],
)
def test_damaged_files_are_named_with_their_line(
    bundle: str, listed: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match=message):
        read(tmp_path, bundle, listed)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(names.filter(lambda name: " 0 " not in name), max_size=5, unique=True),
    st.integers(0, 2**32 - 1),
)
def test_models_round_trip(image_names: list[str], seed: int) -> None:
    cameras = [Camera("RADIAL", 801, 601, np.array([731.25, 400.5, 300.5, -0.07, 0.01]))]
    model = scene(image_names, cameras * len(image_names), seed)
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "bundle.out", Path(folder) / "list.txt"
        write_bundler(*paths, model)
        posed = read_bundler(*paths, cameras=dict.fromkeys(image_names, cameras[0]))
    assert_same(posed.model, model)
    for image in posed.model.images:
        found = posed.model.cameras[image.camera_id]
        np.testing.assert_array_equal(found.params, cameras[0].params)


def test_simpler_cameras_are_written_with_zero_terms(tmp_path: Path) -> None:
    cameras = [
        Camera("SIMPLE_PINHOLE", 64, 48, np.array([70, 32, 24])),
        Camera("SIMPLE_RADIAL", 64, 48, np.array([70, 32, 24, 0.01])),
    ]
    paths = tmp_path / "bundle.out", tmp_path / "list.txt"
    write_bundler(*paths, scene(["a", "b"], cameras, 1))
    lines = paths[0].read_text().split("\n")
    assert (lines[2], lines[7]) == ("70.0 0.0 0.0", "70.0 0.01 0.0")


@pytest.mark.parametrize(
    ("name", "camera", "message"),
    [
        ("a", Camera("OPENCV", 64, 48, np.array([70, 70, 32, 24, 0, 0, 0, 0])), "not OPENCV"),
        ("a", Camera("RADIAL", 64, 48, np.array([70, 31, 24, 0, 0])), "1 px off: undistort"),
        ("a 0 5", Camera("RADIAL", 64, 48, np.array([70, 32, 24, 0, 0])), "cannot hold the name"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(
    name: str, camera: Camera, message: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match=message):
        write_bundler(tmp_path / "b.out", tmp_path / "l.txt", scene([name], [camera], 0))
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations(bundle_text().encode()))
def test_mutated_files_raise_only_format_errors(tmp_path: Path, data: bytes) -> None:
    try:
        posed = read(tmp_path, data)
    except FormatError:
        return
    for image in posed.model.images:
        assert np.isfinite(image.cam_from_world.matrix).all()
