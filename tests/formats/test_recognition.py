"""Recognition of formats: every writer's files are told, near misses are not claimed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc_lists import write_poses
from hloc_lite.formats.recognition import (
    FILES,
    FOLDERS,
    RecognizedImages,
    read_posed_images,
    recognize,
)
from hloc_lite.formats.recognized_readers import Source
from hloc_lite.types import Rigid3
from pipelines.benchmarks.robustness.posed_samples import POSED_SAMPLES
from pipelines.benchmarks.robustness.sample_model import (
    NAMES,
    SHARED,
    FormatSample,
    poses_of,
    sample_model,
    write_photos,
)

BY_NAME = {sample.name: sample for sample in POSED_SAMPLES}
POSE = "0.6 0 0.8 0 1 2 3"


@pytest.mark.parametrize("sample", POSED_SAMPLES, ids=lambda sample: sample.name)
def test_what_our_writers_write_is_recognized(sample: FormatSample, tmp_path: Path) -> None:
    sample.write(tmp_path)
    assert recognize(tmp_path / sample.entry).kind == sample.kind
    found = sample.read(tmp_path)
    assert isinstance(found, RecognizedImages)
    posed = found.posed
    assert len(posed.cameras) >= 2
    if sample.name not in ("COLMAP database", "list with intrinsics"):
        assert len(posed.model.images) >= 2


def test_every_known_kind_has_a_sample() -> None:
    kinds = {each.kind for each in (*FOLDERS, *FILES)} - {"trajectory", "rig_config.json"}
    assert kinds == {sample.kind for sample in POSED_SAMPLES}


@pytest.mark.parametrize("sample", POSED_SAMPLES, ids=lambda sample: sample.name)
def test_only_one_kind_claims_a_sample(sample: FormatSample, tmp_path: Path) -> None:
    sample.write(tmp_path)
    path = tmp_path / sample.entry
    known = FOLDERS if path.is_dir() else FILES
    assert [each.kind for each in known if each.is_kind(path)] == [sample.kind]


@pytest.mark.parametrize(
    ("files", "entry"),
    [
        ({"a.json": '{"name": "x", "images": []}'}, "a.json"),
        ({"package.json": "[1, 2]"}, "package.json"),
        ({"frame_00000.json": '{"pose": 1}'}, "."),
        ({"info.txt": "hello", "split.txt": "sequence0 [frames=2]"}, "."),
        ({"info.txt": "m_colorWidth = 1"}, "."),
        ({"TrainSplit.txt": "train: 1"}, "."),
        ({"images.txt": "1, cam, a.jpg"}, "."),
        ({"poses.txt": "1 2 3"}, "."),
        ({"groundtruth.txt": "1 2 3"}, "."),
        ({"calib.txt": "P0: 1"}, "."),
        ({"odometry.csv": "x"}, "."),
        ({"dataset_train.txt": "a.png 1 2 3 1 0 0 0"}, "."),
        ({"trajectories.txt": "1"}, "."),
        ({"mav0/cam0/data.csv": "1,a.png"}, "."),
        ({"seq01_01/a.jpg": ""}, "."),
        ({"notes.txt": "NVM is a format\n"}, "notes.txt"),
        ({"notes.txt": "a 1 2 3 4 5 6 7\n"}, "notes.txt"),
        ({"notes.txt": f"a.jpg {POSE} 9 9\n"}, "notes.txt"),
        ({"notes.txt": f"a.jpg {POSE}\nsome text\n"}, "notes.txt"),
        ({"notes.txt": "PINHOLE cameras are simple\n"}, "notes.txt"),
        ({"empty.txt": ""}, "empty.txt"),
        ({"a.bin": "NVM\0" + "x" * 50}, "a.bin"),
        ({"sub/readme.md": "x"}, "."),
    ],
)
def test_near_misses_are_not_claimed(files: dict[str, str], entry: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=r"is of no known kind: it.*Known are .* \(") as error:
        recognize(tmp_path / entry)
    known = FOLDERS if entry == "." else FILES
    assert all(f"{each.kind} ({each.sign})" in str(error.value) for each in known)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="does not exist"):
        recognize(tmp_path / "none")


def test_a_capture_session_is_not_taken_for_a_kapture(tmp_path: Path) -> None:
    """Their tables have the same names, but the poses are inverses."""
    BY_NAME["kapture"].write(tmp_path)
    assert recognize(tmp_path / "sensors").kind == "kapture"
    above = read_posed_images(tmp_path).posed
    below = read_posed_images(tmp_path / "sensors").posed
    assert poses_of(above.model).keys() == poses_of(below.model).keys()
    assert recognize(tmp_path).kind == "kapture"
    assert set(poses_of(above.model)) == set(NAMES)
    # as some tools write it, without the line with the version
    for file in ("sensors.txt", "trajectories.txt"):
        path = tmp_path / "sensors" / file
        path.write_text(path.read_text().partition("\n")[2])
    assert recognize(tmp_path / "sensors").kind == "kapture"


@pytest.mark.parametrize("name", ["list of poses", "TUM RGB-D", "SILDa"])
def test_poses_without_intrinsics_say_the_remedy(name: str, tmp_path: Path) -> None:
    BY_NAME[name].write(tmp_path)
    with pytest.raises(FormatError, match=r"no intrinsics: give them with --cameras.*'\* MODEL"):
        read_posed_images(tmp_path / BY_NAME[name].entry, tmp_path)


def test_intrinsics_are_not_given_twice(tmp_path: Path) -> None:
    BY_NAME["kapture"].write(tmp_path)
    with pytest.raises(FormatError, match="intrinsics of its own"):
        read_posed_images(tmp_path, None, SHARED)


@pytest.mark.parametrize("name", ["NVM", "Cambridge Landmarks"])
def test_given_intrinsics_replace_those_without_image_size(name: str, tmp_path: Path) -> None:
    sample = BY_NAME[name]
    sample.write(tmp_path)
    own = read_posed_images(tmp_path / sample.entry, tmp_path).posed
    for photo in [*tmp_path.rglob("*.png"), *tmp_path.rglob("*.jpg")]:
        photo.unlink()  # sizes are those of the given intrinsics
    path = tmp_path / sample.entry
    for given in (SHARED, {name.rpartition("/")[2]: SHARED["*"] for name in own.cameras}):
        posed = read_posed_images(path, tmp_path, given).posed
        assert posed.cameras.keys() == own.cameras.keys()
        (camera,) = posed.model.cameras.values()
        assert camera is SHARED["*"]
    with pytest.raises(FormatError, match="none of"):
        read_posed_images(path, tmp_path, {"other.png": SHARED["*"]})


def test_images_that_keep_their_own_intrinsics_are_counted(tmp_path: Path) -> None:
    BY_NAME["NVM"].write(tmp_path)
    given = {"0.png": SHARED["*"]}
    posed = read_posed_images(tmp_path / "m.nvm", tmp_path, given).posed
    assert "1 image without given intrinsics: those of the file are used" in posed.notes


def test_directions_of_lists(tmp_path: Path) -> None:
    """hloc's lists are cam_from_world; SILDa's and RIO10's, of the same columns, the inverse."""
    line = "0.6 0 0.8 0 1 2 3"
    turn = Rotation.from_quat([0, 0.8, 0, 0.6]).as_matrix()
    (tmp_path / "p.txt").write_text(f"x.png {line}\n")
    (tmp_path / "silda-train-poses.txt").write_text(f"x.png {line}\n")
    (tmp_path / "rio.txt").write_text(f"seq01_02/frame-000000 {line}\n")
    poses = [
        read_posed_images(tmp_path / name, None, SHARED).posed.model.images[0].cam_from_world
        for name in ("p.txt", "silda-train-poses.txt", "rio.txt")
    ]
    np.testing.assert_allclose(poses[0].rotation, turn, atol=1e-15)
    np.testing.assert_array_equal(poses[0].translation, [1, 2, 3])
    for pose in poses[1:]:
        np.testing.assert_allclose(pose.rotation, turn.T, atol=1e-15)
        np.testing.assert_allclose(pose.center, [1, 2, 3], atol=1e-15)


