"""Fuzz targets: each reader has one, and a few damaged inputs of each end as they should.

`python -m pipelines.fuzz.run` runs the same targets for longer, with limits on memory and time.
"""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.benchmarks.robustness.mutations import MUTATIONS
from pipelines.benchmarks.robustness.sample_model import FormatSample
from tests.walk import PACKAGE, record_walk

if sys.platform == "win32":
    pytest.skip("the harness needs fork", allow_module_level=True)

from pipelines.fuzz import targets
from pipelines.fuzz.targets import NOT_FUZZED, TARGETS, Target

ROOT = Path(__file__).parents[2]
ROOMS = ("formats", "io")
READERS = ("read", "open", "parse", "recognize")
"""First words of the names of functions that read what others wrote."""
EXAMPLES = 3


def modules_with_readers() -> set[str]:
    """Files of the rooms that have a function named like a reader, and those of serve."""
    files = [file for room in ROOMS for file in (PACKAGE / room).rglob("*.py")]
    files += [PACKAGE / "serve" / "query.py", PACKAGE / "serve" / "geopose_request.py"]
    files += [PACKAGE / "config" / "loading.py", PACKAGE / "maps" / "storage.py"]
    files += [PACKAGE / "maps" / f"{n}.py" for n in ("compact", "calibration", "georeference")]
    files += [PACKAGE / "maps" / f"{n}.py" for n in ("surface", "stored_descriptors")]
    found = set()
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        if any(name.split("_")[0] in READERS for name in names) or file.parent.name == "config":
            found.add(file.relative_to(PACKAGE).as_posix())
    return found


def test_every_module_that_reads_has_a_target(tmp_path: Path) -> None:
    entered: set[str] = set()
    for name in TARGETS:
        target = Target.make(name, tmp_path / "files")
        entered |= set(record_walk(lambda target=target: target.sample.read(target.folder)))
    missing = modules_with_readers() - entered - set(NOT_FUZZED)
    assert sorted(missing) == []
    assert sorted(set(NOT_FUZZED) - modules_with_readers()) == []


@st.composite
def damages(draw: st.DrawFn) -> tuple[int, int, str]:
    """Number of a file, a seed, and the name of a damage; "" for bytes that follow no format."""
    kind = draw(st.sampled_from(["", *MUTATIONS]))
    return draw(st.integers(0, 255)), draw(st.integers(0, 2**32)), kind


@pytest.mark.parametrize("name", TARGETS)
@settings(
    max_examples=EXAMPLES, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(damage=damages())
def test_damaged_inputs_are_read_or_refused(name, tmp_path_factory, damage) -> None:
    number, seed, kind = damage
    target = Target.make(name, tmp_path_factory.getbasetemp() / "fuzz" / "files")
    rng = random.Random(seed)
    files = list(target.files.values())
    content = files[number % len(files)]
    damaged = MUTATIONS[kind](rng, content) if kind and content else rng.randbytes(64)
    target.read(bytes([number % len(files)]) + damaged)


def test_a_target_reads_its_own_files_and_refuses_others(tmp_path: Path) -> None:
    target = Target.make("NVM", tmp_path / "files")
    assert all(target.read(seed) for seed in target.seeds())
    assert not target.read(b"\0no model")


def test_faults_are_found(tmp_path: Path, monkeypatch) -> None:
    """The harness itself can fail."""

    def read(folder: Path) -> object:
        return int((folder / "a.txt").read_bytes())

    faulty = FormatSample("faulty", lambda folder: (folder / "a.txt").write_text("1"), read)
    monkeypatch.setattr(targets, "TARGETS", {"faulty": faulty})
    target = Target.make("faulty", tmp_path / "files")
    assert target.read(b"\0" + b"2")
    with pytest.raises(ValueError):
        target.read(b"\0x")


def test_the_command_counts_outcomes() -> None:
    command = [sys.executable, "-m", "pipelines.fuzz.run", "--target", "PTX", "--seconds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PTX: " in done.stdout and "refused" in done.stdout
