"""Runs a benchmark: map, localization, submission, scores and report of every part."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hloc_lite.benchmark.options import BenchmarkOptions, benchmark_config
from hloc_lite.benchmark.parts import (
    PartAnswers,
    answer_part,
    chosen_part,
    map_part,
    surface_part,
)
from hloc_lite.benchmark.protocols import dcre_table, map_free_table
from hloc_lite.benchmark.reporting import part_notes, write_run_report
from hloc_lite.benchmark.scoring import asked_poses, comparison, evaluate_parts
from hloc_lite.benchmark.submission import (
    SUBMISSION_FILES,
    ranked_poses,
    submission_entries,
    write_run_submission,
)
from hloc_lite.config import Config
from hloc_lite.datasets.benchmarks import read_benchmark
from hloc_lite.datasets.cards import Card, read_card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import HlocLiteError, UnknownNameError
from hloc_lite.evaluation.evaluate import Evaluation
from hloc_lite.evaluation.table_text import TextTable, latex_table, markdown_table
from hloc_lite.evaluation.tables import evaluation_to_json
from hloc_lite.evaluation.thresholds import parse_thresholds
from hloc_lite.formats.hloc_lists import write_poses
from hloc_lite.formats.submissions.findings import Finding
from hloc_lite.formats.submissions.forms import SUBMISSION_FORMS
from hloc_lite.formats.submissions.inloc_mat import write_img_list
from hloc_lite.formats.submissions.reader import Submission
from hloc_lite.io.files import write_json_atomic, write_text_atomic
from hloc_lite.io.locks import exclusive_lock

logger = logging.getLogger(__name__)
PROTOCOL_FILES = {"mapfree": "map_free.md", "rio10": "dcre.md"}
"""Data sets with scores of their own, and the file of these."""
SCORES = ("scores.json", "table.md", "table.tex", *PROTOCOL_FILES.values())
"""Files that are written where true poses are public."""
FRAMES = "frames.txt"
"""Frame of the pose of each query, such as its floor, where poses have several."""
IMG_LIST = "submission.mat"
"""Poses of InLoc's queries as the authors' programs read them."""
LOCK = "run.lock"
"""Lock file of a part's folder, and of the folder of the results while they are written."""


@dataclass(frozen=True, eq=False)
class BenchmarkOutcome:
    """Files and figures of a finished run."""

    card: Card
    parts: tuple[PartAnswers, ...]
    evaluation: Evaluation | None
    """None where no true pose is public."""
    table: TextTable | None
    """Our recalls beside published ones."""
    submission: Path | None
    """None without a form, or if there is nothing to hand in."""
    findings: tuple[Finding, ...]
    report: Path | None
    protocol: TextTable | None = None
    """Scores of Map-free or RIO10; None for other data sets, without public poses, and for RIO10
    without depth of the queries."""


@dataclass(frozen=True, eq=False)
class BenchmarkRun:
    """Data, config and options of a run."""

    card: Card
    parts: tuple[Dataset, ...]
    """Chosen parts of the data set, each with the chosen map images and queries."""
    config: Config
    options: BenchmarkOptions
    replaced: str
    """Sentence on what stands in for parts of a published run; empty for our own config."""

    @property
    def is_whole(self) -> bool:
        """True if all queries and map images of all parts that are there are used."""
        chosen = self.options
        return chosen.subset is None and chosen.map_subset is None and not chosen.parts


def open_benchmark(name: str, root: Path, options: BenchmarkOptions | None = None) -> BenchmarkRun:
    """Read a benchmark's folder and choose what a run uses.

    Args:
        name: name of the data set's card.
        root: folder of the data set.

    Raises:
        HlocLiteError: unknown names, missing or damaged files, or bad settings.
    """
    options = options or BenchmarkOptions()
    card = read_card(name)
    config, replaced = benchmark_config(card, options)
    parts = read_benchmark(name, root)
    known = [part.name for part in parts]
    unknown = [each for each in options.parts if each not in known]
    if unknown:
        raise UnknownNameError(
            f"{name} has no part {unknown[0]!r} below {root}; found {', '.join(known)}"
        )
    chosen = [part for part in parts if part.name in options.parts or not options.parts]
    datasets = tuple(chosen_part(part, options) for part in chosen)
    return BenchmarkRun(card, datasets, config, options, replaced)


