"""Mutated files of maps: is every changed byte noticed, and does none crash, hang or fill memory?

    python -m pipelines.benchmarks.robustness.mutated_maps MAP --count 2000

MAP and its compact map, with calibration, georeference and surface, are copied; one file is
damaged; a child process opens the copy and reads all of it, under a limit of 512 MB
beyond what was imported and 5 CPU seconds. Then ``hloc-lite info --verify`` does the same. Outcomes
are those of ``mutated_files``, but here ``other`` is a fault, too: no changed map may be read as if
it were whole.

It needs ``fork``, thus Linux or macOS.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.maps.calibration import CalibrationSet, MapCalibration, write_calibration
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.georeference import FitQuality, Georeference, write_georeference
from hloc_lite.maps.map import Map, in_memory
from hloc_lite.maps.surface_saving import write_surface
from hloc_lite.maps.verify import FileState, verify_map
from hloc_lite.types import Surface
from pipelines.benchmarks.robustness.mutated_files import (
    Outcome,
    mutate,
    read_in_child,
    write_sample,
)
from pipelines.benchmarks.robustness.sample_model import FormatSample
from pipelines.benchmarks.table import Table, results_option

WHOLE = ("refused", "same")


def write_maps(sfm_map: Map, folder: Path) -> dict[str, Path]:
    """Write a full and a compact map with all that a map can have; return their folders."""
    found = {"full": folder / "full", "compact": folder / "compact"}
    sfm_map.save(found["full"])
    compress_map(sfm_map, found["compact"])
    quality = FitQuality(3, 3, 0.1, 0.1, 0.1, 0.01, 0.1, 0.1, "positions", (0.0, 1.0))
    in_place = Similarity3(1.0, np.eye(3), np.zeros(3))
    answers = CalibrationSet(np.array([0.5, 0.9]), np.array([True, False]), np.array([0, 1]),
                             np.array([True, True]))  # fmt: skip
    calibration = MapCalibration(answers, np.zeros(0, np.float32))
    rng = np.random.default_rng(0)
    surface = Surface(rng.random((4000, 3), np.float32), np.zeros((4000, 3), np.uint8))
    for each in found.values():
        write_georeference(each, Georeference(50.0, 8.0, 100.0, in_place, quality))
        write_calibration(each, calibration, sfm_map.fingerprint)
        write_surface(each, [surface], sfm_map.fingerprint, {})
    return found


def samples(folders: dict[str, Path]) -> list[FormatSample]:
    """Each map, as it is opened by queries and as ``info --verify`` reads it."""
    readers: dict[str, Callable[[Path], object]] = {"opened": read_all, "verified": verify}
    return [
        FormatSample(f"{kind}, {how}", _copies(folder), read)
        for kind, folder in folders.items()
        for how, read in readers.items()
    ]


def _copies(source: Path) -> Callable[[Path], None]:
    return lambda target: shutil.copytree(source, target, dirs_exist_ok=True)


def read_all(folder: Path) -> object:
    """All values of a map. Raises FormatError also where a query would only be warned."""
    opened = Map.open(folder)
    descriptors = opened.landmark_descriptors
    if opened.calibration is None or opened.surface is None or descriptors is None:
        raise FormatError(f"{folder}: a part is ignored, with a warning")
    rows = descriptors.rows_of(np.arange(descriptors.num_landmarks))
    features = [opened.features[image.name] for image in opened.model.images]
    return (
        opened.model, features, opened.global_names, opened.global_descriptors,
        opened.retrieval_state, opened.config.model_dump(), opened.report, opened.georeference,
        opened.calibration, opened.surface.whole(), rows,
    )  # fmt: skip


def verify(folder: Path) -> object:
    """Outcome of ``verify_map``. Raises FormatError if a file was changed."""
    checks = verify_map(folder)
    changed = [each.name for each in checks if each.state is not FileState.INTACT]
    if changed:
        raise FormatError(f"{folder}: changed: {changed}")
    return checks


def run(
    folders: dict[str, Path], scratch: Path, count: int, seed: int
) -> Iterator[tuple[str, str, Outcome]]:
    """Yield sample, damaged file and outcome of each copy."""
    chosen, clean = samples(folders), {}
    for number in range(count):
        sample = chosen[number % len(chosen)]
        if sample.name not in clean:
            write_sample(sample, scratch)
            clean[sample.name] = read_in_child(sample, scratch).digest
        before = {path: path.read_bytes() for path in folders_files(scratch, sample)}
        copy = mutate(sample, scratch, 1_000_003 * seed + number)
        is_changed = (scratch / copy.file).read_bytes() != before[scratch / copy.file]
        outcome = read_in_child(sample, scratch, clean[sample.name])
        if is_changed or outcome.kind not in WHOLE:
            yield sample.name, copy.file, outcome


def folders_files(scratch: Path, sample: FormatSample) -> list[Path]:
    """Files of a sample, written anew."""
    write_sample(sample, scratch)
    return [path for path in scratch.rglob("*") if path.is_file()]


@click.command()
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path, exists=True))
@click.option("--seed", default=0, show_default=True)
@click.option("--count", default=2000, show_default=True)
@results_option
def main(map_folder: Path, seed: int, count: int, results: Path | None) -> None:
    """Print a table by file; exit code 1 if a change went unnoticed, or is another fault."""
    with tempfile.TemporaryDirectory(prefix="mutated_maps_") as temporary:
        folders = write_maps(in_memory(Map.open(map_folder)), Path(temporary))
        done = list(run(folders, Path(temporary) / "copy", count, seed))
    _report(done, results)


def _report(done: Sequence[tuple[str, str, Outcome]], results: Path | None) -> None:
    kinds = [*WHOLE, *sorted({each.kind for _, _, each in done} - set(WHOLE))]
    table = Table(
        "Mutated maps",
        ("map", "file", *kinds, "memory / MB", "slowest / s"),
        "`same`: the change is where nothing is read, such as the order of keys in JSON.",
    )
    groups = sorted({(name, file) for name, file, _ in done})
    for name, file in [*groups, ("all", "")]:
        own = [each for n, f, each in done if (n, f) == (name, file) or name == "all"]
        counts = Counter(each.kind for each in own)
        table.add(
            name, file, *(counts[kind] for kind in kinds),
            round(max(each.peak_bytes for each in own) / 2**20),
            round(max(each.seconds for each in own), 1),
        )  # fmt: skip
    for name, file, each in done:
        if each.kind not in WHOLE:
            print(name, file, each.kind, each.message)
    table.write(results)
    sys.exit(any(each.kind not in WHOLE for _, _, each in done))


if __name__ == "__main__":
    main()
