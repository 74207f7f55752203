"""Town on disk: images with depth and labels, their exact poses, and lists of images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import fingerprint
from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.hloc_lists import read_image_list, read_queries, write_poses, write_queries
from hloc_lite.io.dataset_layout import DatasetLayout
from hloc_lite.io.files import write_json_atomic, write_text_atomic
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.synthetic.config import CONDITIONS, SCHEMA_VERSION, TownConfig
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
from hloc_lite.synthetic.parallel import render_in_processes
from hloc_lite.synthetic.planning import make_plan
from hloc_lite.synthetic.raycasting import RaycastScene
from hloc_lite.synthetic.render import render_view
from hloc_lite.synthetic.town import Town, build_town, require_town_extra
from hloc_lite.synthetic.views import map_points, map_views, plan_walks, query_views
from hloc_lite.synthetic.visibility import View
from hloc_lite.types import Float64

TOWN = FolderKind("town", "town.json", "town render")
_NAME = re.compile(rf"(map|query/({'|'.join(CONDITIONS)}))/[0-9]+\.jpg")
README = """A rendered town with exact poses.

images/map, images/query/CONDITION   photographs; names in all lists are relative to images/
model/                               COLMAP model of the map images: cameras and poses, no points
map_images.txt                       names of the map images
queries_CONDITION.txt                name, camera model, width, height, parameters
gt_CONDITION.txt                     name qw qx qy qz tx ty tz (cam_from_world, metres)
depth/NAME.png                       uint16 millimetres along the optical axis at pixel centres;
                                     0: sky, or farther than 65.535 m
labels/NAME.png                      uint8 Cityscapes train ids, 255 unknown
town.json                            config, fingerprint, schema version, counts

World: metres, z up. `changed` is another season with other signs, cars and building works.
"""


def write_dataset(
    out_dir: Path,
    config: TownConfig,
    *,
    with_depth: bool = True,
    with_labels: bool = True,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Render a town into ``out_dir``; images that are finished already are kept.

    The same config gives the same bytes for any number of ``jobs``.

    Args:
        out_dir: folder of the town.
        config: seed, number and size of the images.
        with_depth: write depth maps.
        with_labels: write label maps.
        jobs: number of processes.
        overwrite: replace a town with another config; deletes its files and no others.
        progress: called after each image.

    Raises:
        StaleArtefactError: ``out_dir`` holds a town with another config, and not ``overwrite``.
        HlocLiteError: ``out_dir`` holds something else, or cannot be written.
        MissingDependencyError: a package of the extra ``town`` is missing.
    """
    require_town_extra()
    is_new = check_folder(out_dir, TOWN, town_fingerprint(config), overwrite)
    if is_new:
        _write_town_json(out_dir, config, [], complete=False)
    town, views = plan_dataset(config)
    if overwrite and not is_new:
        _delete_town(out_dir, [view.name for view in views])
        _write_town_json(out_dir, config, [], complete=False)
    _write_lists(out_dir, config, views)
    parts = {"with_depth": with_depth, "with_labels": with_labels}

    def render(todo: Sequence[View]) -> Iterator[str]:
        if jobs > 1 and len(todo) > 1:
            return render_in_processes(out_dir, town, todo, jobs, with_depth, with_labels)
        return render_views(out_dir, town, todo, with_depth, with_labels)

    render_missing(views, lambda v: is_complete(out_dir, v.name, **parts), render, progress)
    _write_town_json(out_dir, config, views, complete=True)
    return out_dir


def plan_dataset(config: TownConfig) -> tuple[Town, list[View]]:
    """Build the town of a config and plan its views: the map's, then each condition's queries."""
    walks, _ = plan_walks(make_plan(config.seed), config)
    town = build_town(config, near=map_points(walks))
    scenes = {name: RaycastScene(town, name) for name in ("map0", "map1", *config.conditions)}
    mapped = map_views(config, town.plan, scenes)
    views = list(mapped)
    for condition in config.conditions:
        views += query_views(config, town.plan, scenes, mapped, condition)
    return town, views


