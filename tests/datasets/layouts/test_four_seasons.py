"""4Seasons: lists of pairs are the queries, poses are relative, principal points shifted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.layouts.four_seasons import read, write
from hloc_lite.errors import FormatError
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

CARD = read_card("4seasons")
LISTS = "reference/RelocalizationFilesTest/relocalizationFile_recording_2020-03-24_17-45-31"
TRAINING = "reference/RelocalizationFilesTrain/relocalizationFile_recording_2020-03-24_17-36-22.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Reference of two frames, one query of training and two of test0, by hand."""
    for folder, stamps in (("reference", "12"), ("training", "57"), ("test0", "89")):
        for stamp in stamps:
            path = tmp_path / folder / "undistorted_images" / "cam0" / f"{stamp}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        calib = tmp_path / folder / "calib"
        calib.mkdir()
        for index in "01":
            (calib / f"undistorted_calib_{index}.txt").write_text(
                "Pinhole 500 501 399.5 199.5 0\n800 400\n"
            )
        (calib / "undistorted_calib_stereo.txt").write_text(
            "1 0 0 -0.3\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"
        )
    (tmp_path / "reference" / "poses.txt").write_text(
        "# ts, tx, ty, tz, qx, qy, qz, qw\n1, 10, 0, 0, 0, 0, 0, 1\n2, 20, 0, 0, 0, 0, 1, 0\n"
        "3, 30, 0, 0, 0, 0, 0, 1\n"
    )
    for name in (TRAINING, f"{LISTS}_easy.txt", f"{LISTS}_hard.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / TRAINING).write_text("1 5 0 0 -2 0 0 0 1\n")
    (tmp_path / f"{LISTS}_easy.txt").write_text("1 8\n")
    (tmp_path / f"{LISTS}_hard.txt").write_text("1 8\n2 9\n2 8\n")
    return tmp_path


@pytest.mark.parametrize("cameras", [(PINHOLE,), (RADIAL, PINHOLE)])
def test_written_and_read(tmp_path: Path, cameras: tuple[Camera, ...]) -> None:
    original = made_dataset(tmp_path / "made", cameras)
    names = write(original, tmp_path / "out")
    card = loose_card("4seasons")
    assert_complete(tmp_path / "out", card)
    (part,) = read(tmp_path / "out", card)
    assert_read_back(original, part, names, same_cameras=cameras == (PINHOLE,))
    assert {key: len(each) for key, each in part.queries.items()} == {
        "training": 12, "validation": 3, "test0": 1, "test1": 1,
    }  # fmt: skip
    assert list(part.ground_truth) == ["training", "validation"]
    assert len(part.relative_queries) == 17
    truth = {names[old]: pose for old, pose in true_poses(original).items()}
    poses = submission_poses(part, truth)
    assert_accepted(tmp_path / "poses.txt", "4seasons", poses)


def test_pairs_and_poses(root: Path) -> None:
    (part,) = read(root, CARD)
    prefix = "reference/undistorted_images/cam0"
    assert part.map_image_names == (f"{prefix}/1.png", f"{prefix}/2.png")
    assert any("1 pose of poses.txt without an image" in note for note in part.notes)
    assert any("no folder validation/" in note for note in part.notes)
    # files that no list names (7.png) are no queries
    assert list(part.queries["training"]) == ["training/undistorted_images/cam0/5.png"]
    # the query moved 2 m forward: query_from_reference has t = -2 along z
    pose = part.ground_truth["training"]["training/undistorted_images/cam0/5.png"]
    np.testing.assert_allclose(pose.center, [10, 0, 2], atol=1e-12)
    assert "test0" not in part.ground_truth
    # hard, then easy, each pair once
    pairs = [each.name for each in part.relative_queries]
    assert pairs == ["1/5", "2/9", "2/8", "1/8"]
    assert part.relative_queries[-1].reference == f"{prefix}/1.png"
    camera = part.queries["training"]["training/undistorted_images/cam0/5.png"]
    assert camera.params.tolist() == [500, 501, 400, 200]


def test_images_of_the_right_camera(root: Path) -> None:
    folder = root / "reference" / "undistorted_images" / "cam1"
    folder.mkdir()
    (folder / "1.png").touch()
    (part,) = read(root, CARD)
    assert "reference/undistorted_images/cam1/1.png" in part.map_image_names
    assert part.reference is not None
    image = part.reference.image_named("reference/undistorted_images/cam1/1.png")
    assert image is not None
    np.testing.assert_allclose(image.cam_from_world.center, [10.3, 0, 0], atol=1e-12)


def test_damaged_folders(root: Path) -> None:
    (root / f"{LISTS}_easy.txt").write_text("3 8\n")
    with pytest.raises(FormatError, match="1 of 3 reference frames of the relocalization files"):
        read(root, CARD)
    (root / f"{LISTS}_easy.txt").write_text("1 6\n")
    with pytest.raises(FormatError, match=r"1 of 3 queries of 4seasons 4seasons, test0, are not"):
        read(root, CARD)
    (root / f"{LISTS}_easy.txt").unlink()
    (root / f"{LISTS}_hard.txt").unlink()
    with pytest.raises(FormatError, match=r"these files list the queries of test0/"):
        read(root, CARD)
    (root / "reference" / "poses.txt").unlink()
    with pytest.raises(FormatError, match=r"unpack the reference recording into reference/"):
        read(root, CARD)
