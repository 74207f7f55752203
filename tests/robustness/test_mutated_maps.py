"""A small run of pipelines/benchmarks/robustness/mutated_maps.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if not hasattr(os, "fork"):
    pytest.skip("needs fork", allow_module_level=True)

from pipelines.benchmarks.robustness.mutated_maps import WHOLE, run, samples, write_maps
from tests.exact_scene import mapped_scene
from tests.robustness.own_process import in_own_process, run_in_own_process, starts_process

COUNT = 60


@starts_process
def test_mutated_maps_in_a_process_without_threads() -> None:
    run_in_own_process(__file__)


@in_own_process
def test_no_changed_map_is_read_as_if_it_were_whole(tmp_path: Path) -> None:
    with mapped_scene() as (_, sfm_map):
        folders = write_maps(sfm_map, tmp_path)
        for sample in samples(folders):
            for folder in folders.values():
                sample.read(folder)  # whole as they are
        outcomes = list(run(folders, tmp_path / "copy", COUNT, seed=3))
    faults = [(name, file, each) for name, file, each in outcomes if each.kind not in WHOLE]
    assert not faults
    assert sum(each.kind == "refused" for _, _, each in outcomes) > 0.8 * COUNT
