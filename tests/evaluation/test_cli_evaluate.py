"""``hloc-lite evaluate``: from pose files to table, JSON and report."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.cli.main import main
from hloc_lite.formats.hloc_lists import write_poses
from hloc_lite.io.results import write_results_jsonl
from hloc_lite.types import Rigid3

from .scenes import failed_result, level_camera, localized_result, moved, random_poses, ring_model

Run = Callable[..., tuple[int, str, str]]

DAY = {
    f"query/day/IMG {i}.jpg": level_camera((7 * np.cos(i), 7 * np.sin(i), 1.5), i + 3.0, 0.0)
    for i in range(5)
}
NIGHT = {f"query/night/ä {i}.jpg": level_camera((i, 7, 1.5), i + 0.5, 0.1) for i in range(4)}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    write_poses(Path("gt_day.txt"), DAY)
    write_poses(Path("gt_night.txt"), NIGHT)
    estimated = {name: moved(pose, 0.3, 1.0) for name, pose in {**DAY, **NIGHT}.items()}
    estimated.pop("query/night/ä 3.jpg")
    write_poses(Path("poses.txt"), estimated)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", *arguments])
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call


def test_condition_is_named_by_its_file(run: Run) -> None:
    code, out, _ = run("poses.txt", "gt_day.txt")
    assert code == 0
    first, header, row, *notes = out.splitlines()
    assert first == "given but wrong: 5 of 5 (wrong: beyond 0.25 or 2deg)"
    assert header.split()[:4] == ["queries", "localized", "wrong", "0.25,2deg"]
    assert header.split()[4:6] == ["0.5,5deg", "5,10deg"]
    assert row.split()[:5] == ["day", "5", "5", "5", "0.0"]
    assert row.split()[-5:] == ["0.3", "map", "units", "1", "deg"]
    assert notes[0].startswith("3 names are not in the ground truth")


@pytest.mark.parametrize("given", ["aachen", "0.25m,2deg", "25cm,2deg 1,5deg"])
def test_lengths_are_metres_only_where_the_user_says_so(run: Run, given: str) -> None:
    _, out, _ = run("poses.txt", "gt_day.txt", "--thresholds", *given.split())
    assert out.splitlines()[2].split()[-4:] == ["0.3", "m", "1", "deg"]


def test_several_files_have_a_row_each_and_one_for_all(run: Run) -> None:
    code, out, _ = run("poses.txt", "gt_day.txt", "dark=gt_night.txt", "--thresholds", "inloc")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows[2:5]] == ["day", "dark", "all"]
    assert [row[1:3] for row in rows[2:5]] == [["5", "5"], ["4", "3"], ["9", "8"]]
    assert "1 of 9 queries have no pose and count as failures: query/night/ä 3.jpg" in out


def test_by_folder_splits_one_file(run: Run) -> None:
    write_poses(Path("gt.txt"), {**DAY, **NIGHT})
    _, out, _ = run("poses.txt", "gt.txt", "--by-folder")
    assert [line.split()[0] for line in out.splitlines()[2:5]] == ["day", "night", "all"]
    _, out, _ = run("poses.txt", "gt.txt")
    assert out.splitlines()[2].split()[:3] == ["all", "9", "8"]


@pytest.mark.parametrize(
    "flags",
    [
        ["--thresholds", "0.2m,2deg", "--thresholds", "0.4m,2deg"],
        ["--thresholds", "0.2m,2deg", "0.4m,2deg"],
        ["--thresholds", "0.2m,2deg 0.4m,2deg"],
        ["--thresholds", "2%,2deg", "4%,2deg", "--unit-length", "10"],
    ],
)
def test_forms_of_the_thresholds_option(flags: list[str], run: Run) -> None:
    code, _, _ = run("poses.txt", "gt_day.txt", *flags, "--json", "out.json")
    assert code == 0
    recalls = json.loads(Path("out.json").read_text())["conditions"]["day"]["recalls"]
    assert [(round(r["max_distance"], 9), r["value"]) for r in recalls] == [(0.2, 0), (0.4, 1)]


def test_json_is_complete_with_null_for_failures(run: Run) -> None:
    run("poses.txt", "gt_night.txt", "--json", "sub/out.json", "--unit-length", "10")
    found = json.loads(Path("sub/out.json").read_text())
    assert found["schema_version"] == 1
    assert found["distance_unit"] == {"symbol": "%", "length_in_map_units": 0.1}
    night = found["conditions"]["night"]
    assert (night["num_queries"], night["num_localized"]) == (4, 3)
    assert night["errors"]["query/night/ä 3.jpg"] == {"distance": None, "angle_deg": None}
    assert night["errors"]["query/night/ä 0.jpg"]["distance"] == pytest.approx(0.3)
    assert len(found["unknown_names"]) == 5


def test_seed_is_used_for_the_intervals(run: Run) -> None:
    true = random_poses([f"q{i}" for i in range(300)])
    write_poses(Path("true.txt"), true)
    noisy = {name: moved(pose, 0.01 * i, 1.0) for i, (name, pose) in enumerate(true.items())}
    write_poses(Path("noisy.txt"), noisy)
    found = []
    for seed in ("1", "1", "2", "3"):
        run("noisy.txt", "true.txt", "--json", "s.json", "--seed", seed)
        found.append(json.loads(Path("s.json").read_text())["conditions"]["true"])
    assert found[0] == found[1]
    assert any(other != found[0] for other in found[2:])


def test_unit_length_shows_percent(run: Run) -> None:
    _, out, _ = run("poses.txt", "gt_day.txt", "--unit-length", "10")
    assert out.splitlines()[2].split()[-4:] == ["3", "%", "1", "deg"]


def test_matching_by_basename_is_reported(run: Run) -> None:
    write_poses(Path("short.txt"), {name.rsplit("/")[-1]: pose for name, pose in DAY.items()})
    code, out, _ = run("short.txt", "gt_day.txt", "--report", "rep")
    assert code == 0
    assert out.splitlines()[2].split()[:5] == ["day", "5", "5", "0", "100.0"]
    assert "names matched by their basename" in out
    html = Path("rep/report.html").read_text(encoding="utf-8")
    assert "5 of 5 queries" in html


def test_file_without_poses_is_all_failures(run: Run) -> None:
    Path("none.txt").write_text("")
    code, out, _ = run("none.txt", "gt_day.txt")
    assert code == 0
    assert out.splitlines()[2].split()[:3] == ["day", "5", "0"]
    assert "5 of 5 queries have no pose" in out


def test_hint_at_a_wrong_convention(run: Run) -> None:
    write_poses(Path("inverse.txt"), {name: pose.inverse() for name, pose in DAY.items()})
    _, out, _ = run("inverse.txt", "gt_day.txt")
    assert "hint: the poses look like world_from_cam" in out


def test_report_has_reasons_and_times_of_the_results(run: Run) -> None:
    model = ring_model()
    results = [localized_result(n, model, p, moved(p, 0.3, 1.0)) for n, p in DAY.items()]
    results[4] = failed_result(results[4].query_name, "only 7 matches of Ü")
    write_results_jsonl(Path("results.jsonl"), results)
    poses = {r.query_name: r.pose.cam_from_world for r in results if r.pose}
    write_poses(Path("day.txt"), poses)
    arguments = ["gt_day.txt", "--results", "results.jsonl", "--report", "rep"]
    code, out, _ = run("day.txt", *arguments)
    assert code == 0
    assert "report: rep/report.html" in out
    html = Path("rep/report.html").read_text(encoding="utf-8")
    assert "only 7 matches of Ü" in html
    assert "median time" in html

    code, _, err = run("poses.txt", *arguments)
    assert code == 2
    assert "another pose of 'query/day/IMG 4.jpg' than the pose file, or none" in err


def test_poses_far_away_are_failures(run: Run) -> None:
    """An estimate of hloc on RobotCar is 1e16 away; what no unit could mean is refused."""
    far = "query/day/IMG 0.jpg 1 0 0 0 1e17 -1e17 1e17\n"
    Path("far.txt").write_text(far)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code, out, _ = run("far.txt", "gt_day.txt", "--report", "rep", "--json", "far.json")
    assert code == 0
    assert out.splitlines()[2].split()[:5] == ["day", "5", "1", "1", "0.0"]
    Path("farther.txt").write_text(far.replace("1e17", "1e300"))
    code, _, error = run("farther.txt", "gt_day.txt")
    assert code == 2 and "farther.txt, line 1" in error


def other_names() -> dict[str, Rigid3]:
    return {f"other {i}.jpg": pose for i, pose in enumerate(DAY.values())}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["poses.txt", "missing.txt"], "missing.txt does not exist"),
        (["missing.txt", "gt_day.txt"], "missing.txt does not exist"),
        (["other.txt", "gt_day.txt"], "none of the 5 estimated names is in the ground truth"),
        (["poses.txt", "empty.txt"], "empty.txt has no poses"),
        (["poses.txt", "gt_day.txt", "a/gt_day.txt"], "two files have the condition name 'day'"),
        (["poses.txt", "gt_day.txt", "--thresholds", "1"], "such as 0.25m,2deg"),
        (["poses.txt", "gt_day.txt", "--thresholds", "1%,1deg"], "--unit-length"),
        (["poses.txt", "gt_day.txt", "--thresholds", ""], "such as 0.25m,2deg"),
        (["poses.txt", "gt_day.txt", "--thresholds", "1e400m,1deg"], "finite"),
        (["poses.txt", "gt_day.txt", "--thresholds", "1m,1e400deg"], "finite"),
        (["poses.txt", "gt_day.txt", "--json", "poses.txt"], "poses.txt is an input"),
        (["poses.txt", "day=gt_day.txt", "--json", "./gt_day.txt"], "gt_day.txt is an input"),
        (["poses.txt", "gt_day.txt", "--report", "bad.txt"], "bad.txt is a file"),
        (["poses.txt", "gt_day.txt", "--unit-length", "0"], "above zero"),
        (["poses.txt", "gt_day.txt", "--unit-length", "nan"], "above zero"),
        (["poses.txt", "--thresholds", "aachen", "inloc"], "at least one file of true poses"),
        (["bad.txt", "gt_day.txt"], "bad.txt, line 1: expected 'name qw"),
        (["poses.txt", "gt_day.txt", "--results", "bad.txt"], "bad.txt, line 1: "),
        (["poses.txt", "gt_day.txt", "--json", "bad.txt/x.json"], "cannot write"),
    ],
)
def test_misuse_is_reported_in_one_line(arguments: list[str], message: str, run: Run) -> None:
    write_poses(Path("other.txt"), other_names())
    Path("empty.txt").write_text("# nothing\n")
    Path("bad.txt").write_text("hello\n")
    Path("a").mkdir()
    write_poses(Path("a/gt_day.txt"), DAY)
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_confidences_of_the_results_are_scored(run: Run) -> None:
    model = ring_model()
    results = [
        replace(
            localized_result(name, model, pose, moved(pose, 0.1 if i else 0.3, 0.1)),
            confidence=0.9 + 0.01 * i,
        )
        for i, (name, pose) in enumerate(DAY.items())
    ]
    write_results_jsonl(Path("day.jsonl"), results)
    poses = {each.query_name: each.pose.cam_from_world for each in results if each.pose}
    write_poses(Path("day.txt"), poses)
    arguments = ("day.txt", "gt_day.txt", "--results", "day.jsonl")
    _, out, _ = run(*arguments, "--json", "out.json")
    assert out.startswith("given but wrong: 1 of 5")
    assert "confidence of 5 given poses: expected calibration error 0.120" in out
    found = json.loads(Path("out.json").read_text())
    assert found["given_but_wrong"]["num_wrong"] == 1 == found["conditions"]["day"]["num_wrong"]
    # the wrong one is the least sure: precision 1, 1, 1, 1 and 4 / 5
    assert found["confidence"]["precision_auc"] == pytest.approx((4 + 0.8) / 5)
    assert found["confidence"]["reliability"]["counts"][9] == 5
    _, out, _ = run(*arguments, "--correct", "0.5m,2deg")
    assert out.startswith("given but wrong: 0 of 5 (wrong: beyond 0.5m or 2deg)")


def test_fallback_poses_count_in_recalls_but_were_not_given(run: Run) -> None:
    names, model = list(DAY), ring_model()
    given = localized_result(names[0], model, DAY[names[0]], moved(DAY[names[0]], 0.1, 0.1))
    far = replace(failed_result(names[1]), fallback=moved(DAY[names[1]], 3, 1), fallback_name="m")
    near = replace(failed_result(names[2]), fallback=DAY[names[2]], fallback_name="m")
    write_results_jsonl(Path("day.jsonl"), [given, far, near])
    poses = {names[0]: given.pose.cam_from_world, names[1]: far.fallback, names[2]: near.fallback}
    write_poses(Path("day.txt"), poses)
    _, out, _ = run("day.txt", "gt_day.txt", "--results", "day.jsonl", "--json", "out.json")
    assert out.startswith("given but wrong: 0 of 1 ")
    assert "2 of 5 queries have a fallback only" in out
    found = json.loads(Path("out.json").read_text())
    assert found["given_but_wrong"]["num_given"] == 1
    assert found["conditions"]["day"]["num_localized"] == 3
    assert found["conditions"]["day"]["num_wrong"] == 0
