"""hloc's HDF5 files: half pixels, order of axes, names, matches in both orders, hostile files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.formats.hloc.features import FeaturesFile, StoredFeatures, write_features
from hloc_lite.formats.hloc.global_descriptors import (
    read_global_descriptors,
    write_global_descriptors,
)
from hloc_lite.formats.hloc.matches import DensePair, MatchesFile, without_repeats
from hloc_lite.formats.hloc.matches_writing import write_matches
from hloc_lite.types import Matches

parts = st.text(
    st.characters(exclude_characters="/\\\n\r\0:", exclude_categories=["Cs"]),
    min_size=1, max_size=12,
).filter(lambda part: part not in (".", ".."))  # fmt: skip
names = st.lists(parts, min_size=1, max_size=3).map("/".join)
unrelated = st.lists(names, max_size=5, unique=True).filter(
    lambda found: (
        not any(a != b and b.startswith(f"{a}/") for a in found for b in found)
        and len({name.replace("/", "-") for name in found}) == len(found)
    )
)


def stored(count: int, size: int, seed: int) -> StoredFeatures:
    rng = np.random.default_rng(seed)
    return StoredFeatures(
        keypoints=(rng.integers(0, 640, (count, 2)) + 0.5).astype(np.float32),
        descriptors=rng.standard_normal((count, size)).astype(np.float32),
        scores=rng.random(count, np.float32),
        image_size=(640, 640),
        uncertainty_px=1.5 if seed % 2 else None,
        scales=rng.random(count, np.float32) if seed % 3 == 0 else None,
    )


def assert_same(found: StoredFeatures, expected: StoredFeatures) -> None:
    for field in ("keypoints", "descriptors", "scores", "scales", "orientations"):
        values, wanted = getattr(found, field), getattr(expected, field)
        assert (values is None) == (wanted is None), field
        if wanted is not None:
            assert values.dtype == np.float32
            np.testing.assert_array_equal(values, wanted)
    assert (found.image_size, found.uncertainty_px) == (
        expected.image_size,
        expected.uncertainty_px,
    )


@settings(max_examples=30)
@given(unrelated, st.integers(0, 5), st.integers(1, 4))
def test_features_round_trip(images: list[str], count: int, size: int) -> None:
    expected = {name: stored(count, size, seed) for seed, name in enumerate(images)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feats.h5"
        write_features(path, expected.items())
        with FeaturesFile(path) as found:
            assert sorted(found) == sorted(expected) and len(found) == len(expected)
            for name, features in expected.items():
                assert_same(found[name], features)


def by_hand(path: Path, name: str = "db/sub dir/1883 #ä.jpg", **changes: object) -> Path:
    """File with one image, in hloc's layout; a change to None leaves a field out."""
    fields = {
        "keypoints": np.array([[0, 0], [319, 239], [10.25, 20]], np.float16),
        "descriptors": np.arange(12, dtype=np.float16).reshape(4, 3),
        "scores": np.array([0.5, 0.25, 1], np.float16),
        "image_size": np.array([320, 240]),
    } | changes
    with h5py.File(path, "w") as file:
        group = file.create_group(name)
        for field, values in fields.items():
            if values is not None:
                group.create_dataset(field, data=values)
        if "keypoints" in group:
            group["keypoints"].attrs["uncertainty"] = np.float64(2.5)
    return path


def test_the_layout_of_hloc_is_read(tmp_path: Path) -> None:
    with FeaturesFile(by_hand(tmp_path / "feats.h5")) as file:
        assert list(file) == ["db/sub dir/1883 #ä.jpg"]
        assert "db" not in file and "nothing" not in file
        features = file["db/sub dir/1883 #ä.jpg"]
    # the centre of the first pixel is (0, 0) there and (0.5, 0.5) here
    np.testing.assert_array_equal(features.keypoints, [[0.5, 0.5], [319.5, 239.5], [10.75, 20.5]])
    np.testing.assert_array_equal(features.descriptors[1], [1, 4, 7, 10])
    np.testing.assert_array_equal(features.scores, [0.5, 0.25, 1])
    assert (features.image_size, features.uncertainty_px) == ((320, 240), 2.5)
    with pytest.raises(KeyError):
        FeaturesFile(by_hand(tmp_path / "feats.h5"))["db"]


