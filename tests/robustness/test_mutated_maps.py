"""A small run of pipelines/benchmarks/robustness/mutated_maps.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

if not hasattr(os, "fork"):
    pytest.skip("needs fork", allow_module_level=True)

from pipelines.benchmarks.robustness.mutated_maps import WHOLE, run, samples, write_maps
from tests.exact_scene import mapped_scene

COUNT = 60
OWN = "HLOC_LITE_OWN_PROCESS"


@pytest.mark.skipif(OWN in os.environ, reason="this is that process")
def test_mutated_maps_in_a_process_without_threads() -> None:
    # children of a process with threads may hang
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env={**os.environ, OWN: "1", "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.skipif(OWN not in os.environ, reason="run by the test above")
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
