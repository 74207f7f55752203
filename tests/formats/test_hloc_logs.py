"""hloc's logs without unpickling: real layouts are read, and nothing of a file is ever run."""

from __future__ import annotations

import collections
import os
import pickle
import pickletools
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.logs import read_log
from hloc_lite.formats.hloc.pickled import parse_pickle
from hloc_lite.formats.hloc.pickled_values import PickledArray, PickledObject
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation

PROTOCOLS = (2, 3, 4, 5)
HALF_TURN = np.array([0.6, 0.0, 0.8, 0.0])  # wxyz
TRANSLATION = np.array([1.0, 2, 3])


def native_pose() -> Any:
    pycolmap = pytest.importorskip("pycolmap")
    return pycolmap.Rigid3d(pycolmap.Rotation3d(np.roll(HALF_TURN, -1)), TRANSLATION)


def sfm_entry(**changes: Any) -> dict[str, Any]:
    """Log of a query as hloc's localize_sfm writes it, with scalars of NumPy."""
    ids = [np.uint64(7), np.uint64(2**60 + 1), np.uint64(9)]
    mask = np.array([True, False, True])
    answer = {"success": True, "qvec": HALF_TURN, "tvec": TRANSLATION, "num_inliers": 2}
    return {
        "db": [3, 1],
        "PnP_ret": {**answer, "inliers": mask.tolist(), "cfg": {"params": np.ones(4)}},
        "keypoints_query": np.array([[0.5, 0.5], [2, 3], [4, 5]], np.float32),
        "points3D_xyz": None,
        "points3D_ids": ids,
        "num_matches": np.int64(5),
        "keypoint_index_to_db": ([np.int64(1)], [(ids[0], [0, 1])]),
    } | changes


