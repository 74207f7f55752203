"""Submissions: names, directions and number formats of each benchmark; round trips."""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError, UnknownNameError
from hloc_lite.formats.submissions.check import check_submission
from hloc_lite.formats.submissions.forms import SUBMISSION_FORMS, NameStyle, submission_form
from hloc_lite.formats.submissions.names import expected_site_name, site_name
from hloc_lite.formats.submissions.reader import read_submission
from hloc_lite.formats.submissions.writer import write_submission
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Rigid3

HALF = float(np.sqrt(0.5))
# 90 degrees about z, so that inverse, order and direction all change the numbers
POSE = Rigid3(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([1.0, 2, 3]))
CENTRE = [-2.0, 1, -3]
finite = st.floats(-1e9, 1e9)
poses = st.builds(
    lambda r, t: Rigid3(exp_so3(r), np.array(t)),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(finite, finite, finite),
)
word = st.text(
    st.characters(categories=["L", "N"], include_characters="-_#()äß"), min_size=1, max_size=12
).filter(lambda text: not text.startswith("#"))
number = st.integers(0, 10**18).map(str)


def local_names(data_set: str) -> st.SearchStrategy[str]:
    form = SUBMISSION_FORMS[data_set]
    folder = st.sampled_from(form.cameras) if form.cameras else word
    name = word.map(lambda text: text + (form.suffix or ".jpg"))
    return {
        NameStyle.BASENAME: name,
        NameStyle.LAST_TWO_PARTS: st.tuples(folder, name).map("/".join),
        NameStyle.FULL_PATH: st.tuples(word, folder, name).map("/".join),
        NameStyle.PATH_WITHOUT_EXTENSION: st.tuples(word, word).map("/".join),
        NameStyle.TIMESTAMP_AND_DEVICE: st.tuples(number, word, word).map("/".join),
        NameStyle.TWO_TIMESTAMPS: st.tuples(number, number).map("/".join),
    }[form.name_style]


def names_of(data_set: str) -> st.SearchStrategy[str]:
    layout = SUBMISSION_FORMS[data_set].zip_layout
    if layout is None:
        return local_names(data_set)
    groups = st.sampled_from(layout.groups or ("s00525", "s00654"))
    return st.tuples(groups, local_names(data_set)).map("/".join)


@pytest.mark.parametrize("data_set", SUBMISSION_FORMS)
@settings(max_examples=15)
@given(data=st.data())
def test_round_trips(data_set: str, data: st.DataObject) -> None:
    form = submission_form(data_set)
    given_poses = data.draw(st.dictionaries(names_of(data_set), poses, max_size=5))
    confidences = {name: data.draw(st.floats(0, 1e9)) for name in given_poses}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "submission"
        written = write_submission(
            given_poses, form, path,
            confidences=confidences if form.has_confidence else None, description="a method",
        )  # fmt: skip
        found = read_submission(path, form)
    assert written.num_written == len(given_poses) and written.left_out == ()
    assert set(found.poses) == set(given_poses)
    for name, pose in given_poses.items():
        scale = max(1.0, np.abs(pose.translation).max())
        precision = 1e-9 if form.number_format else 1e-14
        np.testing.assert_allclose(found.poses[name].rotation, pose.rotation, atol=precision)
        np.testing.assert_allclose(
            found.poses[name].translation, pose.translation, atol=precision * 10 * scale
        )
    assert found.confidences == (confidences if form.has_confidence else {})


WXYZ = f"{HALF!r} 0.0 0.0 {HALF!r}"
CAM_FROM_WORLD = f"{WXYZ} 1.0 2.0 3.0"
WORLD_FROM_CAM = f"{HALF!r} 0.0 0.0 {-HALF!r} -2.0 1.0 -3.0"


@pytest.mark.parametrize(
    ("data_set", "name", "line"),
    [
        ("aachen", "query/day/milestone/IMG_1.jpg", f"IMG_1.jpg {CAM_FROM_WORLD}"),
        ("aachen-v1.1", "query/night/nexus5x/IMG_1.jpg", f"IMG_1.jpg {CAM_FROM_WORLD}"),
        ("robotcar", "night-rain/rear/14.jpg", f"rear/14.jpg {CAM_FROM_WORLD}"),
        ("robotcar-v2", "images/dawn/rear/14.jpg", f"rear/14.jpg {CAM_FROM_WORLD}"),
        ("cmu", "slice2/query/img_1_c0_2us.jpg", f"img_1_c0_2us.jpg {CAM_FROM_WORLD}"),
        (
            "inloc", "query/iphone7/IMG_0731.JPG",
            "IMG_0731.JPG 0.7071067812 0 0 0.7071067812 1 2 3",
        ),
        ("7scenes", "chess/seq-03/frame-000001.color.png",
         f"seq-03/frame-000001.color.png {CAM_FROM_WORLD}"),
        ("12scenes", "data/frame-01.color.jpg", f"data/frame-01.color.jpg {CAM_FROM_WORLD}"),
        ("cambridge", "seq1/frame00001.png", f"seq1/frame00001.png {CAM_FROM_WORLD}"),
        ("gangnam", "B1/cam0/x.jpg", f"B1/cam0/x.jpg {CAM_FROM_WORLD}"),
        ("hyundai", "1F/a/x.jpg", f"1F/a/x.jpg {CAM_FROM_WORLD}"),
        ("eth-microsoft", "123/rig", f"123/rig {CAM_FROM_WORLD}"),
        ("rio10", "seq02_03/frame-000000.color.jpg", f"seq02_03/frame-000000 {WORLD_FROM_CAM}"),
        ("silda", "0001_1.png", f"0001_1.png {CAM_FROM_WORLD}"),
        ("4seasons", "15/17", f"15 17 1.0 2.0 3.0 0.0 0.0 {HALF!r} {HALF!r}"),
    ],
)  # fmt: skip
def test_lines_are_as_the_benchmarks_document_them(
    data_set: str, name: str, line: str, tmp_path: Path
) -> None:
    path = tmp_path / "poses.txt"
    write_submission({name: POSE}, SUBMISSION_FORMS[data_set], path)
    (text,) = path.read_text().splitlines()
    words, wanted = text.split(), line.split()
    for word_found, word_wanted in zip(words, wanted, strict=True):
        try:
            close = abs(float(word_found) - float(word_wanted)) < 1e-14
        except ValueError:
            close = False
        assert word_found == word_wanted or close, text


