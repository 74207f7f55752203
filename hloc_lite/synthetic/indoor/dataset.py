"""Building on disk: cutouts of scans and phone photos with depth, exact poses, and lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import fingerprint
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.hloc_lists import read_image_list, read_queries, write_poses, write_queries
from hloc_lite.formats.posed_images import posed_model
from hloc_lite.io.dataset_layout import DatasetLayout
from hloc_lite.io.files import write_json_atomic, write_text_atomic
from hloc_lite.synthetic.folder import (
    FolderKind,
    Progress,
    check_folder,
    delete_images,
    image_rng,
    is_complete,
    one_opencv_thread,
    render_missing,
    write_rendering,
)
from hloc_lite.synthetic.indoor.building import Building, build_building
from hloc_lite.synthetic.indoor.capture import Shot, query_shots, scan_shots
from hloc_lite.synthetic.indoor.condition import SCANNED, condition_from_json, condition_to_json
from hloc_lite.synthetic.indoor.config import FLOORS, SCHEMA_VERSION, BuildingConfig
from hloc_lite.synthetic.indoor.photographing import photograph
from hloc_lite.synthetic.parallel import run_workers, shared_folder, split_tasks
from hloc_lite.types import Camera, Rigid3

BUILDING = FolderKind("building", "building.json", "town indoor")
FLOOR_DISTANCE_M = 200.0
"""Distance of the floors in the common world frame: more than any floor is long."""
_PARTS = {"with_depth": True, "with_labels": True}
_NAME = re.compile(
    rf"map/({'|'.join(FLOORS)})/([0-9]+)/DUC_cutout_\2_[0-9]+_-?[0-9]+\.jpg"
    rf"|query/({'|'.join(FLOORS)})/[0-9]+\.jpg"
)
README = """A rendered building with exact poses: cutouts of panoramic scans, and phone photos.

