"""Time of a query in a plain Python process and in the command line, on free and on busy cores.

    python -m pipelines.benchmarks.speed.python_and_cli MAP PHOTO PHOTO ... [--results FILE]

Three processes answer in turns, with all threads that torch takes by default and no variable of
OpenMP set: the command line (``localize``, whose time is that of its results), ``Localizer`` in a
plain Python process, and ``Localizer`` with threads that spin, as torch has them by default. A pair
is one round of two of them; its ratio is that of the sums over the photos. For busy cores as many
processes as cores count in a loop meanwhile.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path

import click
import numpy as np

import hloc_lite
from hloc_lite.cli.main import main as command_line
from hloc_lite.io.temporary_folders import temporary_folder
from pipelines.benchmarks.table import Table, results_option

CLI, PYTHON, SPINNING = "command line", "Python", "Python, spinning"
VARIABLES = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS")
SPIN_ROUNDS = {"GOMP_SPINCOUNT": "300000"}
"""The default of GNU OpenMP, which ``sleeping_openmp_threads`` leaves alone once it is set."""


@click.command()
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path, exists=True))
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--pairs", default=7, show_default=True)
@click.option("--spinning/--no-spinning", default=True, help="Also measure threads that spin.")
@click.option("--worker", type=click.Choice([CLI, PYTHON]), hidden=True)
@results_option
def main(
    map_folder: Path,
    photos: tuple[Path, ...],
    pairs: int,
    spinning: bool,
    worker: str | None,
    results: Path | None,
) -> None:
    """Print the median time of a query, and ratios to the command line with their intervals."""
    if worker is not None:
        answer_requests(worker, map_folder, photos)
        return
    columns = ("cores", "process", "ms per query", "times the command line", "95 % interval",
               "load average")  # fmt: skip
    table = Table(
        "Python and the command line",
        columns,
        f"{pairs} pairs, {len(photos)} photos; the first one of each round is not counted.",
    )
    kinds = [CLI, PYTHON, *([SPINNING] if spinning else [])]
    with ExitStack() as stack:
        workers = {
            kind: stack.enter_context(started_worker(kind, map_folder, photos)) for kind in kinds
        }
        for each in workers.values():
            ask(each)  # loads networks and the map's features
        for is_busy in (False, True):
            with busy_cores(is_busy):
                times, load = measure(workers, pairs)
            add_rows(table, "busy" if is_busy else "as found", times, load)
    table.write(results)


def measure(
    workers: dict[str, subprocess.Popen[str]], pairs: int
) -> tuple[dict[str, list[float]], float]:
    """Milliseconds per query of each worker, asked in turns, and the mean load of the machine."""
    times: dict[str, list[float]] = {kind: [] for kind in workers}
    loads = []
    for pair in range(pairs):
        for kind in list(workers) if pair % 2 else list(workers)[::-1]:
            times[kind].append(ask(workers[kind]))
            loads.append(os.getloadavg()[0])
    return times, float(np.mean(loads))


def add_rows(table: Table, cores: str, times: dict[str, list[float]], load: float) -> None:
    """Add a row per worker, with the median of its ratios and their bootstrap interval."""
    for kind, found in times.items():
        ratios = np.array(found) / times[CLI]
        samples = np.random.default_rng(0).choice(ratios, (10000, len(ratios)))
        low, high = np.percentile(np.median(samples, axis=1), [2.5, 97.5])
        interval = None if kind == CLI else f"{low:.2f} to {high:.2f}"
        ratio = round(float(np.median(ratios)), 2)
        table.add(cores, kind, round(float(np.median(found))), ratio, interval, round(load, 1))


@contextmanager
def started_worker(
    kind: str, map_folder: Path, photos: Sequence[Path]
) -> Iterator[subprocess.Popen[str]]:
    """A process that answers each line of its input by the time per query, until it is closed."""
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    if kind == SPINNING:
        environment |= SPIN_ROUNDS
    command = [sys.executable, "-m", "pipelines.benchmarks.speed.python_and_cli"]
    command += [str(map_folder), *map(str, photos), "--worker", CLI if kind == CLI else PYTHON]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as worker:  # type: ignore[call-overload]
        yield worker
        assert worker.stdin is not None
        worker.stdin.close()


@contextmanager
def busy_cores(enabled: bool) -> Iterator[None]:
    """One process per core that counts in a loop."""
    count = (os.cpu_count() or 1) if enabled else 0
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def ask(worker: subprocess.Popen[str]) -> float:
    """Milliseconds per query of a worker, now."""
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


def answer_requests(kind: str, map_folder: Path, photos: Sequence[Path]) -> None:
    """Localize all photos for each line on standard input; print the mean time but the first's."""
    localize = from_command_line if kind == CLI else from_python(map_folder)
    for _ in sys.stdin:
        print(float(np.mean(localize(map_folder, photos)[1:])), flush=True)


def from_python(map_folder: Path) -> Callable[[Path, Sequence[Path]], list[float]]:
    """Localize as a plain program does, which keeps its ``Localizer``."""
    localizer = hloc_lite.Localizer.open(map_folder)

    def localize(_: Path, photos: Sequence[Path]) -> list[float]:
        return [localizer.localize(photo).timings_ms["total"] for photo in photos]

    return localize


def from_command_line(map_folder: Path, photos: Sequence[Path]) -> list[float]:
    """Milliseconds of each query in the results of ``hloc-lite localize``."""
    with temporary_folder() as folder:
        lines = Path(folder, "results.jsonl")
        arguments = ["--quiet", "localize", map_folder, *photos, "--jsonl", lines]
        with redirect_stdout(io.StringIO()), suppress(SystemExit):
            command_line([str(argument) for argument in arguments])
        results = map(json.loads, lines.read_text(encoding="utf-8").splitlines())
        return [result["timings_ms"]["total"] for result in results]


if __name__ == "__main__":
    main()
