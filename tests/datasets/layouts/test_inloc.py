"""InLoc: written and read back; directions of cutouts; MATLAB files; damaged folders."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts import inloc
from hloc_lite.datasets.layouts.inloc_files import (
    parse_cutout,
    read_alignment,
    read_cutout_points,
    read_name_list,
    read_scan,
    read_scores,
)
from hloc_lite.datasets.layouts.inloc_poses import CutoutPoints, find_convention
from hloc_lite.errors import FormatError
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.mapping.depth_hashes import depth_hashes
from hloc_lite.types import Camera
from tests.datasets.layouts.tiny_dataset import (
    SIZE,
    check_alike,
    check_changes,
    check_complete,
    check_map,
    check_true_submission,
    loose_card,
    tiny_dataset,
)

CENTRED = Camera("SIMPLE_PINHOLE", *SIZE, np.array([55.0, 32.0, 24.0]))
PHONE = Camera("SIMPLE_PINHOLE", *SIZE, np.array([64 * 28 / 36, 32.0, 24.0]))
Case = tuple[Path, Dataset, dict[str, str], Card]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A written folder, its source, names and card."""
    source = tiny_dataset(tmp_path / "tiny", (CENTRED,), has_depth=True)
    root = tmp_path / "root"
    return root, source, inloc.write(source, root), loose_card("inloc")


def test_a_written_folder_is_complete_and_read_back(case: Case, tmp_path: Path) -> None:
    root, source, names, card = case
    check_complete(root, card)
    (found,) = inloc.read(root, card)
    assert (found.name, list(found.queries)) == ("inloc", ["all"])
    check_map(_on_their_floors(found), source, names, has_points=False)
    assert found.reference is not None and found.reference.num_points == 0
    (camera,) = found.reference.cameras.values()
    check_alike(camera, CENTRED, tolerance_px=1e-3)  # found by points of a quarter millimetre
    assert set(found.query_names) == {names[name] for name in source.query_names}
    for query in found.queries["all"].values():
        check_alike(query, PHONE)
    assert found.depth_folder is None and found.ground_truth == {}
    check_true_submission(found, source, names, "inloc", tmp_path)
    assert (tmp_path / "submission.txt").read_text().startswith("IMG_0001.JPG ")


def _on_their_floors(found: Dataset) -> Dataset:
    """The data set with the poses of its map images in the frames of their floors."""
    assert found.reference is not None
    images = tuple(
        replace(image, cam_from_world=found.asked_pose(image.cam_from_world))
        for image in found.reference.images
    )
    return replace(found, reference=replace(found.reference, images=images))


def test_floors_stand_apart_and_lead_back(case: Case) -> None:
    """Both floors have the same coordinates in their files; in the map none is near the other."""
    root, _, _, card = case
    (found,) = inloc.read(root, card)
    assert found.reference is not None and [each.name for each in found.frames] == ["DUC1", "DUC2"]
    centers: dict[str, list[np.ndarray]] = {"DUC1": [], "DUC2": []}
    for image in found.reference.images:
        cutout, frame = parse_cutout(image.name), found.frame_of(image.cam_from_world)
        assert cutout is not None and frame is not None and frame.name == cutout.floor
        centers[cutout.floor].append(image.cam_from_world.center)
        asked = found.asked_pose(image.cam_from_world)
        assert np.abs(asked.center).max() < 2, "in the frame of its floor"
        np.testing.assert_array_equal(asked.rotation, image.cam_from_world.rotation)
    gap = min(np.linalg.norm(a - b) for a in centers["DUC1"] for b in centers["DUC2"])
    assert gap > 900


def test_depth_of_cutouts(case: Case) -> None:
    """The plane of the tiny data set is 5 m from each camera; the hole in its corner is kept."""
    root, _, _, card = case
    (found,) = inloc.read(root, card)
    name = found.map_image_names[0]
    assert found.depth is not None and found.depth.depth_of("database/cutouts/none.jpg") is None
    depth = found.depth.depth_of(name)
    assert depth is not None and depth.is_metric and depth.image_size == SIZE
    assert np.isnan(depth.depths[0, 0])
    np.testing.assert_allclose(depth.depths[1:, 1:], 5.0, atol=1e-3)
    before = depth_hashes(found.depth, found.map_image_names)
    assert set(before) == set(found.map_image_names)
    shutil.copy(root / f"{found.map_image_names[1]}.mat", root / f"{name}.mat")
    assert depth_hashes(found.depth, found.map_image_names)[name] != before[name]
    with pytest.raises(FormatError, match="do not project to their pixels"):
        found.depth.depth_of(name)