images/map/FLOOR/SCAN/DUC_cutout_SCAN_THETA_PHI.jpg   36 cutouts of each scan
images/query/FLOOR/*.jpg   phone photos taken later; names in all lists are relative to images/
model/                     COLMAP model of the cutouts: cameras and poses, no points
map_images.txt             names of the cutouts
queries_FLOOR.txt          name, camera model, width, height, parameters
gt_FLOOR.txt               name qw qx qy qz tx ty tz (cam_from_world, metres)
depth/NAME.png             uint16 millimetres along the optical axis at pixel centres; cutouts have
                           0 where a laser has no echo: windows, screens, grazing incidence
labels/NAME.png            uint8 Cityscapes train ids: people, plants; 255 for all else
building.json              config, fingerprint, schema version, counts

World: metres, z up. The floors stand beside each other, 200 m apart.
"""


def write_building(
    out_dir: Path,
    config: BuildingConfig,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Render a building into ``out_dir``; images that are finished already are kept.

    The same config gives the same bytes for any number of ``jobs``.

    Args:
        out_dir: folder of the building.
        config: seed, number and size of the images.
        jobs: number of processes.
        overwrite: replace a building with another config; deletes its files and no others.
        progress: called after each image.

    Raises:
        StaleArtefactError: the folder holds a building with another config, and not ``overwrite``.
        HlocLiteError: ``out_dir`` holds something else, or cannot be written.
        MissingDependencyError: a package of the extra ``town`` is missing.
    """
    is_new = check_folder(out_dir, BUILDING, building_fingerprint(config), overwrite)
    if is_new:
        _write_record(out_dir, config, [], complete=False)
    building, shots = plan_building(config)
    if overwrite and not is_new:
        _delete_building(out_dir, [shot.name for shot in shots])
        _write_record(out_dir, config, [], complete=False)
    _write_lists(out_dir, building, shots)

    def render(todo: Sequence[Shot]) -> Iterator[str]:
        if jobs > 1 and len(todo) > 1:
            return _render_in_processes(out_dir, config, todo, jobs)
        return render_shots(out_dir, building, todo)

    render_missing(shots, lambda s: is_complete(out_dir, s.name, **_PARTS), render, progress)
    _write_record(out_dir, config, shots, complete=True)
    return out_dir


def plan_building(config: BuildingConfig) -> tuple[Building, list[Shot]]:
    """Build the building of a config and plan its images: the cutouts, then the queries."""
    building = build_building(config)
    scenes = [building.scene(k, SCANNED) for k in range(len(building.floors))]
    mapped = [shot for k, scene in enumerate(scenes) for shot in scan_shots(building, scene, k)]
    return building, mapped + query_shots(building, scenes, mapped)


def render_shots(out_dir: Path, building: Building, shots: Sequence[Shot]) -> Iterator[str]:
    """Render and write images one after the other; yields the name of each when written."""
    with one_opencv_thread():
        for (floor_idx, condition), group in groupby(shots, lambda s: (s.floor_idx, s.condition)):
            scene = building.scene(floor_idx, condition)
            for shot in group:
                rng = image_rng(building.config.seed, shot.name)
                rendering = photograph(scene, shot, rng)
                quality = building.config.jpeg_quality
                write_rendering(out_dir, shot.name, rendering, jpeg_quality=quality)
                yield shot.name


def _render_in_processes(
    out_dir: Path, config: BuildingConfig, shots: Sequence[Shot], jobs: int
) -> Iterator[str]:
    """Render in worker processes, each of which builds the building again."""
    task = {"out_dir": str(out_dir.resolve()), "config": config.model_dump(mode="json")}
    with shared_folder(out_dir) as shared:
        parts = split_tasks(shared, task, "shots", [_shot_to_json(shot) for shot in shots], jobs)
        yield from run_workers(
            "hloc_lite.synthetic.indoor.render_worker", shared, parts, len(shots)
        )


def render_task(task: dict[str, Any]) -> Iterator[str]:
    """Render the images of a worker's task; yields the name of each when written."""
    building = build_building(BuildingConfig.model_validate(task["config"]))
    shots = [_shot_from_json(value) for value in task["shots"]]
    yield from render_shots(Path(task["out_dir"]), building, shots)


def _shot_to_json(shot: Shot) -> dict[str, Any]:
    camera, pose = shot.camera, shot.cam_from_world
    return {
        "name": shot.name,
        "floor_idx": shot.floor_idx,
        "camera": [camera.model, camera.width, camera.height, camera.params.tolist()],
        "pose": [pose.rotation.tolist(), pose.translation.tolist()],
        "condition": condition_to_json(shot.condition),
    }


def _shot_from_json(value: dict[str, Any]) -> Shot:
    model, width, height, params = value["camera"]
    camera = Camera(model, width, height, np.array(params))
    pose = Rigid3(*(np.array(part) for part in value["pose"]))
    condition = condition_from_json(value["condition"])
    return Shot(value["name"], value["floor_idx"], camera, pose, condition)


def building_fingerprint(config: BuildingConfig) -> str:
    """Fingerprint of everything that affects the rendered bytes."""
    return fingerprint("building", SCHEMA_VERSION, config)


def in_world(shot: Shot) -> Rigid3:
    """cam_from_world of an image in the frame that all floors share."""
    shift = np.array([-FLOOR_DISTANCE_M * shot.floor_idx, 0.0, 0.0])
    return shot.cam_from_world.compose(Rigid3(np.eye(3), shift))


def _write_lists(out_dir: Path, building: Building, shots: Sequence[Shot]) -> None:
    layout = DatasetLayout(out_dir)
    mapped = [shot for shot in shots if shot.condition == SCANNED]
    write_text_atomic(out_dir / "README.md", README)
    for floor_idx, floor in enumerate(building.floors):
        asked = [s for s in shots if s.condition != SCANNED and s.floor_idx == floor_idx]
        if not asked:
            continue
        write_queries(layout.queries(floor.name), {shot.name: shot.camera for shot in asked})
        poses = {shot.name: in_world(shot) for shot in asked}
        write_poses(layout.ground_truth(floor.name), poses)
    cameras = {shot.name: shot.camera for shot in mapped}
    write_model(layout.model, posed_model(cameras, {shot.name: in_world(shot) for shot in mapped}))
    write_text_atomic(layout.map_images, "".join(f"{shot.name}\n" for shot in mapped))


def _write_record(
    out_dir: Path, config: BuildingConfig, shots: Sequence[Shot], *, complete: bool
) -> None:
    mapped = sum(shot.condition == SCANNED for shot in shots)
    record: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "fingerprint": building_fingerprint(config),
        "complete": complete,
        "seed": config.seed,
        "counts": {"map": mapped, "query": len(shots) - mapped},
        "depth": {"unit": "millimetre", "axis": "optical axis (z)", "none": 0, "dtype": "uint16"},
        "labels": "Cityscapes train ids, 255 unknown",
        "config": config.model_dump(mode="json"),
    }
    write_json_atomic(out_dir / BUILDING.record, record)


def _delete_building(out_dir: Path, new_names: Sequence[str]) -> None:
    """Delete the images of the old building and of the new one, and the old lists."""
    layout = DatasetLayout(out_dir)
    names = set(new_names)
    lists = [path(floor) for floor in FLOORS for path in (layout.queries, layout.ground_truth)]
    with suppress(FormatError):
        names.update(read_image_list(layout.map_images))
    for floor in FLOORS:
        with suppress(FormatError):
            names.update(read_queries(layout.queries(floor)))
    delete_images(out_dir, [name for name in names if _NAME.fullmatch(name)], lists)
