"""Corrupted inputs: none may crash, hang, or silently change results.

    python -m pipelines.benchmarks.robustness.corrupted_inputs --seed 0 --count 200

It takes two minutes. A small synthetic case is mapped and localized. Then each of ``count``
variants corrupts one input (an image, intrinsics, a model, a list, a file of the map, an output)
and runs the command again. Each variant must end in one of these ways:

* error: exit code 2, one line that names the cause, no traceback;
* labelled: the run continues, and reports the corrupted image as left out, with the reason;
* warned: the run continues as far as possible, and names the file on stderr;
* harmless: all results are those of the clean run.

All files that were in the folder before (inputs, a finished map, poses of an earlier run) must be
unchanged afterwards; only a run that continues may replace the poses.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from PIL import Image

from hloc_lite.cli.main import main as command_line
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.formats.hloc_lists import read_poses, write_poses, write_queries
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.files import file_sha256
from hloc_lite.io.results import read_results_jsonl
from hloc_lite.io.temporary_folders import temporary_folder
from hloc_lite.synthetic.planes import make_planes
from hloc_lite.types import Rigid3
from pipelines.benchmarks.robustness.corrupted_variants import (
    MAP_NAMES,
    QUERY_NAMES,
    Variant,
    variants,
)
from pipelines.benchmarks.table import Table, results_option

MAX_SECONDS = 60
MAX_DISTANCE, MAX_ANGLE_DEG = 0.05, 0.5
"""Errors of a correct pose, map units; neighbouring cameras are 0.4 apart."""
RESULT_FILES = ("poses.txt", "results.jsonl")
GOOD = ("error", "labelled", "warned", "harmless")
"""Acceptable outcomes."""


@dataclass(frozen=True)
class CommandRun:
    """One run of the command line."""

    code: int | None
    """Exit code; None after an exception."""
    text: str
    """Standard output, standard error and log."""
    seconds: float
    crash: str = ""
    """Traceback of an exception."""


@dataclass(frozen=True)
class Case:
    """Clean inputs and their results."""

    root: Path
    options: tuple[str, ...]
    registered: dict[str, int] = field(default_factory=dict)
    """Map image -> number of points it observes."""
    poses: dict[str, Rigid3] = field(default_factory=dict)
    truth: dict[str, Rigid3] = field(default_factory=dict)


def prepare(root: Path, retrieval: str) -> Case:
    """Make, map and localize the clean case."""
    scene = make_planes(11)
    scene.write_images(root / "images", MAP_NAMES)
    scene.write_images(root / "queries", QUERY_NAMES)
    reference = scene.reference(MAP_NAMES)
    write_model(root / "model", reference)
    _write_text_model(root / "model_txt", root / "model")
    cameras = dict.fromkeys(MAP_NAMES, scene.camera)
    write_queries(root / "cameras.txt", cameras)
    write_queries(root / "queries.txt", dict.fromkeys(QUERY_NAMES, scene.camera))
    write_poses(root / "gt.txt", {n: scene.cams_from_world[i] for n, i in QUERY_NAMES.items()})
    names = sorted(MAP_NAMES)
    (root / "list.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    pairs = [f"{a} {b}\n" for i, a in enumerate(names) for b in names[i + 1 :]]
    (root / "pairs.txt").write_text("".join(pairs), encoding="utf-8")
    (root / "config.toml").write_text("[features]\nmax_keypoints = 300\n")
    for name in names:
        mask = root / "masks" / f"{name}.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((240, 320), 255, np.uint8)).save(mask)
    case = Case(
        root,
        ("--features", "rootsift", "--matcher", "mutual-nn", "--retrieval", retrieval, "--offline"),
    )
    for verb in ("map", "localize"):
        done = run(arguments(case, root, verb, ()))
        if done.code != 0:
            raise SystemExit(f"the clean case fails: {done.text}{done.crash}")
    shutil.move(root / "out", root / "map")
    clean = read_model(root / "map" / "sfm")
    registered = {image.name: int((image.point3D_idxs >= 0).sum()) for image in clean.images}
    poses = read_poses(root / "poses.txt")
    return Case(root, case.options, registered, poses, read_poses(root / "gt.txt"))


def arguments(case: Case, root: Path, verb: str, options: Sequence[str]) -> list[str]:
    """Command for (a copy of) the inputs; ``{}`` in options stands for their folder."""
    filled = [option.replace("{}", str(root)) for option in options]
    if verb == "map":
        given = {"--reference", "--cameras"}.intersection(options)
        standard = [] if given else ["--reference", f"{root}/model"]
        output = [] if "-o" in options else ["-o", f"{root}/out"]
        config = [] if "--config" in options else ["--set", "features.max_keypoints=300"]
        return ["map", f"{root}/images", *output, *case.options, *standard, *config, *filled]
    map_folder = root / "map" if (root / "map").exists() else root / "out"
    output = [] if "-o" in options else ["-o", f"{root}/poses.txt"]
    lists = [] if "--queries" in options else ["--queries", f"{root}/queries.txt"]
    return ["localize", str(map_folder), "--images", f"{root}/queries", *lists, *output,
            "--jsonl", f"{root}/results.jsonl", "--offline", *filled]  # fmt: skip


def run(command: Sequence[str]) -> CommandRun:
    """Run a command in this process; its output and log are captured."""
    text, start, code, crash = io.StringIO(), time.monotonic(), None, ""
    handler = logging.StreamHandler(text)
    logger = logging.getLogger("hloc_lite")
    logger.addHandler(handler)
    try:
        with (
            contextlib.redirect_stdout(text),
            contextlib.redirect_stderr(text),
            _limited(MAX_SECONDS),
        ):
            command_line(list(command))
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:  # any exception is a result here
        crash = traceback.format_exc(limit=-4)
    finally:
        logger.removeHandler(handler)
    return CommandRun(code, text.getvalue(), time.monotonic() - start, crash)


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"not finished after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def classify(case: Case, root: Path, variant: Variant, done: CommandRun) -> str:
    """Outcome of a run: one of ``GOOD``, or a failure in capital letters."""
    if done.crash:
        return "HANG" if "TimeoutError" in done.crash else "TRACEBACK"
    if done.code == 2:
        is_named = variant.named in done.text and "rror: " in done.text
        return "error" if is_named else "UNCLEAR ERROR"
    compare = _compare_maps if variant.verb == "map" else _compare_poses
    difference, labelled = compare(case, root, variant)
    if labelled and (not difference or difference == {variant.victim}):
        return "labelled"
    if not difference:
        return "harmless"
    warnings = [line for line in done.text.splitlines() if variant.named in line]
    return "warned" if warnings else "SILENT"


def _compare_maps(case: Case, root: Path, variant: Variant) -> tuple[set[str | None], bool]:
    """Images with fewer points than in the clean map, and True if the victim's entry says why."""
    target = Path(variant.options[variant.options.index("-o") + 1].replace("{}", str(root))
                  if "-o" in variant.options else root / "out")  # fmt: skip
    report = json.loads((target / "report.json").read_text(encoding="utf-8"))["images"]
    worse: set[str | None] = {
        name
        for name, points in case.registered.items()
        if report.get(name, {}).get("points", 0) < 0.5 * points
    }
    return worse, bool(report.get(variant.victim, {}).get("reason"))


