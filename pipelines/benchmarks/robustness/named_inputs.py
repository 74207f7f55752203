"""Small inputs of all verbs of the command line, and ways to put a name into them.

They are those of a data set folder, with a map made by features that need no network.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import cv2
import numpy as np
from PIL import Image

import hloc_lite
from hloc_lite.cli.main import main
from hloc_lite.datasets.benchmarks import write_benchmark
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.hloc_lists import write_poses, write_queries
from hloc_lite.io.schemas import with_checksum
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.map import Map, in_memory
from hloc_lite.synthetic.planes import make_planes
from hloc_lite.types import Float32, Photo
from pipelines.benchmarks.robustness.hostile_names import SAMPLE_NAMES, with_name
from pipelines.benchmarks.robustness.mutated_files import SAMPLES, write_sample
from pipelines.benchmarks.robustness.sample_model import NAMES

Prepare = Callable[[Path, str], bool]
"""Puts a name into a copy of the inputs; False if it cannot be there."""
MAP_NAMES = {"a/0.png": 0, "a/1 b.png": 1, "2.png": 2, "4.png": 4, "5.png": 5}
QUERY_NAMES = {"q/0.png": 3, "q1.png": 2}
REPLACED = (b"a/0.png", b"q/0.png")
"""Names in inputs that hostile ones replace: one of the map and one of the queries."""
OF_SAMPLES = tuple(name for name in SAMPLE_NAMES if name not in map(str.encode, NAMES[1:]))
"""Names in samples that hostile ones replace; others stay, so that names remain distinct."""
MODELS = [
    "--features",
    "rootsift",
    "--retrieval",
    "thumbnail",
    "--offline",
    "--set",
    "features.max_keypoints=300",
]
LATE_IMPORTS = (
    "matplotlib.pyplot", "matplotlib.backends.backend_svg", "faiss", "pillow_heif", "pycolmap",
    "scipy.stats", "scipy.spatial",
)  # fmt: skip
"""Modules that verbs import when they need them."""
POSITION = (48.0, 16.0)
"""Latitude and longitude of the map, degrees: any place but the poles and the date line."""
METRES_PER_DEGREE = 111_320


class Thumbnail:
    """Global descriptor without a network: 16 x 12 grey pixels."""

    def __init__(self, name: str, config: object, runtime: object) -> None:
        pass

    def fit(self, photos: Sequence[Photo]) -> None:
        """Learn nothing."""

    def state(self) -> dict[str, Any]:
        """Nothing is learned."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing is learned."""

    def describe(self, photos: Sequence[Photo]) -> Float32:
        """(N, 192) unit rows."""
        small = [cv2.resize(photo.pixels, (16, 12)).mean(axis=2).ravel() for photo in photos]
        rows = np.array(small, np.float32)
        rows -= rows.mean(axis=1, keepdims=True)
        rows[:, 0] += 1e-3  # an image of one grey level has a direction, too
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def write_inputs(folder: Path, benchmarks: Sequence[str]) -> None:
    """Write photos, lists, maps and results into a new folder; ``thumbnail`` must be registered.

    Args:
        folder: must be the working folder.
        benchmarks: names of those in whose layouts the photos are written, too.
    """
    scene = make_planes(7)
    scene.write_images(folder / "images", MAP_NAMES)
    scene.write_images(folder / "queries", QUERY_NAMES)
    town = folder / "town"
    scene.write_images(town / "images", MAP_NAMES | QUERY_NAMES)
    reference = scene.reference(MAP_NAMES)
    for target in (folder, town):
        write_model(target / "model", reference)
        (target / "map_images.txt").write_text("\n".join(MAP_NAMES))
        write_queries(target / "queries.txt", dict.fromkeys(QUERY_NAMES, scene.camera))
        write_poses(
            target / "gt.txt", {n: scene.cams_from_world[i] for n, i in QUERY_NAMES.items()}
        )
    write_queries(folder / "cameras.txt", dict.fromkeys(MAP_NAMES, scene.camera))
    poses = {image.name: image.cam_from_world for image in reference.images}
    write_poses(folder / "map_poses.txt", poses)
    (folder / "pairs.txt").write_text("2.png 4.png\na/0.png 5.png\n")
    (folder / "asked.txt").write_text("2.png\na/0.png\n")
    names = sorted(MAP_NAMES)
    _write_positions(folder / "gps.csv", {name: poses[name].center for name in names})
    for name in names:
        for kind, pixels in {"masks": 255, "depth": 9000}.items():
            path = folder / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            size = (scene.camera.height, scene.camera.width)
            Image.fromarray(np.full(size, pixels, np.uint16 if kind == "depth" else np.uint8)).save(
                path
            )
    _run("map", "images", "-o", "map", "--reference", "model", *MODELS)
    _run("georeference", "map", "--positions", "gps.csv")
    _run("compress", "map", "-o", "compact")
    _run("export", "hloc", "map", "-o", "hloc")
    _run("export", "nerfstudio", "map", "-o", "transforms.json")
    _run("localize", "map", "--images", "queries", "-o", "poses.txt", "--jsonl", "results.jsonl")
    frames = json.loads((folder / "transforms.json").read_text())
    for frame in frames["frames"]:
        frame["depth_file_path"] = frame["file_path"].replace("a/0.png", "first") + ".png"
    (folder / "depth.json").write_text(json.dumps(frames))
    for name in benchmarks:
        with suppress(HlocLiteError):
            write_benchmark(name, read_dataset_folder(town), folder / "data" / name)


