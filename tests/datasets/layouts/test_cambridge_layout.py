"""Cambridge Landmarks: written and read back; each trap; damaged folders."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts import cambridge
from hloc_lite.datasets.layouts.cambridge_sift import FOLDER
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import write_model
from hloc_lite.types import Camera
from tests.datasets.layouts import tiny_dataset as tiny
from tests.datasets.layouts.tiny_dataset import (
    RADIAL,
    check_alike,
    check_cameras,
    check_changes,
    check_complete,
    check_map,
    check_true_submission,
    check_truth,
    loose_card,
    tiny_dataset,
)

WIDE = Camera("SIMPLE_RADIAL", 64, 36, np.array([60.0, 32.0, 18.0, -0.04]))
FLAT = Camera("SIMPLE_PINHOLE", 64, 36, np.array([52.0, 32.0, 18.0]))
Case = tuple[Path, Dataset, dict[str, str], Card]


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A written folder, its source of photos of 16:9, names and card."""
    monkeypatch.setattr(tiny, "SIZE", (64, 36))
    source = tiny_dataset(tmp_path / "tiny", (WIDE, FLAT))
    root = tmp_path / "root"
    return root, source, cambridge.write(source, root), loose_card("cambridge")


def test_a_written_folder_is_complete_and_read_back(case: Case, tmp_path: Path) -> None:
    root, source, names, card = case
    check_complete(root, card)
    (found,) = cambridge.read(root, card)
    assert (found.name, list(found.queries)) == ("ShopFacade", ["ShopFacade"])
    assert found.image_folder == root / "ShopFacade"
    check_map(found, source, names)
    check_cameras(found, source, names)
    check_truth(found, source, names)
    assert set(found.query_names) == {names[name] for name in source.query_names}
    assert any("photos are of 64 x 36 pixels" in note for note in found.notes)
    check_true_submission(found, source, names, "cambridge", tmp_path)
    assert (tmp_path / "submission.txt").read_text().startswith("seq2/frame00001.png ")


def test_names_and_focal_lengths_of_the_model(case: Case) -> None:
    root, _, _, _ = case
    line = (root / "ShopFacade/reconstruction.nvm").read_text().split("\n")[3].split()
    assert line[0] == "seq1/frame00001.jpg"
    assert float(line[1]) == pytest.approx(60 * 1920 / 64) and float(line[9]) == 0.04
    lines = (root / "ShopFacade/dataset_test.txt").read_text().split("\n")
    assert lines[2] == "" and lines[3].startswith("seq2/frame00001.png ")


def test_a_scene_by_hand(tmp_path: Path) -> None:
    """World to camera is a turn by 90 degrees about z; positions are centres; full-size photos."""
    scene, card = tmp_path / "OldHospital", loose_card("cambridge")
    (scene / "seq1").mkdir(parents=True)
    for number in (1, 2):
        Image.new("RGB", (1920, 1080)).save(scene / f"seq1/frame0000{number}.png")
    head = "Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"
    pose = "1 2 3 0.7071067811865476 0 0 0.7071067811865476"
    (scene / "dataset_train.txt").write_text(f"{head}seq1/frame00001.png {pose}\n")
    (scene / "dataset_test.txt").write_text(f"{head}seq1/frame00002.png 0 0 0 1 0 0 0\n")
    (scene / "reconstruction.nvm").write_text(
        "NVM_V3\n\n2\n"
        "seq1/frame00001.jpg 1600 0.7071067811865476 0 0 0.7071067811865476 1 2 3 0.1 0\n"
        "seq1/frame00002.jpg 1700 1 0 0 0 0 0 0 0 0\n"
        "\n2\n1 2 13 0 0 0 2 0 0 0 0 1 0 130.76923 261.53846\n0 0 10 0 0 0 1 1 1 0 0\n\n0\n"
    )
    (found,) = cambridge.read(tmp_path, card)
    assert found.reference is not None and found.reference.num_points == 1
    (image,) = found.reference.images
    np.testing.assert_allclose(image.cam_from_world.center, [1, 2, 3], atol=1e-12)
    assert image.keypoints is not None
    np.testing.assert_allclose(image.keypoints[0], [960, 540])
    camera = found.reference.cameras[image.camera_id]
    assert (camera.model, camera.params.tolist()) == ("SIMPLE_RADIAL", [1600, 960, 540, -0.1])
    query = found.queries["OldHospital"]["seq1/frame00002.png"]
    assert (query.model, query.params.tolist()) == ("SIMPLE_PINHOLE", [1700, 960, 540])
    assert found.notes == ()


def test_photos_of_another_camera_are_cut_to_the_shape(tmp_path: Path) -> None:
    source = tiny_dataset(tmp_path / "tiny")
    names = cambridge.write(source, tmp_path / "root")
    (found,) = cambridge.read(tmp_path / "root", loose_card("cambridge"))
    check_map(found, source, names)
    camera = found.queries["ShopFacade"][names["query/day/0000.jpg"]]
    check_alike(camera, Camera("SIMPLE_PINHOLE", 64, 36, np.array([RADIAL.params[0], 32, 18])))
    with Image.open(found.image_folder / names["query/day/0000.jpg"]) as photo:
        assert photo.size == (64, 36)


