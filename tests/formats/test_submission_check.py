"""Check of submissions: each seeded mistake is found and named, with its lines, and no other is."""

from __future__ import annotations

import os
import sqlite3
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.formats.submissions.check import check_submission
from hloc_lite.formats.submissions.findings import CONSEQUENCES, Finding, FindingKind, Severity
from hloc_lite.formats.submissions.forms import SUBMISSION_FORMS, SubmissionForm
from hloc_lite.formats.submissions.reader import read_submission
from hloc_lite.formats.submissions.writer import write_submission
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Rigid3

CAMERA = Camera("SIMPLE_PINHOLE", 640, 480, np.array([500.0, 320, 240]))
AACHEN, ROBOTCAR = SUBMISSION_FORMS["aachen-v1.1"], SUBMISSION_FORMS["robotcar"]
CMU, RIO10 = SUBMISSION_FORMS["cmu"], SUBMISSION_FORMS["rio10"]
K = FindingKind


def kinds(findings: tuple[Finding, ...]) -> set[FindingKind]:
    return {finding.kind for finding in findings}


def street_pose(rng: np.random.Generator, origin: np.ndarray) -> Rigid3:
    """A camera held upright by hand on a street of 60 m, z up, that looks in any direction."""
    yaw, tilt, roll = rng.uniform(-np.pi, np.pi), *rng.normal(scale=0.1, size=2)
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # x right, y down, z to the north
    rotation = exp_so3([tilt, 0, roll]) @ level @ exp_so3([0, 0, yaw])
    centre = origin + rng.uniform([-30, -4, 1.2], [30, 4, 2])
    return Rigid3(rotation, -rotation @ centre)


def world(origin: tuple[float, ...], seed: int = 0) -> tuple[SfmModel, dict[str, Rigid3]]:
    """A map of 150 images and 50 queries."""
    rng = np.random.default_rng(seed)
    images = {f"db/{i}.jpg": street_pose(rng, np.array(origin)) for i in range(150)}
    queries = {f"q{i}.jpg": street_pose(rng, np.array(origin)) for i in range(50)}
    return posed_model(dict.fromkeys(images, CAMERA), images), queries


NEAR, FAR = (3.0, -2.0, 0.0), (4300.0, -12500.0, 180.0)


def lines_of(poses: Mapping[str, Rigid3], form: SubmissionForm, path: Path) -> list[str]:
    write_submission(poses, form, path)
    return path.read_text().splitlines()


# --- mistakes that the lines show ------------------------------------------------------------

Edit = Callable[[list[str]], bytes | str]


def _edit(*rows: int, change: Callable[[str], str]) -> Edit:
    def edited(lines: list[str]) -> str:
        return "".join((change(x) if i in rows else x) + "\n" for i, x in enumerate(lines))

    return edited


def _all(change: Callable[[str], str]) -> Edit:
    return lambda lines: "".join(change(line) + "\n" for line in lines)


def _numbers(change: Callable[[list[str]], list[str]]) -> Callable[[str], str]:
    def changed(line: str) -> str:
        name, *words = line.split()
        return " ".join([name, *change(words)])

    return changed


