"""Rigs and frames of COLMAP models: round trips, exchange with pycolmap, ids that do not fit."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.formats.colmap.rig_files import read_rig_files
from hloc_lite.geometry.rotations import pose_errors, quat_wxyz_from_rotation
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import Camera, Rigid3

quick = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def random_pose(rng: np.random.Generator) -> Rigid3:
    return Rigid3(Rotation.random(rng=rng).as_matrix(), rng.normal(size=3))


def rigged_model(num_cameras: int, num_frames: int, seed: int, share: float = 0.8) -> SfmModel:
    """Frames of a rig, from each of which some photos are missing; and two single photos."""
    rng = np.random.default_rng(seed)
    ids = range(1, 3 * num_cameras + 2, 3)
    cameras = {i: Camera("SIMPLE_PINHOLE", 640, 480, np.array([500.0 + i, 320, 240])) for i in ids}
    *on_rig, single = cameras
    mounted = {camera_id: random_pose(rng) for camera_id in on_rig}
    images: list[SfmImage] = []
    for _ in range(num_frames):
        rig_from_world = random_pose(rng)
        present = [camera_id for camera_id in on_rig if rng.random() < share]
        first = len(images) * 2 + 5
        for camera_id in present:
            pose = mounted[camera_id].compose(rig_from_world)
            images.append(make_image(len(images) * 2 + 5, camera_id, pose, first, len(present)))
    for _ in range(2):
        images.append(make_image(len(images) * 2 + 5, single, random_pose(rng), 0, 1))
    references = frozenset(on_rig[-1:])
    return SfmModel(
        cameras, tuple(images), np.zeros(0, np.int64), np.zeros((0, 3)),
        np.zeros((0, 3), np.uint8), np.zeros(0), references,
    )  # fmt: skip


def make_image(image_id: int, camera_id: int, pose: Rigid3, frame: int, size: int) -> SfmImage:
    frame_id = frame if size > 1 else None
    return SfmImage(
        image_id, f"cam{camera_id}/{image_id:04d}.jpg", camera_id, pose, np.zeros((0, 2)),
        np.zeros(0, np.int64), frame_id,
    )  # fmt: skip


def frames_of(model: SfmModel) -> dict[str, int | None]:
    return {image.name: image.frame_id for image in model.images}


def rig_files(folder: Path, suffix: str = ".bin") -> tuple[Path, Path]:
    return folder / f"rigs{suffix}", folder / f"frames{suffix}"


@quick
@given(st.integers(1, 4), st.integers(0, 5), st.integers(0, 2**32))
def test_rigs_round_trip(tmp_path: Path, num_cameras: int, num_frames: int, seed: int) -> None:
    model = rigged_model(num_cameras, num_frames, seed)
    write_model(tmp_path, model)
    found = read_model(tmp_path)
    assert frames_of(found) == frames_of(model)
    if any(frames_of(model).values()):
        rigs = read_rig_files(*rig_files(tmp_path))
        assert set().union(*rigs.rigs.values()) == set(model.cameras)
        in_frames = [each for frame in rigs.frames.values() for each in frame.image_ids.values()]
        assert sorted(in_frames) == sorted(image.image_id for image in model.images)


def test_the_reference_camera_and_the_mounting_are_kept(tmp_path: Path) -> None:
    model = rigged_model(3, 6, 1)
    write_model(tmp_path, model)
    rigs = read_rig_files(*rig_files(tmp_path))
    (reference,) = model.reference_cameras
    assert next(iter(rigs.rigs[reference])) == reference and len(rigs.rigs[reference]) == 3
    by_id = {image.image_id: image for image in model.images}
    for frame in rigs.frames.values():
        for camera_id, image_id in frame.image_ids.items():
            pose = rigs.rigs[frame.rig_id][camera_id].compose(frame.rig_from_world)
            distance, angle_deg = pose_errors(pose, by_id[image_id].cam_from_world)
            assert distance < 1e-12 and angle_deg < 1e-9


def test_rigs_follow_a_change_of_frame_and_scale(tmp_path: Path) -> None:
    model, rng = rigged_model(2, 4, 5, share=1.0), np.random.default_rng(0)
    change = Similarity3(7.0, Rotation.random(rng=rng).as_matrix(), rng.normal(size=3))
    images = (replace(i, cam_from_world=change.pose_in_a(i.cam_from_world)) for i in model.images)
    moved = replace(model, images=tuple(images))
    write_model(tmp_path / "a", model)
    write_model(tmp_path / "b", moved)
    before, after = (read_rig_files(*rig_files(tmp_path / each)).rigs for each in "ab")
    (reference,) = model.reference_cameras
    other = next(each for each in before[reference] if each != reference)
    np.testing.assert_allclose(
        after[reference][other].translation, 7 * before[reference][other].translation, atol=1e-12
    )
    assert frames_of(read_model(tmp_path / "b")) == frames_of(model)


def test_models_with_rigs_are_exchanged_with_pycolmap(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    model = rigged_model(3, 5, 2)
    write_model(tmp_path / "ours", model)
    theirs = pycolmap.Reconstruction(str(tmp_path / "ours"))
    assert theirs.num_rigs() == 2  # three cameras, and the single one
    together = {frame_id for frame_id in frames_of(model).values() if frame_id is not None}
    assert together <= set(theirs.frames)
    for image in model.images:
        native = theirs.images[image.image_id]
        found = Rigid3.from_matrix(native.cam_from_world().matrix())
        distance, angle_deg = pose_errors(found, image.cam_from_world)
        assert distance < 1e-12 and angle_deg < 1e-9
        if image.frame_id is not None:
            assert native.frame_id == image.frame_id
    for kind, suffix in (("binary", ".bin"), ("text", ".txt")):
        folder = tmp_path / kind
        folder.mkdir()
        getattr(theirs, f"write_{kind}")(str(folder))
        assert (folder / f"rigs{suffix}").is_file()
        found_model = read_model(folder)
        assert frames_of(found_model) == frames_of(model)
        assert found_model.reference_cameras >= model.reference_cameras


def test_single_images_get_rigs_and_frames_that_pycolmap_takes(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    model = rigged_model(2, 3, 3)
    alone = tuple(replace(image, frame_id=None) for image in model.images)
    write_model(tmp_path, replace(model, images=alone))
    found = pycolmap.Reconstruction(str(tmp_path))
    assert set(found.rigs) == set(model.cameras)
    assert set(found.frames) == {image.image_id for image in alone}
    assert all(rig.num_sensors() == 1 for rig in found.rigs.values())


def test_cameras_that_move_against_each_other_are_written_alone(tmp_path: Path, caplog) -> None:
    model = rigged_model(2, 3, 4, share=1.0)
    moved = replace(model.images[0], cam_from_world=random_pose(np.random.default_rng(1)))
    write_model(tmp_path, replace(model, images=(moved, *model.images[1:])))
    assert "move against each other" in caplog.text
    assert set(frames_of(read_model(tmp_path)).values()) == {None}


def test_poses_that_are_not_those_of_the_frames_are_said_and_kept(tmp_path: Path, caplog) -> None:
    model = rigged_model(2, 3, 4, share=1.0)
    write_model(tmp_path / "moved", model)
    other = replace(model.images[0], cam_from_world=random_pose(np.random.default_rng(1)))
    write_model(tmp_path / "new", replace(model, images=(other, *model.images[1:])))
    caplog.clear()
    (tmp_path / "new/images.bin").rename(tmp_path / "moved/images.bin")
    found = read_model(tmp_path / "moved")
    assert "the poses of 1 of 8 images are not those of their frames" in caplog.text
    assert repr(other.name) in caplog.text and "the rigs are left out" in caplog.text
    assert set(frames_of(found).values()) == {None}
    kept = found.image_named(other.name).cam_from_world
    assert np.array_equal(kept.translation, other.cam_from_world.translation)


def pose_text(pose: Rigid3) -> str:
    return " ".join(map(repr, [*quat_wxyz_from_rotation(pose.rotation).tolist(),
                               *pose.translation.tolist()]))  # fmt: skip


NO_TURN = "1 0 0 0 0 0 0"
RIG = "4 2 CAMERA 1 CAMERA 2 1 1 0 0 0 -0.5 0 0\n"
FRAME = f"9 4 {NO_TURN} 2 CAMERA 1 1 CAMERA 2 2\n"


def write_texts(folder: Path, rigs: str, frames: str) -> None:
    """A model of two photos beside each other, with these texts of rigs and frames."""
    (folder / "cameras.txt").write_text("".join(
        f"{number} SIMPLE_PINHOLE 640 480 500 320 240\n" for number in (1, 2)
    ))  # fmt: skip
    (folder / "images.txt").write_text(f"1 {NO_TURN} 1 a.jpg\n\n2 1 0 0 0 -0.5 0 0 2 b.jpg\n\n")
    (folder / "rigs.txt").write_text(rigs)
    (folder / "frames.txt").write_text(frames)


def test_text_is_read_as_documented(tmp_path: Path) -> None:
    write_texts(tmp_path, f"# Number of rigs: 1\n{RIG}", f"# Number of frames: 1\n{FRAME}")
    assert frames_of(read_model(tmp_path)) == {"a.jpg": 1, "b.jpg": 1}
    assert read_model(tmp_path).reference_cameras == {1}


def test_images_of_frames_may_have_been_taken_away(tmp_path: Path, caplog) -> None:
    write_texts(tmp_path, RIG, FRAME.replace("CAMERA 2 2", "CAMERA 2 7"))
    assert frames_of(read_model(tmp_path)) == {"a.jpg": None, "b.jpg": None}
    assert "frames.txt: 1 image of frames not in images.txt: ignored" in caplog.text


def test_other_sensors_are_ignored_with_a_note(tmp_path: Path) -> None:
    rigs = f"4 4 IMU 1 CAMERA 1 1 {NO_TURN} CAMERA 2 1 1 0 0 0 -0.5 0 0 LIDAR 9 0\n"
    write_texts(tmp_path, rigs, FRAME.replace(" 2 CAMERA 1 1", " 3 IMU 1 5 CAMERA 1 1"))
    assert frames_of(read_model(tmp_path)) == {"a.jpg": 1, "b.jpg": 1}
    found = read_rig_files(*rig_files(tmp_path, ".txt"))
    assert found.notes == ("2 sensors of rigs that are no cameras: ignored",)
    assert found.frames[9].image_ids == {1: 1, 2: 2}


@pytest.mark.parametrize(
    ("rigs", "frames", "message"),
    [
        (RIG + RIG, FRAME, "rig 4 is listed twice"),
        (RIG + RIG.replace("4 2", "5 2", 1), FRAME, "camera 1, which is on rig 4, too"),
        (RIG.replace("CAMERA 2", "CAMERA 1"), FRAME, "has camera 1 twice"),
        (RIG, FRAME + FRAME, "frame 9 is listed twice"),
        (RIG, FRAME + FRAME.replace("9", "8", 1), "image 1, which is in frame 9, too"),
        (RIG, FRAME.replace("9 4", "9 7"), "of rig 7, which .*rigs.txt does not have"),
        (RIG, FRAME.replace("CAMERA 2 2", "CAMERA 3 2"), "camera 3, which is not on rig 4"),
        (RIG, FRAME.replace("CAMERA 2 2", "CAMERA 1 2"), "two images of camera 1"),
        (RIG, FRAME.replace("1 1 CAMERA 2 2", "1 2 CAMERA 2 1"), "says it is of"),
        (RIG, FRAME.replace("CAMERA 2 2", f"CAMERA 2 {2**40}"), "expected an id from 0"),
        (RIG.replace("4 2", "-4 2"), FRAME, "expected an id from 0"),
        (RIG.replace("1 0 0 0 -0.5", "1 1 0 0 -0.5"), FRAME, "not a unit quaternion"),
        (RIG.replace("-0.5", "nan"), FRAME, "not finite"),
        (RIG, FRAME.replace("1 0 0 0", "0 0 0 0"), "not a unit quaternion"),
        (RIG.replace("4 2", f"4 {2**60}"), FRAME, "line 1: 1152921504606846976 sensors are stated"),
        (RIG, FRAME.replace(" 2 CAMERA", " 7 CAMERA", 1), "line 1: 7 data are stated"),
        (RIG.replace(" 0 0\n", "\n"), FRAME, "line 1: expected 'RIG_ID"),
        (RIG, "9 4\n", "line 1: expected 'FRAME_ID"),
        (RIG.replace("4", "four"), FRAME, "line 1"),
        ("# Number of rigs: 2\n" + RIG, FRAME, "rigs.txt is cut off"),
        (RIG, "# Number of frames: 1\n", "frames.txt is cut off"),
    ],
)
def test_ids_that_do_not_fit_are_named(tmp_path: Path, rigs: str, frames: str, message) -> None:
    write_texts(tmp_path, rigs, frames)
    with pytest.raises(FormatError, match=message) as caught:
        read_model(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("part", ["rigs", "frames"])
def test_every_truncation_is_a_format_error(tmp_path: Path, part: str) -> None:
    write_model(tmp_path, rigged_model(2, 3, 0))
    path = tmp_path / f"{part}.bin"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=f"{part}.bin"):
            read_model(tmp_path)
    for count in (0, 2**31, 2**60, 2**64 - 1):  # without memory of that size
        path.write_bytes(struct.pack("<Q", count) + whole[8:])
        with pytest.raises(FormatError, match=r"(rigs|frames)\.bin"):
            read_model(tmp_path)
    path.unlink()
    with pytest.raises(FormatError, match=f"{part}.bin is missing beside"):
        read_model(tmp_path)


@pytest.mark.parametrize("part", ["rigs", "frames"])
def test_changed_bytes_give_a_model_or_a_format_error(tmp_path: Path, part: str) -> None:
    write_model(tmp_path, rigged_model(2, 3, 0))
    path, rng = tmp_path / f"{part}.bin", np.random.default_rng(3)
    whole = path.read_bytes()
    for _ in range(200):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), rng.integers(1, 4)):
            data[at] = rng.choice([0, 1, 127, 255, rng.integers(256)])
        path.write_bytes(data)
        try:
            found: Any = read_model(tmp_path)
        except FormatError as error:
            assert str(tmp_path) in str(error)
        else:
            write_model(tmp_path / "again", found)
