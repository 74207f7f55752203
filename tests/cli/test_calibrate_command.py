"""``hloc-lite calibrate``: the map learns from its own photos; compact maps keep it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hloc_lite.cli.main import main
from hloc_lite.config import load_config
from hloc_lite.maps.map import Map
from tests.exact_scene import MAP_NAMES, mapped_scene


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code


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
