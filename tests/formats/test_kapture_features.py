"""kapture's features and matches: raw arrays in folders and tars; round trips and damaged files."""

from __future__ import annotations

import io
import random
import struct
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hloc_lite.errors import FormatError
from hloc_lite.formats.kapture import (
    FeatureHeader,
    ScoredPair,
    feature_types,
    keypoint_shift_px,
    open_features,
    open_matches,
    read_features,
    read_matches,
    read_pairs_file,
    write_features,
    write_matches,
    write_pairs_file,
)
from hloc_lite.formats.kapture.feature_files import open_files
from hloc_lite.io.image_names import leads_out, normalize_name
from hloc_lite.io.number_range import MAX_NUMBER

characters = st.characters(exclude_characters=",\n\r\0", exclude_categories=["Cs"])
names = st.one_of(
    st.sampled_from(["a b/é 1.jpg", "x/#2.png", "q/ü.jpg"]), st.text(characters, max_size=12)
).filter(
    lambda name: (
        name == name.strip()
        and not leads_out(name)
        and name == normalize_name(name)
        and not name.startswith(("#", "\ufeff"))
        and name != "."
        and "//" not in name
    )
)


def folder_of(root: Path, kind: str, feature_type: str) -> Path:
    path = root / "reconstruction" / kind / feature_type
    path.mkdir(parents=True, exist_ok=True)
    return path


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def bits(array: np.ndarray) -> bytes:
    return array.tobytes()


