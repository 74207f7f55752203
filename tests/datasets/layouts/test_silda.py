"""SILDa: fisheye photos of two cameras, poses camera to world, lists that are the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.layouts.silda import read, write
from hloc_lite.errors import FormatError
from tests.datasets.layouts.made_dataset import (
    assert_accepted,
    assert_complete,
    assert_read_back,
    loose_card,
    made_dataset,
    submission_poses,
    true_poses,
)

CARD = read_card("silda")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two map images and a query of each camera, by hand; one image belongs to no list."""
    images = tmp_path / "silda-images"
    images.mkdir()
    for name in ("0001_0", "0001_1", "0002_0", "0002_1", "0003_0"):
        (images / f"{name}.png").touch()
    (tmp_path / "train_imgs.txt").write_text("0001_0.png\n0001_1.png\n")
    (tmp_path / "query_imgs.txt").write_text("0002_0.png\n0002_1.png\n")
    (tmp_path / "silda-train-poses.txt").write_text(
        "0001_0.png 0.5 0.5 0.5 0.5 1 2 3\n0003_0.png 1 0 0 0 0 0 0\n"
    )
    folder = tmp_path / "camera-intrinsics"
    folder.mkdir()
    (folder / "0001_0.intrinsics").write_text("0.51\n0.49\n0.1 0.2\n")
    (folder / "0002_1.intrinsics").write_text("0.5 0.48 7\n")
    return tmp_path


def test_written_and_read(tmp_path: Path) -> None:
    original = made_dataset(tmp_path / "made")
    names = write(original, tmp_path / "out")
    card = loose_card("silda")
    assert_complete(tmp_path / "out", card)
    (part,) = read(tmp_path / "out", card)
    assert_read_back(original, part, names, same_cameras=False)
    assert len(part.map_image_names) == 5 and len(part.queries["all"]) == 17
    assert not part.ground_truth
    with Image.open(part.image_folder / names["map/0000.jpg"]) as image:
        assert image.size == (1024, 1024)
        pixels = np.asarray(image)
    assert not pixels[0, 0].any()  # a fisheye sees more than the photo
    # at the centre is the original's principal point
    np.testing.assert_allclose(pixels[512, 512], [4 * 31, 5 * 24, 0], atol=6)
    truth = {names[old]: pose for old, pose in true_poses(original).items()}
    assert_accepted(tmp_path / "poses.txt", "silda", submission_poses(part, truth))


def test_lists_poses_and_cameras(root: Path) -> None:
    (part,) = read(root, CARD)
    assert part.map_image_names == ("0001_0.png",)
    assert any("1 map image without a pose" in note for note in part.notes)
    assert list(part.queries["all"]) == ["0002_0.png", "0002_1.png"]
    assert part.reference is not None
    pose = part.reference.images[0].cam_from_world
    np.testing.assert_allclose(pose.center, [1, 2, 3], atol=1e-12)
    # world_from_cam turns x into y
    np.testing.assert_allclose(pose.rotation.T @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    left, right = part.queries["all"].values()
    assert left.model == right.model == "OPENCV_FISHEYE"
    np.testing.assert_allclose(left.params[:4], [393.299, 394.815, 522.24, 501.76])
    np.testing.assert_allclose(right.params[2:4], [512, 491.52])


def test_lists_with_the_image_folder(root: Path) -> None:
    (root / "query_imgs.txt").write_text("silda-images/0002_0.png\nsilda-images/0002_1.png\n")
    assert list(read(root, CARD)[0].queries["all"]) == ["0002_0.png", "0002_1.png"]


def test_intrinsics_of_ones_own(root: Path) -> None:
    path = root / "camera-intrinsics" / "1.txt"
    path.write_text("FOV 1024 1024 217.29 217.21 512 507.9 -0.769\n")
    (part,) = read(root, CARD)
    assert [camera.model for camera in part.queries["all"].values()] == ["OPENCV_FISHEYE", "FOV"]


def test_damaged_folders(root: Path) -> None:
    (root / "query_imgs.txt").write_text("0002_0.png\n0001_0.png\n")
    with pytest.raises(FormatError, match=r"1 image of query_imgs\.txt also in train_imgs\.txt"):
        read(root, CARD)
    (root / "query_imgs.txt").write_text("0009_0.png\n")
    with pytest.raises(FormatError, match=r"1 of 1 queries of silda silda, all, .*'0009_0\.png'"):
        read(root, CARD)
    (root / "query_imgs.txt").write_text("2.png\n")
    with pytest.raises(FormatError, match=r"expected names like 1445_0\.png, got '2\.png'"):
        read(root, CARD)
    (root / "query_imgs.txt").write_text("0002_0.png\n")
    (root / "camera-intrinsics" / "0001_0.intrinsics").write_text("512 512\n")
    with pytest.raises(FormatError, match="relative to the image size"):
        read(root, CARD)
    (root / "camera-intrinsics" / "0001_0.intrinsics").unlink()
    with pytest.raises(FormatError, match=r"no NNNN_0\.intrinsics of any image"):
        read(root, CARD)
    (root / "train_imgs.txt").unlink()
    with pytest.raises(FormatError, match=r"train_imgs\.txt does not exist"):
        read(root, CARD)