def test_lists_of_centres_are_noticed(tmp_path: Path) -> None:
    """Cameras that go straight ahead while they turn: the centres have the shorter path."""
    lines = []
    for number in range(20):
        x, y, z, w = Rotation.from_euler("y", 15 * number, degrees=True).as_quat()
        lines.append(f"{number}.png {w} {x} {y} {z} {100 + 0.1 * number} 0 0\n")
    path = tmp_path / "centres.txt"
    path.write_text("".join(lines))
    (note,) = read_posed_images(path, None, SHARED).posed.notes
    assert "camera centres: check the direction" in note


def test_names_that_lead_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text(f"../x.png {POSE}\n")
    with pytest.raises(FormatError, match="leaves the image folder"):
        read_posed_images(tmp_path / "p.txt", None, SHARED)


def test_intrinsics_by_the_end_of_a_path(tmp_path: Path) -> None:
    pose = Rigid3.identity()
    camera = SHARED["*"]
    write_poses(tmp_path / "p.txt", {"rgb/1.png": pose, "rgb/2.png": pose, "3.png": pose})
    posed = read_posed_images(tmp_path / "p.txt", None, {"1.png": camera, "3.png": camera}).posed
    assert list(posed.cameras) == ["rgb/1.png", "3.png"]
    assert posed.notes == ("1 image without intrinsics: left out",)
    with pytest.raises(FormatError, match="none of the 3 images has intrinsics"):
        read_posed_images(tmp_path / "p.txt", None, {"9.png": camera})
    write_poses(tmp_path / "p.txt", {"l/1.png": pose, "r/1.png": pose})
    with pytest.raises(FormatError, match=r"'1.png' may belong to 'l/1.png' or 'r/1.png'"):
        read_posed_images(tmp_path / "p.txt", None, {"1.png": camera})


