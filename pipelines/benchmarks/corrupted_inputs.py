"""What becomes of broken inputs: none may crash, hang, or be taken for a good one in silence.

python pipelines/benchmarks/corrupted_inputs.py --seed 0 --count 200   (two minutes)

A small rendered case is mapped and localized cleanly. Then each of ``count`` variants spoils one
input (an image, intrinsics, a model, a list, a file of the map, an output) and runs the command
line again. Every variant must end as one of

* error: exit code 2, one line that names what is wrong, no traceback;
* labelled: the run goes on, and the spoilt image is reported as left out, with the reason;
* warned: the run goes on as it can, and says on stderr what is wrong with which file;
* harmless: all results are those of the clean run.

Whatever the end, what lay in the folder before (the inputs, a finished map, the poses of an earlier
run) must be there afterwards, byte by byte; only a run that goes on may replace the poses.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
from hloc_lite.synthetic.planes import make_planes
from hloc_lite.types import Rigid3

MAP_NAMES = {f"a {i}/straße.jpg": i for i in (0, 1, 2, 4, 6, 8, 9, 10)}
QUERY_NAMES = {"q 3.jpg": 3, "ü/q 5.jpg": 5, "q7.jpg": 7}
MAP_VICTIM, QUERY_VICTIM = "a 4/straße.jpg", "ü/q 5.jpg"
MAX_SECONDS = 60
NEAR_M, NEAR_DEG = 0.05, 0.5
"""A query this close to the truth (cameras stand 0.4 apart) was localized well."""
MAP_FILES = (
    "map.json", "report.json", "features.h5", "retrieval.h5", "landmark_descriptors.npy",
    "sfm/cameras.bin", "sfm/images.bin", "sfm/points3D.bin",
)  # fmt: skip
ANSWERS = ("poses.txt", "results.jsonl")
GOOD = ("error", "labelled", "warned", "harmless")


@dataclass(frozen=True)
class Variant:
    """One way to spoil one input."""

    group: str
    name: str
    spoil: Callable[[Path, np.random.Generator], None]
    verb: str
    """map or localize."""
    culprit: str
    """What the message has to name."""
    victim: str | None = None
    """The only image whose result may differ."""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What one run of the command line did."""

    code: int | None
    text: str
    seconds: float
    crash: str = ""


@dataclass(frozen=True)
class Case:
    """The clean inputs, and what comes of them."""

    root: Path
    options: tuple[str, ...]
    registered: dict[str, int] = field(default_factory=dict)
    """Map image -> points it sees."""
    poses: dict[str, Rigid3] = field(default_factory=dict)
    truth: dict[str, Rigid3] = field(default_factory=dict)


def prepare(root: Path, retrieval: str) -> Case:
    """Render, map and localize the clean case."""
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
        outcome = run(arguments(case, root, verb, ()))
        if outcome.code != 0:
            raise SystemExit(f"the clean case fails: {outcome.text}{outcome.crash}")
    shutil.move(root / "out", root / "map")
    clean = read_model(root / "map" / "sfm")
    registered = {image.name: int((image.point3D_idxs >= 0).sum()) for image in clean.images}
    poses = read_poses(root / "poses.txt")
    return Case(root, case.options, registered, poses, read_poses(root / "gt.txt"))


def arguments(case: Case, root: Path, verb: str, options: Sequence[str]) -> list[str]:
    """The command that is run on (a copy of) the inputs; ``{}`` in options is their folder."""
    filled = [option.replace("{}", str(root)) for option in options]
    if verb == "map":
        given = {"--reference", "--cameras"}.intersection(options)
        standard = [] if given else ["--reference", f"{root}/model"]
        output = [] if "-o" in options else ["-o", f"{root}/out"]
        config = [] if "--config" in options else ["--set", "features.max_keypoints=300"]
        return ["map", f"{root}/images", *output, *case.options, *standard, *config, *filled]
    place = root / "map" if (root / "map").exists() else root / "out"
    output = [] if "-o" in options else ["-o", f"{root}/poses.txt"]
    lists = [] if "--queries" in options else ["--queries", f"{root}/queries.txt"]
    return ["localize", str(place), "--images", f"{root}/queries", *lists, *output,
            "--jsonl", f"{root}/results.jsonl", "--offline", *filled]  # fmt: skip