def test_what_is_written_is_hlocs_layout(tmp_path: Path) -> None:
    features = StoredFeatures(
        keypoints=np.array([[0.5, 1.5]], np.float32),
        descriptors=np.array([[1, 2, 3]], np.float32),
        scores=np.array([0.5], np.float32),
        image_size=(7, 9),
        uncertainty_px=1.0,
    )
    write_features(tmp_path / "f.h5", [("a/b.jpg", features)], half_descriptors=True)
    with h5py.File(tmp_path / "f.h5") as file:
        group = file["a"]["b.jpg"]
        np.testing.assert_array_equal(group["keypoints"][()], [[0, 1]])
        assert group["keypoints"].dtype == np.float32 and group["descriptors"].dtype == np.float16
        assert group["descriptors"].shape == (3, 1) and group["scores"].shape == (1,)
        np.testing.assert_array_equal(group["image_size"][()], [7, 9])
        assert group["keypoints"].attrs["uncertainty"] == 1.0


@pytest.mark.parametrize("field", ["keypoint_scores", "score"])
def test_other_names_of_scores_are_read(field: str, tmp_path: Path) -> None:
    changes = {"scores": None, field: np.array([1, 2, 3.0]), "descriptors": None}
    with FeaturesFile(by_hand(tmp_path / "f.h5", **changes, image_size=None)) as file:
        (features,) = file.values()
    np.testing.assert_array_equal(features.scores, [1, 2, 3])
    assert features.descriptors is None and features.image_size is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"descriptors": np.zeros((3, 4))}, r"expected \(D, 3\) descriptors.*axes are exchanged"),
        ({"descriptors": np.zeros((4, 5))}, r"expected \(D, 3\) descriptors, got \(4, 5\)$"),
        ({"keypoints": np.zeros((3, 3))}, r"expected \(N, 2\) keypoints"),
        ({"keypoints": np.zeros(3)}, "expected 2 axes"),
        ({"keypoints": np.full((3, 2), np.nan)}, "all numbers must be finite"),
        ({"keypoints": np.full((3, 2), 1e300)}, "all numbers must be finite"),
        ({"keypoints": [[0, 0], [1, 319], [1, 1.0]]}, "lie outside of the image of 320 x 240"),
        ({"keypoints": np.array([b"a", b"b"])}, "expected numbers"),
        ({"scores": np.zeros(4)}, r"expected shape \(3\)"),
        ({"image_size": [320.5, 240]}, "expected image_size"),
        ({"image_size": [320]}, "expected image_size"),
    ],
)
def test_bad_images_are_named(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with (
        FeaturesFile(by_hand(tmp_path / "f.h5", **changes)) as file,
        pytest.raises(FormatError, match=message),
    ):
        list(file.values())


@pytest.mark.parametrize("name", ["../a.jpg", "a/../b.jpg", "C:/a.jpg", "a\\..\\b"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no image name"):
        FeaturesFile(by_hand(tmp_path / "f.h5", name))
    with pytest.raises(FormatError, match="no image name"):
        write_features(tmp_path / "new.h5", [(name, stored(1, 1, 0))])
    assert not (tmp_path / "new.h5").exists()


@pytest.mark.parametrize(
    "images", [["a.jpg", "a.jpg"], ["a", "a/keypoints"], ["a/keypoints/b", "a"]]
)
def test_names_that_collide_are_refused(images: list[str], tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="given twice, or its name continues"):
        write_features(tmp_path / "f.h5", [(name, stored(2, 2, 0)) for name in images])
    assert list(tmp_path.iterdir()) == []


def test_folders_called_keypoints_are_no_images(tmp_path: Path) -> None:
    with FeaturesFile(by_hand(tmp_path / "f.h5", "db/keypoints/a.jpg")) as file:
        assert list(file) == ["db/keypoints/a.jpg"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = by_hand(tmp_path / "secret.h5", "x.jpg")
    path = by_hand(tmp_path / "f.h5", "real.jpg")
    raw = tmp_path / "raw.bin"
    raw.write_bytes(bytes(64))
    with h5py.File(path, "a") as file:
        file["external.jpg"] = h5py.ExternalLink(str(secret), "x.jpg")
        file["soft.jpg"] = h5py.SoftLink("/real.jpg")
        file["linked/image"] = np.zeros(1)
        file["linked/keypoints"] = h5py.ExternalLink(str(secret), "x.jpg/keypoints")
        file.create_dataset(
            "raw.jpg/keypoints", (4, 2), "f8", external=[(str(raw), 0, h5py.h5f.UNLIMITED)]
        )
        layout = h5py.VirtualLayout((3, 2), "f2")
        layout[:] = h5py.VirtualSource(str(secret), "x.jpg/keypoints", (3, 2))
        file.create_virtual_dataset("virtual.jpg/keypoints", layout)
        file["partly.jpg/keypoints"] = np.zeros((3, 2))
        file["partly.jpg/descriptors"] = h5py.ExternalLink(str(secret), "x.jpg/descriptors")
    with FeaturesFile(path) as found:
        assert sorted(found) == ["partly.jpg", "raw.jpg", "real.jpg", "virtual.jpg"]
        for name in ("raw.jpg", "virtual.jpg"):
            with pytest.raises(FormatError, match="its values lie in other files"):
                found[name]
        with pytest.raises(FormatError, match="links are not followed"):
            found["partly.jpg"]


def test_claimed_sizes_are_checked_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a.jpg/keypoints", (2**49, 2), "f4", chunks=(1024, 2))
        file["b.jpg/keypoints"] = np.zeros((3, 2))
        file.create_dataset("b.jpg/descriptors", (2**20, 2**20), "f4", chunks=(64, 64))
        file["b.jpg/descriptors"][0, 0] = 1
    with FeaturesFile(path) as found:
        for name in ("a.jpg", "b.jpg"):
            with pytest.raises(FormatError, match=r"claims \(\d+, \d+\) values"):
                found[name]


def test_compressed_values_are_read(tmp_path: Path) -> None:
    path = by_hand(tmp_path / "f.h5", keypoints=np.zeros((50000, 2)), scores=None, descriptors=None)
    with h5py.File(path, "a") as file:
        group = file["db/sub dir/1883 #ä.jpg"]
        del group["keypoints"]
        group.create_dataset("keypoints", data=np.zeros((50000, 2), "f4"), compression="gzip")
    with FeaturesFile(path) as found:
        assert [len(each) for each in found.values()] == [50000]


@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
def test_a_file_with_bytes_after_its_stated_end_is_refused(libver: str, tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["a.jpg/keypoints"] = np.zeros((3, 2), np.float32)
    with FeaturesFile(path) as found:
        assert len(found["a.jpg"].keypoints) == 3
    path.write_bytes(path.read_bytes() + bytes(40))
    with pytest.raises(FormatError, match=r"f\.h5 has \d+ bytes, its head states \d+"):
        FeaturesFile(path)


def test_circles_and_depth_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "circle.h5", "w") as file:
        file.create_group("a/b")
        file["a/b/back"] = file["a"]
    with pytest.raises(FormatError, match="is linked twice"):
        FeaturesFile(tmp_path / "circle.h5")
    with h5py.File(tmp_path / "deep.h5", "w") as file:
        file["/".join(["x"] * 200) + "/keypoints"] = np.zeros((1, 2))
    with pytest.raises(FormatError, match="nested deeper"):
        FeaturesFile(tmp_path / "deep.h5")


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "f.h5").write_bytes(content)
    for read in (FeaturesFile, MatchesFile, read_global_descriptors):
        with pytest.raises(FormatError, match="not a readable HDF5 file"):
            read(tmp_path / "f.h5")
        with pytest.raises(FormatError, match="does not exist"):
            read(tmp_path / "missing.h5")


def test_global_descriptors_round_trip(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).random((3, 5), np.float32)
    images = ("b/2.jpg", "a 1.jpg", "b/10.jpg")
    write_global_descriptors(tmp_path / "g.h5", images, vectors)
    with h5py.File(tmp_path / "g.h5") as file:
        np.testing.assert_array_equal(file["b/2.jpg/global_descriptor"][()], vectors[0])
    found, rows = read_global_descriptors(tmp_path / "g.h5")
    assert sorted(found) == sorted(images)
    np.testing.assert_array_equal(rows, [vectors[images.index(name)] for name in found])
    with h5py.File(tmp_path / "g.h5", "a") as file:
        file["c/global_descriptor"] = np.zeros(4)
    with pytest.raises(FormatError, match="'c' has another length"):
        read_global_descriptors(tmp_path / "g.h5")
    with pytest.raises(FormatError, match="no image has"):
        read_global_descriptors(by_hand(tmp_path / "f.h5"))


@st.composite
def matches(draw: st.DrawFn) -> Matches:
    count = draw(st.integers(0, 8))
    exactly = {"min_size": count, "max_size": count}
    first = sorted(draw(st.lists(st.integers(0, 40000), unique=True, **exactly)))
    second = draw(st.lists(st.integers(0, 40000), unique=True, **exactly))
    scores = draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32)))
    return Matches(np.array([first, second], np.int32).T, scores)


