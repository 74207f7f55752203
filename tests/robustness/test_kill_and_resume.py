"""``hloc-lite map`` on a tiny scene: killed with ``kill -9``, run twice at once, on a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hloc_lite.maps.map import Map
from hloc_lite.synthetic.planes import make_planes
from pipelines.benchmarks.robustness.kill_and_resume import run

PROGRAM = [sys.executable, "-m", "tests.robustness.stand_ins"]
OPTIONS = [
    "--features", "rootsift", "--retrieval", "thumbnail", "--offline",
    "--set", "features.max_keypoints=300", "--set", "mapping.threads=1",
]  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread(monkeypatch) -> None:
    """Use one thread in the processes that are started."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_killed_runs_resume_and_give_the_same_map(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HLOC_LITE_TEST_PAUSE_S", "0.1")
    _, clean, rounds = run(tmp_path, PROGRAM, OPTIONS, views=8, size=(320, 240), kills=2, seed=2)
    assert len(clean.images) == 8 and clean.points > 200
    assert [each.problems for each in rounds] == [(), ()]
    assert all(each.killed_at_s for each in rounds)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    make_planes(6).write_images(tmp_path / "images", {f"{i}.jpg": i for i in range(6)})
    return tmp_path / "images"


def test_a_second_process_is_refused_at_once_and_changes_nothing(
    tmp_path: Path, images: Path
) -> None:
    command = [*PROGRAM, "map", str(images), "-o", str(tmp_path / "map"), *OPTIONS]
    slow = {**os.environ, "HLOC_LITE_TEST_PAUSE_S": "0.7"}
    first = subprocess.Popen(command, env=slow, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 20
    while not (tmp_path / "map/work/features/store.json").exists() and time.monotonic() < end:
        time.sleep(0.02)
    second = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert first.poll() is None, "the first process should still be at work"
    assert second.returncode == 2
    assert "another process is building" in second.stderr and "Traceback" not in second.stderr
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 0, errors
    assert len(Map.open(tmp_path / "map").model.images) == 6


def test_a_full_disk_is_an_error_and_keeps_intermediate_results(
    tmp_path: Path, images: Path
) -> None:
    command = [*PROGRAM, "map", str(images), "-o", str(tmp_path / "map"), *OPTIONS]
    for limit_kb in (1, 100, 700):
        limited = ["bash", "-c", f'trap "" XFSZ; ulimit -f {limit_kb}; exec "$@"', "_", *command]
        result = subprocess.run(limited, capture_output=True, text=True, timeout=60)
        if result.returncode == 0:
            break
        assert result.returncode == 2, result.stderr
        assert "Traceback" not in result.stderr and "error: " in result.stderr
        assert not list((tmp_path / "map").rglob("*.partial"))
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert len(Map.open(tmp_path / "map").model.images) == 6