def test_lamar_zip(tmp_path: Path) -> None:
    path = tmp_path / "lamar.zip"
    names = ["CAB_query_phone/16/ios_1/cam", "LIN_query_hololens/17/rig"]
    write_submission(dict.fromkeys(names, POSE), SUBMISSION_FORMS["lamar"], path, description="d")
    with zipfile.ZipFile(path) as file:
        texts = {name: file.read(name).decode() for name in file.namelist()}
    assert set(texts) == {
        "description.txt", "CAB_query_phone.txt", "CAB_query_hololens.txt", "HGE_query_phone.txt",
        "HGE_query_hololens.txt", "LIN_query_phone.txt", "LIN_query_hololens.txt",
    }  # fmt: skip
    words = texts["CAB_query_phone.txt"].rstrip("\n").split(", ")
    assert words[:2] == ["16", "ios_1/cam"]
    np.testing.assert_allclose([float(w) for w in words[2:]], [HALF, 0, 0, -HALF, *CENTRE])
    assert texts["LIN_query_hololens.txt"].startswith("17, rig, ")
    assert texts["HGE_query_phone.txt"] == ""
    first = path.read_bytes()
    write_submission(dict.fromkeys(names, POSE), SUBMISSION_FORMS["lamar"], path, description="d")
    assert path.read_bytes() == first
    with pytest.raises(FormatError, match="description"):
        write_submission({}, SUBMISSION_FORMS["lamar"], path)
    with pytest.raises(FormatError, match="no group"):
        write_submission({"XYZ/1/a": POSE}, SUBMISSION_FORMS["lamar"], path, description="d")
    assert path.read_bytes() == first


def test_mapfree_zip(tmp_path: Path) -> None:
    path, form = tmp_path / "mapfree.zip", SUBMISSION_FORMS["mapfree"]
    name = "s00525/seq1/frame_00005.jpg"
    write_submission({name: POSE}, form, path, confidences={name: 7.5})
    with zipfile.ZipFile(path) as file:
        (member,) = file.namelist()
        words = file.read(member).decode().split()
    assert member == "pose_s00525.txt"
    assert words[0] == "seq1/frame_00005.jpg" and words[-1] == "7.5" and len(words) == 9
    for confidences in (None, {name: -1.0}, {name: np.nan}, {"other": 1.0}):
        with pytest.raises(FormatError, match="confidence"):
            write_submission({name: POSE}, form, path, confidences=confidences)
    with pytest.raises(FormatError, match="no confidences"):
        write_submission({"a.jpg": POSE}, SUBMISSION_FORMS["aachen"], path, confidences={})


def test_poses_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    bad = Rigid3(np.eye(3), np.array([0, np.nan, 0]))
    worse = Rigid3(np.full((3, 3), np.nan), np.zeros(3))
    written = write_submission(
        {"q/a.jpg": POSE, "q/b.jpg": bad, "q/c.jpg": worse}, SUBMISSION_FORMS["aachen"], path
    )
    assert (written.num_written, written.left_out) == (1, ("q/b.jpg", "q/c.jpg"))
    assert [line.split()[0] for line in path.read_text().splitlines()] == ["a.jpg"]