@settings(max_examples=30)
@given(unrelated, st.data())
def test_matches_round_trip_in_both_orders(images: list[str], data: st.DataObject) -> None:
    pairs = list(zip(images[::2], images[1::2], strict=False))
    expected = {pair: data.draw(matches()) for pair in pairs}
    counts = {name: 40001 for name in images}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "matches.h5"
        write_matches(path, expected.items(), counts)
        with MatchesFile(path, images) as file:
            assert sorted(file.pairs()) == sorted(pairs)
            for (name0, name1), wanted in expected.items():
                found, turned = file.read(name0, name1), file.read(name1, name0, (40001, 40001))
                assert found.indices.dtype == np.int32 and found.scores.dtype == np.float32
                np.testing.assert_array_equal(found.indices, wanted.indices)
                np.testing.assert_array_equal(found.scores, wanted.scores)
                order = np.argsort(wanted.indices[:, 1])
                np.testing.assert_array_equal(turned.indices, wanted.indices[order][:, ::-1])
                np.testing.assert_array_equal(turned.scores, wanted.scores[order])


def pair_by_hand(path: Path, key: str, matches0: object, scores: object = None) -> Path:
    with h5py.File(path, "w") as file:
        file[f"{key}/matches0"] = matches0
        if scores is not None:
            file[f"{key}/matching_scores0"] = scores
    return path