def test_points_of_a_cutout_are_those_of_its_depths(case: Case) -> None:
    """Read as hloc does: the second matrix maps points to the floor; they project to the pixels."""
    root, source, names, _ = case
    assert source.reference is not None
    for image in source.reference.images:
        name = names[image.name]
        cutout = parse_cutout(name)
        assert cutout is not None
        points = read_cutout_points(root / f"{name}.mat")
        assert points.shape == (48, 64, 3) and np.isnan(points[0, 0]).all()
        matrix = np.loadtxt((root / cutout.alignment).read_text().split("\n")[7:11])
        floor = points[20, 50] @ matrix[:3, :3].T + matrix[:3, 3]
        in_cam = image.cam_from_world.apply(floor)
        np.testing.assert_allclose(in_cam[2], 5.0, atol=5e-4)
        np.testing.assert_allclose(img_from_cam(CENTRED, in_cam), [50.5, 20.5], atol=5e-3)


def test_photos_of_other_cameras_are_resampled(tmp_path: Path) -> None:
    source = tiny_dataset(tmp_path / "tiny", has_depth=True)
    names = inloc.write(source, tmp_path / "root")
    (found,) = inloc.read(tmp_path / "root", loose_card("inloc"))
    check_map(_on_their_floors(found), source, names, has_points=False)


@pytest.mark.parametrize("size", [(4032, 3024), (3024, 4032)])
def test_focal_length_of_queries(size: tuple[int, int]) -> None:
    camera = inloc.query_camera(*size)
    assert (camera.width, camera.height) == size
    np.testing.assert_allclose(camera.params, [3136, size[0] / 2, size[1] / 2])


@pytest.mark.parametrize("theta_sign", [1, -1])
@pytest.mark.parametrize("phi_sign", [1, -1])
@pytest.mark.parametrize("transposed", [False, True])
def test_directions_are_found_by_the_points(
    theta_sign: int, phi_sign: int, transposed: bool
) -> None:
    """Which way the angles count is not assumed: 3D points must project to their pixels."""
    base = np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]], np.float64)
    base = base.T if transposed else base
    width, height, focal = 40, 30, 34.6
    pixels = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)
    rng = np.random.default_rng(0)

    def rotation(theta: int, phi: int) -> np.ndarray:
        t, p = np.radians(theta_sign * theta), np.radians(phi_sign * phi)
        heading = [[np.cos(t), 0, np.sin(t)], [0, 1, 0], [-np.sin(t), 0, np.cos(t)]]
        elevation = [[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]]
        return np.array(elevation) @ np.array(heading) @ base

    probes = []
    for theta, phi in ((30, 30), (240, -30), (90, 0)):
        plane = (pixels - (width / 2, height / 2)) / focal
        in_cam = np.concatenate([plane, np.ones((height, width, 1))], axis=2)
        points = (in_cam * rng.uniform(1, 9, (height, width, 1))) @ rotation(theta, phi)
        points[:3] = np.nan
        probes.append(CutoutPoints(theta, phi, points))
    found = find_convention(probes)
    np.testing.assert_allclose(found.focal_share * width, focal, rtol=1e-6)
    for theta, phi in ((0, 0), (150, -30), (300, 30)):
        np.testing.assert_allclose(found.cam_from_scan(theta, phi), rotation(theta, phi), atol=1e-9)
    wrong = [replace(probe, theta_deg=probe.theta_deg + 7) for probe in probes]
    with pytest.raises(FormatError, match="do not project to their pixels"):
        find_convention(wrong)
    with pytest.raises(FormatError, match="have no 3D points"):
        find_convention([replace(probes[0], xyz=np.full((30, 40, 3), np.nan))])


def test_without_alignments_or_points_poses_are_unknown(case: Case) -> None:
    root, _, _, card = case
    for path in root.rglob("*.mat"):
        path.unlink()
    (found,) = inloc.read(root, card)
    assert found.reference is None and len(found.map_image_names) == 5
    assert any("poses of cutouts are not known" in note for note in found.notes)
    shutil.rmtree(root / "database/alignments")
    (found,) = inloc.read(root, card)
    assert found.reference is None
    assert any("there are no alignments" in note for note in found.notes)


