"""Files that the scenarios of one version left, and their content in values to compare."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER_MARKS = ("map.json", "town.json", "exit_code.json")
"""Each map, and each command's output folder, has one of these."""
NOT_COMPARED = {".md", ".html"}
"""Suffixes of texts for people."""


def items_of(out: Path) -> dict[tuple[str, str], Path]:
    """(scenario, item) -> file; records of queries are one file with the item ``""``."""
    found = {}
    for path in sorted((out / "results").rglob("*.json")):
        scenario = path.relative_to(out / "results").as_posix().removesuffix(".json")
        found[scenario, ""] = path
    for kind in ("maps", "cli"):
        for folder in _folders(out / kind):
            scenario = folder.relative_to(out).as_posix()
            for path in sorted(folder.rglob("*")):
                item = path.relative_to(folder)
                # locks, and intermediate results, whose shards depend on time
                passing = any(part.startswith(".") or part == "work" for part in item.parts)
                if path.is_file() and not passing and path.suffix not in NOT_COMPARED:
                    found[scenario, item.as_posix()] = path
    return found


def _folders(root: Path) -> list[Path]:
    """The outermost folders with a mark."""
    found = {path.parent for mark in FOLDER_MARKS for path in root.rglob(mark)}
    return sorted(each for each in found if not found.intersection(each.parents))


def read_file(path: Path) -> Any:
    """Content of a file; a digest where the format is unknown."""
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".txt":
        lines = path.read_text(encoding="utf-8").splitlines()
        return [[_number(word) for word in line.split()] for line in lines]
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".h5":
        return _read_h5(path)
    return _read_colmap(path) if path.suffix == ".bin" else _digest(path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


def _read_h5(path: Path) -> dict[str, Any]:
    """All arrays by name; the header is JSON."""
    import h5py

    content: dict[str, Any] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            content[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(add)
    if "header" in content:
        content["header"] = json.loads(bytes(content["header"]))
    return content


def _read_colmap(path: Path) -> Any:
    """Content of cameras.bin, images.bin or points3D.bin."""
    import pycolmap

    model = pycolmap.Reconstruction(path.parent)
    if path.stem == "cameras":
        return {
            str(key): [camera.model.name, camera.width, camera.height, np.array(camera.params)]
            for key, camera in model.cameras.items()
        }
    if path.stem == "images":
        return {
            image.name: {
                "ids": [key, image.camera_id],
                "cam_from_world": np.array(image.cam_from_world().matrix()),
                "points2D": np.array([point.xy for point in image.points2D]),
                "point3D_ids": np.array([point.point3D_id for point in image.points2D]),
            }
            for key, image in model.images.items()
        }
    if path.stem == "points3D":
        points = [point for _, point in sorted(model.points3D.items())]
        return {
            "ids": np.array(sorted(model.points3D)),
            "xyz": np.array([point.xyz for point in points]),
            "rgb": np.array([point.color for point in points]),
            "errors_px": np.array([point.error for point in points]),
            "tracks": [
                sorted([each.image_id, each.point2D_idx] for each in point.track.elements)
                for point in points
            ],
        }
    return _digest(path)
