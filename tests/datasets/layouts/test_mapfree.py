"""Map-free: one reference photo per scene, every fifth frame, hidden poses of test scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.layouts.mapfree import REFERENCE, read, write
from hloc_lite.errors import FormatError
from hloc_lite.formats.map_depth import DepthFiles
from hloc_lite.formats.submissions.check import check_submission
from hloc_lite.formats.submissions.findings import FindingKind, Severity
from hloc_lite.formats.submissions.forms import submission_form
from hloc_lite.formats.submissions.writer import write_submission
from hloc_lite.types import Camera, Rigid3
from tests.datasets.layouts.made_dataset import (
    PINHOLE,
    RADIAL,
    assert_complete,
    assert_same_camera,
    assert_same_pose,
    loose_card,
    made_dataset,
    pixel_mean,
    submission_poses,
    true_poses,
)

CARD = read_card("mapfree")
FRAMES = (0, 1, 2, 4, 5, 6, 7, 8, 9, 11, 12)
"""Frames of seq1; some numbers are missing, as in the data set."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A validation and a test scene by hand."""
    for split, scene in (("val", "s00470"), ("test", "s00525")):
        folder = tmp_path / split / scene
        names = ["seq0/frame_00000.jpg", *(f"seq1/frame_{frame:05d}.jpg" for frame in FRAMES)]
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        (folder / "intrinsics.txt").write_text(
            "".join(f"{name} 590.5 590.6 269.5 359.5 540 720\n" for name in names)
        )
        lines = ["# name, qw, qx, qy, qz, tx, ty, tz\n", f"{names[0]} 1 0 0 0 0 0 0\n"]
        lines += [f"{name} 0.5 0.5 0.5 0.5 {row} 2 3\n" for row, name in enumerate(names[1:])]
        if split == "test":
            lines = [f"{name} 0 0 0 0 0 0 0\n" for name in names]
        (folder / "poses.txt").write_text("".join(lines))
    return tmp_path


@pytest.mark.parametrize("cameras", [(PINHOLE,), (RADIAL, PINHOLE)])
def test_written_and_read(tmp_path: Path, cameras: tuple[Camera, ...]) -> None:
    original = made_dataset(tmp_path / "made", cameras)
    names = write(original, tmp_path / "out")
    card = loose_card("mapfree")
    assert_complete(tmp_path / "out", card)
    val, test = read(tmp_path / "out", card)
    truth = true_poses(original)
    by_split = {"val": ["day"], "test": ["night", "changed"]}
    asked: dict[str, Rigid3] = {}
    for part, (split, conditions) in zip((val, test), by_split.items(), strict=True):
        back = {names[old]: old for key in conditions for old in original.queries[key]}
        assert set(part.queries[split]) == set(back)
        reference = truth[original.map_image_names[reference_row(part.image_folder)]]
        here = {new: truth[old].compose(reference.inverse()) for new, old in back.items()}
        for name, pose in part.ground_truth.get(split, {}).items():
            assert_same_pose(pose, here[name])
        here[REFERENCE] = Rigid3.identity()
        asked |= submission_poses(part, here)
        if cameras == (PINHOLE,):
            for camera in part.queries[split].values():
                assert_same_camera(camera, PINHOLE)
    assert list(val.ground_truth) == ["val"] and not test.ground_truth
    form = submission_form("mapfree")
    path = tmp_path / "poses.zip"
    write_submission(asked, form, path, confidences=dict.fromkeys(asked, 1.0))
    findings = check_submission(path, form, truth=asked)
    # two scenes only, which is no whole submission
    kinds = {each.kind for each in findings if each.severity is Severity.ERROR}
    assert kinds <= {FindingKind.WRONG_FILES}


def reference_row(folder: Path) -> int:
    """Number of the map image that is the reference of a scene, told by its blue pixels."""
    return round(pixel_mean(folder / REFERENCE)[2] / 10)