def test_cutouts_of_a_scan_without_alignment(case: Case) -> None:
    root, _, _, card = case
    (root / "database/alignments/DUC1/transformations/DUC_trans_001.txt").unlink()
    (found,) = inloc.read(root, card)
    assert found.reference is not None
    assert (len(found.reference.images), len(found.map_image_names)) == (4, 5)
    assert any("1 cutout without a pose" in note for note in found.notes)


def test_name_lists(case: Case) -> None:
    root, source, names, card = case
    cutouts = [names[name].removeprefix("database/cutouts/") for name in source.map_image_names]
    for key, values in (
        ("cutout_imgnames_all", cutouts[1:]),
        ("query_imgnames_all", ["IMG_0001.JPG"]),
    ):
        (root / "inputs").mkdir(exist_ok=True)
        cell = np.empty((1, len(values)), object)
        cell[0] = values
        savemat(root / f"inputs/{key}.mat", {key: cell})
    (found,) = inloc.read(root, card)
    assert found.query_names == ("query/iphone7/IMG_0001.JPG",)
    assert set(found.map_image_names) == {f"database/cutouts/{name}" for name in cutouts[1:]}
    (root / "query/iphone7/IMG_0001.JPG").unlink()
    with pytest.raises(FormatError, match="1 of 1 queries are not below"):
        inloc.read(root, card)


@pytest.mark.parametrize(
    ("name", "alignment"),
    [
        ("DUC1/024/DUC_cutout_024_330_-30.jpg",
         "database/alignments/DUC1/transformations/DUC_trans_024.txt"),
        ("database/cutouts/CSE3/000/cse_cutout_000_0_0.jpg",
         "database/alignments/CSE3/transformations/cse_trans_000.txt"),
        ("DUC1/024/DUC_cutout_025_0_0.jpg", None),
        ("DUC1/024/other.jpg", None),
    ],
)  # fmt: skip
def test_names_of_cutouts(name: str, alignment: str | None) -> None:
    found = parse_cutout(name)
    assert (None if found is None else found.alignment) == alignment
    if name.endswith("-30.jpg"):
        assert found is not None and (found.theta_deg, found.phi_deg) == (330, -30)


def test_real_names_of_cutouts() -> None:
    folder = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "/nowhere")) / "hloc_pairs/inloc"
    if not folder.is_dir():
        pytest.skip("no folder of real files")
    pairs = [line.split() for path in folder.glob("*.txt") for line in path.open()]
    found = [parse_cutout(cutout) for _, cutout in pairs]
    assert len({query for query, _ in pairs}) == 356
    assert {each.floor for each in found if each is not None} == {"DUC1", "DUC2"}
    assert None not in found


def test_an_alignment_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "DUC_trans_024.txt"
    first = "1 0 0 9\n0 1 0 9\n0 0 1 9\n0 0 0 1\n"
    second = "0 -1 0 1\n1 0 0 2\n0 0 1 3\n0 0 0 1\n"
    path.write_text(f"P_before_GICP =\n{first}\nP_after_GICP =\n{second}")
    floor_from_scan = read_alignment(path)
    np.testing.assert_allclose(floor_from_scan.apply(np.array([1.0, 0, 0])), [1, 3, 3])
    for text in ("", f"x\n{first}", f"x\n{first}\nx\n1 0 0\n\n\n\n", f"x\n{first}\nx\n2{second}"):
        path.write_text(text)
        with pytest.raises(FormatError, match="DUC_trans_024"):
            read_alignment(path)


def test_a_scan(tmp_path: Path) -> None:
    cell = np.empty((1, 7), object)
    for column in range(7):
        cell[0, column] = np.array([[column], [column + 10.0]])
    path = tmp_path / "DUC_scan_024.ptx.mat"
    savemat(path, {"A": cell}, appendmat=False)
    xyz, rgb = read_scan(path)
    assert xyz.tolist() == [[0, 1, 2], [10, 11, 12]]
    assert rgb.tolist() == [[4, 5, 6], [14, 15, 16]]
    savemat(path, {"A": cell[:, :6]}, appendmat=False)
    with pytest.raises(FormatError, match="expected a cell A of 7 columns"):
        read_scan(path)