def run_benchmark(
    run: BenchmarkRun, output: Path, say: Callable[[str], None] = logger.info
) -> BenchmarkOutcome:
    """Map, localize and score a benchmark; what an earlier run has finished is not repeated.

    Two processes may work on different parts in one folder. Results are those of one process.

    Args:
        output: folder of the results: a folder for each part, the submission, scores and report.
        say: takes a line for the user at each step.

    Raises:
        HlocLiteError: another process works on the same part or writes results there; or see
            ``build_map`` and ``localize_all``.
    """
    answers = []
    for part in run.parts:
        with _locked(output / part.name):
            answers.append(_run_part(run, part, output / part.name, say))
    with _locked(output):
        return _finish(run, tuple(answers), output)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    busy = (
        f"another process is writing {folder}: wait for it, and run the same command again to "
        f"resume; or give another output folder (-o)"
    )

    def unwritable(error: OSError) -> HlocLiteError:
        return HlocLiteError(f"cannot write {folder}: {error.strerror or error}")

    with exclusive_lock(folder / LOCK, HlocLiteError(busy), unwritable):
        yield


def _run_part(
    run: BenchmarkRun, dataset: Dataset, folder: Path, say: Callable[[str], None]
) -> PartAnswers:
    for note in part_notes(dataset):
        say(note)
    start = time.perf_counter()
    sfm_map = map_part(dataset, folder, run.config, run.options)
    sfm_map = surface_part(dataset, sfm_map, folder)
    report = sfm_map.report
    say(
        f"{dataset.name}: map of {report['registered']} of {report['images_given']} images with "
        f"{report['points']} points"
    )
    part = answer_part(dataset, sfm_map, folder, run.options)
    part = replace(part, seconds=time.perf_counter() - start)
    answered = f"{part.num_found} of {part.num_asked} queries have a pose"
    say(f"{dataset.name}: {answered} ({part.seconds:.0f} s)")
    return part


def _finish(run: BenchmarkRun, parts: tuple[PartAnswers, ...], output: Path) -> BenchmarkOutcome:
    """Write the submission, scores, tables and report of a run."""
    card, config = run.card, run.config
    features = f"hloc_lite, {config.features.name}"
    for name in (
        *SCORES,
        *SUBMISSION_FILES,
        FRAMES,
    ):  # of an earlier run, with other parts or truth
        (output / name).unlink(missing_ok=True)
    write_poses(output / "poses.txt", asked_poses(parts))
    frames = [f"{name} {frame}\n" for part in parts for name, frame in part.frame_names.items()]
    if frames:
        write_text_atomic(output / FRAMES, "".join(frames))
    evaluation = evaluate_parts(card, parts)
    table = None
    if evaluation is not None:
        limits = parse_thresholds(card.thresholds)
        table = comparison(card, evaluation, limits, len(parts), features)
        write_json_atomic(output / "scores.json", evaluation_to_json(evaluation))
        write_text_atomic(output / "table.md", markdown_table(table))
        write_text_atomic(output / "table.tex", latex_table(table))
    protocol = None if evaluation is None else _protocol_table(card, parts)
    if protocol is not None:
        write_text_atomic(output / PROTOCOL_FILES[card.name], markdown_table(protocol))
    written, findings = _write_submission(card, parts, output, features)
    if card.submission == "inloc":
        write_img_list(output / IMG_LIST, ranked_poses(parts))
    report = write_run_report(card, parts, evaluation, output, config, run.options, findings)
    return BenchmarkOutcome(card, parts, evaluation, table, written, findings, report, protocol)


def _protocol_table(card: Card, parts: Sequence[PartAnswers]) -> TextTable | None:
    """Scores of a data set that has a protocol of its own."""
    datasets = [part.dataset for part in parts]
    if card.name == "rio10":
        return dcre_table(datasets, {n: p for part in parts for n, p in part.poses.items()})
    if card.name == "mapfree":
        answers = submission_entries(parts, ())
        poses = {each.name: each.pose for each in answers if each.pose is not None}
        confidences = {each.name: each.confidence for each in answers}
        return map_free_table(datasets, Submission(poses, confidences)) if poses else None
    return None


def _write_submission(
    card: Card, parts: Sequence[PartAnswers], output: Path, description: str
) -> tuple[Path | None, tuple[Finding, ...]]:
    form = SUBMISSION_FORMS.get(card.submission)
    if form is None or not any(part.poses for part in parts):
        return None, ()
    try:
        written, findings = write_run_submission(parts, card, form, output, description)
    except HlocLiteError as error:  # the answers are kept, and the scores can still be had
        logger.warning("no submission was written: %s", error)
        return None, ()
    return written.path, findings