@pytest.mark.parametrize("key", ["q-1.jpg/db-sub-2.jpg", "q-1.jpg_db-sub-2.jpg"])
def test_hlocs_matches_are_read_in_both_orders(key: str, tmp_path: Path) -> None:
    # shorter than the keypoints of the first image, as dense matching writes it
    scores = np.array([0, 0.5, 0, 0.25], np.float16)
    path = pair_by_hand(tmp_path / "m.h5", key, np.array([-1, 7, -1, 3], np.int16), scores)
    with MatchesFile(path, ["q/1.jpg", "db/sub/2.jpg"]) as file:
        assert file.pairs() == (("q/1.jpg", "db/sub/2.jpg"),)
        found = file.read("q/1.jpg", "db/sub/2.jpg", (10, 8))
        np.testing.assert_array_equal(found.indices, [[1, 7], [3, 3]])
        np.testing.assert_array_equal(found.scores, [0.5, 0.25])
        turned = file.read("db/sub/2.jpg", "q/1.jpg", (8, 10))
        np.testing.assert_array_equal(turned.indices, [[3, 3], [7, 1]])
        np.testing.assert_array_equal(turned.scores, [0.25, 0.5])
        assert file.read("q/1.jpg", "db/sub/3.jpg") is None
        assert file.read_dense("q/1.jpg", "db/sub/2.jpg") is None
        with pytest.raises(FormatError, match="belong to other features"):
            file.read("q/1.jpg", "db/sub/2.jpg", (10, 7))
        with pytest.raises(FormatError, match="belong to other features"):
            file.read("db/sub/2.jpg", "q/1.jpg", (8, 3))


@pytest.mark.parametrize(
    ("matches0", "scores", "message"),
    [
        (np.array([-1, -32768], np.int16), None, "more than 32767 keypoints"),
        (np.array([0.0, 1]), None, "expected numbers"),
        (np.array([2**40]), None, "expected .N,. keypoint indices"),
        (np.array([2**63], np.uint64), None, "expected .N,. keypoint indices"),
        (np.zeros((2, 2), int), None, "expected .N,. keypoint indices"),
        (np.array([0, 1]), np.zeros(3), "2,. matches, but .3,. scores"),
        (np.array([0, 1]), np.array([0, np.nan]), "must be finite"),
    ],
)
def test_bad_matches_are_named(
    matches0: object, scores: object, message: str, tmp_path: Path
) -> None:
    with (
        MatchesFile(pair_by_hand(tmp_path / "m.h5", "a/b", matches0, scores)) as file,
        pytest.raises(FormatError, match=message),
    ):
        file.read("a", "b")


def test_repeated_keypoints_keep_their_best_match(tmp_path: Path) -> None:
    path = pair_by_hand(tmp_path / "m.h5", "a/b", [4, 4, -1, 5], np.array([0.25, 0.5, 0, 1]))
    with MatchesFile(path) as file:
        np.testing.assert_array_equal(file.read("a", "b").indices, [[1, 4], [3, 5]])
        every = file.read("b", "a", keeps_repeats=True)
        np.testing.assert_array_equal(every.indices, [[4, 0], [4, 1], [5, 3]])
        np.testing.assert_array_equal(every.scores, [0.25, 0.5, 1])
    assert len(without_repeats(Matches.empty())) == 0


