"""LaMAR and CroCoDL: rigs and reversed poses, lists of queries, groups of a submission."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hloc_lite.datasets.cards import read_card
from hloc_lite.datasets.layouts import crocodl, lamar
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

LAMAR, CROCODL = read_card("lamar"), read_card("crocodl")
SENSORS = """# sensor_id, name, sensor_type, [sensor_params]+
left, , camera, PINHOLE, 640, 480, 300, 301, 320, 240
right, , camera, PINHOLE, 640, 480, 300, 301, 320, 240
depth, , depth, PINHOLE, 320, 288, 150, 150, 160, 144
"""
RIGS = """# rig_id, sensor_id, qw, qx, qy, qz, tx, ty, tz
rig, left, 1, 0, 0, 0, -0.05, 0, 0
rig, right, 0, 0, 0, 1, 0.05, 0, 0
"""
IMAGES = "100, left, a.jpg\n100, right, b.jpg\n200, left, c.jpg\n200, right, d.jpg\n"


def add_session(folder: Path, poses_file: str | None, queries: str | None = None) -> None:
    """Session of two photos of a rig; its world position is (10 + time, 0, 0)."""
    (folder / "raw_data").mkdir(parents=True)
    for name in "abcd":
        (folder / "raw_data" / f"{name}.jpg").touch()
    (folder / "sensors.txt").write_text(SENSORS)
    (folder / "rigs.txt").write_text(RIGS)
    (folder / "images.txt").write_text(IMAGES)
    if poses_file is not None:
        covariance = ", 0.1" * 36
        (folder / poses_file).parent.mkdir(exist_ok=True)
        (folder / poses_file).write_text(
            f"# timestamp, device_id, qw, qx, qy, qz, tx, ty, tz, *covar\n"
            f"100, rig, 1, 0, 0, 0, 110, 0, 0{covariance}\n200, rig, 1, 0, 0, 0, 210, 0, 0\n"
        )
    if queries is not None:
        (folder / "queries.txt").write_text(queries)


@pytest.fixture
def location(tmp_path: Path) -> Path:
    """Sessions of HGE by hand."""
    sessions = tmp_path / "HGE" / "sessions"
    add_session(sessions / "map", "trajectories.txt")
    add_session(sessions / "query_hololens", None, "200, rig\n")
    add_session(sessions / "query_phone", None, "# timestamp, id\n100, left\n200, right\n")
    add_session(
        sessions / "query_val_hololens", "proc/alignment_trajectories.txt", "100, rig\n"
    )  # fmt: skip
    return tmp_path


@pytest.mark.parametrize("cameras", [(PINHOLE,), (RADIAL, PINHOLE)])
def test_lamar_written_and_read(tmp_path: Path, cameras: tuple[Camera, ...]) -> None:
    original = made_dataset(tmp_path / "made", cameras)
    names = lamar.write(original, tmp_path / "out")
    card = loose_card("lamar")
    assert_complete(tmp_path / "out", card)
    (part,) = lamar.read(tmp_path / "out", card)
    assert part.name == "CAB"
    assert_read_back(original, part, names)
    assert {key: len(each) for key, each in part.queries.items()} == {
        "CAB_phone": 1, "CAB_hololens": 1, "CAB_val_phone": 12, "CAB_val_hololens": 3,
    }  # fmt: skip
    assert set(part.queries) <= set(card.conditions)
    assert list(part.ground_truth) == ["CAB_val_phone", "CAB_val_hololens"]
    assert len(part.rigs) == 4
    truth = {names[old]: pose for old, pose in true_poses(original).items()}
    poses = submission_poses(part, truth, ["CAB_phone", "CAB_hololens"])
    assert sorted(name.split("/")[0] for name in poses) == [
        "CAB_query_hololens", "CAB_query_phone",
    ]  # fmt: skip
    assert_accepted(tmp_path / "poses.zip", "lamar", poses)


def test_poses_and_rigs_of_lamar(location: Path) -> None:
    (part,) = lamar.read(location, LAMAR)
    assert part.name == "HGE" and part.image_folder == location / "HGE" / "sessions"
    assert part.map_image_names == tuple(f"map/raw_data/{name}.jpg" for name in "abcd")
    assert part.reference is not None
    centers = {image.name[-5]: image.cam_from_world.center for image in part.reference.images}
    np.testing.assert_allclose(centers["a"], [109.95, 0, 0], atol=1e-12)
    np.testing.assert_allclose(centers["d"], [210.05, 0, 0], atol=1e-12)
    # queries.txt is the list: of four photos of the headset two are a query
    key = "query_hololens/200/rig"
    assert set(part.queries["HGE_hololens"]) == set(part.rigs[key])
    right = part.rigs[key]["query_hololens/raw_data/d.jpg"]
    np.testing.assert_allclose(right.center, [0.05, 0, 0], atol=1e-12)
    assert part.submission_names[key] == "HGE_query_hololens/200/rig"
    phone = ["query_phone/raw_data/a.jpg", "query_phone/raw_data/d.jpg"]
    assert list(part.queries["HGE_phone"]) == phone
    assert part.submission_names[phone[1]] == "HGE_query_phone/200/right"
    truth = part.ground_truth["HGE_val_hololens"]
    np.testing.assert_allclose(
        truth["query_val_hololens/raw_data/b.jpg"].center, [110.05, 0, 0], atol=1e-12
    )
    assert "query_val_hololens/100/rig" not in part.submission_names
    assert any("no session query_val_phone" in note for note in part.notes)


def test_damaged_lamar(location: Path) -> None:
    session = location / "HGE" / "sessions" / "query_phone"
    (session / "raw_data" / "d.jpg").unlink()
    with pytest.raises(FormatError, match="1 of 2 queries of lamar HGE, HGE_phone, are not below"):
        lamar.read(location, LAMAR)
    (session / "queries.txt").write_text("300, left\n")
    with pytest.raises(FormatError, match="query 300, 'left' has no image"):
        lamar.read(location, LAMAR)
    (session / "queries.txt").unlink()
    with pytest.raises(FormatError, match=r"queries\.txt does not exist: unpack the whole"):
        lamar.read(location, LAMAR)
    (location / "HGE" / "sessions" / "map" / "trajectories.txt").unlink()
    with pytest.raises(FormatError, match=r"no image has a pose in trajectories\.txt"):
        lamar.read(location, LAMAR)
    with pytest.raises(FormatError, match=r"no part of lamar: expected PART/sessions/map/"):
        lamar.read(location / "HGE", LAMAR)


@pytest.mark.parametrize("cameras", [(PINHOLE,), (RADIAL, PINHOLE)])
def test_crocodl_written_and_read(tmp_path: Path, cameras: tuple[Camera, ...]) -> None:
    original = made_dataset(tmp_path / "made", cameras)
    names = crocodl.write(original, tmp_path / "out")
    card = loose_card("crocodl")
    assert_complete(tmp_path / "out", card)
    (part,) = crocodl.read(tmp_path / "out", card)
    assert part.name == "HYDRO"
    assert_read_back(original, part, names)
    assert len(part.map_image_names) == 5 and len(part.queries["HYDRO"]) == 17
    assert not part.ground_truth
    truth = {names[old]: pose for old, pose in true_poses(original).items()}
    poses = submission_poses(part, truth)
    assert {name.split("/")[0] for name in poses} == {
        "HYDRO_query_phone", "HYDRO_query_hololens", "HYDRO_query_spot",
    }  # fmt: skip
    assert_accepted(tmp_path / "poses.zip", "crocodl", poses)


def test_sessions_of_crocodl(tmp_path: Path) -> None:
    sessions = tmp_path / "DESIGN" / "sessions"
    add_session(sessions / "spot_map", "trajectories.txt")
    add_session(sessions / "hololens_map", "trajectories.txt")
    moved = sessions / "spot_map" / "trajectories_augumented.txt"
    moved.write_text("100, rig, 1, 0, 0, 0, -7, 0, 0\n")
    add_session(sessions / "spot_query", "proc/alignment_trajectories.txt")
    add_session(sessions / "hololens_query", None, "100, rig\n")
    (part,) = crocodl.read(tmp_path, CROCODL)
    assert part.reference is not None
    image = part.reference.image_named("spot_map/raw_data/a.jpg")
    assert image is not None
    np.testing.assert_allclose(image.cam_from_world.center, [-7.05, 0, 0], atol=1e-12)
    assert len(part.map_image_names) == 2 + 4  # the moved trajectory has one time
    assert any("trajectories_augumented.txt" in note for note in part.notes)
    # without a list all photos are queries, those of a rig together
    assert sorted(part.rigs) == [
        "hololens_query/100/rig",
        "spot_query/100/rig",
        "spot_query/200/rig",
    ]
    assert len(part.queries["DESIGN"]) == 6
    assert part.submission_names["spot_query/200/rig"] == "DESIGN_query_spot/200/rig"
    assert len(part.ground_truth["DESIGN"]) == 4
    assert any("no session ios_query" in note for note in part.notes)


def test_damaged_crocodl(tmp_path: Path) -> None:
    (tmp_path / "DESIGN" / "sessions").mkdir(parents=True)
    with pytest.raises(FormatError, match="has no map: expected ios_map or hololens_map or spot"):
        crocodl.read(tmp_path, CROCODL)
    with pytest.raises(FormatError, match="no part of crocodl"):
        crocodl.read(tmp_path / "DESIGN", CROCODL)
