"""COLMAP models: round trips, exchange with pycolmap, broken files."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import MODEL_IDS, read_model, write_model
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import NO_POINT, Camera
from tests.formats.colmap_models import PARTS, assert_same, make_model, write_text

quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1).map(
        lambda text: f"a b/{text} ü.jpg"
    ),
    unique=True,
    max_size=5,
)


models = st.builds(
    make_model,
    NAMES,
    st.integers(0, 20),
    st.integers(0, 2**32),
    st.lists(st.sampled_from(sorted(MODEL_IDS)), min_size=1, max_size=4),
)


@quick
@given(models)
def test_binary_models_round_trip(tmp_path: Path, model: SfmModel) -> None:
    write_model(tmp_path, model)
    assert_same(read_model(tmp_path), model)


@quick
@given(models, st.booleans())
def test_text_models_are_read_as_documented(tmp_path: Path, model: SfmModel, head: bool) -> None:
    write_text(tmp_path, model, head=head)
    assert_same(read_model(tmp_path), model)


@pytest.fixture(scope="module")
def model() -> SfmModel:
    names = ["plain.jpg", "a b/straße 1.jpg", "c/straße 1.jpg", "😀.png"]
    return make_model(names, 30, 7, sorted(MODEL_IDS))


def test_models_are_exchanged_with_pycolmap(tmp_path: Path, model: SfmModel) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    known = pycolmap.CameraModelId.__members__  # fewer before COLMAP 4.2
    other = Camera("SIMPLE_PINHOLE", 640, 480, np.array([500.0, 320, 240]))
    cameras = {i: c if c.model in known else other for i, c in model.cameras.items()}
    # COLMAP checks that a point is seen once by an image
    images = []
    for image in model.images:
        _, first = np.unique(image.point3D_idxs, return_index=True)
        idxs = np.full(len(image.point3D_idxs), NO_POINT)
        idxs[first] = image.point3D_idxs[first]
        images.append(
            SfmImage(image.image_id, image.name, image.camera_id, image.cam_from_world,
                     image.keypoints, idxs)
        )  # fmt: skip
    once = SfmModel(
        cameras, tuple(images), model.point3D_ids, model.xyz, model.rgb, model.errors_px
    )
    (tmp_path / "ours").mkdir()
    write_model(tmp_path / "ours", once)
    theirs = pycolmap.Reconstruction(str(tmp_path / "ours"))
    assert sorted(image.name for image in theirs.images.values()) == [i.name for i in once.images]
    for camera_id, camera in cameras.items():
        assert theirs.cameras[camera_id].model.name == camera.model
        assert np.array_equal(theirs.cameras[camera_id].params, camera.params)
    for image in once.images:
        got = theirs.images[image.image_id]
        pose = got.cam_from_world() if callable(got.cam_from_world) else got.cam_from_world
        np.testing.assert_allclose(pose.matrix()[:, :3], image.cam_from_world.rotation, atol=1e-12)
        assert np.array_equal(pose.matrix()[:, 3], image.cam_from_world.translation)
    assert set(theirs.points3D) == set(once.point3D_ids.tolist())
    for kind in ("binary", "text"):
        folder = tmp_path / kind
        folder.mkdir()
        getattr(theirs, f"write_{kind}")(str(folder))
        found = read_model(folder)
        assert {i: c.model for i, c in found.cameras.items()} == {
            i: c.model for i, c in cameras.items()
        }
        assert [i.name for i in found.images] == [i.name for i in once.images]
        np.testing.assert_allclose(found.xyz, once.xyz, rtol=1e-12)
        for image, other in zip(once.images, found.images, strict=True):
            assert np.array_equal(image.point3D_idxs, other.point3D_idxs)


def test_points_are_optional_and_binary_is_preferred(tmp_path: Path, model: SfmModel) -> None:
    write_text(tmp_path, model)
    (tmp_path / "points3D.txt").unlink()
    bare = read_model(tmp_path)
    assert bare.num_points == 0 and len(bare.images) == len(model.images)
    assert all((image.point3D_idxs == NO_POINT).all() for image in bare.images)
    write_model(tmp_path, model)
    assert read_model(tmp_path).num_points == model.num_points


def test_observations_of_missing_points_are_warned_about(
    tmp_path: Path, model: SfmModel, caplog
) -> None:
    write_text(tmp_path, model, head=False)
    path = tmp_path / "points3D.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:20]))
    assert read_model(tmp_path).num_points == 20
    assert "points3D.txt does not have" in caplog.text


@pytest.mark.parametrize("part", PARTS)
def test_every_truncation_of_binary_files_is_a_format_error(
    tmp_path: Path, model: SfmModel, part: str
) -> None:
    write_model(tmp_path, model)
    path = tmp_path / f"{part}.bin"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=f"{part}.bin"):
            read_model(tmp_path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(FormatError, match=f"{part}.bin is damaged"):
        read_model(tmp_path)


@pytest.mark.parametrize("part", PARTS)
def test_every_truncation_of_text_files_with_a_header_is_a_format_error(
    tmp_path: Path, model: SfmModel, part: str
) -> None:
    write_text(tmp_path, model)
    path = tmp_path / f"{part}.txt"
    whole = path.read_bytes()
    start = whole.index(b"mean")
    for length in {*range(start, start + 300), *range(start, len(whole), 41), len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=f"{part}.txt"):
            read_model(tmp_path)


@pytest.mark.parametrize("suffix", ["bin", "txt"])
@pytest.mark.parametrize("part", PARTS)
def test_corrupted_bytes_give_a_finite_model_or_a_format_error(
    tmp_path: Path, model: SfmModel, part: str, suffix: str
) -> None:
    write_model(tmp_path, model) if suffix == "bin" else write_text(tmp_path, model)
    path = tmp_path / f"{part}.{suffix}"
    whole, rng = path.read_bytes(), np.random.default_rng(3)
    for _ in range(250):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), rng.integers(1, 4)):
            data[at] = rng.choice([0, 255, ord("-"), ord("9"), ord(" "), rng.integers(256)])
        path.write_bytes(data)
        try:
            found = read_model(tmp_path)
        except FormatError as error:
            assert str(tmp_path) in str(error)
            continue
        assert np.isfinite(found.xyz).all()
        assert all(np.isfinite(image.keypoints).all() for image in found.images)
        assert all(np.isfinite(i.cam_from_world.translation).all() for i in found.images)
        write_model(tmp_path / "again", found)


def test_huge_counts_do_not_reserve_memory(tmp_path: Path, model: SfmModel) -> None:
    for part in PARTS:
        write_model(tmp_path, model)
        path = tmp_path / f"{part}.bin"
        for count in (0, 2**31, 2**60, 2**64 - 1):
            path.write_bytes(struct.pack("<Q", count) + path.read_bytes()[8:])
            with pytest.raises(FormatError, match=f"{part}.bin"):
                read_model(tmp_path)


CAMERA = "1 SIMPLE_RADIAL 640 480 500 320 240 0\n"
IMAGE = "1 1 0 0 0 0 0 0 1 a.jpg\n\n"


@pytest.mark.parametrize(
    ("cameras", "images", "points", "message"),
    [
        (CAMERA, IMAGE + IMAGE, "", "name or id is listed twice"),
        (CAMERA + CAMERA, IMAGE, "", "camera id is listed twice"),
        (CAMERA, IMAGE.replace("1 a.jpg", "9 a.jpg"), "", "camera 9, which does not exist"),
        (CAMERA, IMAGE, "1 0 0 0 9 9 9 1\n1 0 0 0 9 9 9 1\n", "point id is listed twice"),
        (CAMERA, IMAGE, "1 nan 0 0 9 9 9 1\n", "not finite"),
        (CAMERA, IMAGE, "1 0 0 0 9 9 300 1\n", "colours of 0 to 255"),
        (CAMERA, IMAGE, "-1 0 0 0 9 9 9 1\n", "an id >= 0"),
        (CAMERA, IMAGE, "1 0 0\n", "line 1: expected 'POINT3D_ID"),
        (CAMERA, IMAGE.replace("1 1 0 0 0", "1 0 0 0 0"), "", "unit quaternion"),
        (CAMERA, IMAGE.replace("1 1 0 0 0", "1 nan 0 0 0"), "", "quaternion"),
        (CAMERA, IMAGE.replace("1 1 0 0 0", "1 1e200 0 0 0"), "", "quaternion"),
        (CAMERA, IMAGE, "1 1e300 0 0 9 9 9 1\n", "not finite"),
        (CAMERA, IMAGE.replace("0 0 0 1", "0 0 inf 1"), "", "expected finite coordinates"),
        (CAMERA, IMAGE.replace("a.jpg", ""), "", "expected 'IMAGE_ID"),
        (CAMERA, IMAGE.replace("\n\n", "\n1 2\n"), "", "expected 'X Y POINT3D_ID'"),
        (CAMERA, IMAGE.replace("\n\n", "\nnan 2 -1\n"), "", "keypoints that are not finite"),
        (CAMERA, IMAGE.strip() + "\n2 1 0 0 0 0 0 0 1 b.jpg\n", "", "or an empty line"),
        (CAMERA, IMAGE.replace("1 1 0", "x 1 0"), "", "line 1"),
        (CAMERA.replace("RADIAL", "SPIRAL"), IMAGE, "", "unknown camera model 'SIMPLE_SPIRAL'"),
        (CAMERA.replace(" 0\n", "\n"), IMAGE, "", "has 4 parameters"),
        (CAMERA.replace("500", "nan"), IMAGE, "", "finite"),
        (CAMERA.replace("500", "0"), IMAGE, "", "focal length"),
        (CAMERA.replace("640", "0"), IMAGE, "", "size must be positive"),
        (CAMERA.replace("640", "1e3"), IMAGE, "", "line 1"),
        (CAMERA.replace("640", "9" * 30), IMAGE, "", "out of range"),
        ("1 PINHOLE\n", IMAGE, "", "expected 'CAMERA_ID MODEL"),
        ("\0\1\2", IMAGE, "", "cameras.txt"),
    ],
)
def test_errors_in_text_models_name_the_line(tmp_path, cameras, images, points, message) -> None:
    for part, text in zip(PARTS, (cameras, images, points), strict=True):
        (tmp_path / f"{part}.txt").write_text(text)
    with pytest.raises(FormatError, match=message) as caught:
        read_model(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_windows_and_blank_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "cameras.txt").write_bytes(b"\xef\xbb\xbf" + CAMERA.replace("\n", "\r\n").encode())
    two = "1 1 0 0 0 0 0 0 1 a\u2028b.jpg\r\n\r\n\r\n2 1 0 0 0 0 0 0 1 c d.jpg\r\n1.5 2.5 -1\r\n"
    (tmp_path / "images.txt").write_bytes(two.encode())
    found = read_model(tmp_path)
    assert [image.name for image in found.images] == ["a\u2028b.jpg", "c d.jpg"]
    assert [len(image.keypoints) for image in found.images] == [0, 1]


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no COLMAP model"):
        read_model(tmp_path)
    (tmp_path / "images.txt").write_text(IMAGE)
    with pytest.raises(FormatError, match=r"cameras\.txt is missing"):
        read_model(tmp_path)
    (tmp_path / "cameras.txt").mkdir()
    with pytest.raises(FormatError, match=r"cameras\.txt"):
        read_model(tmp_path)


def test_image_ids_beyond_colmaps_limit_are_refused(tmp_path: Path, model: SfmModel) -> None:
    first, *others = model.images
    for image_id in (2**31 - 1, 2**32 - 1):
        changed = (replace(first, image_id=image_id), *others)
        write_model(tmp_path, replace(model, images=changed))
        with pytest.raises(FormatError, match=f"the id {image_id}, which is out of range"):
            read_model(tmp_path)


def test_the_only_model_below_a_folder_is_read(tmp_path: Path) -> None:
    model = make_model(["a.jpg"], 3, 0, ["PINHOLE"])
    write_model(tmp_path / "project/sparse/0", model)
    (tmp_path / "project/images").mkdir()
    (tmp_path / "project/images.txt.bak").touch()
    assert_same(read_model(tmp_path / "project"), model)
    assert_same(read_model(tmp_path), model)
    write_model(tmp_path / "project/sparse/1", model)
    with pytest.raises(FormatError, match=r"2 COLMAP models below it.*sparse.0, .*sparse.1"):
        read_model(tmp_path / "project")
