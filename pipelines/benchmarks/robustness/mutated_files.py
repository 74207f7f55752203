"""Mutated files of every format: none may crash, hang, take much memory, or end in a traceback.

    python -m pipelines.benchmarks.robustness.mutated_files --seed 0 --count 1000 [--group images]

It takes a few minutes. For each copy, the sample of a format is written anew, one of its files is
damaged, and a child process reads it. It may take 512 MB beyond the idle process, and 5 s of a
processor. Outcomes:

* refused: one of our errors, which name the file;
* same: the values are those of the undamaged files;
* other: other values, in places that no count, range or checksum covers;
* UNNOTICED: other values, although a checksum covers all of them, the length of the file is stated
  in it, or a value is out of its range;
* TRACEBACK, CRASH, TIMEOUT, OVERRUN of memory: faults.

It needs ``fork``, thus Linux or macOS.
"""

from __future__ import annotations

import contextlib
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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from typing import Any

import click

from hloc_lite.errors import HlocLiteError
from hloc_lite.io.temporary_folders import temporary_folder
from pipelines.benchmarks.robustness.image_samples import IMAGE_SAMPLES
from pipelines.benchmarks.robustness.memory_use import address_space, peak_bytes
from pipelines.benchmarks.robustness.mutations import MUTATIONS
from pipelines.benchmarks.robustness.own_samples import OWN_SAMPLES
from pipelines.benchmarks.robustness.posed_samples import POSED_SAMPLES
from pipelines.benchmarks.robustness.retrieval_samples import RETRIEVAL_SAMPLES
from pipelines.benchmarks.robustness.sample_model import FormatSample
from pipelines.benchmarks.robustness.scan_samples import SCAN_SAMPLES
from pipelines.benchmarks.robustness.stored_samples import STORED_SAMPLES
from pipelines.benchmarks.robustness.value_digest import digest
from pipelines.benchmarks.robustness.value_ranges import out_of_range
from pipelines.benchmarks.table import Table, percent, results_option

SAMPLES = (
    *IMAGE_SAMPLES, *POSED_SAMPLES, *STORED_SAMPLES, *SCAN_SAMPLES, *OWN_SAMPLES,
    *RETRIEVAL_SAMPLES,
)  # fmt: skip
GOOD = ("refused", "same", "other")
MEMORY_BYTES = 512 << 20
"""Most memory that reading may take."""
ADDRESS_BYTES = 2 << 30
"""Address space that it may take: more, so that an overrun is seen and not turned into an error."""
MAX_SECONDS = 5
"""Most time of a processor. The child may take four times as long on a busy machine."""
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
    out_of_range: str = ""
    """Part of the value that lies outside its range; empty if none does."""
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
    has_other_length: bool = False
    """True if the file has another number of bytes; of a text: of lines that are not empty."""

    @property
    def is_covered(self) -> bool:
        """True if a checksum or a stated length tells that the file was changed."""
        stated = any(fnmatch(Path(self.file).name, each) for each in self.sample.counted)
        return self.sample.is_checked or (stated and self.has_other_length)


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
    before = path.read_bytes()
    damaged = MUTATIONS[mutation](rng, before)
    path.write_bytes(damaged)
    has_other_length = _length(damaged) != _length(before)
    return MutatedCopy(sample, mutation, path.relative_to(folder).as_posix(), has_other_length)


def _length(data: bytes) -> int:
    """Bytes, or lines of a text that are not empty."""
    return len(data) if b"\0" in data else sum(bool(line.strip()) for line in data.splitlines())


