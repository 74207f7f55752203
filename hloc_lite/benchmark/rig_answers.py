"""Poses of the rigs of a part, kept on disk as they come, so that a killed run resumes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hloc_lite.datasets.dataset import Dataset
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.localize.batch import run_fingerprint
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.progress_file import append_line, read_progress
from hloc_lite.types import Camera, Rig, RigCamera, Rigid3


@dataclass(frozen=True, eq=False)
class RigAnswer:
    """Pose of a rig."""

    pose: Rigid3 | None
    """rig_from_world; None if there is none."""
    is_fallback: bool = False
    """True if it is that of the map image most like the photo of the first camera."""


def localize_rigs(
    localizer: Localizer,
    dataset: Dataset,
    cameras: Mapping[str, Camera],
    progress_file: Path,
    *,
    progress: bool = False,
) -> dict[str, RigAnswer]:
    """Estimate rig_from_world of every rig of a part.

    Where the cameras give no pose together, the first one is localized by itself, or takes the
    pose of the most similar map image: benchmarks count a missing pose like a wrong one.

    Args:
        cameras: query name -> intrinsics.
        progress_file: file that poses are appended to, and read from if it is of the same run.

    Returns:
        Rig name -> answer.

    Raises:
        HlocLiteError: the progress file cannot be read or written.
    """
    in_rigs = {each: cameras[each] for images in dataset.rigs.values() for each in images}
    source = FolderSource(dataset.image_folder, tuple(in_rigs), localizer.config.images)
    extrinsics = {
        name: {each: _to_json(pose) for each, pose in images.items()}
        for name, images in dataset.rigs.items()
    }
    run = run_fingerprint(localizer, source, in_rigs, {"rigs": extrinsics})
    found = read_progress(progress_file, run, _parse)
    todo = [name for name in dataset.rigs if name not in found]
    for name in tqdm(todo, "rigs", unit="rig", disable=not progress or not todo):
        images = dataset.rigs[name]
        rig = Rig(tuple(RigCamera(cameras[each], pose) for each, pose in images.items()))
        photos = [dataset.image_folder / each for each in images]
        result = localizer.localize_rig(photos, rig)
        if result.pose is None:
            found[name] = _by_first_camera(localizer, rig, photos[0], next(iter(images)))
        else:
            found[name] = RigAnswer(result.pose.rig_from_world)
        append_line(progress_file, _line(name, found[name]))
    return found


def _by_first_camera(localizer: Localizer, rig: Rig, photo: Path, name: str) -> RigAnswer:
    """rig_from_world by the first camera alone, or by the map image that is most like its photo."""
    first = rig.cameras[0]
    result = localizer.localize(photo, first.camera, name=name, fallback=True)
    pose = result.fallback if result.pose is None else result.pose.cam_from_world
    if pose is None:
        return RigAnswer(None)
    return RigAnswer(first.cam_from_rig.inverse().compose(pose), result.pose is None)


def _to_json(pose: Rigid3) -> list[list[float]]:
    return [*pose.rotation.tolist(), pose.translation.tolist()]


def _line(name: str, answer: RigAnswer) -> str:
    pose = None if answer.pose is None else _to_json(answer.pose)
    return json.dumps({"name": name, "pose": pose, "fallback": answer.is_fallback}) + "\n"


def _parse(line: Mapping[str, Any]) -> tuple[str, RigAnswer]:
    """Rig name and answer of a line."""
    if line["pose"] is None:
        return line["name"], RigAnswer(None)
    rows = np.array(line["pose"], np.float64)
    return line["name"], RigAnswer(Rigid3(rows[:3], rows[3]), bool(line["fallback"]))