@pytest.mark.parametrize(
    ("data_set", "names", "message"),
    [
        ("aachen", ["day/a.jpg", "night/a.jpg"], "both become 'a.jpg'"),
        ("robotcar", ["a.jpg"], "left, rear, right"),
        ("robotcar", ["dawn/front/a.jpg"], "left, rear, right"),
        ("7scenes", ["a.jpg"], "its folder"),
        ("eth-microsoft", ["a/b"], "timestamp and device"),
        ("4seasons", ["1/b"], "two timestamps"),
        ("lamar", ["1"], "GROUP"),
        ("aachen", ["my photo.jpg"], "spaces"),
        ("aachen", ["#a.jpg"], "'#'"),
        ("aachen", ["a\u00a0.jpg"], "spaces"),
        ("gangnam", ["../a.jpg"], "relative to the image folder"),
        ("lamar", ["CAB_query_phone/1/a,b"], "commas"),
    ],
)
def test_refused_names(data_set: str, names: list[str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with pytest.raises(FormatError, match=message):
        write_submission(
            dict.fromkeys(names, POSE), SUBMISSION_FORMS[data_set], path, description="d"
        )
    assert list(tmp_path.iterdir()) == []


def test_matrices_that_are_no_rotations_are_refused(tmp_path: Path) -> None:
    for matrix in (2 * np.eye(3), np.diag([1.0, 1, -1]), np.zeros((3, 3))):
        with pytest.raises(FormatError, match="no rotation"):
            write_submission(
                {"a.jpg": Rigid3(matrix, np.zeros(3))}, SUBMISSION_FORMS["cmu"], tmp_path / "a"
            )


def test_names_of_lists_get_the_extension_of_the_benchmark() -> None:
    robotcar = SUBMISSION_FORMS["robotcar"]
    assert expected_site_name("./dawn/rear/1.png", robotcar) == "rear/1.jpg"
    assert site_name("dawn/rear/1.jpg", robotcar) == "rear/1.jpg"
    scenes = SUBMISSION_FORMS["7scenes"]
    assert expected_site_name("seq-01/frame-000000", scenes) == "seq-01/frame-000000.color.png"
    assert site_name("a/b.c/d.e.jpg", SUBMISSION_FORMS["rio10"]) == "a/b"
    with pytest.raises(UnknownNameError, match="aachen"):
        submission_form("aachenn")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg 1 0 0 0 0 0\n", "expected 8 columns"),
        ("b.jpg 1 0 0 0 0 0 0\na.jpg 1 0 0 0 0 0 x\n", r"1 line \(2\).*no number"),
        ("a.jpg 1 0 0 0 0 0 nan\n", "NaN"),
        ("a.jpg 0 0 0 0 1 2 3\n", "all zeros"),
        ("a.jpg 2 0 0 0 1 2 3\n", "length 2"),
        ("a.jpg 1 0 0 0 1 2 3\n" * 2, "listed twice"),
        ("a.jpg,1,0,0,0,1,2,3\n", "separated"),
    ],
)
def test_reader_names_the_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        read_submission(path, SUBMISSION_FORMS["cmu"])


def test_covariances_and_comments_of_trajectories_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    covariance = ", 0" * 36
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("description.txt", "d")
        file.writestr(
            "CAB_query_phone.txt",
            f"# timestamp, device_id, qw, qx, qy, qz, tx, ty, tz\n5, c, 1, 0, 0, 0, 1, 2, 3"
            f"{covariance}\n",
        )
    found = read_submission(path, SUBMISSION_FORMS["lamar"])
    np.testing.assert_array_equal(found.poses["CAB_query_phone/5/c"].center, [1, 2, 3])


def sample(data_set: str, folder: Path) -> bytes:
    form = SUBMISSION_FORMS[data_set]
    names = {
        "aachen": ["a.jpg", "b.jpg"],
        "4seasons": ["1/2"],
        "lamar": ["CAB_query_phone/1/d"],
        "mapfree": ["s00525/seq1/frame_00000.jpg"],
    }[data_set]
    path = folder / "sample"
    confidences = dict.fromkeys(names, 1.0) if form.has_confidence else None
    write_submission(
        dict.fromkeys(names, POSE), form, path, confidences=confidences, description="d"
    )
    return path.read_bytes()


@pytest.mark.parametrize("data_set", ["aachen", "4seasons", "lamar", "mapfree"])
@settings(max_examples=60)
@given(
    cut=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), max_size=4),
)
@example(cut=0.0, changes=[])
@example(cut=1.0, changes=[(0.5, b"1e308 1e308 1e308 -1e308")])
def test_damaged_files_give_findings_or_format_errors(
    data_set: str, cut: float, changes: list[tuple[float, bytes]]
) -> None:
    form = SUBMISSION_FORMS[data_set]
    with tempfile.TemporaryDirectory() as folder:
        content = sample(data_set, Path(folder))
        content = content[: int(cut * len(content)) + 1]
        for where, new in changes:
            start = int(where * len(content))
            content = content[:start] + new + content[start + len(new) :]
        path = Path(folder) / "damaged"
        path.write_bytes(content)
        check_submission(path, form)
        with contextlib.suppress(FormatError):
            read_submission(path, form)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for form in (SUBMISSION_FORMS["aachen"], SUBMISSION_FORMS["lamar"]):
        with pytest.raises(FormatError, match="does not exist"):
            check_submission(tmp_path / "none", form)
        with pytest.raises(FormatError):
            check_submission(tmp_path, form)


def test_zip_bombs_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for index in range(9):
            file.writestr(f"pose_s{index:05}.txt", b"0" * (30 << 20))
    with pytest.raises(FormatError, match="more than 256 MiB"):
        read_submission(path, SUBMISSION_FORMS["mapfree"])