def dumped(path: Path, protocol: int = 4, **queries: Any) -> Path:
    log = {
        "features": Path("out/feats.h5"),
        "matches": "m.h5",
        "retrieval": PurePosixPath("/p.txt"),
    }
    content = {**log, "loc": {name.replace("__", "/"): each for name, each in queries.items()}}
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_logs_of_localization_are_read(protocol: int, tmp_path: Path) -> None:
    log = read_log(dumped(tmp_path / "r_logs.pkl", protocol, query__a=sfm_entry()))
    assert (log.features, log.matches, log.retrieval) == ("out/feats.h5", "m.h5", "/p.txt")
    (query,) = log.queries.values()
    assert list(log.queries) == ["query/a"]
    assert query.map_images == (3, 1) and query.clusters == ()
    estimate = query.estimate
    assert (estimate.is_success, estimate.num_inliers, estimate.num_matches) == (True, 2, 5)
    np.testing.assert_allclose(
        quat_wxyz_from_rotation(estimate.cam_from_world.rotation), HALF_TURN, atol=1e-15
    )
    np.testing.assert_array_equal(estimate.cam_from_world.translation, TRANSLATION)
    np.testing.assert_array_equal(estimate.inlier_mask, [True, False, True])
    np.testing.assert_array_equal(estimate.point3D_ids, [7, 2**60 + 1, 9])
    # hloc has added the half pixel already
    np.testing.assert_array_equal(estimate.keypoints, [[0.5, 0.5], [2, 3], [4, 5]])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_poses_of_pycolmap_are_read(protocol: int, tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    answer = {
        "cam_from_world": native_pose(),
        "num_inliers": 1,
        "inlier_mask": np.array([False, True, False]),
        "camera": pycolmap.Camera(model="PINHOLE", width=9, height=9, params=[9, 9, 4, 4]),
    }
    path = dumped(tmp_path / "logs.pkl", protocol, q=sfm_entry(PnP_ret=answer))
    pose = read_log(path).queries["q"].estimate.cam_from_world
    np.testing.assert_allclose(quat_wxyz_from_rotation(pose.rotation), HALF_TURN, atol=1e-15)
    np.testing.assert_array_equal(pose.translation, TRANSLATION)


def test_keypoints_of_inloc_are_moved_by_half_a_pixel(tmp_path: Path) -> None:
    entry = sfm_entry(db=["database/c 1.jpg", "./b"], indices_db=np.zeros(3))
    del entry["points3D_ids"]
    query = read_log(dumped(tmp_path / "logs.pkl", q=entry)).queries["q"]
    assert query.map_images == ("database/c 1.jpg", "b")
    np.testing.assert_array_equal(query.estimate.keypoints, [[1, 1], [2.5, 3.5], [4.5, 5.5]])
    assert query.estimate.point3D_ids is None


@pytest.mark.parametrize("answer", [None, {"success": False}, {"success": False, "cfg": {}}])
def test_failures_have_no_pose(answer: Any, tmp_path: Path) -> None:
    empty = {"PnP_ret": answer, "keypoints_query": np.zeros((0, 2)), "points3D_ids": []}
    path = dumped(tmp_path / "logs.pkl", q=sfm_entry(**empty, num_matches=0))
    estimate = read_log(path).queries["q"].estimate
    assert not estimate.is_success and estimate.num_inliers == 0 and estimate.inlier_mask is None
    assert estimate.keypoints.shape == (0, 2)


@pytest.mark.parametrize(("all_images", "images"), [("db", "db"), ("db_ids", "cluster_ids")])
def test_clusters_are_read(all_images: str, images: str, tmp_path: Path) -> None:
    clusters = []
    for retrieved in ([1], [3, 2]):
        cluster = sfm_entry(PnP_ret=sfm_entry()["PnP_ret"] if len(retrieved) == 2 else None)
        del cluster["db"]
        clusters.append({**cluster, images: retrieved})
    entry = {all_images: [1, 3, 2], "best_cluster": 1, "log_clusters": clusters}
    none = {all_images: [1], "best_cluster": None, "log_clusters": clusters[:1]}
    log = read_log(dumped(tmp_path / "logs.pkl", q=entry, none=none))
    query = log.queries["q"]
    assert query.map_images == (1, 3, 2) and len(query.clusters) == 2
    assert query.estimate is query.clusters[1] and query.estimate.map_images == (3, 2)
    assert log.queries["none"].estimate is None and len(log.queries["none"].clusters) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints_query": np.zeros((2, 2))}, r"expected shape \(2\)"),
        ({"keypoints_query": np.full((3, 2), np.nan)}, "must be finite"),
        ({"keypoints_query": "text"}, "expected numbers in 'keypoints_query'"),
        ({"num_matches": -1}, "expected a count 'num_matches'"),
        ({"num_matches": 2**70}, "expected a count 'num_matches'"),
        ({"points3D_ids": [1, 2.5, 3]}, "expected ids"),
        ({"points3D_ids": [1, 2, 2**64]}, "expected ids"),
        ({"points3D_ids": np.zeros(3)}, "expected whole numbers"),
        ({"db": "db/1.jpg"}, "expected a list, got str"),
        ({"db": ["a", 1]}, "expected names or ids"),
        ({"db": ["../a"]}, "no image name"),
        ({"PnP_ret": [1]}, "expected named values, got list"),
        ({"PnP_ret": {"success": True}}, "expected numbers in 'qvec'"),
        ({"log_clusters": [], "best_cluster": 0}, "best_cluster 0 of 0"),
    ],
)
def test_bad_entries_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=f"logs.pkl: 'q'.*{message}"):
        read_log(dumped(tmp_path / "logs.pkl", q=sfm_entry(**changes)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qvec": np.zeros(4)}, "not all zero"),
        ({"qvec": HALF_TURN * 2}, "not a unit quaternion"),
        ({"qvec": HALF_TURN[:3]}, "a quaternion needs four"),
        ({"tvec": [1, 2, np.inf]}, "expected finite coordinates"),
        ({"tvec": [1, 2, 10**400]}, "too large"),
        ({"num_inliers": 3}, "3 inliers, but the mask has 2"),
        ({"inliers": [True, True]}, "expected shape"),
        ({"cam_from_world": 3}, "expected pycolmap's Rigid3d"),
    ],
)
def test_bad_answers_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    answer = sfm_entry()["PnP_ret"] | changes
    with pytest.raises(FormatError, match=message):
        read_log(dumped(tmp_path / "logs.pkl", q=sfm_entry(PnP_ret=answer)))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "logs.pkl"
    with pytest.raises(FormatError, match="cannot read"):
        read_log(path)
    for value, message in [([1], "expected named"), ({}, "'loc': expected named")]:
        path.write_bytes(pickle.dumps(value))
        with pytest.raises(FormatError, match=message):
            read_log(path)
    for name in ("..__a", "a\nb", "a" * 5000):
        with pytest.raises(FormatError, match="no image name"):
            read_log(dumped(path, **{name: sfm_entry()}))
    with pytest.raises(FormatError, match="'a' is logged twice"):
        read_log(dumped(path, a=sfm_entry(), **{".__a": sfm_entry()}))


