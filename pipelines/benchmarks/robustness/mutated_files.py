"""Mutated files of every format: none may crash, hang, take much memory, or end in a traceback.

    python -m pipelines.benchmarks.robustness.mutated_files --seed 0 --count 1000

It takes a few minutes. For each copy, the sample of a format is written anew, one of its files is
damaged, and a child process reads it under a limit of 1 GB beyond what was imported. Outcomes:

* refused: one of our errors, which name the file;
* same: the values are those of the undamaged files;
* other: other values, in places that no count, range or checksum covers;
* TRACEBACK, CRASH, TIMEOUT: faults.

It needs ``fork``, thus Linux or macOS.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.io.temporary_folders import temporary_folder
from pipelines.benchmarks.robustness.mutations import MUTATIONS
from pipelines.benchmarks.robustness.own_samples import OWN_SAMPLES
from pipelines.benchmarks.robustness.posed_samples import POSED_SAMPLES
from pipelines.benchmarks.robustness.sample_model import FormatSample
from pipelines.benchmarks.robustness.scan_samples import SCAN_SAMPLES
from pipelines.benchmarks.robustness.stored_samples import STORED_SAMPLES
from pipelines.benchmarks.table import Table, percent, results_option

SAMPLES = (*POSED_SAMPLES, *STORED_SAMPLES, *SCAN_SAMPLES, *OWN_SAMPLES)
GOOD = ("refused", "same", "other")
MEMORY_BYTES = 1 << 30
MAX_SECONDS = 20
_PHOTOS = (".jpg", ".png")
"""Files of posed images that are left alone: readers take only sizes from them."""


@dataclass(frozen=True)
class Outcome:
    """End of one child process."""

    kind: str
    """One of ``GOOD``, or a fault in capital letters."""
    message: str = ""
    """Error of the reader."""
    digest: str = ""
    """Hash of the value that was read."""
    peak_bytes: int = 0
    """Memory that reading took at most."""
    seconds: float = 0.0


@dataclass(frozen=True)
class MutatedCopy:
    """Sample of a format with one damaged file."""

    sample: FormatSample
    mutation: str
    file: str
    """Damaged file, relative to the folder."""


def mutate(sample: FormatSample, folder: Path, seed: int) -> MutatedCopy:
    """Write a sample into an empty folder, and damage one of its files.

    Args:
        sample: format.
        folder: emptied first.
        seed: of the choice of file and damage.
    """
    rng = random.Random(seed)
    write_sample(sample, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    if sample.entry:
        files = [path for path in files if path.suffix not in _PHOTOS]
    path = rng.choice(files)
    mutation = rng.choice(list(MUTATIONS))
    path.write_bytes(MUTATIONS[mutation](rng, path.read_bytes()))
    return MutatedCopy(sample, mutation, path.relative_to(folder).as_posix())


def write_sample(sample: FormatSample, folder: Path) -> None:
    """Write the undamaged files of a sample into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sample.write(folder)