def write_sample(sample: FormatSample, folder: Path) -> None:
    """Write the undamaged files of a sample into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sample.write(folder)


def read_in_child(
    sample: FormatSample,
    folder: Path,
    clean_digest: str = "",
    max_seconds: int = 4 * MAX_SECONDS,
    is_covered: bool = False,
) -> Outcome:
    """Read a folder in a child process with limits on memory and time.

    Args:
        sample: format.
        folder: files of the sample.
        clean_digest: hash of the value of the undamaged files.
        max_seconds: time that it may take by the clock.
        is_covered: True if a checksum or a stated length tells that a file was changed.
    """
    reading, writing = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with contextlib.suppress(BaseException):
            answer = json.dumps(_read(sample, folder, max_seconds)).encode()
            os.write(writing, answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - start
    if os.WIFSIGNALED(status):
        ended_by = signal.Signals(os.WTERMSIG(status))
        kind = "TIMEOUT" if ended_by in (signal.SIGALRM, signal.SIGXCPU) else "CRASH"
        return Outcome(kind, f"ended by {ended_by.name}", seconds=seconds)
    if not text:
        return Outcome("CRASH", "no answer: out of memory", seconds=seconds)
    answer = json.loads(text)
    if answer["kind"] == "read":
        answer["kind"] = "same" if answer["digest"] == clean_digest else "other"
        is_told = is_covered or sample.is_checked or answer["out_of_range"]
        if answer["kind"] == "other" and is_told and clean_digest:
            answer |= {"kind": "UNNOTICED", "message": answer["out_of_range"]}
    if answer["kind"] in GOOD and answer["peak_bytes"] > MEMORY_BYTES:
        answer["kind"] = "OVERRUN"
    return Outcome(**answer, seconds=seconds)


def _read(sample: FormatSample, folder: Path, max_seconds: int) -> dict[str, Any]:
    """Read a folder in this process, which is limited from now on."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(max_seconds)  # for what waits and takes no time of a processor
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS + 1))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # codecs print there
    logging.disable()
    limit = address_space() + ADDRESS_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    before = peak_bytes()
    answer: dict[str, Any] = {"kind": "read", "message": "", "digest": ""}
    try:
        value = sample.read(folder)
        answer |= {"digest": digest(value), "out_of_range": out_of_range(value)}
    except HlocLiteError as error:
        answer |= {"kind": "refused", "message": str(error)[:2000]}
    except BaseException:  # any other exception is a fault of the reader
        answer |= {"kind": "TRACEBACK", "message": traceback.format_exc(limit=-6)[-3000:]}
    return {**answer, "peak_bytes": peak_bytes() - before}


def run(
    folder: Path, count: int, seed: int, samples: Sequence[FormatSample] = SAMPLES
) -> Iterator[tuple[MutatedCopy, Outcome]]:
    """Read mutated copies, evenly spread over the formats, one after the other.

    Args:
        folder: scratch folder.
        count: copies in all.
        seed: of all random choices.
        samples: the formats.

    Raises:
        SystemExit: the undamaged files of a format cannot be read.
    """
    clean: dict[str, str] = {}
    for number in range(count):
        sample = samples[number % len(samples)]
        if sample.name not in clean:
            write_sample(sample, folder)
            outcome = read_in_child(sample, folder)
            if outcome.kind != "other" or outcome.out_of_range:
                problem = outcome.message or outcome.out_of_range
                raise SystemExit(f"{sample.name}: {outcome.kind}: {problem}")
            clean[sample.name] = outcome.digest
        copy = mutate(sample, folder, 1_000_003 * seed + number)
        yield copy, read_in_child(sample, folder, clean[sample.name], is_covered=copy.is_covered)


@click.command()
@click.option("--seed", default=0, show_default=True)
@click.option("--count", default=1000, show_default=True, help="Copies, spread over the formats.")
@click.option(
    "--group",
    "groups",
    multiple=True,
    help="Only formats of this group, or of this name; of each that is given, COUNT copies.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show each copy that is not refused.")
@results_option
def main(
    seed: int, count: int, groups: tuple[str, ...], verbose: bool, results: Path | None
) -> None:
    """Read mutated copies and count the outcomes; exit code 1 if there is a fault."""
    done: list[tuple[MutatedCopy, Outcome]] = []
    chosen = [[s for s in SAMPLES if each in (s.group, s.name)] for each in groups] or [SAMPLES]
    if not all(chosen):
        known = ", ".join(dict.fromkeys(sample.group for sample in SAMPLES))
        raise click.UsageError(f"no such group or format; groups are {known}")
    samples = [sample for group in chosen for sample in group]
    with temporary_folder() as temporary:
        runs = (run(temporary / "files", count, seed, group) for group in chosen)
        for copy, outcome in chain.from_iterable(runs):
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
    columns = ["format", *GOOD, *faults, "other / %", "memory / MB", "slowest / s"]
    title = "Mutated files" + (f": {', '.join(groups)}" if groups else "")
    table = Table(title, columns, notes)
    for group in dict.fromkeys(sample.group for sample in samples):
        own = [(copy, outcome) for copy, outcome in done if copy.sample.group == group]
        for name in [sample.name for sample in samples if sample.group == group]:
            _add_row(table, name, [o for copy, o in own if copy.sample.name == name], faults)
        _add_row(table, f"all of {group}", [outcome for _, outcome in own], faults)
    _add_row(table, "all", [outcome for _, outcome in done], faults)
    table.write(results)
    sys.exit(bool(faults))


def _add_row(table: Table, name: str, outcomes: Sequence[Outcome], faults: Sequence[str]) -> None:
    counts = Counter(outcome.kind for outcome in outcomes)
    peak = max((outcome.peak_bytes for outcome in outcomes), default=0)
    slowest = max((outcome.seconds for outcome in outcomes), default=0.0)
    numbers = [counts[kind] for kind in (*GOOD, *faults)]
    share = round(100 * counts["other"] / max(len(outcomes), 1), 1)
    table.add(name, *numbers, share, round(peak / 2**20), round(slowest, 1))


if __name__ == "__main__":
    main()