def test_points_of_a_model_in_another_frame_are_left_out(case: Case) -> None:
    root, source, names, card = case
    path = root / "ShopFacade/dataset_train.txt"
    lines = path.read_text().split("\n")
    for row in range(3, 8):
        words = lines[row].split()
        lines[row] = " ".join([words[0], str(float(words[1]) + 50), *words[2:]])
    path.write_text("\n".join(lines))
    (found,) = cambridge.read(root, card)
    assert found.reference is not None and found.reference.num_points == 0
    assert any("points were left out" in note for note in found.notes)
    assert len(found.map_image_names) == len(source.map_image_names)
    assert set(found.map_image_names) < set(names.values())


def test_images_that_are_too_far_are_left_out(case: Case) -> None:
    root, _, _, card = case
    path = root / "ShopFacade/dataset_train.txt"
    lines = path.read_text().split("\n")
    words = lines[3].split()
    lines[3] = " ".join([words[0], "20000", *words[2:]])
    path.write_text("\n".join(lines))
    (found,) = cambridge.read(root, card)
    assert len(found.map_image_names) == 4
    assert any("farther than" in note for note in found.notes)


def test_photos_that_no_list_names_are_not_read(case: Case) -> None:
    root, _, _, card = case
    (before,) = cambridge.read(root, card)
    folder = root / "ShopFacade/seq2"
    shutil.copy(folder / "frame00001.png", folder / "frame09999.png")
    (after,) = cambridge.read(root, card)
    assert before.query_names == after.query_names


def test_scenes_are_parts(case: Case) -> None:
    root, _, _, card = case
    shutil.copytree(root / "ShopFacade", root / "GreatCourt")
    shutil.copytree(root / "ShopFacade", root / "backup")
    assert [part.name for part in cambridge.read(root, card)] == ["GreatCourt", "ShopFacade"]
    check_complete(root, card)


def test_one_list_copied_over_the_other(case: Case) -> None:
    root, _, _, card = case
    shutil.copy(root / "ShopFacade/dataset_train.txt", root / "ShopFacade/dataset_test.txt")
    with pytest.raises(FormatError, match="5 images in both lists"):
        cambridge.read(root, card)


def test_photos_of_another_shape(case: Case) -> None:
    root, _, names, card = case
    Image.new("RGB", (64, 48)).save(root / "ShopFacade" / names["map/0000.jpg"])
    with pytest.raises(FormatError, match="the shapes differ"):
        cambridge.read(root, card)


def test_images_without_focal_length(case: Case) -> None:
    root, _, _, card = case
    path = root / "ShopFacade/reconstruction.nvm"
    path.write_text(path.read_text().replace("seq2/frame00001.jpg", "seq2/frame77777.jpg"))
    with pytest.raises(FormatError, match=r"no focal length of 'seq2/frame00001.png'"):
        cambridge.read(root, card)


def test_missing_files_are_named(case: Case) -> None:
    root, _, _, card = case
    for path in sorted(root.rglob("*")):
        if path.is_dir():
            continue
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(FormatError) as caught:
            cambridge.read(root, card)
        assert str(root) in str(caught.value)
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["dataset_train.txt", "dataset_test.txt", "reconstruction.nvm"])
def test_damaged_files(case: Case, name: str) -> None:
    root, _, _, card = case
    check_changes(root / "ShopFacade" / name, lambda: cambridge.read(root, card))


def test_models_of_smaller_photos(case: Case) -> None:
    """Intrinsics and keypoints of the SIFT models are scaled to the photos; their poses count."""
    root, source, names, card = case
    (before,) = cambridge.read(root, card)
    assert before.reference is not None
    folder = root / FOLDER / "ShopFacade"
    half = {
        row: Camera(each.model, 32, 18, each.params * [0.5, 0.5, 0.5, 1][: len(each.params)])
        for row, each in before.reference.cameras.items()
    }
    images = [replace(i, keypoints=i.keypoints / 2) for i in before.reference.images
              if i.keypoints is not None]  # fmt: skip
    model = replace(before.reference, cameras=half, images=tuple(images))
    write_model(folder / "model_train", model)
    (query,) = [name for name in before.query_names if name == "seq2/frame00001.png"]
    pose = before.ground_truth["ShopFacade"][query]
    added = replace(images[0], image_id=99, name=query, cam_from_world=pose)
    write_model(folder / "empty_all", replace(model, images=(*images, added)))
    (folder / "list_query.txt").write_text(f"{query}\n")
    (found,) = cambridge.read(root, card)
    assert found.query_names == (query,)
    check_map(found, source, names)
    check_cameras(found, source, names)
    check_truth(found, source, names)
    assert any(FOLDER in note for note in found.notes)
    check_complete(root, card)
    (folder / "list_query.txt").write_text("seq2/frame00002.png\n")
    with pytest.raises(FormatError, match="1 of 1 queries of"):
        cambridge.read(root, card)
