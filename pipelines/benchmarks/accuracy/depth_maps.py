"""Maps from measured depth against maps from tracks alone, and depth that lies.

    python -m pipelines.benchmarks.accuracy.depth_maps CASE --depth-camera 7scenes

CASE holds images/, model/ (COLMAP, poses of the map images), map_images.txt, queries.txt, gt.txt in
metres, and depth/ (depth images named after the photos). Features and matches are made once, and
shared by all maps.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from hloc_lite.config import Config, load_config
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.metrics import score
from hloc_lite.evaluation.thresholds import parse_threshold
from hloc_lite.formats.depth_cameras import depth_camera_of
from hloc_lite.formats.map_depth import DepthFiles, find_depth_files
from hloc_lite.io.temporary_folders import temporary_folder
from hloc_lite.localize.localizer import Localizer
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.protocols import MapDepth
from hloc_lite.types import DepthMap
from pipelines.benchmarks.table import Table, results_option

FEATURES = ("rootsift", "xfeat")
THRESHOLD = "0.05m,5deg"
SCALE, SHIFT_PX, HOLES = 1.3, 20, 0.6
"""Faults of depth: a wrong scale, an image moved to the right, a share of unknown pixels."""
WORK = "work"
Change = Callable[[str, DepthMap], DepthMap]


@dataclass(frozen=True)
class ChangedDepth:
    """``MapDepth`` with a fault."""

    source: MapDepth
    change: Change
    renamed: Mapping[str, str]
    """Image name -> image whose depth it gets; others keep their own."""

    def depth_of(self, image_name: str) -> DepthMap | None:
        """Depths of an image, with the fault."""
        found = self.source.depth_of(self.renamed.get(image_name, image_name))
        return None if found is None else self.change(image_name, found)


class _Warnings(logging.Handler):
    """Collects what mapping warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@click.command()
@click.argument("case", type=click.Path(path_type=Path, exists=True))
@click.option("--features", multiple=True, default=FEATURES, show_default=True)
@click.option("--depth-camera", help="Camera of the depth images, as for `hloc-lite map`.")
@click.option("--set", "settings", multiple=True, help="Settings, section.key=value.")
@click.option("--lies/--no-lies", default=True, help="Also depth with faults.")
@results_option
def main(
    case: Path,
    features: tuple[str, ...],
    depth_camera: str | None,
    settings: tuple[str, ...],
    lies: bool,
    results: Path | None,
) -> None:
    """Build maps of CASE from tracks and from depth, and localize its queries in them."""
    dataset = read_dataset_folder(case)
    table = Table(
        f"Maps from depth: {case.name}",
        ["features", "map", "landmarks", "of one image", f"within {THRESHOLD}", "given, but wrong",
         "median, cm", "median, °", "MB", "reconstruction, s", "said about the depth"],
        "Medians count queries without a pose as infinitely wrong (more than half: empty).",
    )  # fmt: skip
    for name in features:
        config = load_config(settings=settings, overrides={"features": {"name": name}})
        with temporary_folder() as scratch:
            for row, depth in _sources(dataset, depth_camera, config, lies=lies):
                table.add(name, row, *measure(dataset, config, depth, scratch))
    table.write(results)


def _sources(
    dataset: Dataset, depth_camera: str | None, config: Config, *, lies: bool
) -> list[tuple[str, MapDepth | None]]:
    """Name of each row, and the depth of its map; the best depth is the one with faults."""
    assert dataset.reference is not None
    reference = dataset.reference
    cameras = {image.name: reference.cameras[image.camera_id] for image in reference.images}
    files = find_depth_files(dataset.image_folder.parent / "depth", [*cameras])
    depth = DepthFiles(files, cameras, config.lifting)
    rows: list[tuple[str, MapDepth | None]] = [("tracks alone", None), ("depth as it is", depth)]
    if depth_camera is not None:
        depth = replace(depth, camera=depth_camera_of(depth_camera))
        rows.append(("depth registered", depth))
    return rows + _faults(depth, list(cameras)) if lies else rows