def import_all() -> None:
    """Import what verbs import: forked processes have it then, and take no time for it."""
    for module in walk_packages(hloc_lite.__path__, "hloc_lite."):
        if not module.name.endswith(("__main__", "worker")):
            with suppress(ImportError):  # extras that are not installed
                import_module(module.name)
    for name in LATE_IMPORTS:
        with suppress(ImportError):
            import_module(name)


def _run(*arguments: str) -> None:
    try:
        main(list(arguments))
    except SystemExit as end:
        assert not end.code, arguments


def _write_positions(path: Path, centers: Mapping[str, np.ndarray]) -> None:
    north = METRES_PER_DEGREE
    east = METRES_PER_DEGREE * np.cos(np.radians(POSITION[0]))
    lines = [
        f"{name},{POSITION[0] + c[2] / north:.9f},{POSITION[1] + c[0] / east:.9f},{-c[1]:.4f}"
        for name, c in centers.items()
    ]
    path.write_text("\n".join(lines))


def no_file(folder: Path, name: str) -> bool:
    """The name is an argument only; no shell can give NUL."""
    return "\0" not in name


def inside(files: str, replaced: Sequence[bytes] = REPLACED) -> Prepare:
    """The name stands in files (separated by spaces; folders with all in them) that are there."""

    def prepare(folder: Path, name: str) -> bool:
        chosen, changed = folder / "chosen", []
        for each in [each for each in files.split() if (folder / each).exists()]:
            chosen.mkdir()
            (folder / each).rename(chosen / Path(each).name)
            changed.append(with_name(chosen, name, replaced))
            (chosen / Path(each).name).rename(folder / each)
            chosen.rmdir()
        return any(changed)

    return prepare


def photo(where: str) -> Prepare:
    """A photo in a folder has the name, where the file system can give it to a file."""

    def prepare(folder: Path, name: str) -> bool:
        path = folder / where / name
        source = next(iter(sorted(folder.rglob("*.png"))))
        try:
            if not path.resolve().is_relative_to((folder / where).resolve()):
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
        except (OSError, ValueError):
            return False
        return True

    return prepare


def sample(title: str, replaced: Sequence[bytes] = OF_SAMPLES) -> Prepare:
    """The name stands in the files of a format, which become the folder ``given``."""
    found = next(each for each in SAMPLES if each.name == title)

    def prepare(folder: Path, name: str) -> bool:
        write_sample(found, folder / "given")
        return with_name(folder / "given", name, replaced)

    return prepare


def zipped(folder: Path, name: str) -> bool:
    """A file in the zip file ``given.zip`` has the name."""
    with zipfile.ZipFile(folder / "given.zip", "w") as file:
        file.writestr(name.encode("utf-8", "replace").decode(), b"x 1 0 0 0 0 0 0 1\n")
    return True


def video(folder: Path, name: str) -> bool:
    """A video has the name."""
    (folder / "videos").mkdir()
    write_sample(next(each for each in SAMPLES if each.name == "video"), folder / "given")
    path = folder / "videos" / name
    try:
        if path.resolve().parent != (folder / "videos").resolve():
            return False
        shutil.copyfile(folder / "given" / "v.avi", path)
    except (OSError, ValueError):
        return False
    return True


def both(first: Prepare, second: Prepare) -> Prepare:
    """The name stands at two places."""
    return lambda folder, name: first(folder, name) and second(folder, name)


def in_map(folder: Path, name: str) -> bool:
    """An image of the map has the name, in all files of the map ``map`` or ``compact``."""
    found = next(each for each in ("map", "compact") if (folder / each).is_dir())
    try:
        made = _with_image(in_memory(Map.open(folder / found)), name)
        shutil.rmtree(folder / found)
        if found == "map":
            made.save(folder / found)
        else:
            compress_map(made, folder / found)
    except (HlocLiteError, ValueError):
        return False
    return True


def _with_image(sfm_map: Map, name: str) -> Map:
    old = "a/0.png"
    renamed = {image.name: image.name for image in sfm_map.model.images} | {old: name}
    report = json.dumps(sfm_map.report).replace(json.dumps(old), json.dumps(name))
    images = [replace(image, name=renamed[image.name]) for image in sfm_map.model.images]
    return replace(
        sfm_map,
        model=replace(sfm_map.model, images=tuple(images)),
        features={renamed[each]: sfm_map.features[each] for each in renamed},
        global_names=tuple(renamed[each] for each in sfm_map.global_names),
        report=json.loads(report),
    )


def in_header(folder: Path, name: str) -> bool:
    """A file of the map has the name in its header."""
    path = folder / "map" / "map.json"
    header = {k: v for k, v in json.loads(path.read_text()).items() if k != "checksum"}
    header["files"][name] = next(iter(header["files"].values()))
    with suppress(UnicodeEncodeError):  # such a header has no checksum
        path.write_text(json.dumps(with_checksum(header)))
        return True
    return False