def read_in_child(sample: FormatSample, folder: Path, clean_digest: str = "") -> Outcome:
    """Read a folder in a child process with limits on memory and time.

    Args:
        sample: format.
        folder: files of the sample.
        clean_digest: hash of the value of the undamaged files.
    """
    reading, writing = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with contextlib.suppress(BaseException):
            answer = json.dumps(_read(sample, folder)).encode()
            os.write(writing, answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - start
    if os.WIFSIGNALED(status):
        ended_by = signal.Signals(os.WTERMSIG(status))
        kind = "TIMEOUT" if ended_by == signal.SIGALRM else "CRASH"
        return Outcome(kind, f"ended by {ended_by.name}", seconds=seconds)
    if not text:
        return Outcome("CRASH", "no answer: out of memory", seconds=seconds)
    answer = json.loads(text)
    if answer["kind"] == "read":
        answer["kind"] = "same" if answer["digest"] == clean_digest else "other"
    return Outcome(**answer, seconds=seconds)


def _read(sample: FormatSample, folder: Path) -> dict[str, Any]:
    """Read a folder in this process, which is limited from now on."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(MAX_SECONDS)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # codecs print there
    logging.disable()
    limit = _address_space() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    before = _peak_memory()
    answer: dict[str, Any] = {"kind": "read", "message": "", "digest": ""}
    try:
        answer["digest"] = digest(sample.read(folder))
    except HlocLiteError as error:
        answer |= {"kind": "refused", "message": str(error)[:2000]}
    except BaseException:  # any other exception is a fault of the reader
        answer |= {"kind": "TRACEBACK", "message": traceback.format_exc(limit=-6)[-3000:]}
    return {**answer, "peak_bytes": _peak_memory() - before}


def digest(value: object) -> str:
    """Hash of a value of a reader, equal for equal values."""
    hasher = hashlib.sha256()
    for part in _parts(value):
        hasher.update(part + b"\0")
    return hasher.hexdigest()


def _parts(value: object) -> Iterator[bytes]:
    """Bytes of a value and all its parts, in order."""
    if isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__.encode()
        for field in dataclasses.fields(value):
            yield from _parts(getattr(value, field.name, None))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _parts(key)
            yield from _parts(item)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield f"{len(value)} items".encode()
        for item in value:
            yield from _parts(item)
    else:
        yield repr(value).encode("utf-8", "surrogatepass")


def _address_space() -> int:
    """Bytes of address space of this process; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 1 << 36
    return pages * resource.getpagesize()


def _peak_memory() -> int:
    """Most memory that this process has had, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def run(folder: Path, count: int, seed: int) -> Iterator[tuple[MutatedCopy, Outcome]]:
    """Read mutated copies, evenly spread over the formats, one after the other.

    Args:
        folder: scratch folder.
        count: copies in all.
        seed: of all random choices.

    Raises:
        SystemExit: the undamaged files of a format cannot be read.
    """
    clean: dict[str, str] = {}
    for number in range(count):
        sample = SAMPLES[number % len(SAMPLES)]
        if sample.name not in clean:
            write_sample(sample, folder)
            outcome = read_in_child(sample, folder)
            if outcome.kind != "other":
                raise SystemExit(f"{sample.name}: {outcome.kind}: {outcome.message}")
            clean[sample.name] = outcome.digest
        copy = mutate(sample, folder, 1_000_003 * seed + number)
        yield copy, read_in_child(sample, folder, clean[sample.name])


@click.command()
@click.option("--seed", default=0, show_default=True)
@click.option("--count", default=1000, show_default=True, help="Copies, spread over all formats.")
@click.option("-v", "--verbose", is_flag=True, help="Show each copy that is not refused.")
@results_option
def main(seed: int, count: int, verbose: bool, results: Path | None) -> None:
    """Read mutated copies and count the outcomes; exit code 1 if there is a fault."""
    done: list[tuple[MutatedCopy, Outcome]] = []
    with temporary_folder() as temporary:
        for copy, outcome in run(temporary / "files", count, seed):
            done.append((copy, outcome))
            if outcome.kind not in GOOD or (verbose and outcome.kind != "refused"):
                click.echo(
                    f"{outcome.kind} {copy.sample.name}: {copy.mutation} in {copy.file}: "
                    f"{outcome.message}"
                )
    faults = sorted({outcome.kind for _, outcome in done} - set(GOOD))
    accepted = [outcome.kind for _, outcome in done if outcome.kind in ("same", "other")]
    notes = (
        f"{len(done)} copies, one damaged file each; {percent(accepted.count('other') / len(done))}"
        f" were accepted with other values. Memory is what reading took beyond the imports."
    )
    columns = ["format", *GOOD, *faults, "memory / MB", "slowest / s"]
    table = Table("Mutated files", columns, notes)
    for name in [sample.name for sample in SAMPLES] + ["all"]:
        _add_row(table, name, [o for copy, o in done if name in (copy.sample.name, "all")], faults)
    table.write(results)
    sys.exit(bool(faults))


def _add_row(table: Table, name: str, outcomes: Sequence[Outcome], faults: Sequence[str]) -> None:
    counts = Counter(outcome.kind for outcome in outcomes)
    peak = max((outcome.peak_bytes for outcome in outcomes), default=0)
    slowest = max((outcome.seconds for outcome in outcomes), default=0.0)
    numbers = [counts[kind] for kind in (*GOOD, *faults)]
    table.add(name, *numbers, round(peak / 2**20), round(slowest, 1))


if __name__ == "__main__":
    main()
