"""``hloc-lite map``: usage errors, and the summary it prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.cli.main import main
from hloc_lite.cli.map import _read_inputs, print_summary
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.maps.georeference import FitQuality, Georeference
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
        inputs = _read_inputs(tmp_path / "map", None, None, None, metric=False)
    assert not inputs.metric  # its unit is half a metre
    assert inputs.georeference is not None and inputs.georeference.metres_per_unit == 0.5