class Calls:
    """Object whose unpickling calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


class Own:
    """Object of an unknown class."""

    def __init__(self) -> None:
        self.value = 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        Calls(os.system, "touch pwned"),
        Calls(eval, "1"),
        Calls(getattr, "a", "b"),
        Calls(np.load, "x", None, True),
        Calls(np.ndarray, (3,)),
        Own(),
        Own,
        np.array([1, None], object),
        np.array(["text"]),
        np.array([b"text"]),
        np.array([(1, 2)], [("a", "i4"), ("b", "f8")]),
        np.array([np.datetime64("2020-01-01")]),
        np.array([1j]),
        np.ma.array([1, 2]),
        collections.OrderedDict(a=1),
        {1, 2},
        {1: 2},
        {(1, 2): 2},
        1j,
        slice(1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_are_refused(
    value: Any, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for content in (value, {"loc": [value, {"a": value}]}):
        with pytest.raises(FormatError, match="here, byte"):
            parse_pickle(pickle.dumps(content, protocol), "here")
    assert list(tmp_path.iterdir()) == []


NESTED = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False),
        st.text(st.characters(exclude_categories=["Cs"])), st.binary(),
    ),
    lambda inner: st.one_of(
        st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(st.text("abé"), inner)
    ),
)  # fmt: skip


@given(NESTED, st.sampled_from(PROTOCOLS))
def test_plain_values_are_as_python_reads_them(value: Any, protocol: int) -> None:
    found = parse_pickle(pickle.dumps([value, value], protocol), "here")
    assert found == [value, value] and repr(found) == repr([value, value])


@given(
    st.sampled_from(["f2", "f4", "f8", "i1", "i2", ">i4", "i8", "u1", "u2", "<u4", "u8"]).flatmap(
        lambda kind: arrays(kind, array_shapes(min_dims=0, min_side=0))
    ),
    st.sampled_from(PROTOCOLS),
    st.booleans(),
)
def test_arrays_and_scalars_are_as_numpy_reads_them(
    values: np.ndarray, protocol: int, is_fortran: bool
) -> None:
    values = np.asfortranarray(values) if is_fortran else values
    found = parse_pickle(pickle.dumps({"a": values}, protocol), "here")["a"]
    if values.ndim == 0 and not isinstance(found, PickledArray):
        found = PickledArray(np.array(found, values.dtype))
    assert found.array.dtype == values.dtype and found.array.shape == values.shape
    np.testing.assert_array_equal(found.array, values)
    for scalar in values.ravel()[:3]:
        number = parse_pickle(pickle.dumps(scalar, protocol), "here")
        np.testing.assert_array_equal(np.array(number, values.dtype), scalar)
    assert parse_pickle(pickle.dumps(np.bool_(True), protocol), "here") is True


def test_objects_of_pycolmap_are_records_of_their_state() -> None:
    found = parse_pickle(pickle.dumps(native_pose()), "here")
    assert isinstance(found, PickledObject) and found.name == "Rigid3d"
    np.testing.assert_array_equal(found.state["translation"].array, TRANSLATION)


def assembled(*operations: tuple[str, bytes]) -> bytes:
    codes = {opcode.name: opcode.code.encode("latin1") for opcode in pickletools.opcodes}
    return b"".join(codes[name] + argument for name, argument in operations)


def named(module: bytes, name: bytes) -> tuple[str, bytes]:
    return "GLOBAL", module + b"\n" + name + b"\n"


STOP, TUPLE, TRUE, ONE = ("STOP", b""), ("TUPLE", b""), ("NEWTRUE", b""), ("BININT1", b"\1")
F8 = [
    named(b"numpy", b"dtype"), ("MARK", b""), ("SHORT_BINUNICODE", b"\2f8"), TRUE, TUPLE,
    ("REDUCE", b""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([named(b"os", b"system"), STOP], "names os.system"),
        ([named(b"numpy", b"ndarray"), ("EMPTY_TUPLE", b""), ("REDUCE", b""), STOP], "refused"),
        ([named(b"numpy.core.multiarray", b"fromstring"), STOP], "refused"),
        ([("PERSID", b"x\n"), STOP], "PERSID is refused"),
        ([named(b"numpy", b"dtype"), ("EMPTY_TUPLE", b""), ("OBJ", b"")], "no pickle|refused"),
        ([("EXT1", b"\1"), STOP], "EXT1 is refused"),
        ([("INST", b"os\nsystem\n"), STOP], "INST is refused"),
        ([("STRING", b"'a'\n"), STOP], "STRING is refused"),
        ([("LONG4", b"\xff\xff\xff\x7f"), STOP], "damaged"),
        ([("BINBYTES8", b"\xff" * 7 + b"\x0f"), STOP], "damaged"),
        ([("BINGET", b"\1"), STOP], "damaged"),
        ([("TUPLE3", b""), STOP], "damaged"),
        ([("APPENDS", b""), STOP], "damaged"),
        ([ONE, ONE, ("BUILD", b""), STOP], "a state for int"),
        ([ONE, ONE, ("REDUCE", b""), STOP], "expected tuple, got int"),
        ([ONE, ONE, STOP], "damaged"),
        ([STOP], "damaged"),
        ([ONE], "damaged"),
        ([named(b"_codecs", b"decode"), STOP], "names _codecs.decode"),
        ([named(b"__builtin__", b"eval"), STOP], "names __builtin__.eval"),
        (
            [named(b"_codecs", b"encode"), ("SHORT_BINUNICODE", b"\1a"),
             ("SHORT_BINUNICODE", b"\3hex"), ("TUPLE2", b""), ("REDUCE", b""), STOP],
            "encoding 'hex' are refused",
        ),
        (
            [named(b"__builtin__", b"bytes"), ("BININT", b"\xff\xff\xff\x7f"), ("TUPLE1", b""),
             ("REDUCE", b""), STOP],
            "damaged",
        ),
        (
            [named(b"numpy._core.multiarray", b"scalar"), ("MARK", b""), *F8,
             ("SHORT_BINBYTES", b"\4abcd"), TUPLE, ("REDUCE", b""), STOP],
            "damaged",
        ),
        (
            [named(b"numpy._core.numeric", b"_frombuffer"), ("MARK", b""),
             ("BYTEARRAY8", b"\x08" + bytes(7) + bytes(8)), *F8,
             ("LONG1", b"\x09" + bytes(8) + b"\1"), ("TUPLE1", b""),
             ("SHORT_BINUNICODE", b"\1C"), TUPLE, ("REDUCE", b""), STOP],
            "damaged",
        ),
    ],
)  # fmt: skip
def test_hostile_operations_are_refused(operations: list[Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_pickle(b"\x80\x04" + assembled(*operations), "here")


def test_lists_in_themselves_and_repeated_lists_are_refused(tmp_path: Path) -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(FormatError, match="expected names or ids"):
        read_log(dumped(tmp_path / "a.pkl", q=sfm_entry(db=circle)))
    long = list(range(10000))
    entry = {"db": long, "PnP_ret": None, "keypoints_query": [], "points3D_ids": []}
    many = {f"q{n}": {**entry, "num_matches": 0} for n in range(200)}
    with pytest.raises(FormatError, match="more values than the file holds"):
        read_log(dumped(tmp_path / "b.pkl", **many))


def test_damaged_logs_give_a_value_or_a_format_error(tmp_path: Path) -> None:
    contents = [dumped(tmp_path / "l.pkl", p, q=sfm_entry()).read_bytes() for p in PROTOCOLS]
    rng, num_refused, path = np.random.default_rng(0), 0, tmp_path / "bad.pkl"
    for number in range(900):
        copy = bytearray(contents[number % 3])
        for position in rng.integers(0, len(copy), rng.integers(1, 4)):
            copy[position] = rng.integers(256)
        path.write_bytes(copy[: rng.integers(len(copy))] if number % 5 == 0 else copy)
        try:
            read_log(path)
        except FormatError:
            num_refused += 1
    assert num_refused > 400
