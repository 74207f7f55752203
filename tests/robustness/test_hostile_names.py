"""Names that lead out of folders, over every format: a part of the benchmark."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("needs fork", allow_module_level=True)

from pipelines.benchmarks.robustness.hostile_names import SECRET, entry_points, run

PLACES = entry_points()
TRIED = (
    "COLMAP model, binary", "COLMAP model, text", "COLMAP database", "hloc features",
    "hloc matches",
    "kapture, files", "nerfstudio", "Bundler", "NVM", "Cambridge Landmarks", "TUM RGB-D",
    "EuRoC MAV", "RIO10 poses", "pseudo ground truth", "retrieval pairs", "image list",
    "COLMAP, written", "nerfstudio, written", "poses, written", "kapture, written",
    "RIO10, written",
    "image folder", "mask folder", "depth folder", "label folder", "zip", "tar",
)  # fmt: skip


@pytest.mark.parametrize("place", TRIED)
def test_nothing_outside_is_touched(tmp_path: Path, place: str) -> None:
    trials = list(run(tmp_path, {place: PLACES[place]}))
    assert [trial for trial in trials if trial.outcome.isupper()] == []
    assert len(trials) == 20
    assert not any(trial.outcome == "no name" for trial in trials)


@pytest.mark.parametrize(
    "work",
    [
        lambda folder, name: (folder / name).read_bytes(),
        lambda folder, name: (folder / name).write_bytes(b"x"),
        lambda folder, name: (folder / name).with_name("new").mkdir(),
    ],
)
def test_breaches_are_found(tmp_path: Path, work) -> None:
    """The harness itself can fail."""
    found = {trial.name: trial.outcome for trial in run(tmp_path, {"planted": work})}
    assert found[f"../{SECRET}"] == "BREACH"
    assert found[str(tmp_path / "outside" / SECRET)] == "BREACH"
