"""``hloc-lite calibrate``: the map learns from its own photos; compact maps keep it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.cli.main import main
from hloc_lite.config import load_config
from hloc_lite.errors import HlocLiteError
from hloc_lite.io.locks import exclusive_lock
from hloc_lite.io.staging import LOCK
from hloc_lite.localize import stored_calibration
from hloc_lite.localize.calibration import calibrate_map
from hloc_lite.maps.calibration import CalibrationSet, MapCalibration, write_calibration
from hloc_lite.maps.map import Map
from tests.exact_scene import MAP_NAMES, mapped_scene


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code


def test_a_map_that_is_gone_or_another_by_now_gets_no_calibration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    folder = tmp_path / "map"

    def replace_it() -> None:
        header = folder / "map.json"
        value = json.loads(header.read_text())
        header.write_text(json.dumps({**value, "fingerprint": "another"}))

    def calibrate_and(happens: Callable[[], None]) -> str:
        def calibrate_meanwhile(*args, **options) -> MapCalibration:
            found = calibrate_map(*args, **options)
            happens()
            return found

        monkeypatch.setattr(stored_calibration, "calibrate_map", calibrate_meanwhile)
        assert run("calibrate", str(folder), "--trust-map") == 2
        assert not (folder / "calibration.json").exists()
        return capsys.readouterr().err

    with mapped_scene() as (_, sfm_map):
        config = load_config(base=sfm_map.config, settings=["self_test.min_images_left=3"])
        replace(sfm_map, config=config).save(folder)
        assert "by now" in calibrate_and(replace_it)
        shutil.rmtree(folder)
        replace(sfm_map, config=config).save(folder)
        assert "map.json" in calibrate_and(lambda: shutil.rmtree(folder))
        assert not folder.exists()


def test_one_process_at_a_time_writes_a_map(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "map"
    with mapped_scene() as (_, sfm_map):
        sfm_map.save(folder)
    busy, unwritable = HlocLiteError("busy"), HlocLiteError
    with exclusive_lock(folder / LOCK, busy, lambda error: unwritable(str(error))):
        assert run("calibrate", str(folder), "--trust-map") == 2
    assert "another process is writing" in capsys.readouterr().err


def test_what_a_killed_process_left_is_deleted(tmp_path: Path) -> None:
    left = tmp_path / ".calibration.json.41baf1aa.partial"
    left.write_text("{")
    answers = CalibrationSet(
        np.zeros(0), np.zeros(0, bool), np.zeros(0, np.uint8), np.zeros(0, bool)
    )
    write_calibration(tmp_path, MapCalibration(answers, np.zeros(0, np.float32)), "map")
    assert [each.name for each in tmp_path.iterdir()] == ["calibration.json"]


def test_a_map_is_calibrated_and_its_compact_copy_too(tmp_path: Path, capsys) -> None:
    full, small = str(tmp_path / "full"), str(tmp_path / "small")
    with mapped_scene() as (_, sfm_map):
        config = load_config(base=sfm_map.config, settings=["self_test.min_images_left=3"])
        replace(sfm_map, config=config).save(full)
        assert Map.open(full).calibration is None
        assert run("calibrate", full, "--trust-map") == 0
        count = len(MAP_NAMES)
        shown = capsys.readouterr().out
        assert f"{count} photos in the map without themselves: {count} right, 0 given but" in shown
        found = Map.open(full).calibration
        assert found is not None and not found.answers.is_wrong[found.answers.kinds == 0].any()
        assert run("calibrate", full, "--trust-map", "--seconds", "1e-9") == 2
        assert "keeps the calibration" in capsys.readouterr().err
        assert run("calibrate", full, "--trust-map", "--seconds", "nan") == 2
        again = Map.open(full).calibration
        assert again is not None and len(again.answers) == len(found.answers)
        assert run("compress", full, "-o", small) == 0
        kept = Map.open(small).calibration
        assert kept is not None and kept.coefficients == found.coefficients
        capsys.readouterr()
        assert run("calibrate", small) == 2
        assert "compact map" in capsys.readouterr().err
        Map.open(full).save(tmp_path / "copy")
        assert Map.open(tmp_path / "copy").calibration is not None