def test_pseudo_truth_takes_sizes_from_the_photos(tmp_path: Path) -> None:
    BY_NAME["pseudo ground truth"].write(tmp_path)
    list_path = tmp_path / "chess_test.txt"
    (camera,) = read_posed_images(list_path, tmp_path).posed.model.cameras.values()
    assert (camera.width, camera.height) == (640, 480)
    with pytest.raises(FormatError, match="none of them in"):
        read_posed_images(list_path, tmp_path / "elsewhere")
    write_photos(tmp_path, ["seq-01/frame-000001.color.png"], (320, 240))
    with pytest.raises(FormatError, match="2 different sizes"):
        read_posed_images(list_path, tmp_path)


def test_a_trajectory_alone_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "traj.txt"
    path.write_text("1305031098.6 1 2 3 0 0.8 0 0.6\n")
    with pytest.raises(FormatError, match=r"poses by time.*rgb.txt"):
        read_posed_images(path)


def _on_unit_circle(first: str) -> str:
    """Eight columns whose middle and last four numbers both have length 1."""
    lines = (
        f"{first.format(n)} {np.cos(0.1 * n)} {np.sin(0.1 * n)} 0 0 0 0 1\n" for n in range(12)
    )
    return "".join(lines)


def test_a_trajectory_on_the_unit_circle_is_no_list_of_poses(tmp_path: Path) -> None:
    path = tmp_path / "circle.txt"
    path.write_text(_on_unit_circle("13050310{:02d}.5"))
    assert recognize(path).kind == "trajectory"
    with pytest.raises(FormatError, match=r"taken for a trajectory.*--reference-kind 'list of"):
        read_posed_images(path, None, SHARED)
    path.write_text(_on_unit_circle("{:06d}.png"))
    assert recognize(path).kind == "list of poses"


def test_the_user_may_state_the_kind(tmp_path: Path) -> None:
    path = tmp_path / "circle.txt"
    path.write_text(_on_unit_circle("{:06d}"))
    found = read_posed_images(path, None, SHARED, kind="List of poses")
    assert found.kind == "list of poses" and len(found.posed.model.images) == 12
    assert recognize(path, "pseudo").kind == "pseudo ground truth"  # a beginning
    for unclear in ("none such", "list"):
        with pytest.raises(FormatError, match=r"is no kind of a file, or several: .*'NVM'"):
            recognize(path, unclear)
    with pytest.raises(FormatError, match=r"no kind of a folder.*'kapture'"):
        recognize(tmp_path, "NVM")


def test_files_are_tried_in_isolation(tmp_path: Path) -> None:
    """No reader of a file is asked about a folder, and the other way round."""
    (tmp_path / "x.json").write_text(json.dumps({"frames": 5}))
    assert recognize(tmp_path / "x.json").read is not None
    with pytest.raises(FormatError, match="expected an object with a list 'frames'"):
        recognize(tmp_path / "x.json").read(Source(tmp_path / "x.json"))


def test_names_of_the_sample_are_hard() -> None:
    assert any(" " in name for name in NAMES) and any(not name.isascii() for name in NAMES)
    assert len(sample_model().images) == len(NAMES)