def run(command: Sequence[str]) -> Outcome:
    """One command in this process; what it prints and logs is caught."""
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
    except BaseException:  # a crash is a result here, whatever its type
        crash = traceback.format_exc(limit=-4)
    finally:
        logger.removeHandler(handler)
    return Outcome(code, text.getvalue(), time.monotonic() - start, crash)


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def judge(case: Case, root: Path, variant: Variant, outcome: Outcome) -> str:
    """One of ``GOOD``, or what is wrong."""
    if outcome.crash:
        return "HANG" if "TimeoutError" in outcome.crash else "TRACEBACK"
    if outcome.code == 2:
        named = variant.culprit in outcome.text and "rror: " in outcome.text
        return "error" if named else "UNCLEAR ERROR"
    compare = _compare_maps if variant.verb == "map" else _compare_poses
    difference, labelled = compare(case, root, variant)
    if labelled and (not difference or difference == {variant.victim}):
        return "labelled"
    if not difference:
        return "harmless"
    said = [line for line in outcome.text.splitlines() if variant.culprit in line]
    return "warned" if said else "SILENT"


def _compare_maps(case: Case, root: Path, variant: Variant) -> tuple[set[str | None], bool]:
    """Images that fare worse than in the clean map, and whether the victim's entry says why."""
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
    """Queries that are not near the truth, and whether the victim's result says why."""
    results = {r.query_name: r for r in read_results_jsonl(root / "results.jsonl")}
    bad: set[str | None] = set()
    for name, truth in case.truth.items():
        result = results.get(name)
        if result is None or result.pose is None:
            bad.add(name)
            continue
        distance, angle = pose_errors(result.pose.cam_from_world, truth)
        if distance > NEAR_M or angle > NEAR_DEG:
            bad.add(name)
    victim = results.get(variant.victim or "")
    return bad, victim is not None and victim.pose is None and bool(victim.reason)


def try_variant(case: Case, variant: Variant, seed: int) -> tuple[str, Outcome]:
    """Spoil a copy of the inputs, run, judge."""
    with tempfile.TemporaryDirectory(prefix="corrupted_") as temporary:
        root = Path(temporary) / "case"
        shutil.copytree(case.root, root)
        variant.spoil(root, np.random.default_rng(seed))
        before, written = _hashes(root), _times(root)
        outcome = run(arguments(case, root, variant.verb, variant.options))
        changed = before.items() - _hashes(root).items()
        if outcome.code != 2 and not outcome.crash and variant.verb == "localize":
            if _times(root).items() & written.items():
                return "NOT WRITTEN", outcome
            changed = {item for item in changed if item[0] not in ANSWERS}
        lost = sorted(name for name, _ in changed if not name.endswith(".progress"))
        if lost:
            return f"LOST {lost[0]}", outcome
        return judge(case, root, variant, outcome), outcome


def _times(root: Path) -> dict[str, int]:
    """When the answers were written: what broke may be something that they do not depend on."""
    there = (name for name in ANSWERS if (root / name).is_file())
    return {name: (root / name).stat().st_mtime_ns for name in there}


def _hashes(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): file_sha256(path) for path in files}


# ---------------------------------------------------------------- ways to spoil a file


def truncate(path: str) -> Callable[[Path, np.random.Generator], None]:
    """Cut off at a random place."""

    def spoil(root: Path, rng: np.random.Generator) -> None:
        data = (root / path).read_bytes()
        (root / path).write_bytes(data[: int(rng.integers(0, len(data)))])

    return spoil


def scramble(path: str, count: int = 8) -> Callable[[Path, np.random.Generator], None]:
    """Random bytes at random places."""

    def spoil(root: Path, rng: np.random.Generator) -> None:
        data = bytearray((root / path).read_bytes())
        for at in rng.integers(0, len(data), count):
            data[at] = (data[at] + int(rng.integers(1, 256))) % 256
        (root / path).write_bytes(data)

    return spoil


