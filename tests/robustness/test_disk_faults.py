"""Commands over existing outputs on a disk that fails at any call: the old or the new one opens.

By default some calls fail. ``HLOC_LITE_FAULT_STRIDE=1 pytest -s`` lets each call fail in each way,
which takes an hour, and prints how many faults there were. ``HLOC_LITE_FAULT_RESULTS`` names a
results file for docs/figures.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.cli.main import main
from hloc_lite.formats.hloc_lists import read_poses, write_queries
from hloc_lite.io.results import read_results_jsonl
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.georeference import write_georeference
from hloc_lite.maps.map import Map
from hloc_lite.maps.surface_saving import write_surface
from hloc_lite.types import Surface
from pipelines.benchmarks.results import Cell, write_results
from tests.exact_scene import MAP_NAMES, NoWeights, make_scene, use_scene
from tests.maps.test_replacement import GEOREFERENCE
from tests.robustness.disk_faults import KINDS, TRACEBACK, DiskFault, in_child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
STRIDE = int(os.environ.get("HLOC_LITE_FAULT_STRIDE", "0"))
"""Of each scenario's calls; 0 for about ``FAULTS`` writes and twice as many others."""
IS_OWN_PROCESS = "HLOC_LITE_FAULT_STRIDE" in os.environ
FAULTS = 2
OLD, NEW = "old", "new"


COMMAND = "HLOC_LITE_FAULT_STRIDE=1 pytest -s tests/robustness/test_disk_faults.py"


@pytest.fixture(scope="module")
def rows() -> Iterator[list[list[Cell]]]:
    """Rows of the results file."""
    found: list[list[Cell]] = []
    yield found
    if "HLOC_LITE_FAULT_RESULTS" in os.environ:
        columns = ("command", "fault", "calls", "faults", "old opens", "new opens", "neither")
        write_results(
            os.environ["HLOC_LITE_FAULT_RESULTS"], "A disk that fails", columns, found,
            command=COMMAND, notes="Each fault hits one write, sync, rename, deletion or new "
            "folder of a command that replaces its outputs. The same command then runs again, "
            "and leaves the new outputs and nothing else.",
        )  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """A command that replaces its outputs."""

    prepare: Callable[[Path], object]
    """Make the old outputs in a folder."""
    work: Callable[[Path], object]
    """Replace them."""
    state: Callable[[Path], str]
    """OLD or NEW; any error means that the outputs are lost."""


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory) -> Iterator[dict[str, Scenario]]:
    with pytest.MonkeyPatch.context() as patch:
        scene = make_scene()
        config = use_scene(patch, scene)
        photos = {name: scene.image(index) for name, index in MAP_NAMES.items()}
        inputs = MapInputs(reference=scene.reference(MAP_NAMES))
        old = build_map(photos, config, inputs=inputs, weights=NoWeights())
        model = replace(old.model, xyz=old.model.xyz + 1.0)
        new = replace(old, model=model, fingerprint="feed", surface=_surface(1.0))
        fewer = config.features.model_copy(update={"max_keypoints": 300})
        other = config.model_copy(update={"features": fewer})
        root = tmp_path_factory.mktemp("queries")
        scene.write_images(root / "images", {"x.png": 3, "y.png": 5})
        for name in ("x.png", "y.png"):
            write_queries(root / f"{name}.txt", {name: scene.camera})

        def map_of(config, folder: Path) -> None:
            build_map(
                photos, config, inputs=inputs, weights=NoWeights(), output=folder, overwrite=True
            )

        def fingerprint_state(folder: Path) -> str:
            opened = Map.open(folder)
            is_new = opened.fingerprint != old.fingerprint
            assert all(len(opened.features[image.name]) for image in opened.model.images)
            assert opened.landmark_descriptors is not None
            assert len(opened.landmark_descriptors.values[:]) == opened.model.num_points
            if opened.surface is not None:
                z = float(opened.surface.whole().xyz[0, 2])
                assert z == (1.0 if is_new else 0.0)  # never that of the other map
            return NEW if is_new else OLD

        def full(sfm_map: Map, folder: Path) -> None:
            sfm_map.save(folder)
            if sfm_map is old:
                write_georeference(folder, GEOREFERENCE)
                write_surface(folder, [_surface(0.0)], old.fingerprint, {})

        def compact(sfm_map: Map, folder: Path) -> None:
            compress_map(sfm_map, folder, overwrite=True, keep_surface=True)

        def height_state(folder: Path) -> str:
            found = Map.open(folder).georeference
            assert found is not None
            return OLD if found.height_m == GEOREFERENCE.height_m else NEW

        def localize(folder: Path, query: str) -> None:
            try:
                main([
                    "localize", str(folder / "map"), "--images", str(root / "images"),
                    "--queries", str(root / f"{query}.txt"), "-o", str(folder / "poses.txt"),
                    "--jsonl", str(folder / "all.jsonl"),
                ])  # fmt: skip
            except SystemExit as stop:
                if stop.code:
                    raise

        def prepare_localize(folder: Path) -> None:
            old.save(folder / "map")
            localize(folder, "x.png")

        def poses_state(folder: Path) -> str:
            found = [set(read_poses(folder / "poses.txt"))]
            found.append({each.query_name for each in read_results_jsonl(folder / "all.jsonl")})
            assert all(names in ({"x.png"}, {"y.png"}) for names in found)
            return NEW if found[0] == {"y.png"} else OLD

        yield {
            "map": Scenario(
                lambda folder: map_of(config, folder),
                lambda folder: map_of(other, folder),
                fingerprint_state,
            ),
            "save": Scenario(
                lambda folder: full(old, folder), lambda folder: full(new, folder),
                fingerprint_state,
            ),
            "compress": Scenario(
                lambda folder: compact(replace(old, surface=_surface(0.0)), folder),
                lambda folder: compact(new, folder), fingerprint_state,
            ),
            "georeference": Scenario(
                lambda folder: full(old, folder),
                lambda folder: write_georeference(folder, replace(GEOREFERENCE, height_m=7.0)),
                height_state,
            ),
            "localize": Scenario(
                prepare_localize, lambda folder: localize(folder, "y.png"), poses_state
            ),
        }  # fmt: skip