def _compare_poses(case: Case, root: Path, variant: Variant) -> tuple[set[str | None], bool]:
    """Queries without a correct pose, and True if the victim's result says why."""
    results = {r.query_name: r for r in read_results_jsonl(root / "results.jsonl")}
    bad: set[str | None] = set()
    for name, truth in case.truth.items():
        result = results.get(name)
        if result is None or result.pose is None:
            bad.add(name)
            continue
        distance, angle = pose_errors(result.pose.cam_from_world, truth)
        if distance > MAX_DISTANCE or angle > MAX_ANGLE_DEG:
            bad.add(name)
    victim = results.get(variant.victim or "")
    return bad, victim is not None and victim.pose is None and bool(victim.reason)


def run_variant(case: Case, variant: Variant, seed: int) -> tuple[str, CommandRun]:
    """Corrupt a copy of the inputs, run the command, classify the outcome."""
    with temporary_folder() as temporary:
        root = temporary / "case"
        shutil.copytree(case.root, root)
        variant.corrupt(root, np.random.default_rng(seed))
        before, written = _hashes(root), _times(root)
        done = run(arguments(case, root, variant.verb, variant.options))
        changed = before.items() - _hashes(root).items()
        if done.code != 2 and not done.crash and variant.verb == "localize":
            if _times(root).items() & written.items():
                return "NOT WRITTEN", done
            changed = {item for item in changed if item[0] not in RESULT_FILES}
        lost = sorted(name for name, _ in changed if not name.endswith(".progress"))
        if lost:
            return f"LOST {lost[0]}", done
        return classify(case, root, variant, done), done


def _times(root: Path) -> dict[str, int]:
    """Modification times of the result files: equal content may have been written again."""
    present = (name for name in RESULT_FILES if (root / name).is_file())
    return {name: (root / name).stat().st_mtime_ns for name in present}


def _hashes(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): file_sha256(path) for path in files}


def _write_text_model(target: Path, source: Path) -> None:
    import pycolmap

    target.mkdir()
    pycolmap.Reconstruction(str(source)).write_text(str(target))


@click.command()
@click.option("--seed", default=0, show_default=True)
@click.option("--count", default=200, show_default=True, help="Variants, evenly spread over all.")
@click.option("--retrieval", default="gem-lite0", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Show the output of each variant.")
@results_option
def main(seed: int, count: int, retrieval: str, verbose: bool, results: Path | None) -> None:
    """Run the variants and count their outcomes; exit code 1 if one of them is not acceptable."""
    import torch

    torch.set_num_threads(1)
    with temporary_folder() as temporary:
        case = prepare(temporary / "clean", retrieval)
        chosen = variants()
        rounds = [chosen[i % len(chosen)] for i in range(max(count, len(chosen)))]
        picked = [rounds[i] for i in np.linspace(0, len(rounds) - 1, count).astype(int)]
        counts: Counter[tuple[str, str]] = Counter()
        slowest_s = 0.0
        for number, variant in enumerate(picked):
            outcome, done = run_variant(case, variant, 1000 * seed + number)
            counts[variant.group, outcome] += 1
            slowest_s = max(slowest_s, done.seconds)
            if verbose or outcome not in GOOD:
                last = done.crash or " | ".join(done.text.strip().splitlines()[-3:])
                click.echo(f"{outcome:10} {variant.group}: {variant.name}: {last}")
    outcomes = [*GOOD, *sorted({outcome for _, outcome in counts} - set(GOOD))]
    notes = f"{len(picked)} variants; the slowest took {slowest_s:.1f} s."
    table = Table("Corrupted inputs", ["input", *outcomes], notes)
    for group in dict.fromkeys(variant.group for variant in picked):
        table.add(group, *(counts[group, outcome] for outcome in outcomes))
    totals = Counter(outcome for _, outcome in counts.elements())
    table.add("all", *(totals[outcome] for outcome in outcomes))
    table.write(results)
    sys.exit(any(outcome not in GOOD for outcome in totals))


if __name__ == "__main__":
    main()