def test_scores(case: Case, tmp_path: Path) -> None:
    """A matrix, a cell of rows and structs with rows are read alike; other sizes are refused."""
    root, source, _, _ = case
    written = read_scores(root / "inputs/scores.mat", 5, len(source.map_image_names))
    assert written.shape == (5, 5) and np.isfinite(written).all()
    scores = np.arange(6.0).reshape(2, 3)
    cell = np.empty((1, 2), object)
    structs = np.empty((1, 2), [("queryname", object), ("scores", object)])
    for row in range(2):
        cell[0, row] = scores[[row]]
        structs[0, row] = (f"IMG_{row}.JPG", scores[row].reshape(3, 1))
    path = tmp_path / "scores.mat"
    for values in (scores, cell, structs):
        savemat(path, {"score": values})
        np.testing.assert_array_equal(read_scores(path, 2, 3), scores)
        with pytest.raises(FormatError, match="expected scores of 3 queries and 3 cutouts"):
            read_scores(path, 3, 3)
        with pytest.raises(FormatError, match="expected scores of 2 queries and 4 cutouts"):
            read_scores(path, 2, 4)
    cell[0, 1] = "text"
    savemat(path, {"score": cell})
    with pytest.raises(FormatError, match="row 2"):
        read_scores(path, 2, 3)


def test_damaged_matlab_files(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"XYZcut": np.arange(36.0).reshape(3, 4, 3)}, do_compression=False)
    data = path.read_bytes()
    assert read_cutout_points(path).shape == (3, 4, 3)
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(3):
            damaged[int(rng.integers(100, 240))] = int(rng.integers(256))
        path.write_bytes(damaged[: int(rng.integers(60, len(data) + 60))])
        try:
            read_cutout_points(path)
        except FormatError:
            refused += 1
    assert refused > 50
    for content in (b"", b"\x89HDF\r\n\x1a\n" + b"\0" * 600, b"MATLAB 7.3" + b"\0" * 600):
        path.write_bytes(content)
        with pytest.raises(FormatError):
            read_cutout_points(path)
    savemat(path, {"XYZcut": np.zeros((3, 4))})
    with pytest.raises(FormatError, match=r"expected XYZcut of shape \(H, W, 3\)"):
        read_cutout_points(path)
    with pytest.raises(FormatError, match="expected the variable 'names', got XYZcut"):
        read_name_list(path, "names")
    cell = np.empty((1, 2), object)
    for values in (["a.jpg", "../b.jpg"], ["a.jpg", 3.0], ["a.jpg", "a.jpg"]):
        cell[0] = values
        savemat(path, {"names": cell})
        with pytest.raises(FormatError, match=r"a.mat"):
            read_name_list(path, "names")


def test_missing_files_are_named(case: Case) -> None:
    root, _, _, card = case
    photo = next((root / inloc.QUERIES).iterdir())
    photo.rename(root / "moved.JPG")
    with pytest.raises(FormatError, match="1 of 5 queries are not below"):
        inloc.read(root, card)
    (root / "moved.JPG").rename(photo)
    shutil.rmtree(root / "inputs")
    for folder in (inloc.CUTOUTS, inloc.QUERIES):
        (root / folder).rename(root / "moved")
        with pytest.raises(FormatError, match=folder):
            inloc.read(root, card)
        (root / folder).mkdir()
        with pytest.raises(FormatError, match=f"{folder} has no photos"):
            inloc.read(root, card)
        (root / folder).rmdir()
        (root / "moved").rename(root / folder)
    photo = next((root / inloc.QUERIES).iterdir())
    photo.write_bytes(b"no photo")
    with pytest.raises(FormatError, match=photo.name):
        inloc.read(root, card)


def test_data_sets_without_depths_cannot_be_written(tmp_path: Path) -> None:
    source = tiny_dataset(tmp_path / "tiny", (CENTRED,))
    with pytest.raises(FormatError, match="has no depths: a map of InLoc"):
        inloc.write(source, tmp_path / "root")
    assert Image.open(source.image_folder / "map/0000.jpg").size == SIZE


def test_damaged_alignments(case: Case) -> None:
    root, _, _, card = case
    path = root / "database/alignments/DUC1/transformations/DUC_trans_001.txt"
    check_changes(path, lambda: inloc.read(root, card))