def _faults(depth: MapDepth, names: Sequence[str]) -> list[tuple[str, MapDepth | None]]:
    rng = np.random.default_rng(0)
    half = len(names) // 2
    others = dict(zip(names, [*names[half:], *names[:half]], strict=True))
    fifth = {name: others[name] for name in names[::5]}

    def scaled(_: str, found: DepthMap) -> DepthMap:
        return replace(found, depths=found.depths * np.float32(SCALE))

    def in_millimetres(_: str, found: DepthMap) -> DepthMap:
        return replace(found, depths=found.depths * np.float32(1000))

    def shifted(_: str, found: DepthMap) -> DepthMap:
        step = round(SHIFT_PX * found.depths.shape[1] / found.image_size[0])
        moved = np.full_like(found.depths, np.nan)
        moved[:, step:] = found.depths[:, :-step]
        return replace(found, depths=moved)

    def with_holes(_: str, found: DepthMap) -> DepthMap:
        holes = rng.random(found.depths.shape) < HOLES
        return replace(found, depths=np.where(holes, np.float32(np.nan), found.depths))

    def kept(_: str, found: DepthMap) -> DepthMap:
        return found

    faults: list[tuple[str, Change, Mapping[str, str]]] = [
        (f"scaled by {SCALE}", scaled, {}),
        ("millimetres taken for metres", in_millimetres, {}),
        (f"shifted by {SHIFT_PX} px", shifted, {}),
        (f"{100 * HOLES:.0f} % holes", with_holes, {}),
        ("a fifth of other images", kept, fifth),
        ("all of other images", kept, others),
    ]
    return [(name, ChangedDepth(depth, change, renamed)) for name, change, renamed in faults]


def measure(
    dataset: Dataset, config: Config, depth: MapDepth | None, scratch: Path
) -> list[object]:
    """Cells of the table for one map; features and matches stay in ``scratch`` for the next."""
    folder = scratch / "map"
    shutil.rmtree(folder, ignore_errors=True)
    if (scratch / WORK).is_dir():
        shutil.copytree(scratch / WORK, folder / WORK)
    inputs = MapInputs(
        reference=dataset.reference, names=dataset.map_image_names, metric=True, depth=depth
    )
    heard, logger = _Warnings(), logging.getLogger("hloc_lite")
    logger.addHandler(heard)
    try:
        sfm_map = build_map(
            dataset.image_folder, config, inputs=inputs, output=folder, keep_work=True
        )
    except HlocLiteError as error:
        return [None] * 8 + [f"refused: {error}"]
    finally:
        logger.removeHandler(heard)
    if not (scratch / WORK).is_dir():
        shutil.copytree(folder / WORK, scratch / WORK)
    said = "; ".join(heard.lines)
    return [*_localized(dataset, sfm_map), _megabytes(folder),
            round(sfm_map.report["timings_s"]["reconstruction"], 1), said]  # fmt: skip


def _localized(dataset: Dataset, sfm_map: Map) -> list[object]:
    """Landmarks, and how many queries are right, wrong, and by how much."""
    localizer = Localizer(sfm_map)
    poses = {}
    for each in dataset.iter_queries():
        found = localizer.localize(dataset.image_folder / each.name, each.camera, name=each.name)
        if found.pose is not None:
            poses[each.name] = found.pose.cam_from_world
    threshold, coarse = parse_threshold(THRESHOLD), parse_threshold("0.25m,10deg")
    scores = score(poses, dataset.ground_truth["all"], [threshold])
    depth = sfm_map.report.get("depth", {})
    return [
        sfm_map.model.num_points,
        depth.get("landmarks_of_one_image", 0),
        f"{scores.num_within(threshold)} of {scores.num_queries}",
        len(poses) - score(poses, dataset.ground_truth["all"], [coarse]).num_within(coarse),
        round(100 * scores.median_distance.value, 2),
        round(scores.median_angle_deg.value, 3),
    ]


def _megabytes(folder: Path) -> float:
    files = (path for path in folder.rglob("*") if path.is_file() and WORK not in path.parts)
    return round(sum(path.stat().st_size for path in files) / 1e6, 1)


if __name__ == "__main__":
    main()
