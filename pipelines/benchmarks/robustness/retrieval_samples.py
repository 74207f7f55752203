"""Small valid files of truths and rankings of image retrieval."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat

from hloc_lite.formats.class_folders import read_class_folders
from hloc_lite.formats.google_landmarks import (
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
from hloc_lite.formats.retrieval_truth import NameLookup
from hloc_lite.formats.tokyo247 import read_tokyo_queries
from hloc_lite.formats.ukbench import read_ukbench
from hloc_lite.formats.utm_names import read_utm_names
from pipelines.benchmarks.robustness.sample_model import FormatSample

LANDMARK_IMAGES = ["all_souls_000013", "all_souls_000026", "oxford_002985", "oxford_000545"]
QUERIES, IMAGES = ("q1", "q 2"), ("a", "b c", "d")


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def write_landmark_pickles(folder: Path, protocol: int = 4) -> None:
    """Write ``gnd_roxford5k.pkl`` and ``gnd_oxford5k.pkl``, with two queries and four images."""
    box = np.array([136.5, 34.1, 648.5, 955.7])
    whole = {"imlist": LANDMARK_IMAGES, "qimlist": ["q_one", "q_two"]}
    revisited = [
        {"bbx": box, "easy": np.array([0]), "hard": np.array([2]), "junk": np.array([1])},
        {"bbx": box.tolist(), "easy": [], "hard": [3], "junk": []},
    ]
    original = [{"bbx": box, "ok": [0, 1], "junk": np.array([3])}, {"ok": [2], "junk": []}]
    for name, entries in (("gnd_roxford5k.pkl", revisited), ("gnd_oxford5k.pkl", original)):
        (folder / name).write_bytes(pickle.dumps({**whole, "gnd": entries}, protocol))


def write_oxford(folder: Path) -> None:
    """Write the text files of one query of Oxford."""
    name = "all_souls_1"
    files = {
        f"{name}_query.txt": "oxc1_all_souls_000013 136.5 34.1 648.5 955.7\n",
        f"{name}_good.txt": "all_souls_000013\nall_souls_000026\n",
        f"{name}_ok.txt": "oxford_002985\n",
        f"{name}_junk.txt": "oxford_000545\n",
    }
    _write(folder, files)


def write_google_landmarks(folder: Path) -> None:
    """Write solutions of three test images, one of them ignored, and predictions."""
    files = {
        "retrieval.csv": "id,images,Usage\nt1,i1 i2,Public\nt2,i3,Private\nt3,None,Ignored\n",
        "recognition.csv": "id,landmarks,Usage\nt1,7 8,Public\nt2,,Private\nt3,,Ignored\n",
        "predictions.csv": "id,landmarks\nt1,7 0.9\nt2,\nt3,1 5\n",
    }
    _write(folder, files)


def write_ilias(folder: Path) -> None:
    """Write the lists of two instances."""
    files = {
        "image_ids/image_query_ids.txt": "mug/q1.jpg,a\nfan/q1.jpg,b\n",
        "image_ids/positive_ids.txt": "mug/p1.jpg,0.1,3\nmug/p2.jpg,0.2,4\nfan/p1.jpg,0.3,9\n",
    }
    _write(folder, files)


def write_msls(folder: Path) -> None:
    """Write two cities: a panorama on each side, and a query far from all."""
    for city in ("cph", "sf"):
        for side, easts in (("query", (0, 900, 5)), ("database", (25, 26, 0))):
            keys = [f"{city}-{side[0]}{number}" for number in range(3)]
            pano = [False, False, True]
            raw = "".join(f"{i},{k},{pano[i]}\n" for i, k in enumerate(keys))
            post = "".join(f"{i},{k},{easts[i]},0.0,False\n" for i, k in enumerate(keys))
            subtask = "".join(f"{i},True,False\n" for i in range(3))
            base = f"train_val/{city}/{side}"
            files = {
                f"{base}/raw.csv": f",key,pano\n{raw}",
                f"{base}/postprocessed.csv": f",key,easting,northing,night\n{post}",
                f"{base}/subtask_index.csv": f",all,s2w\n{subtask}",
            }
            _write(folder, files)


def write_pittsburgh(folder: Path) -> None:
    """Write a struct of two queries and three map images."""

    def cells(*names: str) -> np.ndarray:
        return np.array([[name] for name in names], object)

    struct = {
        "whichSet": "test",
        "dbImageFns": cells("a_012_000.png", "a_012_030.png", "b_012_000.png"),
        "utmDb": np.array([[0.0, 0, 25], [0, 0, 0]]),
        "qImageFns": cells("q1.jpg", "q2.jpg"),
        "utmQ": np.array([[0.0, 60], [0, 0]]),
        "posDistThr": 25.0,
    }
    savemat(folder / "t.mat", {"dbStruct": struct})


def write_tokyo(folder: Path) -> None:
    """Write the CSV files of two queries."""
    _write(folder, {f"{i:05}.csv": f"{i:05}.jpg,35.66{i},139.70{i},x\n" for i in (1, 2)})


def write_utm_list(folder: Path) -> None:
    """Write a list of names with positions."""
    names = [
        f"{side}/@{east}@7000000.5@56@J@@@{pano}@@@@@@@@.jpg"
        for side, east, pano in (
            ("queries", 500000.25, ""), ("database", 500010, "p1"), ("database", 500030, "p1"),
        )
    ]  # fmt: skip
    _write(folder, {"names.txt": "\n".join(names)})


def write_rankings(folder: Path) -> None:
    """Write rankings in every form that is read."""
    files = {
        "pairs.txt": "q1 a\nq1 b c\nq 2 d\n",
        "lines.txt": "# query and keys\nq1 a d x\n",
        "ids.csv": 'id,images\nq1,"a d"\n',
        "scores.csv": "query,image,score\nq1,a,0.5\nq1,d,0.7\nq 2,b c,1\n",
        "rows.csv": "query,image\nq1,a\nq1,d\n",
    }
    _write(folder, files)
    rows = np.array([[0, 2], [1, -1]])
    np.savez(folder / "r.npz", queries=np.array(QUERIES), images=np.array(IMAGES), ranking=rows)


def _read_rankings(folder: Path) -> object:
    files = ("pairs.txt", "lines.txt", "ids.csv", "scores.csv", "rows.csv", "r.npz")
    return [read_rankings(folder / f, NameLookup(QUERIES), NameLookup(IMAGES)) for f in files]


def _listed(*names: str) -> Callable[[Path], None]:
    return lambda folder: _write(folder, {"names.txt": "\n".join(names)})


_SAMPLES = (
    FormatSample(
        "Oxford and Paris, pickles", write_landmark_pickles,
        lambda folder: (
            read_revisited(folder / "gnd_roxford5k.pkl"),
            read_original_pickle(folder / "gnd_oxford5k.pkl"),
        ),
    ),
    FormatSample("Oxford and Paris, text", write_oxford, read_oxford_truth),
    FormatSample(
        "Google Landmarks v2", write_google_landmarks,
        lambda folder: (
            read_retrieval_solution(folder / "retrieval.csv"),
            read_recognition_solution(folder / "recognition.csv"),
            read_recognition_predictions(folder / "predictions.csv"),
        ),
    ),
    FormatSample(
        "Holidays", _listed("jpg/100000.jpg", "jpg/100001.jpg", "jpg/100100.jpg", "jpg/100101.jpg"),
        lambda folder: read_holidays(folder / "names.txt"),
    ),
    FormatSample(
        "UKBench", _listed(*(f"full/ukbench{number:05}.jpg" for number in range(8))),
        lambda folder: read_ukbench(folder / "names.txt"),
    ),
    FormatSample(
        "folders of classes", _listed("query/a/1.jpg", "database/a/2.jpg", "database/b/3.jpg"),
        lambda folder: read_class_folders(folder / "names.txt"),
    ),
    FormatSample("ILIAS", write_ilias, read_ilias),
    FormatSample("MSLS", write_msls, read_msls),
    FormatSample(
        "dbStruct", write_pittsburgh, lambda folder: read_pittsburgh_mat(folder / "t.mat")
    ),
    FormatSample("Tokyo 24/7", write_tokyo, read_tokyo_queries),
    FormatSample(
        "names with UTM", write_utm_list, lambda folder: read_utm_names(folder / "names.txt")
    ),
    FormatSample("rankings", write_rankings, _read_rankings),
)  # fmt: skip
RETRIEVAL_SAMPLES = tuple(sample._replace(group="retrieval") for sample in _SAMPLES)
"""Samples of truths and rankings."""
