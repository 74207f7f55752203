"""Maps from scratch against the truth, beside plain COLMAP and hloc's way on the same photos.

    python -m pipelines.benchmarks.accuracy.from_scratch CASE ... --method ours --method colmap

CASE holds images/, model/ (COLMAP, true poses of the map images) and map_images.txt; rendered towns
have this form. hloc's way is ALIKED with LightGlue on all pairs, and COLMAP's incremental mapper
with its defaults. A camera is right within 5 % of the mean camera spread and 2 degrees, after a
robust similarity alignment.
"""

from __future__ import annotations

import tempfile
import time
from itertools import combinations
from pathlib import Path

import click
import numpy as np

from hloc_lite.config import load_config
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.errors import MappingError
from hloc_lite.formats.colmap import read_model
from hloc_lite.geometry.cameras import guess_camera
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.io.pycolmap_adapter import load_pycolmap, to_pycolmap_camera
from hloc_lite.io.weights import WeightsStore
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.models import load_extractor_and_matcher
from hloc_lite.registry import Runtime
from pipelines.benchmarks.accuracy.aligned_cameras import (
    MAX_ANGLE_DEG,
    MAX_ERROR_PERCENT,
    Poses,
    camera_errors,
    wrong_cameras,
)
from pipelines.benchmarks.table import Table, results_option

MIN_MATCHES = 15
"""Matches of a pair that hloc's way passes on (COLMAP's default)."""


@click.command()
@click.argument("cases", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(["ours", "colmap", "hloc"]),
    default=("ours", "colmap", "hloc"),
    show_default=True,
)
@click.option("--set", "settings", multiple=True, help="Settings of ours.")
@results_option
def main(
    cases: tuple[Path, ...],
    methods: tuple[str, ...],
    settings: tuple[str, ...],
    results: Path | None,
) -> None:
    """Map the photos of each CASE from scratch by each method."""
    table = Table(
        "Maps from scratch",
        ["case", "photos", "method", "registered", "right", "worst error, %", "seconds"],
        f"Right: within {MAX_ERROR_PERCENT:g} % of the mean camera spread and "
        f"{MAX_ANGLE_DEG:g} degrees, after robust alignment.",
    )
    for case in cases:
        dataset = read_dataset_folder(case)
        true = _true_poses(dataset)
        for method in methods:
            start = time.monotonic()
            poses = map_by(method, dataset, settings)
            seconds = time.monotonic() - start
            errors = camera_errors(poses, true)
            right = len(errors) - len(wrong_cameras(errors))
            worst = max((error for error, _ in errors.values()), default=float("nan"))
            table.add(
                case.name, len(true), method, len(poses), right, round(worst, 1), round(seconds)
            )
    table.write(results)


def map_by(method: str, dataset: Dataset, settings: tuple[str, ...]) -> Poses:
    """Poses of the registered images; none if the method fails."""
    if method == "ours":
        inputs = MapInputs(names=dataset.map_image_names)
        try:
            model = build_map(dataset.image_folder, load_config(settings=settings), inputs=inputs)
        except MappingError as error:
            click.echo(f"{dataset.name}: {error}", err=True)
            return {}
        return {image.name: image.cam_from_world for image in model.model.images}
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "database.db"
        write = _write_colmap if method == "colmap" else _write_hloc
        write(database, dataset)
        return _incremental_defaults(database, dataset.image_folder, Path(folder) / "out")


def _true_poses(dataset: Dataset) -> Poses:
    if dataset.reference is None:
        raise SystemExit(f"{dataset.name} needs model/ with the true poses")
    wanted = set(dataset.map_image_names)
    return {i.name: i.cam_from_world for i in dataset.reference.images if i.name in wanted}


def _write_colmap(database: Path, dataset: Dataset) -> None:
    """Extract and match SIFT by COLMAP's defaults."""
    pycolmap = load_pycolmap()
    names = list(dataset.map_image_names)
    pycolmap.extract_features(str(database), str(dataset.image_folder), image_names=names)
    pycolmap.match_exhaustive(str(database))


def _write_hloc(database: Path, dataset: Dataset) -> None:
    """Extract ALIKED, match all pairs by LightGlue, and verify them by COLMAP's defaults."""
    pycolmap, config = load_pycolmap(), load_config()
    extractor, matcher, _ = load_extractor_and_matcher(config, Runtime(WeightsStore(), "cpu"))
    names = dataset.map_image_names
    source = FolderSource(dataset.image_folder, names, config.images)
    file = pycolmap.Database.open(str(database))
    features, ids = {}, {}
    for number, name in enumerate(names, start=1):
        photo = source.load(name)
        (features[name],) = extractor.extract([photo])
        size = (photo.width, photo.height)
        camera = guess_camera("SIMPLE_RADIAL", size, photo.exif)
        native = to_pycolmap_camera(camera, number)
        file.write_camera(native, use_camera_id=True)
        rig = pycolmap.Rig(rig_id=number)
        rig.add_ref_sensor(native.sensor_id)
        file.write_rig(rig, use_rig_id=True)
        image = pycolmap.Image(
            name=name, keypoints=np.zeros((0, 2)), camera_id=number, image_id=number
        )
        frame = pycolmap.Frame(frame_id=number, rig_id=number)
        frame.add_data_id(image.data_id)
        ids[name] = file.write_image(image, use_image_id=True)
        file.write_frame(frame, use_frame_id=True)
        file.write_keypoints(number, np.asarray(features[name].keypoints, np.float32))
    lines = []
    for first, second in combinations(names, 2):
        (found,) = matcher.match([(features[first], features[second])])
        if len(found.indices) >= MIN_MATCHES:
            file.write_matches(ids[first], ids[second], found.indices.astype(np.uint32))
            lines.append(f"{first} {second}\n")
    file.close()
    pairs = database.with_suffix(".txt")
    pairs.write_text("".join(lines), encoding="utf-8")
    pycolmap.verify_matches(str(database), str(pairs))


def _incremental_defaults(database: Path, images: Path, output: Path) -> Poses:
    """Poses of the largest model of COLMAP's incremental mapper with its defaults."""
    output.mkdir()
    found = load_pycolmap().incremental_mapping(str(database), str(images), str(output))
    if not found:
        return {}
    number = max(found, key=lambda each: found[each].num_reg_images())
    target = output / "best"
    target.mkdir()
    found[number].write_binary(str(target))
    registered = set(found[number].reg_image_ids())
    images_of = read_model(target).images
    return {i.name: i.cam_from_world for i in images_of if i.image_id in registered}


if __name__ == "__main__":
    main()