def in_range_of(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        return array
    limit = min(MAX_NUMBER, float(np.finfo(array.dtype).max))
    return np.nan_to_num(array).clip(-limit, limit).astype(array.dtype)


@st.composite
def descriptors(draw: st.DrawFn) -> tuple[FeatureHeader, dict[str, np.ndarray]]:
    dtype = draw(st.sampled_from(["uint8", "float16", "float32", "float64", "int32"]))
    dsize = draw(st.integers(1, 5))
    shape = st.tuples(st.integers(0, 4), st.just(dsize))
    arrays = npst.arrays(np.dtype(dtype), shape)
    header = FeatureHeader("net", dtype, dsize, "r2d2_WASF", "L2")
    found = draw(st.dictionaries(names, arrays.map(in_range_of), max_size=3))
    # a file cannot be a folder, too
    kept = {n: a for n, a in found.items() if not any(m.startswith(n + "/") for m in found)}
    return header, kept


@settings(max_examples=40)
@given(descriptors(), st.booleans())
def test_descriptors_round_trip_bit_by_bit(
    given_: tuple[FeatureHeader, dict[str, np.ndarray]], as_tar: bool
) -> None:
    header, arrays = given_
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_features(root, "descriptors", "my type", header, arrays, as_tar=as_tar)
        assert feature_types(root, "descriptors") == ["my type"]
        features = open_features(root, "descriptors", "my type")
        assert features.header == header
        assert features.names() == sorted(arrays)
        for image, array in arrays.items():
            found = features.read(image)
            assert found.dtype == array.dtype and found.shape == array.shape
            assert bits(found) == bits(array)


rows = st.lists(
    st.tuples(*[st.integers(0, 10**6)] * 2, st.floats(allow_nan=False, allow_infinity=False)),
    max_size=4,
).map(lambda each: np.array(each, np.float64).reshape(-1, 3))


@settings(max_examples=40)
@given(st.lists(names, min_size=2, max_size=3, unique=True), st.data(), st.booleans())
def test_matches_round_trip(images: list[str], data: st.DataObject, as_tar: bool) -> None:
    ordered = {(a, b) for a in images for b in images if a < b}
    chosen = data.draw(st.lists(st.sampled_from(sorted(ordered)), unique=True))
    matches = {pair if data.draw(st.booleans()) else pair[::-1]: data.draw(rows) for pair in chosen}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_matches(root, "sift", matches, as_tar=as_tar)
        if matches:
            found = open_matches(root, "sift")
            assert found.pairs() == sorted(chosen)
        for (first, second), array in matches.items():
            assert bits(found.read(first, second)) == bits(array)
            assert bits(found.read(second, first)) == bits(array[:, [1, 0, 2]].copy())


@given(st.dictionaries(st.tuples(names, names), st.floats(allow_nan=False, allow_infinity=False)))
def test_pairs_files_round_trip(scores: dict[tuple[str, str], float]) -> None:
    pairs = [ScoredPair(*pair, score) for pair, score in scores.items()]
    with tempfile.TemporaryDirectory() as folder:
        write_pairs_file(Path(folder) / "pairs.txt", pairs)
        assert read_pairs_file(Path(folder) / "pairs.txt") == pairs


def test_keypoints_are_little_endian_rows(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "keypoints", "r2d2_WASF-N8_20k")
    (folder / "keypoints.txt").write_text("# kapture format: 1.1\n# x\n\nr2d2, float32, 3\n")
    (folder / "a").mkdir()
    (folder / "a" / "b.jpg.kpt").write_bytes(struct.pack("<6f", 1, 2, 3, 4, 5.5, 6))
    features = open_features(tmp_path, "keypoints", "r2d2_WASF-N8_20k")
    assert features.names() == ["a/b.jpg"]
    assert features.header == FeatureHeader("r2d2", "float32", 3)
    np.testing.assert_array_equal(features.read("a/b.jpg"), [[1, 2, 3], [4, 5.5, 6]])
    assert features.has("a/b.jpg") and not features.has("a/c.jpg")
    assert not features.has("x" * 5000) and not features.has("../b.jpg")


def test_format_1_0_has_no_folders_of_types(tmp_path: Path) -> None:
    folder = tmp_path / "reconstruction" / "keypoints"
    folder.mkdir(parents=True)
    (folder / "keypoints.txt").write_text("# kapture format: 1.0\nSIFT, float, 2\n")
    (folder / "01.jpg.kpt").write_bytes(struct.pack("<2d", 1.5, 2.5))
    assert feature_types(tmp_path, "keypoints") == [""]
    assert read_features(tmp_path, "keypoints", "", "01.jpg").tolist() == [[1.5, 2.5]]


def test_descriptors_name_the_folder_of_their_keypoints(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "descriptors", "d")
    (folder / "descriptors.txt").write_text("SIFT, uint8, 128, SIFT_folder, L2\n")
    header = open_features(tmp_path, "descriptors", "d").header
    assert (header.keypoints_type, header.metric_type) == ("SIFT_folder", "L2")
    folder = folder_of(tmp_path, "global_features", "g")
    (folder / "global_features.txt").write_text("dirtorch, float32, 2, L2\n")
    (folder / "a.jpg.gfeat").write_bytes(struct.pack("<2f", 1, 2))
    (folder / "b.jpg.gfeat").write_bytes(struct.pack("<4f", 1, 2, 3, 4))
    features = open_features(tmp_path, "global_features", "g")
    assert features.header.metric_type == "L2"
    assert features.read("a.jpg").tolist() == [1, 2]
    with pytest.raises(FormatError, match="expected 8 bytes"):
        features.read("b.jpg")


def test_the_last_member_of_a_tar_wins(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "keypoints", "s")
    (folder / "keypoints.txt").write_text("s, float32, 2\n")
    (folder / "b.jpg.kpt").write_bytes(b"a file beside the tar does not count")
    with tarfile.open(folder / "keypoints.tar", "w") as tar:
        add(tar, "./a.jpg.kpt", struct.pack("<2f", 1, 1))
        add(tar, "x" * 150 + ".jpg.kpt", struct.pack("<2f", 3, 3))
        add(tar, "a.jpg.kpt", struct.pack("<2f", 2, 2))
        link = tarfile.TarInfo("link.jpg.kpt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    features = open_features(tmp_path, "keypoints", "s")
    assert features.names() == ["a.jpg", "x" * 150 + ".jpg"]
    assert features.read("a.jpg").tolist() == [[2, 2]]
    for name in ("link.jpg", "b.jpg"):
        with pytest.raises(FormatError, match="has no member"):
            features.read(name)


def test_names_that_lead_out_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "keypoints", "s")
    (folder / "keypoints.txt").write_text("s, float32, 2\n")
    with pytest.raises(FormatError, match="leaves the folder"):
        read_features(tmp_path, "keypoints", "s", "../../../a.jpg")
    with tarfile.open(folder / "keypoints.tar", "w") as tar:
        add(tar, "../../a.jpg.kpt", bytes(8))
    features = open_features(tmp_path, "keypoints", "s")
    with pytest.raises(FormatError, match="leaves the folder"):
        features.names()
    with pytest.raises(FormatError, match="leaves the folder"):
        features.read("../../a.jpg")
    with pytest.raises(FormatError, match="no name of a folder"):
        open_features(tmp_path, "keypoints", "../s")
    header = FeatureHeader("s", "float32", 2)
    with pytest.raises(FormatError, match="leaves the folder"):
        write_features(tmp_path, "keypoints", "t", header, {"../a": np.zeros((1, 2), np.float32)})
    assert not list(tmp_path.rglob("a.jpg*"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one line 'name, dtype, dsize', got 0"),
        ("a, float32, 2\nb, float32, 2\n", "expected one line 'name, dtype, dsize', got 2"),
        ("a, object, 2\n", "line 1: unknown dtype 'object'"),
        ("a, float32\n", "line 1: expected"),
        ("a, float32, 1\n", "dsize must be 2 to"),
        (f"a, float32, {2**60}\n", "whole number|dsize must be 2 to"),
        ("a, float32, 1.5\n", "dsize must be a whole number"),
    ],
)
def test_bad_headers_are_named(text: str, message: str, tmp_path: Path) -> None:
    (folder_of(tmp_path, "keypoints", "s") / "keypoints.txt").write_text(text)
    with pytest.raises(FormatError, match=message):
        open_features(tmp_path, "keypoints", "s")


@pytest.mark.parametrize("kind", ["descriptors", "global_features"])
def test_descriptors_must_be_finite(kind: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, kind, "net")
    suffix = {"descriptors": ".desc", "global_features": ".gfeat"}[kind]
    keypoints = "sift, " if kind == "descriptors" else ""
    (folder / f"{kind}.txt").write_text(f"net, float32, 2, {keypoints}L2\n")
    cases = (((1.0, 2.0), True), ((1.0, float("inf")), False), ((1.0, 1e19), False))
    for values, is_good in cases:
        (folder / f"a.jpg{suffix}").write_bytes(struct.pack("<2f", *values))
        if is_good:
            assert read_features(tmp_path, kind, "net", "a.jpg").ravel().tolist() == list(values)
        else:
            with pytest.raises(FormatError, match=f"{kind.replace('_', ' ')} must be finite"):
                read_features(tmp_path, kind, "net", "a.jpg")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(12), r"expected a multiple of 8 bytes \(2 x float32\), got 12"),
        (struct.pack("<2f", 1, float("nan")), "keypoints must be finite"),
        (None, "cannot read"),
    ],
)
def test_bad_keypoints_are_named(data: bytes | None, message: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "keypoints", "s")
    (folder / "keypoints.txt").write_text("s, numpy.float32, 2\n")
    if data is not None:
        (folder / "a.kpt").write_bytes(data)
    with pytest.raises(FormatError, match=message):
        read_features(tmp_path, "keypoints", "s", "a")