def replace(path: str, content: bytes | None = None) -> Callable[[Path, np.random.Generator], None]:
    """Other content; None: random bytes of the same length."""

    def spoil(root: Path, rng: np.random.Generator) -> None:
        length = (root / path).stat().st_size if (root / path).is_file() else 1000
        (root / path).write_bytes(rng.bytes(length) if content is None else content)

    return spoil


def zero(path: str) -> Callable[[Path, np.random.Generator], None]:
    """All bytes zero, the length kept."""
    return lambda root, _: _put(root / path, b"\0" * (root / path).stat().st_size)


def remove(path: str) -> Callable[[Path, np.random.Generator], None]:
    """Not there any more."""
    return lambda root, _: (root / path).unlink()


def edit(path: str, old: str, new: str) -> Callable[[Path, np.random.Generator], None]:
    """One piece of a text replaced (once)."""

    def spoil(root: Path, _: np.random.Generator) -> None:
        text = (root / path).read_text(encoding="utf-8")
        if old not in text:
            raise SystemExit(f"{old!r} is not in {path}")
        (root / path).write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def save_image(path: str, pixels: np.ndarray) -> Callable[[Path, np.random.Generator], None]:
    """Another picture under that name."""
    return lambda root, _: Image.fromarray(pixels).save(root / path, "PNG")


def nothing(root: Path, _: np.random.Generator) -> None:
    """The options do the harm."""


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _write_text_model(target: Path, source: Path) -> None:
    import pycolmap

    target.mkdir()
    pycolmap.Reconstruction(str(source)).write_text(str(target))


# ---------------------------------------------------------------- the variants


def image_variants() -> Iterator[Variant]:
    black, small = np.zeros((240, 320, 3), np.uint8), np.zeros((50, 70, 3), np.uint8)
    noise = np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    for verb, victim, folder in (
        ("map", MAP_VICTIM, "images"),
        ("localize", QUERY_VICTIM, "queries"),
    ):
        path = f"{folder}/{victim}"
        spoils = {
            "truncated": truncate(path), "random bytes": replace(path), "zeros": zero(path),
            "empty": replace(path, b""), "text": replace(path, b"not an image"),
            "PNG head only": replace(path, b"\x89PNG\r\n\x1a\n"), "missing": remove(path),
            "black": save_image(path, black), "noise": save_image(path, noise),
            "tiny": save_image(path, small), "another shape": save_image(path, noise[:, :200]),
            "one pixel": save_image(path, black[:1, :1]),
            "damaged bytes": scramble(path, 300),
            "16-bit, black": save_image(path, black[..., 0].astype(np.uint16)),
        }  # fmt: skip
        for name, spoil in spoils.items():
            yield Variant("image", f"{verb}: {name}", spoil, verb, victim, victim)