def _plain(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


ONE_KIND: dict[str, tuple[FindingKind, Edit, tuple[int, ...]]] = {
    "a word for a number": (
        K.UNREADABLE_LINE, _edit(3, change=lambda x: x + "m"), (4,)),
    "underscores, which only Python reads": (
        K.UNREADABLE_LINE, _edit(2, change=lambda x: x + "_0"), (3,)),
    "a column too few": (
        K.WRONG_COLUMNS, _edit(1, 4, change=lambda x: x.rsplit(" ", 1)[0]), (2, 5)),
    "a column too many": (
        K.WRONG_COLUMNS, _all(lambda x: x + " 525.0"), (1, 2, 3, 4, 5)),
    "full paths": (K.FULL_PATH, _all(lambda x: "query/day/" + x), (1, 2, 3, 4, 5)),
    "other extension": (
        K.WRONG_EXTENSION, _edit(7, 9, change=lambda x: x.replace(".jpg", ".png")), (8, 10)),
    "upper case extension": (
        K.WRONG_EXTENSION, _edit(7, change=lambda x: x.replace(".jpg", ".JPG")), (8,)),
    "no extension": (K.WRONG_EXTENSION, _edit(0, change=lambda x: x.replace(".jpg", "")), (1,)),
    "a line twice": (
        K.DOUBLE_NAMES, lambda lines: _plain([*lines, lines[2]]), (3, 51)),
    "NaN": (
        K.NOT_FINITE, _edit(5, change=_numbers(lambda n: [*n[:6], "NaN"])), (6,)),
    "infinite quaternion": (
        K.NOT_FINITE, _edit(5, change=_numbers(lambda n: ["-inf", *n[1:]])), (6,)),
    "zero quaternion": (
        K.ZERO_QUATERNION, _edit(6, change=_numbers(lambda n: ["0"] * 4 + n[4:])), (7,)),
    "quaternion of another length": (
        K.NON_UNIT_QUATERNION,
        _edit(8, change=_numbers(lambda n: [str(1.5 * float(x)) for x in n[:4]] + n[4:])), (9,)),
    "position before quaternion": (
        K.COLUMN_ORDER, _all(_numbers(lambda n: n[4:] + n[:4])), ()),
    "one pose for all": (
        K.ALL_POSES_EQUAL, _all(_numbers(lambda n: ["1", "0", "0", "0", "0", "0", "0"])), ()),
    "titles": (
        K.HEADER, lambda lines: _plain(["name qw qx qy qz tx ty tz", *lines]), (1,)),
    "comments": (K.HEADER, lambda lines: _plain(["# our method", *lines]), (1,)),
    "commas": (K.SEPARATOR, _all(lambda x: x.replace(" ", ", ")), (1, 2, 3, 4, 5)),
    "commas without spaces": (K.SEPARATOR, _all(lambda x: x.replace(" ", ",")), (1, 2, 3, 4, 5)),
    "decimal commas": (
        K.SEPARATOR, _all(_numbers(lambda n: [x.replace(".", ",") for x in n])), (1, 2, 3, 4, 5)),
    "Windows line ends": (K.LINE_ENDS, lambda lines: _plain(lines).replace("\n", "\r\n"), ()),
    "byte order mark": (K.BYTE_ORDER_MARK, lambda lines: "\ufeff" + _plain(lines), ()),
    "UTF-16": (K.NOT_TEXT, lambda lines: _plain(lines).encode("utf-16"), ()),
    "nothing": (K.EMPTY_FILE, lambda lines: "", ()),
    "blank lines alone": (K.EMPTY_FILE, lambda lines: "\n \n", ()),
    "missing queries": (K.MISSING_NAMES, lambda lines: _plain(lines[4:]), ()),
    "images that are no queries": (
        K.UNKNOWN_NAMES,
        lambda lines: _plain(["other_" + lines[0], *lines]), (1,)),
}  # fmt: skip


@pytest.mark.parametrize("mistake", ONE_KIND)
@pytest.mark.parametrize("origin", [NEAR, FAR], ids=["near", "far"])
def test_seeded_mistakes(mistake: str, origin: tuple[float, ...], tmp_path: Path) -> None:
    kind, edit, locations = ONE_KIND[mistake]
    model, queries = world(origin)
    path = tmp_path / "cmu.txt"
    text = edit(lines_of(queries, CMU, path))
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    names = [f"slice2/query/{name}" for name in queries]
    findings = check_submission(path, CMU, expected_names=names, map_model=model)
    assert kinds(findings) == {kind}
    assert findings[0].lines == locations
    assert findings[0].count >= len(locations) and findings[0].consequence in str(findings[0])


@pytest.mark.parametrize("origin", [NEAR, FAR], ids=["near", "far"])
def test_right_submissions_have_no_findings(origin: tuple[float, ...], tmp_path: Path) -> None:
    for seed in range(20):
        model, queries = world(origin, seed)
        for form in (CMU, SUBMISSION_FORMS["rio10"]):
            path = tmp_path / "poses.txt"
            named = {name if form is CMU else f"seq/{name}": p for name, p in queries.items()}
            write_submission(named, form, path)
            found = check_submission(path, form, expected_names=named, map_model=model)
            assert found == (), (seed, form.data_set, found)
            assert check_submission(path, form, truth=named) == ()


ROBOTCAR_NAMES = {
    "no camera": (K.MISSING_PREFIX, lambda name: name.split("/")[-1]),
    "condition": (K.CONDITION_IN_NAME, lambda name: "night-rain/" + name),
    "condition instead of camera": (
        K.CONDITION_IN_NAME, lambda name: "dawn/" + name.split("/")[-1]),
    "full path": (K.FULL_PATH, lambda name: "images/" + name),
    "other camera": (K.UNKNOWN_CAMERA, lambda name: name.replace("rear", "front")),
    "Windows path": (K.NAME_FORM, lambda name: name.replace("/", "\\")),
    "extension": (K.WRONG_EXTENSION, lambda name: name.replace("jpg", "png")),
}  # fmt: skip


@pytest.mark.parametrize("mistake", ROBOTCAR_NAMES)
@pytest.mark.parametrize("knows_names", [True, False])
def test_names_of_robotcar(mistake: str, knows_names: bool, tmp_path: Path) -> None:
    kind, change = ROBOTCAR_NAMES[mistake]
    names = [f"rear/{10**15 + i}.jpg" for i in range(3978)]
    path = tmp_path / "robotcar.txt"
    rest = " 1 0 0 0 0 0 "
    path.write_text("".join(f"{change(name)}{rest}{i}\n" for i, name in enumerate(names)))
    expected = [f"dusk/{name}" for name in names] if knows_names else None
    findings = check_submission(path, ROBOTCAR, expected_names=expected)
    assert kinds(findings) - {K.MISSING_CAMERA} == {kind}
    (found,) = (finding for finding in findings if finding.kind is kind)
    assert found.lines == (1, 2, 3, 4, 5) and found.count == 3978
    assert found.severity is Severity.ERROR


def test_absent_cameras_are_a_remark(tmp_path: Path) -> None:
    names = [f"{camera}/{i}.jpg" for camera in ("left", "rear", "right") for i in range(4)]
    path = tmp_path / "robotcar.txt"
    path.write_text("".join(f"rear/{i}.jpg 1 0 0 0 0 0 {i}\n" for i in range(4)))
    (found,) = check_submission(path, ROBOTCAR, expected_names=names)
    assert (found.kind, found.severity, found.count) == (K.MISSING_CAMERA, Severity.REMARK, 8)
    assert "left and right are absent" in found.message
    path.write_text("".join(f"rear/{i}.jpg 1 0 0 0 0 0 {i}\n" for i in range(3)))
    both = check_submission(path, ROBOTCAR, expected_names=names)
    assert kinds(both) == {K.MISSING_CAMERA, K.MISSING_NAMES}
    assert "'rear/3.jpg'" in "".join(map(str, both))


def test_numbers_of_queries_are_known(tmp_path: Path) -> None:
    path = tmp_path / "aachen.txt"
    for count, kind in ((1015, None), (1040, K.TOO_MANY_NAMES), (900, K.MISSING_NAMES)):
        path.write_text("".join(f"{i}.jpg 1 0 0 0 0 0 {i}\n" for i in range(count)))
        assert kinds(check_submission(path, AACHEN)) == ({kind} if kind else set())


def test_scene_folders(tmp_path: Path) -> None:
    path, form = tmp_path / "7.txt", SUBMISSION_FORMS["7scenes"]
    expected = [f"seq-0{s}/frame-{i:06}.color.png" for s in (1, 2) for i in range(9)]
    for change, kind in (
        (lambda name: name, None),
        (lambda name: "chess/" + name, K.FULL_PATH),
        (lambda name: name.replace(".color.png", ""), K.WRONG_EXTENSION),
        (lambda name: name.replace(".color", ""), K.WRONG_EXTENSION),
        (lambda name: name.replace("seq-0", "seq-1"), K.UNKNOWN_NAMES),
    ):
        path.write_text("".join(f"{change(n)} 1 0 0 0 0 0 {i}\n" for i, n in enumerate(expected)))
        found = kinds(check_submission(path, form, expected_names=expected))
        wanted = {kind} if kind else set()
        assert found == wanted | ({K.MISSING_NAMES} if kind is K.UNKNOWN_NAMES else set())
    # basenames are those of both sequences
    path.write_text("frame-000000.color.png 1 0 0 0 0 0 0\n")
    assert K.MISSING_PREFIX in kinds(check_submission(path, form, expected_names=expected))


def test_extension_of_rio10(tmp_path: Path) -> None:
    path = tmp_path / "rio.txt"
    path.write_text("".join(f"seq02_03/frame-{i:06}.color.jpg 1 0 0 0 0 0 {i}\n" for i in range(9)))
    expected = [f"seq02_03/frame-{i:06}" for i in range(9)]
    assert kinds(check_submission(path, RIO10)) == {K.WRONG_EXTENSION}
    assert kinds(check_submission(path, RIO10, expected_names=expected)) == {K.WRONG_EXTENSION}


def test_keys_of_4seasons(tmp_path: Path) -> None:
    path, form = tmp_path / "4.txt", SUBMISSION_FORMS["4seasons"]
    path.write_text("".join(f"{i} 1{i} 3 4 {i} 0 0 0 1\n" for i in range(9)))
    assert check_submission(path, form) == ()
    path.write_text("".join(f"{i} 1{i} 1 0 0 0 3 4 {i + 3}\n" for i in range(9)))
    assert kinds(check_submission(path, form)) == {K.COLUMN_ORDER}
    path.write_text("".join(f"{i}.png 1{i}.png 3 4 {i} 0 0 0 1\n" for i in range(9)))
    assert kinds(check_submission(path, form)) == {K.NAME_FORM}
    with pytest.raises(ConfigError, match="relative"):
        check_submission(path, form, map_model=world(NEAR)[0])


# --- mistakes that only the map or the truth shows -------------------------------------------

FLIP = np.diag([1.0, -1, -1])
READINGS: dict[str, tuple[set[FindingKind], Callable[[Rigid3], Rigid3], bool, float]] = {
    "xyzw": ({K.QUATERNION_ORDER}, lambda p: p, True, 1.0),
    "camera to world": ({K.INVERTED_POSE}, lambda p: p.inverse(), False, 1.0),
    "centre": ({K.CENTRE_FOR_TRANSLATION}, lambda p: Rigid3(p.rotation, p.center), False, 1.0),
    "rotation alone inverted": (
        {K.INVERTED_ROTATION}, lambda p: Rigid3(p.rotation.T, p.translation), False, 1.0),
    "OpenGL axes": (
        {K.CAMERA_AXES}, lambda p: Rigid3(FLIP @ p.rotation, FLIP @ p.translation), False, 1.0),
    "mm": ({K.UNIT}, lambda p: p, False, 1000.0),
    "cm": ({K.UNIT}, lambda p: p, False, 100.0),
    "camera to world, xyzw": (
        {K.INVERTED_POSE, K.QUATERNION_ORDER}, lambda p: p.inverse(), True, 1.0),
    "centre, xyzw": (
        {K.CENTRE_FOR_TRANSLATION, K.QUATERNION_ORDER},
        lambda p: Rigid3(p.rotation, p.center), True, 1.0),
    "centre, mm": (
        {K.CENTRE_FOR_TRANSLATION, K.UNIT}, lambda p: Rigid3(p.rotation, p.center), False, 1000.0),
    "camera to world, mm": ({K.INVERTED_POSE, K.UNIT}, lambda p: p.inverse(), False, 1000.0),
}  # fmt: skip


def seed_reading(
    mistake: str, queries: Mapping[str, Rigid3], form: SubmissionForm, path: Path
) -> set[FindingKind]:
    wanted, change, is_xyzw, unit = READINGS[mistake]
    lines = []
    for line in lines_of({name: change(pose) for name, pose in queries.items()}, form, path):
        name, *words = line.split()
        quat = words[1:4] + words[:1] if is_xyzw else words[:4]
        lines.append(" ".join([name, *quat, *(str(unit * float(x)) for x in words[4:])]) + "\n")
    path.write_text("".join(lines))
    return wanted


@pytest.mark.parametrize("mistake", READINGS)
@pytest.mark.parametrize("origin", [NEAR, FAR], ids=["near", "far"])
def test_readings(mistake: str, origin: tuple[float, ...], tmp_path: Path) -> None:
    model, queries = world(origin)
    path = tmp_path / "cmu.txt"
    wanted = seed_reading(mistake, queries, CMU, path)
    by_map = check_submission(path, CMU, expected_names=queries, map_model=model)
    by_truth = check_submission(path, CMU, truth=queries)
    assert kinds(by_map) == wanted and kinds(by_truth) == wanted
    assert all(f.severity is Severity.ERROR and f.count == 50 for f in by_map)
    assert "100 % of 50 lines looked at fit so" in by_truth[0].message
    assert check_submission(path, CMU, expected_names=queries) == ()  # nothing can tell


@pytest.mark.parametrize("origin", [NEAR, FAR], ids=["near", "far"])
def test_readings_where_half_of_the_queries_are_wrong(
    origin: tuple[float, ...], tmp_path: Path
) -> None:
    model, queries = world(origin)
    rng = np.random.default_rng(1)
    for name in list(queries)[::2]:
        rotation = exp_so3(rng.normal(scale=2, size=3))
        centre = np.array(origin) + rng.normal(scale=200, size=3)
        queries[name] = Rigid3(rotation, -rotation @ centre)
    path = tmp_path / "cmu.txt"
    write_submission(queries, CMU, path)
    assert check_submission(path, CMU, map_model=model) == ()
    for mistake in ("xyzw", "camera to world", "centre"):
        wanted = seed_reading(mistake, queries, CMU, path)
        assert kinds(check_submission(path, CMU, map_model=model)) == wanted


def test_directions_of_rio10(tmp_path: Path) -> None:
    model, queries = world(NEAR)
    queries = {f"seq01_03/{name}": pose for name, pose in queries.items()}
    path = tmp_path / "rio.txt"
    # the writer inverts, so these are written the wrong way round
    for change, kind in (
        (lambda p: p.inverse(), K.INVERTED_POSE),
        (lambda p: Rigid3(p.rotation, -p.rotation @ p.translation), K.TRANSLATION_FOR_CENTRE),
        (lambda p: Rigid3(p.rotation.T, -p.rotation.T @ p.center), K.INVERTED_ROTATION),
    ):
        write_submission({name: change(pose) for name, pose in queries.items()}, RIO10, path)
        assert kinds(check_submission(path, RIO10, map_model=model)) == {kind}, kind


def test_poses_of_another_world(tmp_path: Path) -> None:
    model, queries = world(FAR)
    path = tmp_path / "cmu.txt"
    write_submission(world((0.0, 0, 0))[1], CMU, path)
    (found,) = check_submission(path, CMU, map_model=model)
    assert (found.kind, found.severity) == (K.FAR_FROM_MAP, Severity.REMARK)
    # few lines say nothing
    write_submission(dict(list(queries.items())[:4]), CMU, path)
    assert check_submission(path, CMU, map_model=model) == ()


# --- zip files -------------------------------------------------------------------------------


def zipped(path: Path, texts: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, text in texts.items():
            file.writestr(name, text)
    return path


def mapfree_texts(**changed: str) -> dict[str, str]:
    texts = {
        f"pose_s{460 + i:05}.txt": "".join(
            f"seq1/frame_{5 * j:05}.jpg 1 0 0 0 0.1 {i} {j} {j + 0.5}\n" for j in range(4)
        )
        for i in range(65)
    }
    return texts | {f"{name}.txt": text for name, text in changed.items()}


def test_mapfree_zips(tmp_path: Path) -> None:
    form, path = SUBMISSION_FORMS["mapfree"], tmp_path / "x.zip"
    line = "seq1/frame_00000.jpg 1 0 0 0 1 2 3"
    assert check_submission(zipped(path, mapfree_texts()), form) == ()
    few = dict(list(mapfree_texts().items())[:64])
    in_folder = {f"sub/{name}": text for name, text in mapfree_texts().items()}
    for texts, kind, location in (
        (few, K.WRONG_FILES, ""),
        (in_folder, K.WRONG_FILES, ""),
        (mapfree_texts(notes="hello"), K.WRONG_FILES, ""),
        (mapfree_texts(pose_s00461=f"{line}\n"), K.CONFIDENCE_MISSING, "pose_s00461.txt:1"),
        (mapfree_texts(pose_s00461=f"{line} -0.5\n"), K.CONFIDENCE_NEGATIVE, "pose_s00461.txt:1"),
        (mapfree_texts(pose_s00461=f"{line} nan\n"), K.NOT_FINITE, "pose_s00461.txt:1"),
        (mapfree_texts(pose_s00461=f"{line} 1\n" * 2), K.DOUBLE_NAMES, "pose_s00461.txt:1"),
        (mapfree_texts(pose_s00461=f"s00461/{line} 1\n"), K.FULL_PATH, "pose_s00461.txt:1"),
        (mapfree_texts(pose_s00461=f"{line[5:]} 1\n"), K.MISSING_PREFIX, "pose_s00461.txt:1"),
        (mapfree_texts(pose_s00461=f"{line} 1\r\n"), K.LINE_ENDS, ""),
    ):
        (found,) = check_submission(zipped(path, texts), form)
        assert found.kind is kind
        assert location in "".join(map(str, found.locations))
    path.write_text("no zip")
    assert kinds(check_submission(path, form)) == {K.NOT_A_ZIP}
    path.write_bytes(zipped(tmp_path / "y.zip", mapfree_texts()).read_bytes()[:-40])
    assert kinds(check_submission(path, form)) == {K.NOT_A_ZIP}
    assert kinds(check_submission(tmp_path / "y.zip", AACHEN)) == {K.UNEXPECTED_ZIP}


def test_lamar_zips(tmp_path: Path) -> None:
    form, path = SUBMISSION_FORMS["lamar"], tmp_path / "x.zip"
    maps, poses = {}, {}
    for index, location in enumerate(("CAB", "HGE", "LIN")):
        maps[location], queries = world((100.0 * index, 0, 0), index)
        for row, pose in enumerate(queries.values()):
            kind = ("phone", "hololens")[row % 2]
            poses[f"{location}_query_{kind}/{1000 + row}/ios/cam{row}"] = pose
    write_submission(poses, form, path, description="d")
    assert check_submission(path, form, expected_names=poses, map_model=maps) == ()
    with pytest.raises(ConfigError, match="several maps"):
        check_submission(path, form, map_model=maps["CAB"])
    with pytest.raises(FormatError, match="GROUP"):
        check_submission(path, form, expected_names=["17"])
    with zipfile.ZipFile(path) as file:
        texts = {name: file.read(name).decode() for name in file.namelist()}
    title = "# timestamp, device_id, qw, qx, qy, qz, tx, ty, tz\n"
    titled = {name: title + text for name, text in texts.items()}
    assert check_submission(zipped(path, titled), form, expected_names=poses) == ()

    def found(texts: Mapping[str, str]) -> set[FindingKind]:
        return kinds(
            check_submission(zipped(path, texts), form, expected_names=poses, map_model=maps)
        )

    one = {name: text if "CAB" in name or "desc" in name else "" for name, text in texts.items()}
    one["LIN_query_phone.txt"] = title
    (remark,) = check_submission(zipped(path, one), form, expected_names=poses)
    assert (remark.kind, remark.severity, remark.count) == (K.MISSING_GROUP, Severity.REMARK, 4)
    assert "LIN_query_phone" in remark.message and "(100 expected poses)" in remark.message
    assert "CAB" not in remark.message
    assert kinds(check_submission(path, form)) == {K.MISSING_GROUP}
    without = {name: text for name, text in texts.items() if "LIN_query_phone" not in name}
    assert found(without) == {K.WRONG_FILES}
    assert found({n: t for n, t in texts.items() if "desc" not in n}) == {K.NO_DESCRIPTION}
    spaces = {name: text.replace(", ", " ") for name, text in texts.items()}
    assert found(spaces) == {K.SEPARATOR}
    seconds = texts | {"CAB_query_phone.txt": texts["CAB_query_phone.txt"].replace("1000,", "1.5,")}
    assert found(seconds) == {K.NAME_FORM, K.MISSING_NAMES}
    write_submission({n: p.inverse() for n, p in poses.items()}, form, path, description="d")
    (inverted,) = check_submission(path, form, expected_names=poses, map_model=maps)
    assert inverted.kind is K.INVERTED_POSE and inverted.count == 150


def test_every_kind_has_a_consequence() -> None:
    assert set(CONSEQUENCES) == set(FindingKind)


@pytest.mark.slow
def test_large_submissions_take_seconds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "rio.txt"
    quats = rng.normal(size=(34_000, 4))
    rows = np.hstack([quats / np.linalg.norm(quats, axis=1)[:, None], rng.normal(size=(34_000, 3))])
    path.write_text("".join(
        f"seq01_03/frame-{i:06} {' '.join(map(repr, row))}\n" for i, row in enumerate(rows.tolist())
    ))  # fmt: skip
    names = [f"seq01_03/frame-{i:06}" for i in range(34_000)]
    start = time.perf_counter()
    assert check_submission(path, RIO10, expected_names=names) == ()
    assert time.perf_counter() - start < 10  # about one second on an idle machine


# --- real submissions ------------------------------------------------------------------------


def field_data() -> Path:
    folder = os.environ.get("HLOC_LITE_FIELD_DATA")
    if not folder or not Path(folder, "submissions").is_dir():
        pytest.skip("needs the folder HLOC_LITE_FIELD_DATA with real submissions")
    return Path(folder)


def aachen_queries(folder: Path) -> list[str]:
    names: dict[str, None] = {}
    for file in ("database.db", "database_v1_1.db"):
        database = sqlite3.connect(f"file:{folder / 'aachen' / file}?immutable=1", uri=True)
        rows = database.execute("SELECT name FROM images WHERE name LIKE 'query/%'")
        names |= dict.fromkeys(name for (name,) in rows)
        database.close()
    return list(names)


def test_real_aachen_submission(tmp_path: Path) -> None:
    folder = field_data()
    (real,) = (folder / "submissions").glob("aachen_v1.1_*.txt")
    names = aachen_queries(folder)
    assert check_submission(real, AACHEN, expected_names=names) == ()
    assert check_submission(real, AACHEN) == ()
    lines = real.read_text().splitlines()
    path = tmp_path / "seeded.txt"
    for kind, edit, locations in ONE_KIND.values():
        text = edit(lines)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        findings = check_submission(path, AACHEN, expected_names=names)
        assert kinds(findings) == {kind}
        assert findings[0].lines == locations or kind is K.DOUBLE_NAMES
    # half of the poses as the map of the others
    poses = read_submission(real, AACHEN).poses
    images = {name: pose for name, pose in poses.items() if name in list(poses)[::2]}
    others = {name: pose for name, pose in poses.items() if name not in images}
    model = posed_model(dict.fromkeys(images, CAMERA), images)
    write_submission(others, AACHEN, path)
    assert check_submission(path, AACHEN, expected_names=others, map_model=model) == ()
    for mistake in READINGS:
        wanted = seed_reading(mistake, others, AACHEN, path)
        found = check_submission(path, AACHEN, expected_names=others, map_model=model)
        assert kinds(found) == wanted, mistake


def test_real_robotcar_submission(tmp_path: Path) -> None:
    (real,) = (field_data() / "submissions").glob("robotcar_*.txt")
    (found,) = check_submission(real, ROBOTCAR)
    assert (found.kind, found.severity) == (K.MISSING_CAMERA, Severity.REMARK)
    assert "left and right are absent" in found.message and found.count == 7956
    path = tmp_path / "seeded.txt"
    for kind, change in ROBOTCAR_NAMES.values():
        lines = [line.split(" ", 1) for line in real.read_text().splitlines()]
        path.write_text("".join(f"{change(name)} {rest}\n" for name, rest in lines))
        assert kinds(check_submission(path, ROBOTCAR)) - {K.MISSING_CAMERA} == {kind}


def test_real_rio10_truth() -> None:
    truth = field_data() / "rio10" / "GT_RIO10.txt"
    assert check_submission(truth, RIO10) == ()
