"""Several processes render one town: its arrays are shared through memory-mapped files."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from queue import Queue
from threading import Thread

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.synthetic.mesh import Mesh
from hloc_lite.synthetic.town import Town
from hloc_lite.synthetic.views import View

PREFIX = ".workers-"


def render_in_processes(
    out_dir: Path,
    town: Town,
    views: Sequence[View],
    jobs: int,
    with_depth: bool,
    with_labels: bool,
) -> Iterator[str]:
    """Yields the name of each view when it is written, in no particular order.

    Raises:
        HlocLiteError: a worker failed; what was written stays.
    """
    for stale in out_dir.glob(f"{PREFIX}*"):  # of a run that was killed
        shutil.rmtree(stale, ignore_errors=True)
    ordered = sorted(views, key=lambda view: (view.pass_name, view.name))
    jobs = min(jobs, len(ordered))
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=out_dir) as folder:
        shared = Path(folder)
        save_town(shared, town)
        bounds = np.linspace(0, len(ordered), jobs + 1).round().astype(int)
        for number, (start, end) in enumerate(pairwise(bounds.tolist())):
            task = (out_dir.resolve(), ordered[start:end], with_depth, with_labels)
            (shared / f"task{number}.pickle").write_bytes(pickle.dumps(task))
        yield from _run_workers(shared, jobs, len(ordered))


def _run_workers(shared: Path, jobs: int, expected: int) -> Iterator[str]:
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "hloc_lite.synthetic.worker", str(shared), str(number)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        for number in range(jobs)
    ]
    lines: Queue[str | None] = Queue()
    readers = [Thread(target=_forward, args=(worker, lines), daemon=True) for worker in workers]
    try:
        for reader in readers:
            reader.start()
        ended = done = 0
        while ended < jobs:
            line = lines.get()
            if line is None:
                ended += 1
                continue
            done += 1
            yield line
        if done != expected:
            messages = [worker.stderr.read() for worker in workers if worker.stderr]
            last = next((text.strip() for text in messages if text.strip()), "no message")
            raise HlocLiteError(
                f"rendering stopped after {done} of {expected} images: {last.splitlines()[-1]}. "
                f"Run again: finished images are kept"
            )
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _forward(worker: subprocess.Popen[str], lines: Queue[str | None]) -> None:
    assert worker.stdout is not None
    for line in worker.stdout:
        lines.put(line.rstrip("\n"))
    lines.put(None)


def save_town(folder: Path, town: Town) -> None:
    """Arrays as .npy files, the rest pickled; for ``load_town`` of the same program only."""
    np.save(folder / "atlas.npy", town.atlas.pixels)
    for name, mesh in town.parts.items():
        for field in ("triangles", "surface_idxs", "plane", "look", "labels"):
            np.save(folder / f"{name}.{field}.npy", getattr(mesh, field))
    light = replace(town, atlas=replace(town.atlas, pixels=np.zeros((0, 0, 3), np.uint8)), parts={})
    (folder / "town.pickle").write_bytes(pickle.dumps((light, list(town.parts))))


def load_town(folder: Path) -> Town:
    """A town whose arrays stay in the files of ``save_town``."""
    light, names = pickle.loads((folder / "town.pickle").read_bytes())

    def mapped(name: str) -> np.ndarray:
        return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))

    fields = ("triangles", "surface_idxs", "plane", "look", "labels")
    parts = {name: Mesh(*(mapped(f"{name}.{field}") for field in fields)) for name in names}
    return replace(light, atlas=replace(light.atlas, pixels=mapped("atlas")), parts=parts)