def _surface(z: float) -> Surface:
    xyz = np.array([[0, 0, z], [1, 0, z], [0, 1, z]], np.float32)
    return Surface(xyz, np.zeros((3, 3), np.uint8))


def _files(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if "/report" not in name}


def _chosen(calls: list[str]) -> list[int]:
    """Calls that shall fail: some of the writes, and more of those that change names."""
    writes = [at for at, call in enumerate(calls) if call == "write"]
    others = [at for at, call in enumerate(calls) if call != "write"]
    return [
        at
        for group, most in ((writes, FAULTS), (others, 2 * FAULTS))
        for at in group[:: STRIDE or max(1, len(group) // most)]
    ]


@pytest.mark.skipif(IS_OWN_PROCESS, reason="this is that process")
def test_faults_in_a_process_without_threads() -> None:
    # children of a process with threads may hang
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env={**os.environ, "HLOC_LITE_FAULT_STRIDE": "0", "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.skipif(not IS_OWN_PROCESS, reason="run by the test above")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["map", "save", "compress", "georeference", "localize"])
def test_a_fault_at_any_call_leaves_the_old_or_the_new(
    scenarios, rows, tmp_path: Path, name: str, kind: str
) -> None:
    scenario, log = scenarios[name], tmp_path / "log"
    scenario.prepare(tmp_path / "old")
    assert scenario.state(tmp_path / "old") == OLD
    shutil.copytree(tmp_path / "old", tmp_path / "clean")
    code, calls = in_child(lambda: scenario.work(tmp_path / "clean"), DiskFault(kind, -1), log)
    assert code == 0 and scenario.state(tmp_path / "clean") == NEW, log.read_text()
    folder = tmp_path / "failed"
    outcomes: Counter[tuple[str, int]] = Counter()
    for at in _chosen(calls):
        shutil.copytree(tmp_path / "old", folder)
        code, _ = in_child(lambda: scenario.work(folder), DiskFault(kind, at), log)
        where = f"{kind} at call {at} ({calls[at]}) of {len(calls)}"
        assert code != TRACEBACK, f"{where}: {log.read_text()}"
        state = scenario.state(folder)
        assert state == NEW or code != 0, f"{where}: reported as done"
        outcomes[state, code] += 1
        scenario.work(folder)  # the next run is not hindered, and leaves nothing behind
        assert scenario.state(folder) == NEW, where
        assert _files(folder) == _files(tmp_path / "clean"), where
        shutil.rmtree(folder)
    states = Counter(state for state, _ in outcomes.elements())
    rows.append([name, kind, len(calls), states.total(), states[OLD], states[NEW], 0])
    told = ", ".join(f"{state} {code}: {count}" for (state, code), count in outcomes.items())
    print(f"\n{name}, {kind}: {sum(outcomes.values())} faults of {len(calls)} calls; {told}")
