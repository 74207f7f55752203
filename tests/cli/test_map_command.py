"""``hloc-lite map``: usage errors, and the summary it prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.cli.main import main
from hloc_lite.cli.map_inputs import read_inputs
from hloc_lite.cli.map_text import print_summary
from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.recognition import RecognizedImages, recognize
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.maps.georeference import FitQuality, Georeference
from pipelines.benchmarks.robustness.posed_samples import POSED_SAMPLES
from pipelines.benchmarks.robustness.sample_model import FormatSample, write_photos
from tests.exact_scene import mapped_scene


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reference", "model", "--mapper", "global"], "omit --mapper, or --reference"),
        (["--metric"], "give them with --reference"),
        (["--features", "disk", "--matcher", "lightglue-aliked"], "was trained for"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message, tmp_path: Path, capsys) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "images" / name).touch()
    output = tmp_path / "map"
    with pytest.raises(SystemExit) as stop:
        main(["map", str(tmp_path / "images"), "-o", str(output), "--offline", *options])
    assert stop.value.code == 2 and message in capsys.readouterr().err
    assert not output.exists()


def test_a_file_without_intrinsics_is_refused(tmp_path: Path, capsys) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "cameras.txt").write_text("# cut off")
    command = ["map", str(tmp_path / "images"), "-o", str(tmp_path / "map")]
    with pytest.raises(SystemExit) as stop:
        main([*command, "--cameras", str(tmp_path / "cameras.txt")])
    assert stop.value.code == 2 and "no intrinsics in" in capsys.readouterr().err


def test_summary_counts_the_labelled_points(capsys) -> None:
    report = {
        "images": {}, "images_given": 2, "registered": 2, "points": 9, "mean_track_length": 2.0,
        "mean_reprojection_error_px": None, "timings_s": {},
        "landmarks": {"landmarks": 9, "labelled": 0},
    }  # fmt: skip
    print_summary(Path("map"), report)
    assert "labels: 0 of 9 points are labelled\n" in capsys.readouterr().out


def test_a_georeferenced_reference_gives_its_georeference(tmp_path: Path) -> None:
    with mapped_scene() as (_, sfm_map):
        quality = FitQuality(3, 3, 0.1, 0.1, 0.1, 0.01, 1.0, 1.0, "positions", (0.0, 1.0))
        similarity = Similarity3(0.5, np.eye(3), np.zeros(3))
        known = Georeference(48.0, 11.0, 5.0, similarity, quality)
        replace(sfm_map, georeference=known).save(tmp_path / "map")
        inputs = read_inputs(tmp_path, tmp_path / "map", None, None, None, metric=False)
    assert not inputs.metric  # its unit is half a metre
    assert inputs.georeference is not None and inputs.georeference.metres_per_unit == 0.5


def test_poses_without_intrinsics_take_those_of_cameras(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_photos(photos, ["1.png", "sub/2.png", "3.png"])
    (tmp_path / "poses.txt").write_text("x/1.png 1 0 0 0 1 2 3\nx/sub/2.png 1 0 0 0 4 5 6\n")
    cameras = tmp_path / "cameras.txt"
    cameras.write_text("* PINHOLE 640 480 500 500 320 240\n2.png PINHOLE 640 480 600 600 320 240\n")
    inputs = read_inputs(photos, tmp_path / "poses.txt", cameras, None, None, metric=False)
    assert inputs.cameras is None and inputs.reference is not None
    focals = {
        image.name: inputs.reference.cameras[image.camera_id].params[0]
        for image in inputs.reference.images
    }
    assert focals == {"1.png": 500, "sub/2.png": 600}
    with pytest.raises(FormatError, match="give them with --cameras"):
        read_inputs(photos, tmp_path / "poses.txt", None, None, None, metric=False)


def test_one_line_of_intrinsics_for_all_photos(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_photos(photos, ["1.png", "sub/2.png"])
    cameras = tmp_path / "cameras.txt"
    cameras.write_text("* PINHOLE 640 480 500 500 320 240\n1.png PINHOLE 640 480 600 600 320 240\n")
    found = read_inputs(photos, None, cameras, None, None, metric=False).cameras
    assert found is not None
    assert {name: camera.params[0] for name, camera in found.items()} == {
        "1.png": 600,
        "sub/2.png": 500,
    }


@pytest.mark.parametrize("sample", POSED_SAMPLES, ids=lambda sample: sample.name)
def test_every_kind_with_poses_is_a_reference(sample: FormatSample, tmp_path: Path) -> None:
    """With the folder that holds the photos, as a user gives it."""
    folder = tmp_path / "data"
    folder.mkdir()
    sample.write(folder)
    path = folder / sample.entry
    posed = sample.read(folder)
    assert isinstance(posed, RecognizedImages)
    for name, camera in posed.posed.cameras.items():
        write_photos(folder / "more", [name], (camera.width, camera.height))
    cameras = tmp_path / "cameras.txt"
    cameras.write_text("* PINHOLE 640 480 500 500 320 240\n")
    given = cameras if recognize(path).needs_cameras else None
    if not posed.posed.model.images:
        with pytest.raises(FormatError, match="intrinsics, but no poses"):
            read_inputs(folder / "more", path, given, None, None, metric=False)
        return
    inputs = read_inputs(folder / "more", path, given, None, None, metric=False)
    assert inputs.reference is not None
    assert len(inputs.reference.images) == len(posed.posed.model.images)
    if given is None and not recognize(path).takes_cameras:
        with pytest.raises(ConfigError, match="omit --cameras"):
            read_inputs(folder / "more", path, cameras, None, None, metric=False)
