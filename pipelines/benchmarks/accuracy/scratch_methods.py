"""One map from scratch by one method, as a process of its own that a time limit can end.

    python -m pipelines.benchmarks.accuracy.scratch_methods CASE METHOD FOLDER

FOLDER gets poses.txt (of the registered images) and doubtful.json (names of the cameras that the
method itself calls doubtful). The exit code is that of ``hloc-lite map``; peers have 0 or 2.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import numpy as np

from hloc_lite.cli.main import main as run_command_line
from hloc_lite.config import load_config
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.formats.hloc_lists import write_poses, write_queries
from hloc_lite.geometry.cameras import camera_from_focal, focal_lengths, guess_camera
from hloc_lite.io.files import write_json_atomic
from hloc_lite.io.image_names import natural_key
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.io.pycolmap_adapter import load_pycolmap, to_pycolmap_camera
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.io.weights import WeightsStore
from hloc_lite.mapping.pair_matching import pair_key, stored_matches
from hloc_lite.mapping.pairs import Pair
from hloc_lite.maps.map import Map
from hloc_lite.maps.storage import StoredFeatures
from hloc_lite.models import load_extractor_and_matcher
from hloc_lite.registry import Runtime
from hloc_lite.types import Camera, LocalFeatures, Matches, Photo, Rigid3
from pipelines.benchmarks.accuracy.aligned_cameras import Poses

Extract = Callable[[Photo], LocalFeatures]
Match = Callable[[Pair, tuple[LocalFeatures, LocalFeatures]], Matches]
METHODS = ("ours", "colmap", "hloc")
MIN_MATCHES = 15
"""Matches of a pair that hloc's way passes on (COLMAP's default)."""


@click.command()
@click.argument("case", type=click.Path(path_type=Path, exists=True))
@click.argument("method", type=click.Choice(METHODS))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--known-focal", is_flag=True, help="Give the true focal lengths, as EXIF would.")
@click.option("--threads", default=1, show_default=True, help="Threads of COLMAP.")
@click.option("--set", "settings", multiple=True, help="Settings of ours.")
@click.option(
    "--stored",
    type=click.Path(path_type=Path, exists=True),
    help="Folder work of a map of ours of the same photos: its features and matches are used.",
)
def main(
    case: Path,
    method: str,
    folder: Path,
    known_focal: bool,
    threads: int,
    settings: tuple[str, ...],
    stored: Path | None,
) -> None:
    """Map the photos of CASE from scratch by METHOD, and write the result into FOLDER."""
    dataset = read_dataset_folder(case)
    cameras = true_focal_lengths(dataset) if known_focal else {}
    folder.mkdir(parents=True, exist_ok=True)
    if method == "ours":
        code, poses, doubtful = _ours(dataset, folder, cameras, threads, settings, stored)
    else:
        database = folder / "database.db"
        database.unlink(missing_ok=True)
        if method == "colmap":
            _write_colmap(database, dataset, cameras, threads)
        else:
            _write_hloc(database, dataset, cameras, stored)
        poses = _incremental_defaults(database, dataset.image_folder, folder / "models", threads)
        code, doubtful = (0 if poses else 2), []
    write_poses(folder / "poses.txt", poses)
    write_json_atomic(folder / "doubtful.json", doubtful)
    sys.exit(code)


def true_focal_lengths(dataset: Dataset) -> dict[str, Camera]:
    """Cameras of the map images with the true focal length, and nothing else of the truth."""
    if dataset.reference is None:
        raise SystemExit(f"{dataset.name} needs model/ with the true cameras")
    reference = dataset.reference.with_images(dataset.map_image_names)
    by_id = {}
    for key, camera in reference.cameras.items():
        focal = float(focal_lengths(camera).mean())
        size = (camera.width, camera.height)
        by_id[key] = camera_from_focal("SIMPLE_RADIAL", *size, focal, has_prior_focal=True)
    return {image.name: by_id[image.camera_id] for image in reference.images}


def _ours(
    dataset: Dataset,
    folder: Path,
    cameras: Mapping[str, Camera],
    threads: int,
    settings: tuple[str, ...],
    stored: Path | None,
) -> tuple[int, Poses, list[str]]:
    """Exit code of ``hloc-lite map``, poses of the map, and names of its doubtful cameras."""
    names, output = folder / "map_images.txt", folder / "map"
    names.write_text("".join(f"{name}\n" for name in dataset.map_image_names), encoding="utf-8")
    arguments = ["map", str(dataset.image_folder), "-o", str(output), "--image-list", str(names)]
    if cameras:
        write_queries(folder / "cameras.txt", cameras)
        arguments += ["--cameras", str(folder / "cameras.txt")]
    given = (f"mapping.threads={threads}", "self_test.enabled=false", *settings)
    arguments += ["--keep-work", *(part for each in given for part in ("--set", each))]
    for name in ("features", "matches"):
        if stored is not None and not (output / "work" / name).exists():
            shutil.copytree(stored / name, output / "work" / name)
    try:
        run_command_line(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    if code not in (0, 1):
        return code, {}, []
    made = Map.open(output)
    poses = {image.name: image.cam_from_world for image in made.model.images}
    return code, poses, list(made.report["assessment"]["doubtful_cameras"])


def _write_colmap(
    path: Path, dataset: Dataset, cameras: Mapping[str, Camera], threads: int
) -> None:
    """Extract and match SIFT by COLMAP's defaults."""
    pycolmap = load_pycolmap()
    extraction, matching = pycolmap.FeatureExtractionOptions(), pycolmap.FeatureMatchingOptions()
    verification = pycolmap.TwoViewGeometryOptions()
    extraction.num_threads = matching.num_threads = threads
    extraction.use_gpu = matching.use_gpu = False
    pycolmap.extract_features(
        str(path), str(dataset.image_folder), image_names=list(dataset.map_image_names),
        extraction_options=extraction,
    )  # fmt: skip
    if cameras:
        _set_cameras(path, cameras)
    pycolmap.match_exhaustive(
        str(path), matching_options=matching, verification_options=verification
    )


