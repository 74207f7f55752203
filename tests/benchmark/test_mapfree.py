"""Map-free from end to end: a map of one photo from its depth, poses with a confidence, scores.

Photos show a painted wall, 4 m before the first one. A validation scene has the queries of one
condition with public poses, a test scene those of the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from hloc_lite.benchmark.options import BenchmarkOptions
from hloc_lite.benchmark.run import BenchmarkOutcome, open_benchmark, run_benchmark
from hloc_lite.cli.benchmark import command
from hloc_lite.cli.evaluate import command as evaluate_command
from hloc_lite.datasets.benchmarks import write_benchmark
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.mapfree import DEPTHS, REFERENCE
from hloc_lite.formats.submissions.forms import submission_form
from hloc_lite.formats.submissions.reader import read_submission
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.types import Rigid3
from tests.inloc_scene import two_floors
from tests.robustness import stand_ins

SETTINGS = (
    "features.name=rootsift", "features.max_keypoints=600", "retrieval.name=thumbnail",
)  # fmt: skip
VAL, TEST = "val/s00460", "test/s00525"
MAPPED = "map/0002.jpg"
ASKED = {
    "day": ("query/0000.jpg", "map/0004.jpg"),
    "night": ("query/0002.jpg", "map/0000.jpg"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset, BenchmarkOutcome]:
    """Folder with the data and results of a run, its source, and its outcome."""
    folder = tmp_path_factory.mktemp("mapfree")
    source = one_wall(folder)
    write_benchmark("mapfree", source, folder / "data")
    options = BenchmarkOptions(settings=SETTINGS, offline=True)
    run = open_benchmark("mapfree", folder / "data", options)
    return folder, source, run_benchmark(run, folder / "results")


def test_every_pose_is_right_in_the_frame_of_the_reference(
    run: tuple[Path, Dataset, BenchmarkOutcome],
) -> None:
    _, source, outcome = run
    for part, condition in zip(outcome.parts, ("day", "night"), strict=True):
        (image,) = part.sfm_map.model.images
        assert image.name == REFERENCE and part.sfm_map.landmark_sigmas is not None
        np.testing.assert_allclose(image.cam_from_world.matrix, np.eye(4), atol=1e-12)
        true = relative_truth(source, condition)
        assert len(part.results) == len(true)
        for result, expected in zip(part.results, true, strict=True):
            assert result.pose is not None
            distance, angle = pose_errors(result.pose.cam_from_world, expected)
            assert distance < 0.05 and angle < 0.5


def test_scores_are_those_of_map_free(run: tuple[Path, Dataset, BenchmarkOutcome]) -> None:
    folder, _, outcome = run
    assert outcome.protocol is not None and outcome.report is not None
    assert "2 estimates of 2 frames in 1 scene" in outcome.protocol.caption
    assert [row[1:4] for row in outcome.protocol.rows] == [("2", "1.0000", "1.0000")] * 2
    assert "VCRE below 90 px" in (folder / "results/map_free.md").read_text()


def test_submission_has_test_scenes_with_confidences(
    run: tuple[Path, Dataset, BenchmarkOutcome],
) -> None:
    _, source, outcome = run
    assert outcome.submission is not None
    answers = read_submission(outcome.submission, submission_form("mapfree"))
    assert {name.split("/")[0] for name in answers.poses} == {"s00525"}
    for pose, true in zip(answers.poses.values(), relative_truth(source, "night"), strict=True):
        assert pose_errors(pose, true)[0] < 0.05
    part = outcome.parts[1]
    expected = [part.confidences[result.query_name] for result in part.results]
    np.testing.assert_allclose([*answers.confidences.values()], expected, atol=1e-6)
    assert min(expected) > 0


def test_validation_scenes_alone_are_written_and_scored(
    run: tuple[Path, Dataset, BenchmarkOutcome], tmp_path: Path
) -> None:
    folder, _, _ = run
    options = BenchmarkOptions(settings=SETTINGS, offline=True, parts=("s00460",))
    outcome = run_benchmark(open_benchmark("mapfree", folder / "data", options), tmp_path)
    arguments = [outcome.submission, "--dataset", "mapfree", "--root", folder / "data"]
    found = CliRunner().invoke(evaluate_command, [str(each) for each in arguments])
    assert found.exit_code == 0 and "2 estimates of 2 frames" in found.output


@pytest.mark.parametrize("kind", DEPTHS[1:])
def test_distributed_depth_is_read_and_its_scale_is_that_of_the_poses(
    kind: str, run: tuple[Path, Dataset, BenchmarkOutcome], tmp_path: Path
) -> None:
    _, source, _ = run
    write_benchmark("mapfree", source, tmp_path / "data")
    for scene in (VAL, TEST):
        path = tmp_path / "data" / scene / DEPTHS[0]
        with Image.open(path) as image:
            measured = np.asarray(image, np.uint16)
        path.unlink()
        Image.fromarray(measured * 2).save(path.with_name(Path(kind).name))
    options = BenchmarkOptions(settings=SETTINGS, offline=True, parts=("s00460",))
    opened = open_benchmark("mapfree", tmp_path / "data", options)
    assert any("estimate" in note for note in opened.parts[0].notes)
    (part,) = run_benchmark(opened, tmp_path / "results").parts
    for result, expected in zip(part.results, relative_truth(source, "day"), strict=True):
        assert result.pose is not None
        doubled = Rigid3(expected.rotation, 2 * expected.translation)
        assert pose_errors(result.pose.cam_from_world, doubled)[0] < 0.1


def test_a_scene_without_depth_is_refused_with_the_file_it_needs(
    run: tuple[Path, Dataset, BenchmarkOutcome], tmp_path: Path
) -> None:
    _, source, _ = run
    write_benchmark("mapfree", replace(source, depth_folder=None), tmp_path / "data")
    arguments = ["mapfree", "--root", str(tmp_path / "data"), "-o", str(tmp_path / "results")]
    found = CliRunner().invoke(command, [*arguments, "--offline"])
    assert found.exit_code != 0
    message = str(found.exception) + found.output
    assert "s00460" in message and "seq0/frame_00000.dptkitti.png" in message
    assert not (tmp_path / "results").exists()


def one_wall(folder: Path) -> Dataset:
    """Photos of one of the two floors; the map is a single one of them."""
    source = two_floors(folder)
    assert source.reference is not None
    images = source.reference.images
    poses = {**source.ground_truth["all"]} | {image.name: image.cam_from_world for image in images}
    camera = next(iter(source.queries["all"].values()))
    reference = source.reference.with_images(frozenset({MAPPED}))
    return replace(
        source,
        map_image_names=(MAPPED,),
        reference=reference,
        queries={key: dict.fromkeys(names, camera) for key, names in ASKED.items()},
        ground_truth={key: {name: poses[name] for name in names} for key, names in ASKED.items()},
    )


def relative_truth(source: Dataset, condition: str) -> list[Rigid3]:
    """True query_from_reference of the queries of a condition, in order."""
    assert source.reference is not None
    world_from_reference = source.reference.images[0].cam_from_world.inverse()
    return [pose.compose(world_from_reference) for pose in source.ground_truth[condition].values()]


@pytest.fixture(scope="module", autouse=True)
def thumbnail_retrieval() -> Iterator[None]:
    with stand_ins.register():
        yield
