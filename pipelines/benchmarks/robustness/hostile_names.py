"""Names that lead elsewhere, in files of every format: nothing outside the folder may be touched.

    python -m pipelines.benchmarks.robustness.hostile_names

Names in the files of each format are replaced, and given to folders, archives and writers. Child
processes read or write them. An audit hook tells what Python opens; the times of access of files
beside the folder tell what libraries in C read. Takes two minutes. It needs ``fork``.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import signal
import sys
import tarfile
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click

from hloc_lite.config import DepthConfig
from hloc_lite.datasets.unpacking import unpack
from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.bundler import write_bundler
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.depth_images import DepthFolder
from hloc_lite.formats.hloc_lists import write_poses, write_queries
from hloc_lite.formats.kapture import write_kapture
from hloc_lite.formats.label_images import LabelFolder
from hloc_lite.formats.nerfstudio_writers import write_instant_ngp, write_nerfstudio
from hloc_lite.formats.nvm import write_nvm
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.formats.rio10 import write_rio10_frames
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.scene import SfmModel
from pipelines.benchmarks.robustness.mutated_files import SAMPLES, write_sample
from pipelines.benchmarks.robustness.sample_model import NAMES, poses_of, sample_model
from pipelines.benchmarks.table import Table, results_option

SECRET = "secret.png"
Work = Callable[[Path, str], object]
"""Reads or writes below a folder with a name that is not to be trusted."""
SAMPLE_NAMES = (
    *(name.encode() for name in NAMES), b"a.jpg", b"frame_00000.jpg", b"seq1/frame00001.png",
    b"seq-01/frame-000001.color.png", b"seq01_02/frame-000001", b"seq01_01", b"rgb/0.png",
    b"50000000.png", b"0.png",
)  # fmt: skip
"""Names in the samples, those that others contain last."""
_EVENTS = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink",
                     "os.listdir", "os.scandir", "sqlite3.connect"})  # fmt: skip
MAX_SECONDS = 20


@dataclass(frozen=True)
class Trial:
    """Outcome of one name at one place."""

    place: str
    name: str
    outcome: str
    """``refused``, ``taken`` (inside the folder), ``no name``, ``BREACH`` or ``TRACEBACK``."""
    note: str = ""


class NoNameError(Exception):
    """A file has no names of images, so that none can be replaced."""


def hostile_names(outside: Path) -> tuple[str, ...]:
    """Names that lead to the secret beside the folder, and others that systems cannot have."""
    absolute = (outside / SECRET).as_posix()
    return (
        f"../{SECRET}", f"a/../../{SECRET}", absolute, f"/{absolute}", f"..\\{SECRET}",
        f".. /{SECRET}", f"C:/{SECRET}", f"nul\0/../../{SECRET}", "line\nend.png", "\x1b[2Jx.png",
        251 * "n" + ".png", 300 * "n" + ".png", "CON.png", "nul", "a:b.png", "dot./x.png", ".",
        "..", "\udcff.png", "\u202egnp.x",
    )  # fmt: skip


def with_name(folder: Path, name: str, replaced: Sequence[bytes] = SAMPLE_NAMES) -> bool:
    """Put a name in place of those in all files of a folder; False if there was none."""
    changed = False
    for path in [each for each in folder.rglob("*") if each.is_file()]:
        data = path.read_bytes()
        is_fixed = b"\0" in data and path.suffix != ".bin"
        is_json = path.suffix in (".json", ".jsonl")
        raw = (json.dumps(name)[1:-1] if is_json else name).encode("utf-8", "surrogateescape")
        for old in replaced:
            # binary files keep their lengths
            new = (b"../" + b"s" * len(old))[: len(old)] if is_fixed else raw
            changed = changed or old in data
            data = data.replace(old, new)
        path.write_bytes(data)
    return changed


def entry_points() -> Mapping[str, Work]:
    """Place where a name comes in -> what is done with it."""
    found: dict[str, Work] = {}
    for sample in SAMPLES:

        def read(folder: Path, name: str, sample: object = sample) -> object:
            write_sample(sample, folder)  # type: ignore[arg-type]
            if not with_name(folder, name):
                raise NoNameError
            return sample.read(folder)  # type: ignore[attr-defined]

        found[sample.name] = read
    for kind, write in _WRITERS.items():
        found[f"{kind}, written"] = lambda folder, name, write=write: write(folder, _renamed(name))
    return found | {
        "image folder": lambda folder, name: FolderSource(folder, (name,)).load(name),
        "mask folder": lambda folder, name: _masks(folder, name),
        "depth folder": lambda folder, name: DepthFolder(folder, DepthConfig()).load(name, (8, 8)),
        "label folder": lambda folder, name: LabelFolder(folder).load(name, (8, 8)),
        "zip": _unzip,
        "tar": _untar,
    }


def _renamed(name: str) -> SfmModel:
    model = sample_model()
    return replace(model, images=(replace(model.images[0], name=name), *model.images[1:]))


_WRITERS: Mapping[str, Callable[[Path, SfmModel], object]] = {
    "COLMAP": write_model,
    "Bundler": lambda f, model: write_bundler(f / "bundle.out", f / "list.txt", model),
    "NVM": lambda f, model: write_nvm(f / "m.nvm", model),
    "nerfstudio": lambda f, model: write_nerfstudio(f / "transforms.json", model),
    "instant-ngp": lambda f, model: write_instant_ngp(f / "t.json", model),
    "poses": lambda f, model: write_poses(f / "p.txt", poses_of(model)),
    "queries": lambda f, model: write_queries(
        f / "q.txt", {image.name: model.cameras[1] for image in model.images}
    ),
    "kapture": lambda f, model: write_kapture(
        f / "kapture",
        PosedImages(model=model, cameras={image.name: model.cameras[1] for image in model.images}),
        keypoints_type="x",
    ),
    "RIO10": lambda f, model: write_rio10_frames(f / "rio", poses_of(model)),
}


def _masks(folder: Path, name: str) -> object:
    return FolderSource(folder, (name,), mask_dir=folder).fingerprint(name)


def _unzip(folder: Path, name: str) -> object:
    with zipfile.ZipFile(folder / "a.zip", "w") as file:
        file.writestr(name.encode("utf-8", "replace").decode(), b"x")
    return unpack(folder / "a.zip", folder / "out")


def _untar(folder: Path, name: str) -> object:
    with tarfile.open(folder / "a.tar", "w") as file:
        member = tarfile.TarInfo(name)
        member.size = 1
        file.addfile(member, io.BytesIO(b"x"))
    return unpack(folder / "a.tar", folder / "out")


def run(root: Path, chosen: Mapping[str, Work]) -> Iterator[Trial]:
    """Try all names at all entry_points; the root is an empty scratch folder."""
    outside = root / "outside"
    folder = outside / "folder"
    for place, work in chosen.items():
        for name in hostile_names(outside):
            folder.mkdir(parents=True, exist_ok=True)
            write_secrets(outside)
            before = state_beside(folder)
            outcome, note = in_child(folder, partial(_tried, work, folder, name))
            if state_beside(folder) != before:
                outcome, note = "BREACH", "a file beside the folder was read, changed or made"
            yield Trial(place, name, outcome, note)
            shutil.rmtree(outside)


def write_secrets(outside: Path) -> None:
    """Write files that nothing may read, with times of access that tell whether it was done."""
    for name in (SECRET, f"{SECRET}.png", *(count * "s" for count in range(1, 16))):
        (outside / name).write_bytes(b"secret")
        os.utime(outside / name, ns=(0, (outside / name).stat().st_mtime_ns))


def state_beside(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Times and sizes of all that is beside a folder."""
    found = {}
    for entry in os.scandir(folder.parent):
        if entry.name != folder.name:
            status = entry.stat(follow_symlinks=False)
            found[entry.name] = (status.st_atime_ns, status.st_mtime_ns, status.st_size)
    return found