@pytest.mark.parametrize(
    ("array", "dtype"),
    [(np.zeros((2, 3), np.float32), "float32"), (np.zeros((2, 2)), "float32"), (np.zeros(2), "x")],
)
def test_arrays_must_fit_the_header(array: np.ndarray, dtype: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"the header says|unknown dtype"):
        write_features(tmp_path, "keypoints", "s", FeatureHeader("s", dtype, 2), {"a": array})


def test_matches_have_the_smaller_name_first(tmp_path: Path) -> None:
    write_matches(tmp_path, "sift", {("q/b.jpg", "db/a.jpg"): np.array([[7, 1], [8, 2]])})
    file = tmp_path / "reconstruction/matches/sift/db/a.jpg.overlapping/q/b.jpg.matches"
    assert file.read_bytes() == struct.pack("<6d", 1, 7, 1, 2, 8, 1)
    assert read_matches(tmp_path, "sift", "q/b.jpg", "db/a.jpg").tolist() == [[7, 1, 1], [8, 2, 1]]
    for data, message in [
        (bytes(25), "multiple of 24 bytes"),
        (struct.pack("<3d", -1, 0, 0), "whole numbers from 0"),
        (struct.pack("<3d", 0.5, 0, 0), "whole numbers from 0"),
        (struct.pack("<3d", 0, float("inf"), 0), "whole numbers from 0"),
        (struct.pack("<3d", float("nan"), 0, 0), "whole numbers from 0"),
        (struct.pack("<3d", 0, 0, float("nan")), "scores must be finite"),
    ]:
        file.write_bytes(data)
        with pytest.raises(FormatError, match=message):
            read_matches(tmp_path, "sift", "db/a.jpg", "q/b.jpg")
    pair = np.zeros((1, 3))
    for matches in ({("a", "a"): pair}, {("a", "b"): pair, ("b", "a"): pair}, {("a", "b"): pair[0]},
                    {("a.overlapping/x", "b"): pair}):  # fmt: skip
        with pytest.raises(FormatError, match=r"matches of 'a|matches of 'b'"):
            write_matches(tmp_path, "sift", matches)


