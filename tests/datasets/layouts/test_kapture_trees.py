"""Gangnam, Hyundai and ETH-Microsoft: kapture folders, rigs, names of a submission."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.layouts import eth_microsoft
from hloc_lite.datasets.layouts.naver_floors import (
    GANGNAM_STATION,
    HYUNDAI_DEPARTMENT_STORE,
    Building,
)
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

GANGNAM, ETH = read_card("gangnam"), read_card("eth-microsoft")


def add_kapture(folder: Path, *, posed: bool, on_rig: bool) -> None:
    """Kapture of one moment of two cameras, by hand; poses are world to device."""
    data = folder / "sensors" / "records_data"
    data.mkdir(parents=True)
    for name in ("l.jpg", "r.jpg", "surplus.jpg"):
        (data / name).touch()
    tables = {
        "sensors": "l, left, camera, PINHOLE, 640, 480, 300, 301, 320, 240\n"
        "r, right, camera, OPENCV, 640, 480, 300, 301, 320, 240, 0.1, 0, 0, 0\nlid, , lidar\n",
        "records_camera": "42, l, l.jpg\n42, r, r.jpg\n",
        "records_lidar": "42, lid, scan.pcd\n",
    }
    if on_rig:
        tables["rigs"] = "rig, l, 1, 0, 0, 0, 0, 0, 0\nrig, r, 1, 0, 0, 0, -0.5, 0, 0\n"
    if posed:
        device = "rig" if on_rig else "l"
        tables["trajectories"] = f"42, {device}, 0, 0, 0, 1, 1, 2, 3\n"
    for name, text in tables.items():
        path = folder / "sensors" / f"{name}.txt"
        path.write_text(f"# kapture format: 1.1\n# columns\n{text}")


@pytest.mark.parametrize(
    ("benchmark", "layout"), [("gangnam", GANGNAM_STATION), ("hyundai", HYUNDAI_DEPARTMENT_STORE)]
)
@pytest.mark.parametrize("cameras", [(PINHOLE,), (RADIAL, PINHOLE)])
def test_floors_written_and_read(
    tmp_path: Path, benchmark: str, layout: Building, cameras: tuple[Camera, ...]
) -> None:
    floor = layout.floors[0]
    original = made_dataset(tmp_path / "made", cameras)
    names = layout.write(original, tmp_path / "out")
    card = loose_card(benchmark)
    assert_complete(tmp_path / "out", card)
    (part,) = layout.read(tmp_path / "out", card)
    assert part.name == floor
    assert_read_back(original, part, names)
    assert {key: len(each) for key, each in part.queries.items()} == {
        f"{floor}_validation": 12, floor: 5,
    }  # fmt: skip
    assert set(part.queries) <= set(card.conditions)
    assert list(part.ground_truth) == [f"{floor}_validation"]
    truth = {names[old]: pose for old, pose in true_poses(original).items()}
    poses = submission_poses(part, truth)
    assert all(name.startswith("images/") for name in poses)
    assert_accepted(tmp_path / "poses.txt", benchmark, poses)


def test_folders_of_archives(tmp_path: Path) -> None:
    """Each archive in a folder of its own; a rig maps, single cameras are localized."""
    add_kapture(tmp_path / "GangnamStation_B2_release_mapping" / "x", posed=True, on_rig=True)
    add_kapture(tmp_path / "GangnamStation_B2_release_validation", posed=True, on_rig=False)
    (part,) = GANGNAM_STATION.read(tmp_path, GANGNAM)
    assert part.name == "B2"
    prefix = "GangnamStation_B2_release_mapping/x/sensors/records_data"
    assert part.map_image_names == (f"{prefix}/l.jpg", f"{prefix}/r.jpg")
    assert part.reference is not None
    left, right = part.reference.images
    assert left.cam_from_world.translation.tolist() == [1, 2, 3]
    assert right.cam_from_world.translation.tolist() == [0.5, 2, 3]
    np.testing.assert_allclose(left.cam_from_world.rotation, np.diag([-1, -1, 1]), atol=1e-12)
    # the right image has no pose: no query where others have one
    query = "GangnamStation_B2_release_validation/sensors/records_data/l.jpg"
    assert (
        list(part.queries["B2_validation"]) == list(part.ground_truth["B2_validation"]) == [query]
    )
    assert part.submission_names == {query: "l.jpg"}
    assert any("validation: 1 image without a pose" in note for note in part.notes)
    assert any("no test of B2" in note for note in part.notes)


def test_damaged_floors(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no map of GangnamStation: expected GangnamStation/FL"):
        GANGNAM_STATION.read(tmp_path, GANGNAM)
    folder = tmp_path / "GangnamStation" / "B1" / "release" / "mapping"
    add_kapture(folder, posed=True, on_rig=True)
    (folder / "sensors" / "records_data" / "r.jpg").unlink()
    with pytest.raises(FormatError, match="1 of 2 map images of gangnam B1 are not below"):
        GANGNAM_STATION.read(tmp_path, GANGNAM)
    (folder / "sensors" / "trajectories.txt").unlink()
    with pytest.raises(FormatError, match="no map image has a pose"):
        GANGNAM_STATION.read(tmp_path, GANGNAM)
    (folder / "sensors" / "records_camera.txt").unlink()
    with pytest.raises(FormatError, match="lists no image with intrinsics"):
        GANGNAM_STATION.read(tmp_path, GANGNAM)


@pytest.mark.parametrize("cameras", [(PINHOLE,), (RADIAL, PINHOLE)])
def test_eth_written_and_read(tmp_path: Path, cameras: tuple[Camera, ...]) -> None:
    original = made_dataset(tmp_path / "made", cameras)
    names = eth_microsoft.write(original, tmp_path / "out")
    card = loose_card("eth-microsoft")
    assert_complete(tmp_path / "out", card)
    (part,) = eth_microsoft.read(tmp_path / "out", card)
    assert_read_back(original, part, names)
    assert len(part.queries["all"]) == 17 == len(part.rigs)
    assert not part.ground_truth
    truth = {names[old]: pose for old, pose in true_poses(original).items()}
    assert_accepted(tmp_path / "poses.txt", "eth-microsoft", submission_poses(part, truth))


def test_rigs_of_eth(tmp_path: Path) -> None:
    add_kapture(tmp_path / "mapping", posed=True, on_rig=True)
    add_kapture(tmp_path / "query", posed=False, on_rig=True)
    (part,) = eth_microsoft.read(tmp_path, ETH)
    left, right = (f"query/sensors/records_data/{name}.jpg" for name in "lr")
    assert list(part.queries["all"]) == [left, right]
    assert list(part.rigs) == ["42/rig"]
    assert part.rigs["42/rig"][right].translation.tolist() == [-0.5, 0, 0]
    assert part.submission_names == {"42/rig": "42/rig"}
    (tmp_path / "query" / "sensors" / "rigs.txt").unlink()
    (part,) = eth_microsoft.read(tmp_path, ETH)
    assert not part.rigs
    assert part.submission_names == {left: "42/l", right: "42/r"}
    shutil.rmtree(tmp_path / "query")
    with pytest.raises(FormatError, match=r"query/sensors/sensors\.txt: unpack the archive of"):
        eth_microsoft.read(tmp_path, ETH)
