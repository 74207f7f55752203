"""Intrinsics of photos of another size, or in other units: said, where it can be known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from hloc_lite.errors import FormatError
from hloc_lite.formats.bundler import write_bundler
from hloc_lite.formats.intrinsics_notes import exif_notes, size_notes
from hloc_lite.formats.nvm import write_nvm
from hloc_lite.formats.recognition import read_posed_images
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera
from pipelines.benchmarks.robustness.posed_samples import POSED_SAMPLES
from pipelines.benchmarks.robustness.sample_model import SIZE, sample_model, write_photos

BY_NAME = {sample.name: sample for sample in POSED_SAMPLES}


def without_points(model: SfmModel) -> SfmModel:
    """Model whose images have no measurements, which would tell the size."""
    nothing = np.zeros(0, np.int64)
    images = [
        replace(image, keypoints=np.zeros((0, 2)), point3D_idxs=nothing) for image in model.images
    ]
    return SfmModel(
        model.cameras, tuple(images), nothing, np.zeros((0, 3)), np.zeros((0, 3), np.uint8),
        np.zeros(0),
    )  # fmt: skip


def with_focal(model: SfmModel, focal_px: float) -> SfmModel:
    cameras = {
        key: replace(camera, params=np.array([focal_px, *camera.params[1:]]))
        for key, camera in model.cameras.items()
    }
    return replace(model, cameras=cameras)


def centred(focal_px: float, width: int = 640, height: int = 480) -> Camera:
    return Camera("SIMPLE_PINHOLE", width, height, np.array([focal_px, width / 2, height / 2]))


@pytest.mark.parametrize("name", ["KITTI odometry", "3D Scanner App"])
@pytest.mark.parametrize(("factor", "said"), [(0.5, "2 times as large"), (2, "0.5 times as large")])
def test_scaled_photos_of_formats_with_a_principal_point(
    name: str, factor: float, said: str, tmp_path: Path
) -> None:
    sample = BY_NAME[name]
    sample.write(tmp_path)
    posed = read_posed_images(tmp_path / sample.entry).posed
    assert not [note for note in posed.notes if "as large" in note]
    for photo in (path for path in tmp_path.rglob("*") if path.suffix in (".png", ".jpg")):
        with Image.open(photo) as image:
            size = round(image.width * factor), round(image.height * factor)
        Image.new("RGB", size).save(photo)
    notes = read_posed_images(tmp_path / sample.entry).posed.notes
    assert [note for note in notes if said in note]


@pytest.mark.parametrize("program", ["NVM", "Bundler"])
@pytest.mark.parametrize(
    ("focal_px", "said"),
    [(500.0, ""), (160.0, "a view of 127 degrees"), (2400.0, "a view of 15 degrees")],
)
def test_unusual_views_of_formats_with_a_focal_length_only(
    program: str, focal_px: float, said: str, tmp_path: Path
) -> None:
    names = ("0.png", "1.png", "2.png")
    write_photos(tmp_path, list(names), SIZE)
    model = with_focal(without_points(sample_model(names, "SIMPLE_PINHOLE")), focal_px)
    if program == "NVM":
        write_nvm(tmp_path / "m.nvm", model)
        entry = tmp_path / "m.nvm"
    else:
        write_bundler(tmp_path / "bundle.out", tmp_path / "list.txt", model)
        entry = tmp_path / "bundle.out"
    notes = [note for note in read_posed_images(entry).posed.notes if "a view of" in note]
    assert [said in note for note in notes] == ([True] if said else [])


def test_focal_lengths_in_mm_are_refused(tmp_path: Path) -> None:
    write_photos(tmp_path, ["0.png", "1.png"], SIZE)
    model = without_points(sample_model(("0.png", "1.png"), "SIMPLE_PINHOLE"))
    write_nvm(tmp_path / "m.nvm", with_focal(model, 35.0))
    with pytest.raises(FormatError, match="2 focal lengths do not fit the image size"):
        read_posed_images(tmp_path / "m.nvm")


def test_a_lens_that_is_not_centred_does_not_hide_another_size() -> None:
    """The centre of a HoloLens: 0.2 % and 6 % off."""
    params = np.array([495.6, 495.5, 269.5, 169.2])
    assert size_notes({"a.png": Camera("PINHOLE", 540, 360, params)}) == ()
    (note,) = size_notes({"a.png": Camera("PINHOLE", 270, 180, params)})
    assert "2 times as large as those of 270 x 180" in note


def test_one_focal_length_in_photos_of_two_sizes() -> None:
    (note,) = size_notes({"a.png": centred(500), "b.png": centred(500, 320, 240)})
    assert "'a.png' of 640 x 480 pixels and 'b.png' of 320 x 240 have the same" in note
    assert size_notes({"a.png": centred(500), "b.png": centred(250, 320, 240)}) == ()
    # turned photos of one camera, and cropped ones
    assert size_notes({"a.png": centred(500), "b.png": centred(500, 480, 640)}) == ()
    assert size_notes({"a.png": centred(500), "b.png": centred(500, 480, 480)}) == ()


def test_cameras_without_focal_length_say_nothing(tmp_path: Path) -> None:
    panorama = Camera("EQUIRECTANGULAR", 2000, 1000, np.array([2000.0, 1000]))
    assert size_notes({"a.jpg": panorama}) == ()
    assert exif_notes({"a.jpg": panorama}, tmp_path) == ()


def exif_photo(path: Path, focal_35mm: float) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = focal_35mm
    Image.new("RGB", SIZE).save(path, exif=exif)


def test_focal_lengths_are_held_against_exif(tmp_path: Path) -> None:
    for number in range(3):
        exif_photo(tmp_path / f"{number}.jpg", 28)  # 518 px
    names = [f"{number}.jpg" for number in range(3)]
    assert exif_notes(dict.fromkeys(names, centred(560)), tmp_path) == ()
    (note,) = exif_notes(dict.fromkeys(names, centred(1036)), tmp_path)
    assert "is 1036 px, but 517" in note and "median ratio 2 of 3 photos" in note
    # one lens that zooms is no contradiction of all
    mixed = {**dict.fromkeys(names, centred(518)), "2.jpg": centred(1036)}
    assert exif_notes(mixed, tmp_path) == ()
    assert exif_notes({"absent.jpg": centred(1036)}, tmp_path) == ()
    assert exif_notes({}, tmp_path) == ()