def test_bad_pairs_are_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(
        "# kapture format: 1.1\n# query_image, mapping_image, score\nq 1.jpg, d/m.jpg\n"
    )
    assert read_pairs_file(path) == [ScoredPair("q 1.jpg", "d/m.jpg", 1.0)]
    for text, message in [
        ("a\n", "line 1: expected"),
        ("a, b, x\n", "score must be a finite number"),
        ("a, b, 1\n./a, b, 2\n", "line 2: the pair 'a', 'b' is listed twice"),
        ("a, ../b, 1\n", "no file name"),
    ]:
        path.write_text(text)
        with pytest.raises(FormatError, match=message):
            read_pairs_file(path)


def test_the_half_pixel_depends_on_the_type() -> None:
    assert keypoint_shift_px("SIFT") == keypoint_shift_px("colmap") == 0
    assert keypoint_shift_px("r2d2_WASF-N8_20k") == keypoint_shift_px("SuperPoint") == 0.5


def test_compressed_tars_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "keypoints.tar", "w:gz") as tar:
        add(tar, "a.kpt", bytes(8))
    with pytest.raises(FormatError, match="is no readable tar"):
        open_files(tmp_path, "keypoints.tar")


def test_tars_with_wrong_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keypoints.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, "a.kpt", bytes(8))
        add(tar, "b.kpt", bytes(8))
    original = path.read_bytes()
    for size in (b"\x80" + (2**60).to_bytes(11, "big"), b"\xff" * 11 + b"\x00", b"77777777777\0"):
        member = bytearray(original[:512])
        member[124:136] = size
        member[148:156] = b" " * 8
        member[148:156] = b"%06o\0 " % sum(member)
        path.write_bytes(bytes(member) + original[512:])
        with pytest.raises(FormatError, match=r"is damaged|is no readable tar"):
            open_files(tmp_path, "keypoints.tar")
    # a damaged second header must not end the archive silently
    broken = bytearray(original)
    broken[1024] ^= 1
    path.write_bytes(broken)
    with pytest.raises(FormatError, match="is damaged at byte 1024"):
        open_files(tmp_path, "keypoints.tar")


def test_damaged_tars_give_format_errors_only(tmp_path: Path) -> None:
    path = tmp_path / "keypoints.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "é" * 120 + ".kpt", bytes(700))
        add(tar, "a.kpt", b"1234")
    with tarfile.open(tmp_path / "gnu.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, "x" * 200 + ".kpt", bytes(700))
        add(tar, "a.kpt", b"1234")
    originals = [path.read_bytes(), (tmp_path / "gnu.tar").read_bytes()]
    draw = random.Random(2)
    outcomes = set()
    for _ in range(500):
        data = bytearray(draw.choice(originals))
        for _ in range(draw.randint(1, 3)):
            block = draw.randrange(6) * 512
            data[block + draw.randrange(512)] = draw.randrange(256)
            if draw.random() < 0.8:  # as a header whose checksum is right
                head = data[block : block + 512]
                head[148:156] = b" " * 8
                data[block + 148 : block + 156] = b"%06o\0 " % sum(head)
        if draw.random() < 0.1:
            del data[draw.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            files = open_files(tmp_path, "keypoints.tar")
            for name in files.names(".kpt"):
                files.read(name)
            outcomes.add("read")
        except FormatError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}
