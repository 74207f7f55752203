"""Cambridge Landmarks: lists by hand, their reconstruction, images on disk, damaged files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hloc_lite.errors import FormatError
from hloc_lite.formats.cambridge import read_cambridge, write_cambridge
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Camera, Rigid3
from tests.formats.tracked_scenes import mutations, names

HALF = np.sqrt(0.5)
HEADER = "Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"
LIST = (
    f"{HEADER}seq1/frame00001.png 1.5 -2 30 1 0 0 0\nseq1/frame00002.png 4 5 6 {HALF} 0 0 {HALF}\n"
)
NVM = (
    "NVM_V3 \n\n2\n"
    "./seq1/frame00001.jpg\t1670.5 1 0 0 0 1.5 -2 30 0 0 \n"
    f"seq1/frame00002.jpg\t1660 {HALF} 0 0 {HALF} 4 5 6 -0.01 0 \n\n0\n\n0\n"
)


def written(folder: Path, listed: str | bytes = LIST, nvm: str | None = NVM) -> Path:
    path = folder / "dataset_train.txt"
    path.write_bytes(listed.encode() if isinstance(listed, str) else listed)
    if nvm is not None:
        (folder / "reconstruction.nvm").write_text(nvm, encoding="utf-8")
    return path


def save_images(folder: Path, size: tuple[int, int]) -> None:
    (folder / "seq1").mkdir(exist_ok=True)
    for number in (1, 2):
        Image.new("RGB", size).save(folder / f"seq1/frame0000{number}.png")


def camera(size: tuple[int, int] = (640, 480)) -> Camera:
    return Camera("SIMPLE_PINHOLE", *size, np.array([500.0, size[0] / 2, size[1] / 2]))


def test_positions_are_centres_and_quaternions_world_to_camera(tmp_path: Path) -> None:
    save_images(tmp_path, (1920, 1080))
    posed = read_cambridge(written(tmp_path))
    a, b = posed.model.images
    assert (a.name, b.name) == ("seq1/frame00001.png", "seq1/frame00002.png")
    np.testing.assert_allclose(a.cam_from_world.translation, [-1.5, 2, -30])
    # 90 degrees about z; t = -R C
    np.testing.assert_allclose(
        b.cam_from_world.rotation, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15
    )
    np.testing.assert_allclose(b.cam_from_world.translation, [5, -4, -6])
    assert posed.is_metric and posed.image_folder == tmp_path and posed.notes == ()
    first, second = posed.cameras[a.name], posed.cameras[b.name]
    assert (first.model, first.params.tolist()) == ("SIMPLE_PINHOLE", [1670.5, 960, 540])
    assert (second.model, second.params.tolist()) == ("SIMPLE_RADIAL", [1660, 960, 540, 0.01])


def test_smaller_images_get_scaled_intrinsics(tmp_path: Path) -> None:
    save_images(tmp_path, (960, 540))
    posed = read_cambridge(written(tmp_path))
    params = posed.cameras["seq1/frame00002.png"].params
    np.testing.assert_allclose(params, [830, 480, 270, 0.01])
    assert posed.notes[0].startswith("2 images of another size than 1920 x 1080")
    save_images(tmp_path, (540, 960))
    with pytest.raises(FormatError, match=r"reconstruction.nvm, line 4: .*shapes differ"):
        read_cambridge(tmp_path / "dataset_train.txt")


def test_missing_images_are_assumed_to_have_the_full_size(tmp_path: Path) -> None:
    posed = read_cambridge(written(tmp_path))
    assert posed.cameras["seq1/frame00001.png"].width == 1920
    assert posed.notes[0].startswith("2 images not found, such as 'seq1/frame00001.png'")


def test_given_intrinsics_need_no_reconstruction(tmp_path: Path) -> None:
    path = written(tmp_path, nvm=None)
    given_cameras = {f"seq1/frame0000{number}.png": camera() for number in (1, 2)}
    posed = read_cambridge(path, cameras=given_cameras)
    assert posed.cameras["seq1/frame00001.png"].width == 640
    with pytest.raises(FormatError, match=r"reconstruction.nvm does not exist"):
        read_cambridge(path)
    (tmp_path / "other.nvm").write_text(NVM.replace("frame00002", "frame00003"))
    with pytest.raises(FormatError, match=r"no focal length of 'seq1/frame00002.png'"):
        read_cambridge(path, nvm=tmp_path / "other.nvm")


def test_translations_instead_of_centres_are_told_by_the_reconstruction(tmp_path: Path) -> None:
    path = written(tmp_path, LIST.replace("1.5 -2 30", "-1.5 2 -30").replace("4 5 6", "5 -4 -6"))
    assert "positions differ from those of the reconstruction" in read_cambridge(path).notes[-1]


def test_failures_of_the_reconstruction_are_left_out(tmp_path: Path) -> None:
    posed = read_cambridge(written(tmp_path, LIST.replace("1.5 -2 30", "1e5 -2 30")))
    assert [image.name for image in posed.model.images] == ["seq1/frame00002.png"]
    assert "1 image left out, whose position is farther than 10000 m" in posed.notes[0]


def test_lists_without_header_lose_no_image(tmp_path: Path) -> None:
    posed = read_cambridge(written(tmp_path, LIST.removeprefix(HEADER)))
    assert len(posed.model.images) == 2


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (HEADER, "contains no pose"),
        (f"{HEADER}a.png 1 2 3 1 0 0\n", "line 4: expected 'NAME X Y Z W P Q R'"),
        (f"{HEADER}a.png 1 2 3 1 0 0 x\n", "line 4: could not convert"),
        (f"{HEADER}a.png 1 2 nan 1 0 0 0\n", "line 4: all numbers must be finite"),
        (f"{HEADER}a.png 1 2 3 0 0 0 0\n", "line 4: a quaternion needs"),
        (f"{HEADER}a.png 1 0 0 0 4 5 6\n", "line 4: .*not a unit quaternion"),
        (f"{HEADER}../a.png 1 2 3 1 0 0 0\n", "line 4: .*leaves the image folder"),
        (f"{LIST}./seq1/frame00001.png 1 2 3 1 0 0 0\n", "line 6: .* is listed twice"),
    ],
)
def test_bad_lines_are_named(listed: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        read_cambridge(written(tmp_path, listed))


finite = st.floats(-3000, 3000)
poses = st.builds(
    lambda r, c: Rigid3(exp_so3(r), -exp_so3(r) @ np.array(c)),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(finite, finite, finite),
)


@settings(max_examples=60)
@given(
    st.dictionaries(
        names.filter(lambda name: not name.startswith("#")), poses, min_size=1, max_size=6
    )
)
def test_poses_round_trip(poses_by_name: dict[str, Rigid3]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dataset_test.txt"
        write_cambridge(path, poses_by_name)
        model = read_cambridge(path, cameras=dict.fromkeys(poses_by_name, camera())).model
    assert {image.name for image in model.images} == set(poses_by_name)
    for image in model.images:
        pose = poses_by_name[image.name]
        np.testing.assert_allclose(image.cam_from_world.rotation, pose.rotation, atol=1e-14)
        np.testing.assert_allclose(image.cam_from_world.translation, pose.translation, atol=1e-11)


def test_written_lists_have_the_header_and_refuse_names(tmp_path: Path) -> None:
    write_cambridge(tmp_path / "l.txt", {"a.png": Rigid3(np.eye(3), np.array([-1.0, 0, 2]))})
    assert (tmp_path / "l.txt").read_text() == f"{HEADER}a.png 1.0 0.0 -2.0 1.0 0.0 0.0 0.0\n"
    with pytest.raises(FormatError, match="cannot hold the name"):
        write_cambridge(tmp_path / "m.txt", {"a\nb": Rigid3.identity()})


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations(LIST.encode()), mutations(NVM.encode()), st.booleans())
def test_mutated_files_raise_only_format_errors(
    tmp_path: Path, listed: bytes, nvm: bytes, change_nvm: bool
) -> None:
    path = written(tmp_path, LIST if change_nvm else listed)
    if change_nvm:
        (tmp_path / "reconstruction.nvm").write_bytes(nvm)
    try:
        posed = read_cambridge(path)
    except FormatError:
        return
    for image in posed.model.images:
        assert np.isfinite(image.cam_from_world.matrix).all()