def test_queries_are_every_fifth_frame_of_the_list(root: Path) -> None:
    val, test = read(root, CARD)
    assert (val.name, test.name) == ("s00470", "s00525")
    expected = [f"seq1/frame_{frame:05d}.jpg" for frame in (0, 6, 12)]
    assert list(val.queries["val"]) == list(test.queries["test"]) == expected
    pose = val.ground_truth["val"]["seq1/frame_00006.jpg"]
    assert pose.translation.tolist() == [5, 2, 3]
    np.testing.assert_allclose(pose.rotation, [[0, 0, 1], [1, 0, 0], [0, 1, 0]], atol=1e-12)
    assert not test.ground_truth
    assert val.map_image_names == ("seq0/frame_00000.jpg",)
    assert val.reference is not None
    assert_same_pose(val.reference.images[0].cam_from_world, pose.identity())
    camera = val.queries["val"]["seq1/frame_00006.jpg"]
    assert (camera.width, camera.height) == (540, 720)
    assert camera.params.tolist() == [590.5, 590.6, 269.5, 359.5]
    assert val.submission_names["seq1/frame_00006.jpg"] == "s00470/seq1/frame_00006.jpg"
    assert [each.name for each in val.relative_queries] == [
        f"s00470/{name}" for name in expected
    ]  # fmt: skip
    assert any("depth" in note for note in val.notes)


def test_depth_of_the_reference(root: Path) -> None:
    folder = root / "val" / "s00470" / "seq0"
    pixels = np.full((72, 54), 2500, np.uint16)
    pixels[0, 0] = 0
    for kind, found in (("other", "other"), ("dptnyu", "dptnyu"), ("dptkitti", "dptkitti"),
                        ("depth", "depth")):  # fmt: skip
        Image.fromarray(pixels).save(folder / f"frame_00000.{kind}.png")
        val, test = read(root, CARD)
        assert test.depth is None and isinstance(val.depth, DepthFiles)
        assert val.depth.files[REFERENCE].path.name == f"frame_00000.{found}.png"
        assert any("estimate" in note for note in val.notes) == (kind != "depth")
    source = read(root, CARD)[0].depth
    assert source is not None
    depth = source.depth_of(REFERENCE)
    assert depth is not None and depth.is_metric
    assert np.isnan(depth.depths[0, 0]) and np.allclose(depth.depths.ravel()[1:], 2.5)
    assert source.depth_of("seq1/frame_00000.jpg") is None


def test_several_depth_images_of_other_networks(root: Path) -> None:
    for kind in ("one", "two"):
        (root / "val" / "s00470" / "seq0" / f"frame_00000.{kind}.png").touch()
    with pytest.raises(FormatError, match=r"several depth images.*frame_00000\.one\.png"):
        read(root, CARD)


def test_test_scenes_without_a_pose_file(root: Path) -> None:
    (root / "test" / "s00525" / "poses.txt").unlink()
    assert len(read(root, CARD)[1].queries["test"]) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seq1/frame_00000.jpg 500 500 270 360 540", "expected 'frame fx fy cx cy W H'"),
        ("seq1/frame_00000.jpg 500 500 270 360 540.5 720", "whole pixels"),
        ("seq1/frame_00000.jpg -5 500 270 360 540 720", "line 1"),
        ("../frame_00000.jpg 500 500 270 360 540 720", "leaves the image folder"),
        ("seq1/frame_00000.jpg 500 500 270 360 540 720", "no intrinsics of seq0/frame_00000.jpg"),
    ],
)
def test_damaged_intrinsics(root: Path, line: str, message: str) -> None:
    (root / "val" / "s00470" / "intrinsics.txt").write_text(line + "\n")
    with pytest.raises(FormatError, match=message):
        read(root, CARD)


def test_damaged_folders(root: Path) -> None:
    (root / "val" / "s00470" / "seq1" / "frame_00006.jpg").unlink()
    with pytest.raises(FormatError, match="1 of 3 queries of mapfree s00470, val, are not below"):
        read(root, CARD)
    (root / "val" / "s00470" / "poses.txt").write_text("seq1/frame_00000.jpg 1 0 0 0 0 0\n")
    with pytest.raises(FormatError, match="expected 'frame qw qx qy qz tx ty tz'"):
        read(root, CARD)
    with pytest.raises(FormatError, match=r"no scene: expected val/s00460/intrinsics\.txt"):
        read(root / "val", CARD)