def test_ambiguous_names_are_reported(tmp_path: Path) -> None:
    path = pair_by_hand(tmp_path / "m.h5", "x-a.jpg/b.jpg", [0])
    with MatchesFile(path, ["x/a.jpg", "x-a.jpg", "b.jpg"]) as file:
        assert file.ambiguous_names == (("x/a.jpg", "x-a.jpg"),)
        with pytest.raises(FormatError, match="have the same name"):
            file.read("b.jpg", "x/a.jpg")
        with pytest.raises(FormatError, match="may be of the pairs"):
            file.pairs()
    with pytest.raises(FormatError, match="have the same name 'x-a'"):
        write_matches(tmp_path / "n.h5", [], {"x/a": 1, "x-a": 1})
    with MatchesFile(pair_by_hand(tmp_path / "o.h5", "a_b_c", [0]), ["a", "a_b", "b_c", "c"]) as f:
        assert f.ambiguous_names == ()
        with pytest.raises(FormatError, match="may be of the pairs"):
            f.pairs()


def test_dense_pairs_have_pixels(tmp_path: Path) -> None:
    points = np.array([[0, 0], [10.5, 3]], np.float32)
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["q-1/d/keypoints0"], file["q-1/d/keypoints1"] = points, points + 2
        file["q-1/d/scores"] = np.array([0.5, 1], np.float32)
        file["q-1/half/keypoints0"] = points
    with MatchesFile(tmp_path / "m.h5", ["q/1", "d"]) as file:
        assert file.pairs() == (("q/1", "d"),)
        dense, turned = file.read_dense("q/1", "d"), file.read_dense("d", "q/1")
        assert file.read("q/1", "d") is None
        np.testing.assert_array_equal(dense.keypoints0, [[0.5, 0.5], [11, 3.5]])
        np.testing.assert_array_equal(turned.keypoints0, [[2.5, 2.5], [13, 5.5]])
        np.testing.assert_array_equal(dense.scores, [0.5, 1])
        with pytest.raises(FormatError, match="expected keypoints0, keypoints1 and scores"):
            file.read_dense("q/1", "half")
    write_matches(tmp_path / "n.h5", [(("q/1", "d"), dense)], {})
    with h5py.File(tmp_path / "n.h5") as file:
        np.testing.assert_array_equal(file["q-1/d/keypoints0"][()], points)
    assert isinstance(dense, DensePair) and len(dense) == 2


def test_matches_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    one = Matches(np.array([[0, 1]], np.int32), np.ones(1, np.float32))
    two = Matches(np.array([[0, 1], [0, 2]], np.int32), np.ones(2, np.float32))
    counts = {"a": 1, "b": 3}
    for pairs, message in [
        ([(("b", "a"), one)], "beyond the"),
        ([(("a", "b"), two)], "has two matches"),
        ([(("a", "b"), one), (("b", "a"), Matches.empty())], "is given twice"),
        ([(("a", "c"), one)], "number of keypoints of 'c' is not given"),
    ]:
        with pytest.raises(FormatError, match=message):
            write_matches(tmp_path / "m.h5", pairs, counts)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(HlocLiteError, match="cannot write"):
        (tmp_path / "file").write_text("")
        write_matches(tmp_path / "file" / "m.h5", [], counts)


@pytest.fixture
def memory_limit() -> Iterator[None]:
    """At most 2 GiB more than now: HDF5 uses up all memory on some damaged headers."""
    resource = pytest.importorskip("resource")
    statistics = Path("/proc/self/statm")
    if not statistics.is_file():
        pytest.skip("the size of this process is not known")
    now = int(statistics.read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + (2 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def damaged_copies(content: bytes, count: int) -> list[bytes]:
    rng = np.random.default_rng(0)
    copies = [content[: rng.integers(len(content))] for _ in range(count // 4)]
    for _ in range(count):
        copy = bytearray(content)
        for position in rng.integers(0, len(copy), rng.integers(1, 4)):
            copy[position] = rng.integers(256)
        copies.append(bytes(copy))
    return copies


@pytest.mark.usefixtures("memory_limit")
def test_damaged_files_give_a_value_or_a_format_error(tmp_path: Path) -> None:
    good = by_hand(tmp_path / "good.h5", "a/b.jpg")
    with h5py.File(good, "a") as file:
        file["c/d/matches0"] = np.array([0, -1])
    path, num_refused = tmp_path / "bad.h5", 0
    for content in damaged_copies(good.read_bytes(), 200):
        path.write_bytes(content)
        try:
            with FeaturesFile(path) as file:
                list(file.values())
            with MatchesFile(path, ["c", "d"]) as pairs:
                pairs.pairs()
                pairs.read("d", "c")
        except FormatError:
            num_refused += 1
    assert num_refused > 60