def intrinsics_variants() -> Iterator[Variant]:
    line = f"{QUERY_VICTIM} SIMPLE_PINHOLE 320 240 288.0 160.0 120.0"
    start = f"{QUERY_VICTIM} SIMPLE_PINHOLE"
    changes = {
        "NaN focal": f"{start} 320 240 nan 160 120", "infinite": f"{start} 320 240 inf 160 120",
        "zero focal": f"{start} 320 240 0 160 120", "negative": f"{start} 320 240 -288 160 120",
        "huge focal": f"{start} 320 240 1e9 160 120", "no size": f"{start} 0 0 288 160 120",
        "negative size": f"{start} -320 240 288 160 120",
        "too few": f"{start} 320 240 288 160", "too many": f"{start} 320 240 288 160 120 1 2",
        "far centre": f"{start} 320 240 288 9160 120", "words": f"{start} a b c d e",
        "unknown model": f"{QUERY_VICTIM} SPIRAL 320 240 288 160 120",
        "name only": QUERY_VICTIM, "numbers only": "320 240 288 160 120",
        "fractions of pixels": f"{start} 320.5 240 288 160 120",
        "twice": f"{line}\n{line}",
        "width and height swapped": f"{start} 240 320 288 120 160",
        "of another shape": f"{start} 320 320 288 160 160",
        "name of no file": line.replace(QUERY_VICTIM, "nowhere.jpg"),
        "name leaves the folder": line.replace(QUERY_VICTIM, f"../queries/{QUERY_VICTIM}"),
    }  # fmt: skip
    for name, new in changes.items():
        victim = "nowhere.jpg" if name == "name of no file" else QUERY_VICTIM
        yield Variant("intrinsics", f"localize: {name}", edit("queries.txt", line, new),
                      "localize", "quer", victim)  # fmt: skip
    first = f"{MAP_VICTIM} SIMPLE_PINHOLE 320 240 288.0 160.0 120.0"
    for name, new in {
        "NaN": first.replace("288.0", "nan"), "shape": first.replace("240", "320"),
        "missing": "# left out", "garbage": "\ufffd\ufffd",
    }.items():  # fmt: skip
        yield Variant("intrinsics", f"map: {name}", edit("cameras.txt", first, new), "map",
                      MAP_VICTIM if name in ("shape", "missing") else "cameras.txt", MAP_VICTIM,
                      ("--cameras", "{}/cameras.txt"))  # fmt: skip


def model_variants() -> Iterator[Variant]:
    for folder, suffix in (("model", "bin"), ("model_txt", "txt")):
        options = ("--reference", f"{{}}/{folder}")
        for part in ("cameras", "images", "points3D"):
            path = f"{folder}/{part}.{suffix}"
            for name, spoil in {
                "truncated": truncate(path), "truncated again": truncate(path),
                "empty": replace(path, b""), "zeros": zero(path), "random": replace(path),
                "missing": remove(path), "text": replace(path, b"hello\n"),
            }.items():  # fmt: skip
                yield Variant("model", f"{path} {name}", spoil, "map", "model", None, options)
    text = ("--reference", "{}/model_txt")
    names = sorted(MAP_NAMES)
    for name, spoil in {
        "NaN pose": edit("model_txt/images.txt", "\n1 ", "\n1 nan "),
        "camera 7": edit("model_txt/images.txt", f" 1 {names[0]}", f" 7 {names[0]}"),
        "name twice": edit("model_txt/images.txt", names[0], names[1]),
        "other names": lambda root, _: _put(
            root / "model_txt/images.txt",
            (root / "model_txt/images.txt").read_bytes().replace(b"a ", b"b "),
        ),
        "unknown model": edit("model_txt/cameras.txt", "SIMPLE_PINHOLE", "SPIRAL"),
        "another size": edit("model_txt/cameras.txt", "320 240", "320 320"),
        "no images": replace("model_txt/images.txt", b"# nothing\n"),
    }.items():
        culprit = "reference model" if name in ("other names", "no images") else "camera"
        culprit = "intrinsics" if name == "another size" else culprit
        culprit = "images.txt" if name in ("NaN pose", "camera 7", "name twice") else culprit
        yield Variant("model", f"text: {name}", spoil, "map", culprit, None, text)
    yield Variant("model", "no such folder", nothing, "map", "nowhere", None,
                  ("--reference", "{}/nowhere"))  # fmt: skip
    yield Variant("model", "an image folder", nothing, "map", "images", None,
                  ("--reference", "{}/images"))  # fmt: skip


