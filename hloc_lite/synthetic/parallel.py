"""Parallel rendering: worker processes share the town's arrays through memory-mapped files."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.io.files import read_json, write_json_atomic
from hloc_lite.io.python_process import python_command, python_environment
from hloc_lite.synthetic.atlas import Atlas
from hloc_lite.synthetic.config import TownConfig
from hloc_lite.synthetic.mesh import Mesh
from hloc_lite.synthetic.planning import make_plan
from hloc_lite.synthetic.town import Town
from hloc_lite.synthetic.visibility import View
from hloc_lite.types import Camera, Rigid3

PREFIX = ".workers-"


def render_in_processes(
    out_dir: Path,
    town: Town,
    views: Sequence[View],
    jobs: int,
    with_depth: bool,
    with_labels: bool,
) -> Iterator[str]:
    """Render views in worker processes; yields the name of each when written, in any order.

    Raises:
        HlocLiteError: a worker failed; finished images are kept.
    """
    ordered = sorted(views, key=lambda view: (view.pass_name, view.name))
    task: dict[str, Any] = {"out_dir": str(out_dir.resolve())}
    task |= {"with_depth": with_depth, "with_labels": with_labels}
    with shared_folder(out_dir) as shared:
        save_town(shared, town)
        parts = split_tasks(shared, task, "views", [view_to_json(view) for view in ordered], jobs)
        yield from run_workers("hloc_lite.synthetic.render_worker", shared, parts, len(ordered))


@contextmanager
def shared_folder(out_dir: Path) -> Iterator[Path]:
    """Folder in ``out_dir`` for files that workers share; it is deleted afterwards."""
    for stale in out_dir.glob(f"{PREFIX}*"):  # left by a killed run
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=out_dir) as folder:
        yield Path(folder)


def split_tasks(
    shared: Path, task: Mapping[str, Any], key: str, items: Sequence[Any], jobs: int
) -> int:
    """Write ``task0.json`` and so on, each with a part of the items; returns their number."""
    jobs = min(jobs, len(items))
    bounds = np.linspace(0, len(items), jobs + 1).round().astype(int)
    for number, (start, end) in enumerate(pairwise(bounds.tolist())):
        write_json_atomic(shared / f"task{number}.json", {**task, key: items[start:end]})
    return jobs


def run_workers(module: str, shared: Path, jobs: int, expected: int) -> Iterator[str]:
    """Run ``python -m MODULE FOLDER NUMBER`` for each task; yields the names that they print.

    Args:
        module: worker.
        shared: folder with the tasks.
        jobs: number of tasks.
        expected: number of names that the workers print together.

    Raises:
        HlocLiteError: a worker failed.
    """
    folder = shared.resolve()
    workers = [
        subprocess.Popen(
            python_command(module, folder, number),
            cwd=folder,
            env=python_environment(),
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
    """Put the lines that a worker prints into the queue, then None."""
    assert worker.stdout is not None
    for line in worker.stdout:
        lines.put(line.rstrip("\n"))
    lines.put(None)


MESH_FIELDS = ("triangles", "surface_idxs", "plane", "appearance", "labels")


def save_town(folder: Path, town: Town) -> None:
    """Write a town for ``load_town``: arrays as .npy files, the rest as JSON."""
    np.save(folder / "atlas.npy", town.atlas.pixels)
    np.save(folder / "origins.npy", town.atlas.origins)
    np.save(folder / "lamps.npy", town.lamps)
    for name, mesh in town.parts.items():
        for field in MESH_FIELDS:
            np.save(folder / f"{name}.{field}.npy", getattr(mesh, field))
    write_json_atomic(
        folder / "town.json", {"config": town.config.model_dump(), "parts": list(town.parts)}
    )


def load_town(folder: Path) -> Town:
    """Open a town of ``save_town``; large arrays are memory-mapped."""
    saved = read_json(folder / "town.json")
    config = TownConfig.model_validate(saved["config"])

    def mapped(name: str) -> np.ndarray:
        return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))

    parts = {
        name: Mesh(*(mapped(f"{name}.{field}") for field in MESH_FIELDS)) for name in saved["parts"]
    }
    atlas = Atlas(mapped("atlas"), np.load(folder / "origins.npy"))
    return Town(config, make_plan(config.seed), atlas, parts, np.load(folder / "lamps.npy"))


def load_task(folder: Path, number: str) -> tuple[Path, list[View], bool, bool]:
    """Read a worker's task: (output folder, views, with depth, with labels)."""
    task = read_json(folder / f"task{number}.json")
    views = [view_from_json(value) for value in task["views"]]
    return Path(task["out_dir"]), views, task["with_depth"], task["with_labels"]


def view_to_json(view: View) -> dict[str, Any]:
    camera, pose = view.camera, view.cam_from_world
    return {
        "name": view.name,
        "pass_name": view.pass_name,
        "camera": [camera.model, camera.width, camera.height, camera.params.tolist()],
        "cam_from_world": [pose.rotation.tolist(), pose.translation.tolist()],
    }


def view_from_json(value: Mapping[str, Any]) -> View:
    model, width, height, params = value["camera"]
    rotation, translation = (np.array(part) for part in value["cam_from_world"])
    camera = Camera(model, width, height, np.array(params))
    return View(value["name"], value["pass_name"], camera, Rigid3(rotation, translation))