def in_child(
    folder: Path, work: Callable[[], tuple[str, str]], seconds: int = MAX_SECONDS
) -> tuple[str, str]:
    """Outcome and note of work in a forked process; ``BREACH`` if Python opened what is beside.

    Args:
        folder: what is beside it in its parent is watched.
        seconds: time after which the process is ended.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with contextlib.suppress(BaseException):
            os.write(writing, json.dumps(_watched(folder, work, seconds)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    outcome, note = json.loads(text) if text else ("CRASH", f"no answer, status {status}")
    return outcome, note


def _watched(folder: Path, work: Callable[[], tuple[str, str]], seconds: int) -> tuple[str, str]:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    inside, outside = os.path.realpath(folder), os.path.realpath(folder.parent)
    breaches: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in _EVENTS and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.fsdecode(arguments[0])
            real = os.path.realpath(path) if "\0" not in path else ""
            if real.startswith(outside + os.sep) and not (real + os.sep).startswith(
                inside + os.sep
            ):
                breaches.append(f"{event} {path}")

    sys.addaudithook(watch)
    outcome, note = work()
    return ("BREACH", breaches[0]) if breaches else (outcome, note)


def _tried(work: Work, folder: Path, name: str) -> tuple[str, str]:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    logging.disable()
    try:
        work(folder, name)
    except HlocLiteError as error:
        return "refused", str(error)[:500]
    except NoNameError:
        return "no name", ""
    except BaseException:
        return "TRACEBACK", traceback.format_exc(limit=-4)[-1500:]
    return "taken", ""


@click.command(help=__doc__)
@results_option
def main(results: Path | None) -> None:
    kinds = ("refused", "taken", "no name", "BREACH", "TRACEBACK")
    table = Table("Hostile names", ["place", "names", *kinds])
    done: list[Trial] = []
    with tempfile.TemporaryDirectory(prefix="names_") as temporary:
        for place, work in entry_points().items():
            trials = list(run(Path(temporary), {place: work}))
            for trial in trials:
                if trial.outcome.isupper():
                    click.echo(f"{trial.outcome} {place}: {trial.name[:60]!r}: {trial.note}")
            counts = Counter(trial.outcome for trial in trials)
            table.add(place, len(trials), *(counts[kind] for kind in kinds))
            done += trials
    counts = Counter(trial.outcome for trial in done)
    table.add("all", len(done), *(counts[kind] for kind in kinds))
    table.write(results)
    sys.exit(any(trial.outcome.isupper() for trial in done))


if __name__ == "__main__":
    main()
