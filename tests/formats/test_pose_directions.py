"""Poses given the other way round: noted for sequences, silent for orbits and loose photos."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hloc_lite.formats.kapture import write_kapture
from hloc_lite.formats.nerfstudio_writers import write_instant_ngp
from hloc_lite.formats.pose_directions import direction_notes, model_direction_notes
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.recognition import read_posed_images
from hloc_lite.formats.rio10 import read_rio10_poses
from hloc_lite.types import Camera, Rigid3
from pipelines.benchmarks.robustness.sample_model import write_photos

CAMERA = Camera("PINHOLE", 64, 48, np.array([60.0, 60, 32, 24]))
FIELD_DATA = os.environ.get("HLOC_LITE_FIELD_DATA")


def walk(count: int = 30) -> list[Rigid3]:
    """cam_from_world of a walk along x, far from the origin, while looking around."""
    poses = []
    for number in range(count):
        rotation = Rotation.from_euler("y", 15.0 * number, degrees=True).as_matrix()
        poses.append(Rigid3(rotation, -rotation @ np.array([50 + 0.1 * number, 1.0, 20.0])))
    return poses


def orbit(noise_deg: float = 8.0, count: int = 30) -> list[Rigid3]:
    """cam_from_world of cameras that circle the origin and look at it, roughly."""
    rng = np.random.default_rng(3)
    poses = []
    for angle in np.linspace(0, 300, count):
        shake = Rotation.from_euler("xyz", rng.normal(0, noise_deg, 3), degrees=True)
        turn = (shake * Rotation.from_euler("y", angle, degrees=True)).as_matrix()
        centre = turn.T @ shake.as_matrix() @ np.array([0, 0, -4.0]) + rng.normal(0, 0.1, 3)
        poses.append(Rigid3(turn, -turn @ centre))
    return poses


def posed(poses: list[Rigid3], name: str = "{:02d}.png") -> PosedImages:
    by_name = {name.format(number): pose for number, pose in enumerate(poses)}
    cameras = dict.fromkeys(by_name, CAMERA)
    return PosedImages(model=posed_model(cameras, by_name), cameras=cameras)


def inverses(poses: list[Rigid3]) -> list[Rigid3]:
    return [pose.inverse() for pose in poses]


def _kapture(folder: Path, given: PosedImages) -> Path:
    write_kapture(folder, given)
    return folder


def _instant_ngp(folder: Path, given: PosedImages) -> Path:
    write_photos(folder, list(given.cameras), (64, 48))
    write_instant_ngp(folder / "transforms.json", given.model)
    return folder


@pytest.mark.parametrize("write", [_kapture, _instant_ngp])
def test_inverse_poses_of_other_kinds_are_noted(
    write: Callable[[Path, PosedImages], Path], tmp_path: Path
) -> None:
    right = read_posed_images(write(tmp_path / "right", posed(walk()))).posed.notes
    wrong = read_posed_images(write(tmp_path / "wrong", posed(inverses(walk())))).posed.notes
    assert not [note for note in right if "direction" in note]
    (note,) = [note for note in wrong if "direction" in note]
    assert "if the poses were the inverses: check the direction of the poses" in note


def test_each_folder_is_a_sequence_and_one_note_tells_of_all() -> None:
    poses = inverses(walk()) * 2
    (note,) = model_direction_notes(posed(poses[:30], "a/{}.png").model)
    assert "poses of 'a'" in note
    names = [f"{'ab'[number // 30]}/{number % 30}.png" for number in range(60)]
    cameras = dict.fromkeys(names, CAMERA)
    both = posed_model(cameras, dict(zip(names, poses, strict=True)))
    (note,) = model_direction_notes(both)
    assert "and those of 1 other folder" in note


@pytest.mark.parametrize("noise_deg", [0.0, 8.0])
def test_cameras_around_an_object_are_no_alarm(noise_deg: float) -> None:
    """The origin stays where it is in the images: the other path is short, too."""
    assert direction_notes(inverses(orbit(noise_deg)), "poses") == ()


def test_photos_in_no_order_are_no_alarm() -> None:
    order = np.random.default_rng(2).permutation(30)
    assert direction_notes([walk()[index] for index in order], "poses") == ()
    assert direction_notes(walk(), "poses")


@pytest.mark.skipif(FIELD_DATA is None, reason="no real data")
def test_real_sequences_raise_no_alarm_and_their_inverses_do() -> None:
    by_recording: dict[str, list[Rigid3]] = {}
    listed = read_rio10_poses(Path(FIELD_DATA or "") / "rio10" / "GT_RIO10.txt")
    for name, pose in sorted(listed.items()):
        by_recording.setdefault(name.split("/")[0], []).append(pose)
    assert len(by_recording) == 10
    for recording, poses in by_recording.items():
        assert direction_notes(inverses(poses), recording) == ()
        assert direction_notes(poses, recording)
