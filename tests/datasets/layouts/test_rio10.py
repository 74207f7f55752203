"""RIO10: recordings by their number, upright photos, hidden poses, rendered depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.layouts.rio10 import read, write
from hloc_lite.errors import FormatError
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

CARD = read_card("rio10")


def add_frames(folder: Path, count: int, *, posed: bool = True) -> None:
    folder.mkdir(parents=True)
    for frame in range(count):
        (folder / f"frame-{frame:06d}.color.jpg").touch()
        if posed:
            text = f"0 0 1 {frame}\n1 0 0 5\n0 1 0 6\n0 0 0 1\n"
            (folder / f"frame-{frame:06d}.pose.txt").write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Scene 1 by hand, in a folder of its own."""
    for number, posed in ((1, True), (2, True), (3, False)):
        add_frames(tmp_path / "seq01" / f"seq01_{number:02d}", 3, posed=posed)
    lines = [f"seq01_{number:02d} 756.026 756.832 270.419 492.889" for number in (1, 2, 3)]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "intrinsics.txt").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.parametrize("cameras", [(PINHOLE,), (RADIAL, PINHOLE)])
def test_written_and_read(tmp_path: Path, cameras: tuple[object, ...]) -> None:
    original = made_dataset(tmp_path / "made", cameras)  # type: ignore[arg-type]
    names = write(original, tmp_path / "out")
    card = loose_card("rio10")
    assert_complete(tmp_path / "out", card)
    (part,) = read(tmp_path / "out", card)
    assert part.name == "seq01"
    assert_read_back(original, part, names, same_cameras=False)
    assert {key: len(each) for key, each in part.queries.items()} == {"validation": 12, "test": 5}
    assert list(part.ground_truth) == ["validation"]
    assert set(part.ground_truth["validation"]) == set(part.queries["validation"])
    with Image.open(part.image_folder / names["map/0000.jpg"]) as image:
        assert image.size == (540, 960)
    truth = {names[old]: pose for old, pose in true_poses(original).items()}
    poses = submission_poses(part, truth)
    assert_accepted(tmp_path / "poses.txt", "rio10", poses)
    first = (tmp_path / "poses.txt").read_text().split()[0]
    assert first == "seq01_02/frame-000000"


def test_recordings_in_folders_of_scenes(root: Path) -> None:
    (part,) = read(root, CARD)
    assert part.image_folder == root / "seq01"
    assert part.map_image_names[0] == "seq01_01/frame-000000.color.jpg"
    assert set(part.queries["test"]) == {f"seq01_03/frame-{n:06d}.color.jpg" for n in range(3)}
    pose = part.ground_truth["validation"]["seq01_02/frame-000002.color.jpg"]
    np.testing.assert_allclose(pose.center, [2, 5, 6], atol=1e-12)
    camera = part.queries["validation"]["seq01_02/frame-000002.color.jpg"]
    assert (camera.width, camera.height, camera.params[0]) == (540, 960, 756.026)
    assert part.depth_folder is None


def test_validation_poses_of_the_list_and_frames_without(root: Path) -> None:
    folder = root / "seq01" / "seq01_02"
    for frame in range(3):
        (folder / f"frame-{frame:06d}.pose.txt").unlink()
    (part,) = read(root, CARD)
    assert len(part.queries["validation"]) == 3 and not part.ground_truth
    assert any("no validation truth" in note for note in part.notes)
    (root / "GT_RIO10.txt").write_text("seq01_02/frame-000001 1 0 0 0 4 5 6\n")
    (part,) = read(root, CARD)
    assert list(part.queries["validation"]) == ["seq01_02/frame-000001.color.jpg"]
    pose = part.ground_truth["validation"]["seq01_02/frame-000001.color.jpg"]
    assert pose.center.tolist() == [4, 5, 6]
    assert any("2 frames of seq01_02 without a pose" in note for note in part.notes)


def test_rendered_depth(tmp_path: Path) -> None:
    folder = tmp_path / "depth" / "map"
    folder.mkdir(parents=True)
    Image.fromarray(np.full((48, 64), 1500, np.uint16)).save(folder / "0000.jpg.png")
    original = made_dataset(tmp_path / "made", depth_folder=tmp_path / "depth")
    names = write(original, tmp_path / "out")
    stem = names["map/0000.jpg"].removesuffix(".color.jpg")
    with Image.open(tmp_path / "out" / f"{stem}.rendered.depth.png") as image:
        values = np.asarray(image)
    assert values.shape == (960, 540) and values[480, 270] == 1500
    (part,) = read(tmp_path / "out", CARD)
    assert part.depth_folder == tmp_path / "out"
    assert any("rendered.depth.png" in note for note in part.notes)


def test_damaged_folders(root: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no map of RIO10: expected folders seq01_01"):
        read(root / "data", CARD)
    path = root / "data" / "intrinsics.txt"
    path.write_text("seq01_01 756.026 756.832 270.419 492.889\n")
    with pytest.raises(FormatError, match="no intrinsics of 'seq01_02'"):
        read(root, CARD)
    path.unlink()
    with pytest.raises(FormatError, match=r"no intrinsics\.txt: put data/intrinsics\.txt of"):
        read(root, CARD)
