"""``hloc-lite retrieval evaluate``: each protocol on a small truth with scores known by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from hloc_lite.cli.retrieval import command
from hloc_lite.errors import FormatError, HlocLiteError, UnknownNameError
from hloc_lite.evaluation.retrieval.covisible import CovisibilityConfig, covisible_truth
from hloc_lite.evaluation.retrieval.protocols import (
    PROTOCOLS,
    RECOGNITION,
    find_protocol,
    protocol_names,
)
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.vpr_truth import RecognitionTruth, write_recognition_truth
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import NO_POINT, Camera, Rigid3
from pipelines.benchmarks.robustness import retrieval_samples as samples

DATA = Path(os.environ.get("HLOC_LITE_FIELD_DATA", "nowhere")) / "place_recognition"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="HLOC_LITE_FIELD_DATA is not given")


def run(*arguments: object) -> str:
    found = CliRunner().invoke(
        command, ["evaluate", *map(str, arguments)], catch_exceptions=False
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    return found.output


def scores(folder: Path, text: str, protocol: str, truth: Path, *more: object) -> dict[str, Any]:
    """Scores by condition of a text file of rankings."""
    (folder / "rankings.txt").write_text(text, encoding="utf-8")
    output = folder / "scores.json"
    run(folder / "rankings.txt", "--protocol", protocol, "--truth", truth, "--json", output, *more)
    found = json.loads(output.read_text(encoding="utf-8"))
    return {name: row["scores"] for name, row in found["conditions"].items()}


def test_revisited_setups_ignore_what_is_not_theirs(tmp_path: Path) -> None:
    samples.write_landmark_pickles(tmp_path)
    easy, junk, hard, other = samples.LANDMARK_IMAGES
    # q_one: easy 0, hard 2, junk 1; q_two: hard 3
    text = "".join(f"q_one jpg/{name}.jpg\n" for name in (junk, hard, other, easy))
    text += "".join(f"q_two {name}\n" for name in (easy, other))
    found = scores(tmp_path, text, "roxford5k", tmp_path / "gnd_roxford5k.pkl")
    # Easy: junk and hard leave, the right image is second; q_two has none and is left out
    assert found["Easy"] == pytest.approx({"mAP": 0.25, "mP@1": 0, "mP@5": 0.5, "mP@10": 0.5})
    # Medium: right at ranks 0 and 2 for q_one, 1 for q_two
    first = (1 + (1 / 2 + 2 / 3) / 2) / 2
    medium = {"mAP": (first + 0.25) / 2, "mP@1": 0.5, "mP@5": (2 / 3 + 1 / 2) / 2}
    assert found["Medium"] == pytest.approx({**medium, "mP@10": medium["mP@5"]})
    assert found["Hard"] == pytest.approx({"mAP": 0.625, "mP@1": 0.5, "mP@5": 0.75, "mP@10": 0.75})


def test_original_oxford_by_text_and_by_pickle(tmp_path: Path) -> None:
    samples.write_oxford(tmp_path)
    first, second, third, junk = samples.LANDMARK_IMAGES
    # the query image is a right one and stays; the name of the image stands for the query
    text = f"all_souls_000013 {first}\nall_souls_1 {junk}\nall_souls_1 x\nall_souls_1 {second}\n"
    expected = (1 + (1 / 2 + 2 / 3) / 2) / 3
    found = scores(tmp_path, text, "oxford5k", tmp_path)
    assert found["all queries"] == pytest.approx({"mAP": expected})
    samples.write_landmark_pickles(tmp_path)
    text = f"q_one {junk}\nq_one {second}\nq_one {first}\nq_two {third}\n"
    assert scores(tmp_path, text, "paris6k", tmp_path / "gnd_oxford5k.pkl") == {
        "all queries": {"mAP": 1}
    }


def test_holidays_and_ukbench(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("100000.jpg\n100001.jpg\n100002.jpg\n100100.jpg\n100101.jpg\n")
    text = "100000 100000 100001 100101 100002\n100100 100000 100101\n"
    found = scores(tmp_path, text, "holidays", names)
    expected = ((1 + (1 / 2 + 2 / 3) / 2) / 2 + 0.25) / 2
    assert found["all queries"]["mAP"] == pytest.approx(expected)
    names.write_text("".join(f"{number}.jpg\n" for number in range(8)))
    text = "0.jpg 0.jpg 1.jpg 5.jpg 2.jpg 3.jpg\n1.jpg 1.jpg 0.jpg 2.jpg 3.jpg\n"
    found = scores(tmp_path, text, "ukbench", names)
    assert found["all queries"]["N-S"] == (3 + 4) / 8  # the other six have no ranking


@pytest.mark.parametrize(
    ("protocol", "metrics"),
    [
        ("instre", ["mAP"]),
        ("corel", ["P@20"]),
        ("smvs", ["R@1"]),
        ("cturin180", ["R@1", "mAP"]),
        ("201books", ["R@1", "mAP"]),
    ],
)
def test_folders_of_classes(protocol: str, metrics: list[str], tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("".join(f"a/{i}.jpg\n" for i in range(3)) + "b/0.jpg\nb/1.jpg\n")
    text = "a/0.jpg a/0.jpg a/1.jpg a/2.jpg\na/1.jpg a/2.jpg a/0.jpg\na/2.jpg b/0.jpg b/1.jpg\n"
    text += "b/0.jpg a/0.jpg\nb/1.jpg a/0.jpg b/0.jpg\n"
    found = scores(tmp_path, text, protocol, names)["all queries"]
    known = {"mAP": (1 + 1 + 0 + 0 + 0.25) / 5, "P@20": (2 + 2 + 0 + 0 + 1) / 100, "R@1": 0.4}
    assert found == pytest.approx({key: known[key] for key in metrics})


def test_google_landmarks(tmp_path: Path) -> None:
    samples.write_google_landmarks(tmp_path)
    (tmp_path / "r.csv").write_text('id,images\nt1,"x i2 i2 i1"\nt3,i9\n')
    out = run(tmp_path / "r.csv", "--protocol", "gldv2-retrieval", "--truth",
              tmp_path / "retrieval.csv", "--json", tmp_path / "o.json")  # fmt: skip
    row = json.loads((tmp_path / "o.json").read_text())["conditions"]["all queries"]
    assert row["scores"]["mAP@100"] == pytest.approx((1 / 2 + 2 / 3) / 2 / 2)
    assert row["num_unanswered"] == 1 and "queries without a ranking, which score 0: 1" in out
    assert "queries that the truth does not ask, left out: 1, first 't3'" in out
    out = run(tmp_path / "predictions.csv", "--protocol", RECOGNITION, "--truth",
              tmp_path / "recognition.csv", "--json", tmp_path / "o.json")  # fmt: skip
    found = json.loads((tmp_path / "o.json").read_text())["conditions"]
    assert {name: row["scores"]["GAP"] for name, row in found.items()} == {
        "all queries": 1.0, "Public": 1.0,
    }  # fmt: skip
    assert "100.00" in out


def test_ilias_and_msls(tmp_path: Path) -> None:
    samples.write_ilias(tmp_path)
    text = "mug/q1.jpg yfcc/1 mug/p1.jpg\nfan/q1.jpg fan/p1.jpg\n"
    found = scores(tmp_path, text, "ilias", tmp_path)
    assert found["all queries"] == {"mAP@1000": pytest.approx((1 / 4 + 1) / 2)}
    samples.write_msls(tmp_path)
    text = "cph-q0 cph-d1 cph-d0\ncph-q1 cph-d0\nsf-q0 sf-d0\n"
    found = scores(tmp_path, text, "msls", tmp_path)["all queries"]
    assert (found["R@1"], found["R@5"], found["mAP@1"], found["mAP@5"]) == (0.5, 1, 0.5, 0.75)


def test_tokyo_by_both_rules(tmp_path: Path) -> None:
    cutouts = [
        f"p{number}_012_{angle:03}.png" for number in range(3) for angle in range(0, 360, 30)
    ]
    positions = np.repeat([[0.0, 0], [500, 0], [900, 0]], 12, axis=0)
    truth = RecognitionTruth(np.array([[10.0, 0]]), positions, 25)
    write_recognition_truth(tmp_path / "t.npz", truth)
    (tmp_path / "m.txt").write_text("\n".join(cutouts))
    (tmp_path / "q.txt").write_text("q.jpg")
    names = ["--query-names", tmp_path / "q.txt", "--map-names", tmp_path / "m.txt"]
    # five cutouts of a wrong panorama stand before the right one
    text = "".join(f"q.jpg {name}\n" for name in [*cutouts[12:17], cutouts[3]])
    found = scores(tmp_path, text, "tokyo247", tmp_path / "t.npz", *names)
    assert found["all cutouts"] == {"R@1": 0, "R@5": 0, "R@10": 1, "R@20": 1}
    assert found["best cutout of each panorama"] == {"R@1": 0, "R@5": 1, "R@10": 1, "R@20": 1}
    samples.write_pittsburgh(tmp_path)
    (tmp_path / "q").mkdir()
    samples.write_tokyo(tmp_path / "q")
    with pytest.raises(HlocLiteError, match="none of 2 queries has a right image"):
        scores(tmp_path, "00001.jpg a_012_000.png", "tokyo247", tmp_path / "t.mat",
               "--query-names", tmp_path / "q")  # fmt: skip


def test_positions_of_all_kinds(tmp_path: Path) -> None:
    samples.write_pittsburgh(tmp_path)
    text = "q1.jpg b_012_000.png\nq2.jpg a_012_000.png\n"
    for protocol in ("pitts30k", "pitts250k"):
        found = scores(tmp_path, text, protocol, tmp_path / "t.mat")
        assert found["all queries"]["R@1"] == 0.5  # q2 has no right image and counts as wrong
    samples.write_utm_list(tmp_path)
    query, near, far = (tmp_path / "names.txt").read_text().split("\n")
    for protocol in ("stlucia", "utm-names"):
        found = scores(tmp_path, f"{query} {far}\n{query} {near}\n", protocol,
                       tmp_path / "names.txt")  # fmt: skip
        assert found["all queries"] == {"R@1": 0, "R@5": 1, "R@10": 1, "R@20": 1}


def model_of(points: dict[str, list[int]]) -> SfmModel:
    camera = Camera("SIMPLE_PINHOLE", 100, 100, np.array([100.0, 50, 50]))
    images = tuple(
        SfmImage(number, name, 1, Rigid3.identity(), np.ones((len(rows), 2)), np.array(rows))
        for number, (name, rows) in enumerate(points.items(), start=1)
    )
    count = 1 + max(max(rows) for rows in points.values())
    xyz = np.random.default_rng(0).uniform(1, 2, (count, 3))
    return SfmModel(
        {1: camera}, images, np.arange(1, count + 1), xyz, np.zeros((count, 3)), np.ones(count)
    )


def test_covisible_images_share_landmarks(tmp_path: Path) -> None:
    points = {
        "q": [0, 1, 2, 3, 3, NO_POINT], "three": [1, 2, 3, 9], "two": [0, 1, 8, 8],
        "twice": [3, 3, 3, 9], "none": [9, 8, NO_POINT],
    }  # fmt: skip
    model = model_of(points)
    truth = covisible_truth(model, ["q"], CovisibilityConfig(min_shared=2))
    assert truth.positives == {"q": {"three", "two"}}
    assert truth.database == {"three", "two", "twice", "none"}
    assert covisible_truth(model, ["q"]).positives == {"q": set()}
    with pytest.raises(HlocLiteError, match="1 queries are not in the model, first 'x'"):
        covisible_truth(model, ["q", "x"])
    with pytest.raises(HlocLiteError, match="all images of the model are queries"):
        covisible_truth(model, points)
    write_model(tmp_path / "model", model)
    (tmp_path / "q.txt").write_text("q\n")
    found = scores(tmp_path, "q none\nq two\n", "covisible", tmp_path / "model",
                   "--query-names", tmp_path / "q.txt", "--min-shared", 2)  # fmt: skip
    assert found["all queries"]["R@1"] == 0 and found["all queries"]["R@5"] == 1


@pytest.mark.parametrize("seed", range(5))
def test_covisibility_of_random_models(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = {f"i{n}": rng.integers(-1, 40, rng.integers(1, 60)).tolist() for n in range(12)}
    points["i0"].append(39)
    truth = covisible_truth(model_of(points), ["i1", "i5"], CovisibilityConfig(min_shared=8))
    for query in ("i1", "i5"):
        own = set(points[query]) - {NO_POINT}
        others = [name for name in points if name not in ("i1", "i5")]
        expected = {name for name in others if len(own & set(points[name]) - {NO_POINT}) >= 8}
        assert truth.positives[query] == expected


def test_misuse_is_reported(tmp_path: Path) -> None:
    samples.write_google_landmarks(tmp_path)
    truth = tmp_path / "retrieval.csv"
    with pytest.raises(UnknownNameError, match=r"named 'oxford'; known are 201books.*utm-names"):
        scores(tmp_path, "t1 i1", "oxford", truth)
    with pytest.raises(HlocLiteError, match="none of its images is one of the truth"):
        scores(tmp_path, "t1 jpg/a.jpg", "gldv2-retrieval", truth)
    with pytest.raises(FormatError, match="none of its queries is one of the truth"):
        scores(tmp_path, "a i1", "gldv2-retrieval", truth)
    with pytest.raises(HlocLiteError, match="has its own names"):
        scores(tmp_path, "t1 i1", "gldv2-retrieval", truth, "--map-names", truth)
    with pytest.raises(HlocLiteError, match="for --protocol covisible only"):
        scores(tmp_path, "t1 i1", "gldv2-retrieval", truth, "--min-shared", 3)
    with pytest.raises(HlocLiteError, match="would destroy it"):
        run(truth, "--protocol", "gldv2-retrieval", "--truth", truth, "--json", truth)
    truth.write_text("id,images,Usage\nt1,,Public\n")
    with pytest.raises(HlocLiteError, match="none of 1 queries has a right image"):
        scores(tmp_path, "t1 i1", "gldv2-retrieval", truth)
    write_recognition_truth(tmp_path / "t.npz", RecognitionTruth([[0, 0]], [[0, 0]], 25))
    with pytest.raises(HlocLiteError, match="give their names with --query-names"):
        scores(tmp_path, "t1 i1", "pitts30k", tmp_path / "t.npz")
    with pytest.raises(HlocLiteError, match="give --query-names"):
        scores(tmp_path, "t1 i1", "covisible", tmp_path)


def test_the_table_names_each_protocol_once() -> None:
    assert set(protocol_names()) == {*PROTOCOLS, RECOGNITION}
    for name, protocol in PROTOCOLS.items():
        assert find_protocol(name) is protocol and protocol.metrics and protocol.source
        assert len({metric.name for metric in protocol.metrics}) == len(protocol.metrics)


@needs_data
@pytest.mark.parametrize(
    ("protocol", "prefix", "truth", "has_own_map_list"),
    [("pitts30k", "pitts30k", "pitts30k_test", True), ("nordland", "nordland", "nordland", False)],
)
def test_real_truths(
    protocol: str, prefix: str, truth: str, has_own_map_list: bool, tmp_path: Path
) -> None:
    """Recalls of a random ranking and of the true neighbours, computed once more with NumPy."""
    with np.load(DATA / f"{truth}.npz") as stored:
        queries, images, limit = (stored[key] for key in ("utmQ", "utmDb", "posDistThr"))
    query_list = DATA / f"{prefix}_imageNames_query.txt"
    map_list = DATA / f"{prefix}_imageNames_index.txt"
    if not has_own_map_list:  # the same frames in summer
        map_list = tmp_path / "m.txt"
        map_list.write_text(query_list.read_text().replace("winter", "summer"))
    query_names, map_names = query_list.read_text().split(), map_list.read_text().split()
    asked = np.arange(0, len(queries), 20)
    rng = np.random.default_rng(0)
    ranking = rng.permuted(np.tile(np.arange(len(images)), (len(asked), 1)), axis=1)[:, :20]
    distances = np.linalg.norm(queries[asked, None] - images[ranking], axis=2)
    is_right = distances <= float(limit)
    nearest = [np.linalg.norm(images - queries[row], axis=1) for row in asked]
    best = np.array([int(row.argmin()) for row in nearest])
    oracle = np.mean([row.min() <= float(limit) for row in nearest])
    names = ["--query-names", query_list, "--map-names", map_list]
    share = len(asked) / len(queries)  # the others have no ranking and count as wrong
    text = "".join(
        f"{query_names[row]} {map_names[image]}\n"
        for row, found in zip(asked, ranking, strict=True)
        for image in found
    )
    found = scores(tmp_path, text, protocol, DATA / f"{truth}.npz", *names)["all queries"]
    for count in (1, 5, 10, 20):
        expected = is_right[:, :count].any(axis=1).mean() * share
        assert found[f"R@{count}"] == pytest.approx(expected, abs=1e-12)
    text = "".join(f"{query_names[a]} {map_names[b]}\n" for a, b in zip(asked, best, strict=True))
    found = scores(tmp_path, text, protocol, DATA / f"{truth}.npz", *names)["all queries"]
    assert found["R@1"] == pytest.approx(oracle * share, abs=1e-12)