def list_variants() -> Iterator[Variant]:
    victim = sorted(MAP_NAMES)[0]
    other = sorted(MAP_NAMES)[1]
    for name, spoil in {
        "empty": replace("queries.txt", b""), "comments": replace("queries.txt", b"# x\n"),
        "random": replace("queries.txt"), "zeros": zero("queries.txt"),
        "missing": remove("queries.txt"), "UTF-16": replace("queries.txt", "a b".encode("utf-16")),
        "a photo": lambda root, _: shutil.copy(root / "queries/q7.jpg", root / "queries.txt"),
    }.items():  # fmt: skip
        yield Variant("list", f"queries {name}", spoil, "localize", "queries")
    for file, option in (("list.txt", "--image-list"), ("pairs.txt", "--pairs")):
        options = (option, f"{{}}/{file}")
        for name, spoil in {
            "empty": replace(file, b""), "random": replace(file), "zeros": zero(file),
            "unknown name": edit(file, victim, "nobody.jpg"), "missing": remove(file),
        }.items():  # fmt: skip
            culprit = {"unknown name": "nobody.jpg", "empty": ""}.get(name, file)
            yield Variant("list", f"{file} {name}", spoil, "map", culprit, None, options)
    options = ("--pairs", "{}/pairs.txt")
    for name, new in {"with itself": f"{victim} {victim}", "one name": victim}.items():
        yield Variant("list", f"pairs.txt {name}", edit("pairs.txt", f"{victim} {other}", new),
                      "map", "pairs.txt", None, options)  # fmt: skip
    for spec in ("retrieval:0", "retrieval:x", "sequential", "covisible:5", "everything"):
        yield Variant("list", f"--pairs {spec}", nothing, "map", spec.partition(":")[0], None,
                      ("--pairs", spec))  # fmt: skip


def config_variants() -> Iterator[Variant]:
    file = ("--config", "{}/config.toml")
    for name, content, culprit in (
        ("empty", b"", ""), ("random", None, "config.toml"), ("no TOML", b"[features\n", "toml"),
        ("unknown key", b"[features]\nmax_keypoint = 3\n", "max_keypoints"),
        ("unknown section", b"[feature]\nx = 1\n", "feature"),
        ("out of range", b"[features]\nmax_keypoints = -3\n", "max_keypoints"),
        ("wrong type", b"[features]\nmax_keypoints = 'many'\n", "max_keypoints"),
        ("NaN", b"[pose]\nmax_error_px = nan\n", "max_error_px"),
        ("infinite", b"[pose]\nmax_error_px = inf\n", "max_error_px"),
        ("no section", b"features = 3\n", "features"),
        ("unknown mapper", b"[mapping]\nmapper = 'x'\n", "mapper"),
        ("unknown camera model", b"[mapping]\ncamera_model = 'x'\n", "'x'"),
        ("unknown estimator", b"[pose]\nestimator = 'x'\n", "'x'"),
    ):  # fmt: skip
        options = file
        yield Variant(
            "config", name, replace("config.toml", content), "map", culprit, None, options
        )
    for name, option in (("no value", "pose"), ("unknown", "pose.max_eror_px=3"), ("dots", "=3")):
        yield Variant("config", f"--set {name}", nothing, "localize", "pose" if "p" in option
                      else "--set", None, ("--set", option))  # fmt: skip
    yield Variant("config", "other features", nothing, "localize", "features", None,
                  ("--set", "features.name=disk"))  # fmt: skip
    yield Variant("config", "missing file", nothing, "map", "nothing.toml", None,
                  ("--config", "{}/nothing.toml"))  # fmt: skip
    yield Variant("config", "device", nothing, "localize", "quantum", None, ("--device", "quantum"))


def map_file_variants() -> Iterator[Variant]:
    for file in MAP_FILES:
        path = f"map/{file}"
        for name, spoil in {
            "truncated": truncate(path), "empty": replace(path, b""), "zeros": zero(path),
            "random": replace(path), "missing": remove(path), "damaged": scramble(path),
            "one byte": scramble(path, 1),
        }.items():  # fmt: skip
            yield Variant("map folder", f"{file} {name}", spoil, "localize", "map")
    for name, spoil in {
        "is a file": lambda root, _: (shutil.rmtree(root / "map"), _put(root / "map", b"x")),
        "is empty": lambda root, _: (shutil.rmtree(root / "map"), (root / "map").mkdir()),
        "has no model": lambda root, _: shutil.rmtree(root / "map/sfm"),
        "other schema": edit("map/map.json", "hloc_lite.map/1", "hloc_lite.map/99"),
        "weights by hand": edit("map/map.json", '"weights"', '"weight"'),
    }.items():
        yield Variant("map folder", name, spoil, "localize", "map")


