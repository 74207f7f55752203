"""Benchmarks run from end to end on an exact scene in their own layouts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from hloc_lite.benchmark.options import BenchmarkOptions
from hloc_lite.benchmark.run import BenchmarkOutcome, open_benchmark, run_benchmark
from hloc_lite.cli.benchmark import command
from hloc_lite.config import load_config
from hloc_lite.datasets.benchmarks import write_benchmark
from hloc_lite.datasets.cards import card_names, read_card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.formats.submissions.forms import submission_form
from hloc_lite.formats.submissions.reader import read_submission
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.result import with_fallback
from hloc_lite.types import Rigid3, Status
from tests.exact_scene import ExactScene, make_scene, use_scene

MAP = {f"map/{row:04d}.jpg": index for row, index in enumerate((0, 1, 2, 4, 6, 8))}
DAY = {f"query/day/{row:04d}.jpg": index for row, index in enumerate((3, 5))}
NIGHT = {f"query/night/{row:04d}.jpg": index for row, index in enumerate((7, 9))}
SETTINGS = ("features.name=exact", "retrieval.name=exact", "matching.name=mutual-nn")


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[ExactScene]:
    made = make_scene()
    use_scene(monkeypatch, made)
    yield made


@pytest.fixture
def dataset(scene: ExactScene, tmp_path: Path) -> Dataset:
    names = {**MAP, **DAY, **NIGHT}
    for name, index in names.items():
        pixels = scene.image(index)
        pixels[:32, :32] = index  # larger than the blocks of a JPEG, which keeps it exactly
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=95, subsampling=0)
    poses = {name: scene.poses[index] for name, index in names.items()}
    return Dataset(
        name="exact", image_folder=tmp_path / "images", map_image_names=tuple(MAP),
        reference=scene.reference(MAP), is_metric=True,
        queries={
            "day": dict.fromkeys(DAY, scene.camera), "night": dict.fromkeys(NIGHT, scene.camera)
        },
        ground_truth={
            "day": {name: poses[name] for name in DAY},
            "night": {name: poses[name] for name in NIGHT},
        },
    )  # fmt: skip


def run(name: str, folder: Path, **options: Any) -> BenchmarkOutcome:
    chosen = BenchmarkOptions(settings=SETTINGS, offline=True, **options)
    return run_benchmark(open_benchmark(name, folder / "data", chosen), folder / "results")


def truth_by_new_name(dataset: Dataset, names: dict[str, str]) -> dict[str, Rigid3]:
    return {
        names[name]: pose for poses in dataset.ground_truth.values() for name, pose in poses.items()
    }


@pytest.mark.parametrize("name", ["aachen-v1.1", "aachen", "gangnam", "custom"])
def test_every_query_is_right_and_the_submission_has_no_error(
    name: str, dataset: Dataset, tmp_path: Path
) -> None:
    names = write_benchmark(name, dataset, tmp_path / "data")
    outcome = run(name, tmp_path)
    poses = read_poses(tmp_path / "results" / "poses.txt")
    true = truth_by_new_name(dataset, names)
    assert set(poses) <= set(true)
    assert len(poses) == len(outcome.parts[0].dataset.query_names) > 0
    for query, pose in poses.items():
        distance, angle = pose_errors(pose, true[query])
        assert distance < 1e-3 and angle < 0.01
    assert [f for f in outcome.findings if "error" in str(f.severity)] == []
    assert (outcome.submission is None) == (name == "custom")
    assert outcome.report is not None and outcome.report.is_file()


def test_scores_stand_beside_published_ones_only_where_truth_is_public(
    dataset: Dataset, tmp_path: Path
) -> None:
    write_benchmark("custom", dataset, tmp_path / "data")
    outcome = run("custom", tmp_path)
    assert outcome.evaluation is not None and outcome.table is not None
    assert outcome.evaluation.overall.recalls[0].value == 1.0
    assert "100.0 / 100.0 / 100.0" in (tmp_path / "results" / "table.md").read_text()
    assert r"\begin{tabular}" in (tmp_path / "results" / "table.tex").read_text()


def test_a_hidden_truth_gives_a_submission_and_no_scores(dataset: Dataset, tmp_path: Path) -> None:
    names = write_benchmark("aachen-v1.1", dataset, tmp_path / "data")
    outcome = run("aachen-v1.1", tmp_path)
    assert outcome.evaluation is None and outcome.submission is not None
    form = submission_form("aachen-v1.1")
    handed_in = read_submission(outcome.submission, form).poses
    true = {name.rpartition("/")[2]: p for name, p in truth_by_new_name(dataset, names).items()}
    assert set(handed_in) == set(true)
    assert all(pose_errors(handed_in[name], true[name])[0] < 1e-3 for name in true)


def test_a_run_that_was_stopped_does_not_repeat_finished_answers(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_benchmark("aachen-v1.1", dataset, tmp_path / "data")
    asked: list[str] = []
    localize = Localizer.localize

    def counted(self: Localizer, image: Any, *args: Any, **options: Any) -> Any:
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(options["name"])
        return localize(self, image, *args, **options)

    monkeypatch.setattr(Localizer, "localize", counted)
    with pytest.raises(KeyboardInterrupt):
        run("aachen-v1.1", tmp_path)
    first = list(asked)
    built = (tmp_path / "results" / "aachen-v1.1" / "map" / "map.json").stat().st_mtime_ns
    monkeypatch.setattr(Localizer, "localize", localize)
    asked.clear()

    def noted(self: Localizer, image: Any, *args: Any, **options: Any) -> Any:
        asked.append(options["name"])
        return localize(self, image, *args, **options)

    monkeypatch.setattr(Localizer, "localize", noted)
    outcome = run("aachen-v1.1", tmp_path)
    answered = [each.query_name for each in outcome.parts[0].results]
    again = [name for name in asked if name in first]
    # the report localizes the queries again that it shows as pictures, after all are answered
    assert asked[: len(answered) - len(first)] == [n for n in answered if n not in first]
    assert set(again) <= set(first)
    assert (tmp_path / "results" / "aachen-v1.1" / "map" / "map.json").stat().st_mtime_ns == built


def test_subsets_and_parts(dataset: Dataset, tmp_path: Path) -> None:
    write_benchmark("aachen-v1.1", dataset, tmp_path / "data")
    outcome = run("aachen-v1.1", tmp_path, subset=1, map_subset=5)
    part = outcome.parts[0]
    assert [len(each) for each in part.dataset.queries.values()] == [1, 1]
    assert len(part.dataset.map_image_names) == len(part.sfm_map.model.images) == 5
    with pytest.raises(HlocLiteError, match="no part 'nowhere'"):
        run("aachen-v1.1", tmp_path, parts=("nowhere",))
    with pytest.raises(HlocLiteError, match=r"no config 'best'.*ours"):
        run("aachen-v1.1", tmp_path, config_name="best")


def test_rigs_are_localized_as_wholes(dataset: Dataset, tmp_path: Path) -> None:
    write_benchmark("lamar", dataset, tmp_path / "data")
    outcome = run("lamar", tmp_path)
    handed_in = [part for part in outcome.parts if part.dataset.rigs]
    assert all(part.rig_poses for part in handed_in)
    assert [f for f in outcome.findings if "error" in str(f.severity)] == []


def test_command_says_what_a_run_costs_and_what_came(dataset: Dataset, tmp_path: Path) -> None:
    write_benchmark("aachen-v1.1", dataset, tmp_path / "data")
    arguments = ["aachen-v1.1", "--root", str(tmp_path / "data"), "-o", str(tmp_path / "out")]
    arguments += ["--offline", *(part for each in SETTINGS for part in ("--set", each))]
    result = CliRunner().invoke(command, [*arguments, "--dry-run"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "estimate: 6 map images with 15 pairs" in result.output
    assert not (tmp_path / "out").exists()
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    # 4 of 1015 queries: the site would count the others as failures
    assert "submission: " in result.output
    assert "4 of 4 queries have a pose" in result.output


@pytest.mark.parametrize("name", card_names())
def test_settings_of_published_runs_are_valid(name: str) -> None:
    for config in read_card(name).configs.values():
        load_config(settings=config.settings)
        assert config.source


def test_poses_of_a_part_are_spread_evenly(dataset: Dataset) -> None:
    from hloc_lite.benchmark.parts import chosen_part

    few = chosen_part(dataset, BenchmarkOptions(subset=1, map_subset=2))
    np.testing.assert_equal(few.map_image_names, ("map/0000.jpg", "map/0005.jpg"))
    assert {name for poses in few.ground_truth.values() for name in poses} == set(few.query_names)


def test_rigs_are_found_again_only_if_their_photos_are_the_same(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_benchmark("lamar", dataset, tmp_path / "data")
    asked: list[int] = []
    localize_rig = Localizer.localize_rig

    def counted(self: Localizer, images: Any, rig: Any, **options: Any) -> Any:
        asked.append(len(images))
        return localize_rig(self, images, rig, **options)

    monkeypatch.setattr(Localizer, "localize_rig", counted)
    run("lamar", tmp_path)
    count = len(asked)
    assert count > 0
    run("lamar", tmp_path)
    assert len(asked) == count
    photos = sorted((tmp_path / "data").rglob("*.jpg"))
    photo = next(each for each in photos if "hololens" in str(each))
    data = photo.read_bytes()
    photo.unlink()  # a hard link to the photo of the data set
    photo.write_bytes(data + b" ")
    run("lamar", tmp_path)
    assert len(asked) > count


def test_files_of_an_earlier_run_do_not_stay(dataset: Dataset, tmp_path: Path) -> None:
    write_benchmark("custom", dataset, tmp_path / "data")
    run("custom", tmp_path)
    results = tmp_path / "results"
    (results / "submission.txt").write_text("of another run")
    for truth in (tmp_path / "data").rglob("gt*.txt"):
        truth.unlink()
    outcome = run("custom", tmp_path)
    assert outcome.evaluation is None
    left = {"scores.json", "table.md", "table.tex", "submission.txt"}
    assert left.isdisjoint(path.name for path in results.iterdir())


def test_poses_of_similar_map_images_count_as_fallbacks(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_benchmark("lamar", dataset, tmp_path / "data")
    localize, localize_rig = Localizer.localize, Localizer.localize_rig

    def without_pose(result: Any) -> Any:
        return replace(result, pose=None, status=Status.NO_POSE)

    def failing(self: Localizer, *args: Any, fallback: bool = False, **options: Any) -> Any:
        found = without_pose(localize(self, *args, **options))
        return with_fallback(found, self.model) if fallback else found

    monkeypatch.setattr(Localizer, "localize", failing)
    monkeypatch.setattr(
        Localizer, "localize_rig", lambda *a, **o: without_pose(localize_rig(*a, **o))
    )
    outcome = run("lamar", tmp_path)
    assert outcome.evaluation is not None
    assert sum(part.num_found for part in outcome.parts) == 0
    assert all(error.is_fallback for error in outcome.evaluation.overall.errors if error.localized)
    assert outcome.evaluation.given_but_wrong.num_given == 0


def test_other_settings_need_another_folder(dataset: Dataset, tmp_path: Path) -> None:
    write_benchmark("custom", dataset, tmp_path / "data")
    run("custom", tmp_path)
    with pytest.raises(HlocLiteError, match="give another output folder"):
        run("custom", tmp_path, map_subset=5)


@pytest.mark.parametrize("busy", ["results", "results/custom"])
def test_a_second_process_is_refused_and_spoils_nothing(
    busy: str, dataset: Dataset, tmp_path: Path
) -> None:
    write_benchmark("custom", dataset, tmp_path / "data")
    folder = tmp_path / busy
    first = run("custom", tmp_path)
    files = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    kept = {path: path.read_bytes() for path in files}
    code = (
        "import sys; from filelock import FileLock\n"
        f"with FileLock({str(folder / 'run.lock')!r}): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(HlocLiteError, match="another process is writing"):
            run("custom", tmp_path)
        assert {path: path.read_bytes() for path in kept} == kept
        other.kill()  # a lock that a killed process left locks nothing
    again = run("custom", tmp_path)
    assert [a.poses.keys() for a in again.parts] == [a.poses.keys() for a in first.parts]
