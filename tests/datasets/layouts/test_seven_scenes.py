"""7-Scenes: poses of the depth camera, split files, pseudo truth beside the scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.layouts.seven_scenes import SCENES, read, write
from hloc_lite.errors import FormatError
from tests.datasets.layouts.made_dataset import (
    PINHOLE,
    RADIAL,
    assert_accepted,
    assert_complete,
    assert_read_back,
    loose_card,
    made_dataset,
    pixel_mean,
    submission_poses,
    true_poses,
)

CARD = read_card("7scenes")
COLOR_FROM_DEPTH = np.array(
    [
        [0.99996518, 0.00267651, -0.00790410, -0.02555894],
        [-0.00274093, 0.99996302, -0.00815045, 0.00010110],
        [0.00788199, 0.00817183, 0.99993555, 0.00203183],
        [0, 0, 0, 1],
    ]
)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Scene chess with two sequences of one frame, by hand; the camera stands at (1, 2, 3)."""
    for sequence in ("seq-01", "seq-03"):
        folder = tmp_path / "chess" / sequence
        folder.mkdir(parents=True)
        Image.new("RGB", (640, 480)).save(folder / "frame-000000.color.png")
        (folder / "frame-000000.pose.txt").write_text(
            " 1.0 0.0 0.0 1.0 \n 0.0 1.0 0.0 2.0\n0 0 1 3\n0 0 0 1\n"
        )
    (tmp_path / "chess" / "TrainSplit.txt").write_text("sequence1\r\n")
    (tmp_path / "chess" / "TestSplit.txt").write_text("sequence3\n")
    return tmp_path


@pytest.mark.parametrize("cameras", [(PINHOLE,), (RADIAL, PINHOLE)])
def test_written_and_read(tmp_path: Path, cameras: tuple[object, ...]) -> None:
    original = made_dataset(tmp_path / "made", cameras)  # type: ignore[arg-type]
    names = write(original, tmp_path / "out")
    others = [f"{name}/" for name in SCENES[1:] if name]
    card = loose_card("7scenes", [f"{other}seq" for other in others])
    assert_complete(tmp_path / "out", card)
    (part,) = read(tmp_path / "out", card)
    assert (part.name, part.thresholds) == ("chess", ("0.05m,5deg",))
    assert_read_back(original, part, names, same_cameras=False)
    assert len(part.map_image_names) == 5 and len(part.queries["chess"]) == 17
    assert set(part.ground_truth["chess"]) == set(part.queries["chess"])
    truth = {names[old]: pose for old, pose in true_poses(original).items()}
    assert_accepted(tmp_path / "poses.txt", "7scenes", submission_poses(part, truth))


def test_photos_are_resampled_to_the_benchmarks_camera(tmp_path: Path) -> None:
    original = made_dataset(tmp_path / "made")
    names = write(original, tmp_path / "out")
    path = tmp_path / "out" / "chess" / names["map/0001.jpg"]
    with Image.open(path) as image:
        assert (image.size, image.format) == ((640, 480), "PNG")
        pixels = np.asarray(image, np.float64)
    # the ray through pixel (u, v) meets column 60 * x + 31.5 of the original
    u, v = np.meshgrid(np.arange(100, 500) + 0.5, np.arange(100, 400) + 0.5)
    x, y = (u - 320) / 525, (v - 240) / 525
    column, row = 60 * x + 31.5 - 0.5, 61 * y + 24.5 - 0.5
    expected = np.stack([4 * column, 5 * row, np.full_like(x, 10)], axis=-1)
    difference = pixels[100:400, 100:500] - expected
    assert np.abs(difference).max() < 12  # compression
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.8  # half a pixel is 2


def test_poses_are_those_of_the_depth_camera(scene: Path) -> None:
    (part,) = read(scene, CARD)
    pose = part.ground_truth["chess"]["seq-03/frame-000000.color.png"]
    world_from_color = np.eye(4)
    world_from_color[:3, 3] = [1, 2, 3]
    expected = COLOR_FROM_DEPTH @ np.linalg.inv(world_from_color)
    np.testing.assert_allclose(pose.matrix, expected, atol=1e-4)
    assert part.map_image_names == ("seq-01/frame-000000.color.png",)
    camera = part.queries["chess"]["seq-03/frame-000000.color.png"]
    assert camera.params.tolist() == [525.0, 320.0, 240.0]
    assert any("original" in note for note in part.notes)
    assert part.depth_folder is None  # depths are seen by another camera


def test_pseudo_truth_beside_the_scenes_is_used(scene: Path) -> None:
    folder = scene / "pgt" / "sfm" / "7scenes"
    folder.mkdir(parents=True)
    line = "{}/frame-000000.color.png 1 0 0 0 0.5 0 0 526.22\n"
    (folder / "chess_test.txt").write_text(line.format("seq-03"))
    with pytest.raises(FormatError, match=r"chess_train\.txt does not exist, but chess_test\.txt"):
        read(scene, CARD)
    (folder / "chess_train.txt").write_text(line.format("seq-01"))
    (part,) = read(scene, CARD)
    name = "seq-03/frame-000000.color.png"
    assert part.ground_truth["chess"][name].translation.tolist() == [0.5, 0, 0]
    assert part.queries["chess"][name].params.tolist() == [526.22, 320.0, 240.0]
    assert "structure from motion" in part.notes[0]


def test_only_scenes_that_are_there(scene: Path, tmp_path: Path) -> None:
    assert [part.name for part in read(scene, CARD)] == ["chess"]
    with pytest.raises(FormatError, match=r"no part of 7scenes: expected PART/TestSplit\.txt"):
        read(tmp_path / "chess", CARD)


def test_damaged_scenes(scene: Path) -> None:
    (scene / "fire").mkdir()
    with pytest.raises(
        FormatError, match=r"fire.TestSplit\.txt does not exist: unpack all of fire"
    ):
        read(scene, CARD)
    (scene / "fire").rmdir()
    (scene / "chess" / "TestSplit.txt").write_text("sequence4\n")
    (scene / "chess" / "seq-04.zip").touch()
    with pytest.raises(FormatError, match=r"unpack seq-04\.zip"):
        read(scene, CARD)
    (scene / "chess" / "TestSplit.txt").write_text("seq-03\n")
    with pytest.raises(FormatError, match="expected 'sequence3'"):
        read(scene, CARD)


def test_colours_of_written_photos_tell_them_apart(tmp_path: Path) -> None:
    original = made_dataset(tmp_path / "made")
    names = write(original, tmp_path / "out")
    for row, old in enumerate(names):
        assert abs(pixel_mean(tmp_path / "out" / "chess" / names[old])[2] - 10 * row) < 3
