"""12-Scenes: the first sequence is the test, INF poses are left out, one mean focal length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.config import DepthConfig
from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.layouts.twelve_scenes import read, write
from hloc_lite.errors import FormatError
from hloc_lite.formats.depth_images import read_depth
from hloc_lite.types import Camera
from tests.datasets.layouts.made_dataset import (
    PINHOLE,
    RADIAL,
    assert_accepted,
    assert_complete,
    assert_read_back,
    loose_card,
    made_dataset,
    submission_poses,
    true_poses,
)

CARD = read_card("12scenes")
SQUARE = Camera("SIMPLE_PINHOLE", 64, 48, np.array([60.0, 31.0, 24.5]))
INFO = """m_versionNumber = 4
m_sensorName = StructureSensor
m_colorWidth = 1296
m_colorHeight = 968
m_depthWidth = 640
m_depthHeight = 480
m_depthShift = 1000
m_calibrationColorIntrinsic = 1158.3 0 649 0 0 1153.53 483.5 0 0 0 1 0 0 0 0 1
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Room apt1/kitchen by hand: 2 test frames, of which one is lost, and 2 map frames."""
    room = tmp_path / "apt1" / "kitchen"
    (room / "data").mkdir(parents=True)
    (room / "info.txt").write_text(INFO)
    (room / "split.txt").write_text(
        "sequence0 [frames=2]  [start=0 ; end=1]\nsequence1 [frames=2]  [start=2 ; end=3]\n"
    )
    for frame in range(4):
        Image.new("RGB", (16, 12)).save(room / "data" / f"frame-{frame:06d}.color.jpg")
        rows = ["1 0 0 7", "0 1 0 0", "0 0 1 0", "0 0 0 1"] if frame != 1 else ["INF " * 4] * 4
        (room / "data" / f"frame-{frame:06d}.pose.txt").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize("cameras", [(SQUARE,), (PINHOLE,), (RADIAL, PINHOLE)])
def test_written_and_read(tmp_path: Path, cameras: tuple[Camera, ...]) -> None:
    original = made_dataset(tmp_path / "made", cameras)
    names = write(original, tmp_path / "out")
    card = loose_card("12scenes")
    assert_complete(tmp_path / "out", card)
    (part,) = read(tmp_path / "out", card)
    assert part.name == "apt1_kitchen"
    assert_read_back(original, part, names, same_cameras=cameras == (SQUARE,))
    assert len(part.map_image_names) == 5 and len(part.queries["all"]) == 17
    truth = {names[old]: pose for old, pose in true_poses(original).items()}
    assert_accepted(tmp_path / "poses.txt", "12scenes", submission_poses(part, truth))
    lines = (tmp_path / "out" / "apt1" / "kitchen" / "info.txt").read_text().split("\n")
    assert lines[3] == "m_colorHeight = 48"
    assert lines[7].split()[0] == "m_calibrationColorIntrinsic"
    assert lines[7].split()[2] == lines[7].split()[7]  # fx and fy


def test_frames_and_focal_length(root: Path) -> None:
    (part,) = read(root, CARD)
    assert part.map_image_names == ("data/frame-000002.color.jpg", "data/frame-000003.color.jpg")
    (query,) = part.queries["all"]
    assert query == "data/frame-000000.color.jpg"
    np.testing.assert_allclose(part.queries["all"][query].params, [1155.915, 649, 483.5])
    assert part.ground_truth["all"][query].center.tolist() == [7, 0, 0]
    assert any("queries: 1 frame left out" in note and "INF" in note for note in part.notes)


def test_lost_queries_are_written_as_inf(tmp_path: Path) -> None:
    original = made_dataset(tmp_path / "made", ground_truth={})
    write(original, tmp_path / "out")
    path = tmp_path / "out" / "apt1" / "kitchen" / "data" / "frame-000000.pose.txt"
    assert path.read_text().split() == ["INF"] * 16


def test_depth_is_in_millimetres(tmp_path: Path) -> None:
    depth = np.full((48, 64), 2345, np.uint16)
    depth[0, 0] = 0
    folder = tmp_path / "depth" / "map"
    folder.mkdir(parents=True)
    Image.fromarray(depth).save(folder / "0000.jpg.png")
    original = made_dataset(tmp_path / "made", (SQUARE,), depth_folder=tmp_path / "depth")
    names = write(original, tmp_path / "out")
    stem = names["map/0000.jpg"].removesuffix(".color.jpg")
    path = tmp_path / "out" / "apt1" / "kitchen" / f"{stem}.depth.png"
    back = read_depth(path, (64, 48), DepthConfig(values="metric")).depths
    assert np.isnan(back[0, 0])
    np.testing.assert_allclose(back[1:], 2.345, atol=1e-6)


def test_pseudo_truth_beside_the_rooms_is_used(root: Path) -> None:
    folder = root / "pgt" / "dslam" / "12scenes"
    folder.mkdir(parents=True)
    line = "data/frame-00000{}.color.jpg 1 0 0 0 0.5 0 0 1155.9\n"
    (folder / "apt1_kitchen_test.txt").write_text(line.format(1))
    (folder / "apt1_kitchen_train.txt").write_text(line.format(2) + line.format(3))
    (part,) = read(root, CARD)
    assert list(part.queries["all"]) == ["data/frame-000001.color.jpg"]
    assert "depth tracking" in part.notes[0] and "pseudo" in part.notes[0]


def test_damaged_rooms(root: Path) -> None:
    with pytest.raises(FormatError, match=r"no room of 12-Scenes: expected APT/ROOM/data"):
        read(root / "apt1", CARD)
    (root / "apt1" / "kitchen" / "info.txt").unlink()
    with pytest.raises(FormatError, match=r"info\.txt does not exist"):
        read(root, CARD)