def _set_cameras(path: Path, cameras: Mapping[str, Camera]) -> None:
    """Replace the cameras of a COLMAP database by those of the images."""
    database = load_pycolmap().Database.open(str(path))
    for image in database.read_all_images():
        database.update_camera(to_pycolmap_camera(cameras[image.name], image.camera_id))
    database.close()


def _write_hloc(
    path: Path, dataset: Dataset, cameras: Mapping[str, Camera], stored: Path | None
) -> None:
    """Extract ALIKED, match all pairs by LightGlue, and verify them by COLMAP's defaults."""
    pycolmap, config = load_pycolmap(), load_config()
    names = dataset.map_image_names
    source = FolderSource(dataset.image_folder, names, config.images)
    file = pycolmap.Database.open(str(path))
    extract, match = _features_and_matches(source, stored)
    features, ids = {}, {}
    for number, name in enumerate(names, start=1):
        photo = source.load(name)
        features[name] = extract(photo)
        size = (photo.width, photo.height)
        camera = cameras.get(name) or guess_camera("SIMPLE_RADIAL", size, photo.exif)
        ids[name] = _write_image(file, number, name, camera)
        file.write_keypoints(number, np.asarray(features[name].keypoints, np.float32))
    lines = []
    for first, second in combinations(sorted(names, key=natural_key), 2):
        found = match((first, second), (features[first], features[second]))
        if len(found.indices) >= MIN_MATCHES:
            file.write_matches(ids[first], ids[second], found.indices.astype(np.uint32))
            lines.append(f"{first} {second}\n")
    file.close()
    pairs = path.with_suffix(".txt")
    pairs.write_text("".join(lines), encoding="utf-8")
    pycolmap.verify_matches(str(path), str(pairs))


def _features_and_matches(source: FolderSource, stored: Path | None) -> tuple[Extract, Match]:
    """Functions that extract and match, or read what a map of the same photos has stored."""
    extractor, matcher, _ = load_extractor_and_matcher(
        load_config(), Runtime(WeightsStore(), "cpu")
    )
    features = None if stored is None else StoredFeatures(_store(stored / "features"))
    matches = None if stored is None else _store(stored / "matches")

    def extract(photo: Photo) -> LocalFeatures:
        if features is not None and photo.name in features:
            return features[photo.name]
        return extractor.extract([photo])[0]

    def match(pair: Pair, both: tuple[LocalFeatures, LocalFeatures]) -> Matches:
        if matches is not None and pair_key(pair) in matches:
            return stored_matches(matches, pair)
        return matcher.match([both])[0]

    return extract, match


def _store(folder: Path) -> ShardedStore:
    fingerprint = json.loads((folder / "store.json").read_text(encoding="utf-8"))["fingerprint"]
    return ShardedStore(folder, fingerprint, folder.name)


def _write_image(file: Any, number: int, name: str, camera: Camera) -> int:
    """Write an image with a camera of its own into an open COLMAP database; returns its id."""
    pycolmap = load_pycolmap()
    native = to_pycolmap_camera(camera, number)
    file.write_camera(native, use_camera_id=True)
    rig = pycolmap.Rig(rig_id=number)
    rig.add_ref_sensor(native.sensor_id)
    file.write_rig(rig, use_rig_id=True)
    image = pycolmap.Image(name=name, keypoints=np.zeros((0, 2)), camera_id=number, image_id=number)
    frame = pycolmap.Frame(frame_id=number, rig_id=number)
    frame.add_data_id(image.data_id)
    written: int = file.write_image(image, use_image_id=True)
    file.write_frame(frame, use_frame_id=True)
    return written


def _incremental_defaults(path: Path, images: Path, output: Path, threads: int) -> Poses:
    """Poses of the largest model of COLMAP's incremental mapper with its defaults."""
    pycolmap = load_pycolmap()
    output.mkdir(exist_ok=True)
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = options.mapper.num_threads = threads
    found = pycolmap.incremental_mapping(str(path), str(images), str(output), options)
    if not found:
        return {}
    best = max(found.values(), key=lambda each: each.num_reg_images())
    poses = {}
    for number in best.reg_image_ids():
        image = best.image(number)
        native = image.cam_from_world()
        poses[image.name] = Rigid3(native.rotation.matrix(), native.translation)
    return poses


if __name__ == "__main__":
    main()