def render_views(
    out_dir: Path, town: Town, views: Sequence[View], with_depth: bool, with_labels: bool
) -> Iterator[str]:
    """Render and write views one after the other; yields the name of each when written."""
    with one_opencv_thread():
        ordered = sorted(views, key=lambda view: (view.pass_name, view.name))
        for pass_name, group in groupby(ordered, key=lambda view: view.pass_name):
            scene = RaycastScene(town, pass_name)
            for view in group:
                rng = image_rng(town.config.seed, view.name)
                rendering = render_view(scene, view.camera, view.cam_from_world, rng)
                write_rendering(
                    out_dir, view.name, rendering, jpeg_quality=town.config.jpeg_quality,
                    with_depth=with_depth, with_labels=with_labels,
                )  # fmt: skip
                yield view.name


def _delete_town(out_dir: Path, new_names: Iterable[str]) -> None:
    """Delete the images in the old town's lists and those of the new town, and the old lists.

    Depth and labels of these images are deleted too; all other files are kept.
    """
    layout = DatasetLayout(out_dir)
    queries = [layout.queries(condition) for condition in CONDITIONS]
    ground_truth = [layout.ground_truth(condition) for condition in CONDITIONS]
    names = set(new_names)
    with suppress(FormatError):
        names.update(read_image_list(layout.map_images))
    for path in queries:
        with suppress(FormatError):
            names.update(read_queries(path))
    ours = [name for name in names if _NAME.fullmatch(name)]
    delete_images(out_dir, ours, [*queries, *ground_truth])


def town_fingerprint(config: TownConfig) -> str:
    """Fingerprint of everything that affects the rendered bytes."""
    return fingerprint("town", SCHEMA_VERSION, config)


def _write_town_json(
    out_dir: Path, config: TownConfig, views: Sequence[View], *, complete: bool
) -> None:
    counts: dict[str, int] = {}
    for view in views:
        kind = "map" if view.pass_name.startswith("map") else view.pass_name
        counts[kind] = counts.get(kind, 0) + 1
    record: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "fingerprint": town_fingerprint(config),
        "complete": complete,
        "seed": config.seed,
        "counts": counts,
        "depth": {"unit": "millimetre", "axis": "optical axis (z)", "none": 0, "dtype": "uint16"},
        "labels": "Cityscapes train ids, 255 unknown",
        "config": config.model_dump(mode="json"),
    }
    write_json_atomic(out_dir / "town.json", record)


def _write_lists(out_dir: Path, config: TownConfig, views: Sequence[View]) -> None:
    layout = DatasetLayout(out_dir)
    mapped = [view for view in views if view.pass_name.startswith("map")]
    write_text_atomic(out_dir / "README.md", README)
    write_text_atomic(layout.map_images, "".join(f"{view.name}\n" for view in mapped))
    for condition in config.conditions:
        queries = [view for view in views if view.pass_name == condition]
        cameras = {view.name: view.camera for view in queries}
        write_queries(layout.queries(condition), cameras)
        poses = {view.name: view.cam_from_world for view in queries}
        write_poses(layout.ground_truth(condition), poses)
    write_model(layout.model, map_model(mapped))


def map_model(mapped: Sequence[View]) -> SfmModel:
    """SfM model of the map images: cameras and poses, no points."""
    cameras = {1 + int(view.pass_name[3:]): view.camera for view in mapped}
    nothing: Float64 = np.zeros((0, 2))
    images = tuple(
        SfmImage(
            number,
            view.name,
            1 + int(view.pass_name[3:]),
            view.cam_from_world,
            nothing,
            np.zeros(0, np.int64),
        )
        for number, view in enumerate(mapped, start=1)
    )
    empty = np.zeros((0, 3))
    return SfmModel(
        cameras, images, np.zeros(0, np.int64), empty, empty.astype(np.uint8), np.zeros(0)
    )
