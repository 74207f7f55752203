"""Readers of retrieval truths and rankings: small files by hand, and bad ones."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from hloc_lite.errors import FormatError
from hloc_lite.formats import landmark_pickles
from hloc_lite.formats.class_folders import read_class_folders
from hloc_lite.formats.google_landmarks import (
    LandmarkPrediction,
    read_recognition_predictions,
    read_recognition_solution,
    read_retrieval_solution,
)
from hloc_lite.formats.holidays import read_holidays
from hloc_lite.formats.ilias import read_ilias
from hloc_lite.formats.landmark_pickles import read_original_pickle, read_revisited
from hloc_lite.formats.msls import read_msls
from hloc_lite.formats.oxford_truth import read_oxford_truth
from hloc_lite.formats.pittsburgh_mat import read_pittsburgh_mat
from hloc_lite.formats.rankings import read_rankings
from hloc_lite.formats.retrieval_truth import NameLookup, RetrievalTruth, without_suffix
from hloc_lite.formats.tokyo247 import panorama_of_cutout, read_tokyo_queries
from hloc_lite.formats.ukbench import read_ukbench
from hloc_lite.formats.utm_names import panorama_from_name, read_utm_names
from pipelines.benchmarks.robustness import retrieval_samples as samples


def names_file(folder: Path, *names: str) -> Path:
    path = folder / "names.txt"
    path.write_text("\n".join(names), encoding="utf-8")
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_revisited_and_original_pickles(protocol: int, tmp_path: Path) -> None:
    samples.write_landmark_pickles(tmp_path, protocol)
    found = read_revisited(tmp_path / "gnd_roxford5k.pkl")
    first, second, third, fourth = samples.LANDMARK_IMAGES
    assert found.queries == ("q_one", "q_two")
    assert found.boxes[0] == (136.5, 34.1, 648.5, 955.7)
    assert found.labels[0] == {"easy": {first}, "hard": {third}, "junk": {second}}
    assert found.labels[1] == {"easy": set(), "hard": {fourth}, "junk": set()}
    original = read_original_pickle(tmp_path / "gnd_oxford5k.pkl")
    assert original.labels[0] == {"ok": {first, second}, "junk": {fourth}}
    assert original.boxes[1] is None
    with pytest.raises(FormatError, match="expected the keys easy, hard, junk, got bbx, ok, junk"):
        read_revisited(tmp_path / "gnd_oxford5k.pkl")


def test_a_pickle_of_python_2(tmp_path: Path) -> None:
    """Its byte strings are text in Latin-1, and so are the bytes of its arrays."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    dtype = b"cnumpy\ndtype\n(" + text(b"i8") + b"K\0K\1tR(K\3" + text(b"<") + b"NNN"
    dtype += b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0t" + text(b"b") + b"tR"
    array += b"(K\1(K\1t" + dtype + b"\x89" + text(b"\1" + bytes(7)) + b"tb"
    entry = b"}(" + text(b"ok") + array + text(b"junk") + b"]u"
    body = b"}(" + text(b"imlist") + b"](" + text(b"a") + text(b"caf\xe9") + b"e"
    body += text(b"qimlist") + b"](" + text(b"q") + b"e" + text(b"gnd") + b"](" + entry + b"eu."
    (tmp_path / "old.pkl").write_bytes(b"\x80\2" + body)
    # Python's own unpickler agrees: the bytes were made by hand
    own = pickle.loads((tmp_path / "old.pkl").read_bytes(), encoding="latin1")
    assert own["imlist"] == ["a", "café"] and own["gnd"][0]["ok"].tolist() == [1]
    assert read_original_pickle(tmp_path / "old.pkl").labels[0]["ok"] == {"café"}


class Calls:
    """Object whose unpickling calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "hostile",
    [Calls(os.system, "touch pwned"), Calls(eval, "open('pwned', 'w')"), Calls(bytearray, 10**12)],
)
def test_hostile_pickles_are_refused_and_run_nothing(
    hostile: Any, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    entry = {"bbx": hostile, "easy": [], "hard": [], "junk": []}
    for value in (hostile, {"imlist": ["a"], "qimlist": ["q"], "gnd": [entry]}):
        Path("gnd.pkl").write_bytes(pickle.dumps(value, protocol))
        with pytest.raises(FormatError, match=r"gnd\.pkl.*(refused|damaged)"):
            read_revisited(Path("gnd.pkl"))
    assert [path.name for path in tmp_path.iterdir()] == ["gnd.pkl"]


def test_huge_pickles_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gnd.pkl"
    with path.open("wb") as file:
        file.truncate(landmark_pickles.MAX_BYTES + 1)
    with pytest.raises(FormatError, match="larger than 64 MiB"):
        read_revisited(path)
    # one long list, named by every query
    shared = list(range(100))
    entry = {"easy": shared, "hard": [], "junk": []}
    names = [f"i{number}" for number in range(100)]
    path.write_bytes(pickle.dumps({"imlist": names, "qimlist": names, "gnd": [entry] * 100}))
    monkeypatch.setattr(landmark_pickles, "MAX_LABELS", 5000)
    with pytest.raises(FormatError, match="more than 5000 labels"):
        read_revisited(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gnd": []}, "an entry for each of 1 queries, got 0"),
        ({"gnd": None}, "got NoneType"),
        ({"imlist": "a"}, "imlist: expected a list of names, got str"),
        ({"imlist": ["a", "a"]}, "listed twice"),
        ({"easy": [1]}, "expected indices from 0 to 0, got 1"),
        ({"easy": [float("nan")]}, "indices"),
        ({"easy": [None]}, "expected numbers, got NoneType"),
        ({"easy": {}}, "expected a list or an array, got dict"),
        ({"bbx": [1, 2]}, "expected x1, y1, x2, y2"),
        ({"bbx": [1, 2, 3, float("inf")]}, "expected x1, y1, x2, y2"),
    ],
)
def test_pickles_of_another_layout(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    entry = {"bbx": [1, 2, 3, 4], "easy": [0], "hard": [], "junk": []}
    entry |= {key: value for key, value in change.items() if key in entry}
    root = {"imlist": ["a"], "qimlist": ["q"], "gnd": [entry]}
    root |= {key: value for key, value in change.items() if key in root}
    (tmp_path / "gnd.pkl").write_bytes(pickle.dumps(root))
    with pytest.raises(FormatError, match=message):
        read_revisited(tmp_path / "gnd.pkl")


def test_oxford_text_files(tmp_path: Path) -> None:
    samples.write_oxford(tmp_path)
    found = read_oxford_truth(tmp_path)
    query = found.queries["all_souls_1"]
    assert (query.image, query.box) == ("all_souls_000013", (136.5, 34.1, 648.5, 955.7))
    right = {"all_souls_000013", "all_souls_000026", "oxford_002985"}
    assert found.truth.positives == {"all_souls_1": right}
    assert found.truth.ignored == {"all_souls_1": {"oxford_000545"}}
    assert found.image_names == {"all_souls_000013": "all_souls_1"}
    (tmp_path / "all_souls_1_query.txt").write_text("oxc1_a 5 5 1 1\n")
    with pytest.raises(FormatError, match="x1 < x2"):
        read_oxford_truth(tmp_path)
    (tmp_path / "all_souls_1_query.txt").write_text("oxc1_a 5 5\n")
    with pytest.raises(FormatError, match="expected one line 'NAME x1 y1 x2 y2'"):
        read_oxford_truth(tmp_path)
    (tmp_path / "all_souls_1_junk.txt").unlink()
    (tmp_path / "all_souls_1_query.txt").write_text("a 0 0 5 5\n")
    with pytest.raises(FormatError, match=r"all_souls_1_junk\.txt does not exist"):
        read_oxford_truth(tmp_path)


def test_holidays_by_number(tmp_path: Path) -> None:
    found = read_holidays(names_file(tmp_path, "100101.jpg", "100001.jpg", "100000.jpg",
                                     "x/100002.jpg", "100100.jpg"))  # fmt: skip
    assert found.positives == {"100000": {"100001", "100002"}, "100100": {"100101"}}
    assert found.ignored == {"100000": {"100000"}, "100100": {"100100"}}
    with pytest.raises(FormatError, match="before '100001'"):
        read_holidays(names_file(tmp_path, "100001.jpg"))
    with pytest.raises(FormatError, match=r"names in Holidays are numbers, got 'a\.jpg'"):
        read_holidays(names_file(tmp_path, "a.jpg"))
    with pytest.raises(FormatError, match="occurs twice"):
        read_holidays(names_file(tmp_path, "a/100000.jpg", "b/100000.jpg"))


def test_ukbench_in_fours(tmp_path: Path) -> None:
    names = [f"ukbench{number:05}.jpg" for number in range(8)]
    found = read_ukbench(names_file(tmp_path, *reversed(names)))
    assert found.positives[names[5]] == set(names[4:]) and len(found.positives) == 8
    with pytest.raises(FormatError, match="groups of 4 images, got 7"):
        read_ukbench(names_file(tmp_path, *names[:7]))


def test_class_folders(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg"):
        (tmp_path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / name).touch()
    found = read_class_folders(tmp_path / "d")
    assert found.positives == {"a/1.jpg": {"a/2.jpg"}, "a/2.jpg": {"a/1.jpg"}, "b/1.jpg": set()}
    assert found.ignored["a/1.jpg"] == {"a/1.jpg"}
    sides = read_class_folders(names_file(tmp_path, "query/a/1.jpg", "database/a/1.jpg"))
    assert sides.positives == {"query/a/1.jpg": {"database/a/1.jpg"}} and not sides.ignored
    with pytest.raises(FormatError, match=r"in a folder of its class, got '1\.jpg'"):
        read_class_folders(names_file(tmp_path, "1.jpg"))
    with pytest.raises(FormatError, match="got 1 and 0 of 2 images"):
        read_class_folders(names_file(tmp_path, "query/a/1.jpg", "b/2.jpg"))
    with pytest.raises(FormatError, match="got none"):
        read_class_folders(names_file(tmp_path))


def test_google_landmarks(tmp_path: Path) -> None:
    samples.write_google_landmarks(tmp_path)
    solution = read_retrieval_solution(tmp_path / "retrieval.csv")
    assert solution.truth.positives == {"t1": {"i1", "i2"}, "t2": {"i3"}}
    assert solution.parts == {"Public": {"t1"}, "Private": {"t2"}}
    assert solution.ignored_queries == {"t3"}
    recognition = read_recognition_solution(tmp_path / "recognition.csv")
    assert recognition.landmarks == {"t1": {"7", "8"}, "t2": set()}
    found = read_recognition_predictions(tmp_path / "predictions.csv")
    assert found == {
        "t1": LandmarkPrediction("7", 0.9),
        "t2": None,
        "t3": LandmarkPrediction("1", 5),
    }
    path = tmp_path / "bad.csv"
    for text, message in (
        ("id,images,Usage\na,b,Public\na,c,Public\n", "line 3: the id 'a' is listed twice"),
        ("id,images,Usage\na,b,Secret\n", "expected a Usage of Public, Private, Ignored"),
        ("id,images\na,b\n", "line 1: expected a header with id, images, Usage, got 'id,images'"),
        ("id,images,Usage\na\n", "line 2: expected 3 cells, got 1"),
        ("id,images,Usage\na,None,Ignored\n", "Public or Private, got none"),
    ):
        path.write_text(text)
        with pytest.raises(FormatError, match=message):
            read_retrieval_solution(path)
    path.write_text("id,landmarks\na,1 2 3\n")
    with pytest.raises(FormatError, match="expected 'LANDMARK SCORE' or nothing"):
        read_recognition_predictions(path)


def test_ilias(tmp_path: Path) -> None:
    samples.write_ilias(tmp_path)
    expected = {"mug/q1.jpg": {"mug/p1.jpg", "mug/p2.jpg"}, "fan/q1.jpg": {"fan/p1.jpg"}}
    assert (
        read_ilias(tmp_path).positives == expected == read_ilias(tmp_path / "image_ids").positives
    )
    (tmp_path / "image_ids" / "positive_ids.txt").write_text("nothing,1,2\n")
    with pytest.raises(FormatError, match="line 1: expected INSTANCE/NAME"):
        read_ilias(tmp_path)


def test_msls_leaves_out_panoramas_and_queries_without_right_images(tmp_path: Path) -> None:
    samples.write_msls(tmp_path)
    found = read_msls(tmp_path)
    # 25 m counts, 26 m does not; the panorama at 0 m is no map image; cities do not mix
    assert found.positives == {"cph-q0": {"cph-d0"}, "sf-q0": {"sf-d0"}}
    assert found.database == {"cph-d0", "cph-d1", "sf-d0", "sf-d1"}
    assert read_msls(tmp_path / "train_val", ("sf",)).positives == {"sf-q0": {"sf-d0"}}
    assert read_msls(tmp_path, subtask="s2w").positives == {}
    with pytest.raises(FormatError, match="expected a subtask of all"):
        read_msls(tmp_path, subtask="night")
    raw = tmp_path / "train_val" / "sf" / "query" / "raw.csv"
    raw.write_text(raw.read_text().replace("True", "maybe"))
    with pytest.raises(FormatError, match="line 4: expected True or False, got 'maybe'"):
        read_msls(tmp_path)
    raw.write_text(",key,pano\n0,sf-q0,False\n")
    with pytest.raises(FormatError, match="same images in the same order"):
        read_msls(tmp_path)


def test_struct_of_netvlad(tmp_path: Path) -> None:
    samples.write_pittsburgh(tmp_path)
    found = read_pittsburgh_mat(tmp_path / "t.mat").truth()
    assert found.positives == {
        "q1.jpg": {"a_012_000.png", "a_012_030.png", "b_012_000.png"}, "q2.jpg": set(),
    }  # fmt: skip
    savemat(tmp_path / "t.mat", {"dbStruct": {"utmQ": np.zeros((2, 1))}})
    with pytest.raises(FormatError, match="with the fields dbImageFns"):
        read_pittsburgh_mat(tmp_path / "t.mat")


def test_tokyo(tmp_path: Path) -> None:
    samples.write_tokyo(tmp_path)
    (tmp_path / "._00001.csv").write_bytes(b"\0\5\x16\7")
    names, positions = read_tokyo_queries(tmp_path)
    assert names == ("00001.jpg", "00002.jpg")
    assert np.all(np.abs(positions - [382000, 3947000]) < 3000)
    assert panorama_of_cutout("x/abc_012_330.png") == "x/abc"
    for other in ("x/abc_012_331.png", "x/abc_012_360.png", "abc_013_030.png", "abc.png"):
        assert panorama_of_cutout(other) == other
    (tmp_path / "3.csv").write_text("3.jpg,35.6\n")
    with pytest.raises(FormatError, match="expected 'NAME,LATITUDE,LONGITUDE"):
        read_tokyo_queries(tmp_path)
    (tmp_path / "3.csv").write_text("3.jpg,35.6,10\n")
    with pytest.raises(FormatError, match="UTM zone 54"):
        read_tokyo_queries(tmp_path)


def test_names_with_utm(tmp_path: Path) -> None:
    samples.write_utm_list(tmp_path)
    found = read_utm_names(tmp_path / "names.txt")
    np.testing.assert_array_equal(found.positions.query_positions, [[500000.25, 7000000.5]])
    (right,) = found.truth().positives.values()
    assert [name.split("@")[1] for name in right] == ["500010"]
    assert [panorama_from_name(name) for name in found.map_names] == ["p1", "p1"]
    assert panorama_from_name(found.query_names[0]) == found.query_names[0]
    with pytest.raises(FormatError, match="got 1 and 0"):
        read_utm_names(names_file(tmp_path, "database/@1@2@.jpg"))
    with pytest.raises(FormatError, match="expected a name '@UTM_EAST@UTM_NORTH"):
        read_utm_names(names_file(tmp_path, "database/1.jpg", "queries/@1@2@.jpg"))


RANKED = {"q1": ["a", "b c"], "q 2": ["d"]}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("pairs.txt", RANKED),
        ("lines.txt", {"q1": ["a", "d", "x"]}),
        ("ids.csv", {"q1": ["a", "d"]}),
        ("scores.csv", {"q1": ["d", "a"], "q 2": ["b c"]}),
        ("rows.csv", {"q1": ["a", "d"]}),
        ("r.npz", {"q1": ["a", "d"], "q 2": ["b c"]}),
    ],
)
def test_rankings_of_all_kinds(file: str, expected: dict[str, list[str]], tmp_path: Path) -> None:
    samples.write_rankings(tmp_path)
    queries, images = NameLookup(samples.QUERIES), NameLookup(samples.IMAGES)
    assert read_rankings(tmp_path / file, queries, images).images == expected


def test_equal_scores_keep_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("query,image,score\nq,b,1\nq,a,1\nq,c,2\n")
    found = read_rankings(path, NameLookup(["q"]), NameLookup("abc"))
    assert found.images == {"q": ["c", "b", "a"]}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.txt", "q1\n", "line 1: expected 'query image'"),
        ("r.txt", "q1 a d\nq1 d a\n", "line 2"),
        ("r.txt", "other a\n", "none of its queries is one of the truth; it has 'other'"),
        ("r.txt", "", "it has nothing"),
        ("r.csv", "id,images\nq1,a\nq1,d\n", "the id 'q1' is listed twice"),
        ("r.csv", "a,b\n", "expected a header with query, image"),
        ("r.csv", "query,image,score\nq1,a,high\n", "line 2"),
        ("r.npz", "PK", "expected an .npz file with queries, images, ranking"),
    ],
)
def test_bad_rankings(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match=message):
        read_rankings(tmp_path / name, NameLookup(["q1"]), NameLookup(["a", "d"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ranking": np.array([[3]])}, "numbers from -1 to 2"),
        ({"ranking": np.array([[0.5]])}, "whole numbers of shape"),
        ({"ranking": np.array([[0], [1]])}, "whole numbers of shape"),
        ({"images": np.arange(3)}, "lists of names"),
        ({"images": np.array([None], object)}, "expected an .npz file"),
    ],
)
def test_bad_arrays_of_rankings(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    whole = {"queries": np.array(["q"]), "images": np.array(["a", "b", "c"])}
    np.savez(tmp_path / "r.npz", **{**whole, "ranking": np.array([[0, 1]]), **change})
    with pytest.raises(FormatError, match=message):
        read_rankings(tmp_path / "r.npz", NameLookup("q"), NameLookup("abc"))


def test_names_are_found_without_folder_and_suffix() -> None:
    lookup = NameLookup(["radcliffe_1", "a/b.jpg"], {"alias": "radcliffe_1"})
    assert lookup.find("jpg/radcliffe_1.JPG") == "radcliffe_1" == lookup.find("alias")
    assert lookup.find("./root/a/b.jpg") == "a/b.jpg"
    assert lookup.find("b.jpg") is None
    assert [without_suffix(name) for name in ("a.jpg", "a.b", ".jpg")] == ["a", "a.b", ".jpg"]


def test_an_image_is_not_both_right_and_ignored() -> None:
    with pytest.raises(FormatError, match="both a right image and one to ignore"):
        RetrievalTruth({"q": frozenset("a")}, {"q": frozenset("a")})


@pytest.mark.parametrize(
    "read",
    [read_revisited, read_retrieval_solution, read_holidays, read_pittsburgh_mat, read_utm_names],
)
def test_missing_files_are_named(read: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"nothing\.x"):
        read(tmp_path / "nothing.x")
    for read_folder in (read_oxford_truth, read_ilias, read_msls, read_tokyo_queries):
        with pytest.raises(FormatError, match=str(tmp_path)):
            read_folder(tmp_path)
