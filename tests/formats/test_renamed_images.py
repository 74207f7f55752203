"""Names of images of other programs in the user's folder of photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.errors import FormatError
from hloc_lite.formats.posed_images import PosedImages, posed_model
from hloc_lite.formats.recognition import read_posed_images
from hloc_lite.formats.renamed_images import named_in_folder
from hloc_lite.types import Camera, Rigid3

CAMERA = Camera("PINHOLE", 64, 48, np.array([60.0, 60, 32, 24]))


def photos(folder: Path, *names: str, value: int = 0) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), (value, 0, 0)).save(path)
    return folder


def posed(*names: str, folder: Path | None = None) -> PosedImages:
    cameras = dict.fromkeys(names, CAMERA)
    poses = {name: Rigid3(np.eye(3), np.array([row, 0.0, 0])) for row, name in enumerate(names)}
    return PosedImages(model=posed_model(cameras, poses), cameras=cameras, image_folder=folder)


def test_names_that_fit_stay_as_they_are(tmp_path: Path) -> None:
    found = named_in_folder(posed("a/1.jpg", "ü 2.jpg"), photos(tmp_path, "a/1.jpg", "ü 2.jpg"))
    assert set(found.cameras) == {"a/1.jpg", "ü 2.jpg"} and found.notes == ()


def test_umlauts_of_macos_are_the_same(tmp_path: Path) -> None:
    photos(tmp_path, "u\u0308ber 1.jpg")  # two characters on disk
    found = named_in_folder(posed("\u00fcber 1.jpg"), tmp_path)
    assert set(found.cameras) == {"u\u0308ber 1.jpg"}


@pytest.mark.parametrize(
    ("written", "there", "how"),
    [
        (("images/1.jpg", "images/2.jpg"), ("1.jpg", "2.jpg"), "without 'images/'"),
        (("1.jpg", "2.jpg"), ("db/1.jpg", "db/2.jpg"), "with 'db/'"),
        (("p/q/1.jpg", "p/q/r/2.jpg"), ("1.jpg", "r/2.jpg"), "without 'p/q/'"),
    ],
)
def test_one_change_of_folders_is_made_for_all_and_said(
    tmp_path: Path, written: tuple[str, ...], there: tuple[str, ...], how: str
) -> None:
    found = named_in_folder(posed(*written), photos(tmp_path / "photos", *there))
    by_row = {image.cam_from_world.translation[0]: image.name for image in found.model.images}
    assert [by_row[row] for row in range(len(there))] == list(there)
    assert len(found.notes) == 1 and how in found.notes[0]


def test_photos_of_the_same_names_in_two_subfolders_are_refused(tmp_path: Path) -> None:
    """Depth maps are often named as their photos: the first folder found is not the right one."""
    photos(tmp_path, "depth/1.png", "depth/2.png", "images/1.png", "images/2.png")
    with pytest.raises(FormatError, match=r"found with 'depth/'.*as many with 'images/'"):
        named_in_folder(posed("1.png", "2.png"), tmp_path)
    photos(tmp_path, "images/3.png")  # one more than there are depth maps
    found = named_in_folder(posed("1.png", "2.png", "3.png"), tmp_path)
    assert set(found.cameras) == {"images/1.png", "images/2.png", "images/3.png"}


def test_photos_of_another_camera_or_sequence_get_no_pose(tmp_path: Path) -> None:
    photos(tmp_path, "cam0/1.jpg", "cam0/2.jpg", "cam1/1.jpg", "cam1/2.jpg")
    with pytest.raises(FormatError, match="none of the 2 images"):
        named_in_folder(posed("cam1/1.jpg", "cam1/2.jpg"), tmp_path / "cam0")
    scene = photos(tmp_path / "scene", "seq-02/1.jpg", "seq-01/1.jpg")
    listed = posed("seq-02/1.jpg", folder=scene)
    with pytest.raises(FormatError, match="none of the 1 image"):
        named_in_folder(listed, scene / "seq-01")


def test_single_missing_photos_are_not_looked_for_elsewhere(tmp_path: Path) -> None:
    photos(tmp_path, "cam0/1.jpg", "cam2/3.jpg")
    found = named_in_folder(posed("cam0/1.jpg", "cam1/3.jpg"), tmp_path)
    assert set(found.cameras) == {"cam0/1.jpg"}
    assert "1 image not in" in found.notes[0]


def test_photos_of_equal_names_in_another_folder_are_said(tmp_path: Path) -> None:
    own = photos(tmp_path / "00", "1.jpg")
    other = photos(tmp_path / "01", "1.jpg", value=9)
    assert named_in_folder(posed("1.jpg", folder=own), own).notes == ()
    (note,) = named_in_folder(posed("1.jpg", folder=own), other).notes
    assert "the poses are of photos in" in note and "the map will be wrong" in note


def test_two_names_of_one_photo_are_refused(tmp_path: Path) -> None:
    photos(tmp_path, "1.jpg")
    with pytest.raises(FormatError, match="are the same photo"):
        named_in_folder(posed("1.jpg", "x/../1.jpg", folder=tmp_path), tmp_path)


def test_intrinsics_of_larger_photos_are_noted(tmp_path: Path) -> None:
    (tmp_path / "half.txt").write_text("1.jpg PINHOLE 64 48 120 120 64 48\n")
    (note,) = read_posed_images(tmp_path / "half.txt").posed.notes
    assert "2 times as large" in note
    (tmp_path / "right.txt").write_text("1.jpg PINHOLE 64 48 60 60 33 24\n")
    assert read_posed_images(tmp_path / "right.txt").posed.notes == ()


def test_a_last_column_is_said_to_be_a_focal_length_and_no_metres_are_assumed(
    tmp_path: Path,
) -> None:
    photos(tmp_path, "1.jpg", "frame-000001.color.png")
    (tmp_path / "a.txt").write_text("1.jpg 1 0 0 0 0 0 0 37\n")
    (tmp_path / "b.txt").write_text("frame-000001.color.png 1 0 0 0 0 0 0 60\n")
    unknown, published = (read_posed_images(tmp_path / f"{n}.txt", tmp_path).posed for n in "ab")
    assert not unknown.is_metric and published.is_metric
    assert "taken for the focal length in photos of 64 x 48" in unknown.notes[0]