def mask_and_output_variants() -> Iterator[Variant]:
    mask, masks = f"masks/{MAP_VICTIM}.png", ("--masks", "{}/masks")
    white = np.full((240, 320), 255, np.uint8)
    for name, spoil in {
        "other size": save_image(mask, white[:, :300]), "all black": save_image(mask, 0 * white),
        "truncated": truncate(mask), "empty": replace(mask, b""),
    }.items():  # fmt: skip
        yield Variant("mask", name, spoil, "map", MAP_VICTIM, MAP_VICTIM, masks)
    yield Variant("mask", "no folder", nothing, "map", "nowhere", None, ("--masks", "{}/nowhere"))
    yield Variant("mask", "no mask there", nothing, "map", "queries", None,
                  ("--masks", "{}/queries"))  # fmt: skip
    for verb in ("map", "localize"):
        for name, target in {
            "below a file": "{}/gt.txt/below", "on a device": "/dev/null/x",
            "in /proc": "/proc/nowhere/x",
        }.items():  # fmt: skip
            yield Variant("output", f"{verb}: {name}", nothing, verb,
                          target.removeprefix("{}/").split("/")[0], None,
                          ("-o", target))  # fmt: skip
    yield Variant("output", "map: is a file", nothing, "map", "gt.txt", None, ("-o", "{}/gt.txt"))
    yield Variant("output", "localize: is a folder", nothing, "localize", "masks", None,
                  ("-o", "{}/masks"))  # fmt: skip
    for name, content in (("cut", b'{"run": "0'), ("random", None), ("a list", b"[]\n[]\n")):
        yield Variant("output", f"localize: progress file {name}",
                      replace(".poses.txt.progress", content), "localize", "progress")  # fmt: skip


def variants() -> list[Variant]:
    """All of them, in a fixed order."""
    groups = (
        image_variants, intrinsics_variants, model_variants, list_variants, config_variants,
        map_file_variants, mask_and_output_variants,
    )  # fmt: skip
    return [variant for group in groups for variant in group()]


@click.command()
@click.option("--seed", default=0, show_default=True)
@click.option("--count", default=200, show_default=True, help="Variants, taken evenly from all.")
@click.option("--retrieval", default="gem-lite0", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Show what each variant said.")
def main(seed: int, count: int, retrieval: str, verbose: bool) -> None:
    """Run the variants and print how each ended; exit code 1 if one ended badly."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="corrupted_") as temporary:
        case = prepare(Path(temporary) / "clean", retrieval)
        chosen = variants()
        rounds = [chosen[i % len(chosen)] for i in range(max(count, len(chosen)))]
        picked = [rounds[i] for i in np.linspace(0, len(rounds) - 1, count).astype(int)]
        table: Counter[tuple[str, str]] = Counter()
        slowest = 0.0
        for number, variant in enumerate(picked):
            verdict, outcome = try_variant(case, variant, 1000 * seed + number)
            table[variant.group, verdict] += 1
            slowest = max(slowest, outcome.seconds)
            if verbose or verdict not in GOOD:
                last = outcome.crash or " | ".join(outcome.text.strip().splitlines()[-3:])
                click.echo(f"{verdict:10} {variant.group}: {variant.name}: {last}")
    verdicts = [*GOOD, *sorted({verdict for _, verdict in table} - set(GOOD))]
    click.echo("| input | " + " | ".join(verdicts) + " |")
    click.echo("|---" * (len(verdicts) + 1) + "|")
    for group in dict.fromkeys(variant.group for variant in picked):
        counts = " | ".join(str(table[group, verdict]) for verdict in verdicts)
        click.echo(f"| {group} | {counts} |")
    totals = Counter(verdict for _, verdict in table.elements())
    click.echo("| all | " + " | ".join(str(totals[verdict]) for verdict in verdicts) + " |")
    click.echo(f"{len(picked)} variants, the slowest took {slowest:.1f} s")
    sys.exit(any(verdict not in GOOD for verdict in totals))


if __name__ == "__main__":
    main()
