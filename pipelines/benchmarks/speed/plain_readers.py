"""Plainest readings of the made files by numpy, json, csv, h5py, sqlite3 and tarfile.

They keep the numbers and check nothing. The readers of ``format_readers`` are compared with them.
"""

from __future__ import annotations

import csv
import json
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import numpy as np


def numbers_behind_cameras(path: Path) -> object:
    """NVM: name and numbers of each camera, and the numbers of all points."""
    with path.open("rb") as file:
        count = int([file.readline() for _ in range(3)][2])
        cameras = [file.readline().split() for _ in range(count)]
        file.readline()
        file.readline()
        return cameras, np.fromfile(file, sep=" ")


def bundler(path: Path) -> object:
    """Bundler: all numbers, and the list."""
    with (path / "bundle.out").open("rb") as file:
        file.readline()
        return (path / "list.txt").read_text().split("\n"), np.fromfile(file, sep=" ")


def colmap_text(path: Path) -> object:
    """COLMAP's text: the numbers of each image, and those of the points without their tracks."""
    with (path / "images.txt").open() as file:
        images = [(line.split(), np.array(next(file).split(), np.float64)) for line in file]
    return images, np.loadtxt(path / "points3D.txt", usecols=range(8))


def tables(path: Path) -> object:
    """Folder of small tables, by csv."""
    return [list(csv.reader(file.open())) for file in sorted(path.rglob("*.txt"))]


def kapture(path: Path) -> object:
    """kapture: small tables, points, keypoint of each observation by point, keypoints."""
    root = path / "reconstruction"
    points = np.loadtxt(root / "points3d.txt", delimiter=",")
    with (root / "observations.txt").open() as file:
        observed = [np.array(row[3::2], np.int64) for row in csv.reader(file) if len(row) > 1]
    keypoints = _members(root / "keypoints" / "sift" / "keypoints.tar")
    return tables(path / "sensors"), points, observed, keypoints


def kapture_matches(path: Path) -> object:
    """kapture's matches: members of the tar."""
    return _members(path / "reconstruction" / "matches" / "sift" / "matches.tar")


def whole_json(path: Path) -> object:
    """Any JSON."""
    return json.loads(path.read_text())


def colmap_database(path: Path) -> object:
    """COLMAP's database: all keypoints and matches."""
    connection = sqlite3.connect(path)
    keypoints = connection.execute("SELECT data FROM keypoints")
    matches = connection.execute("SELECT data FROM matches")
    found = (
        [np.frombuffer(row[0], "<f4").reshape(-1, 2) for row in keypoints],
        [np.frombuffer(row[0], "<u4").astype(np.int32).reshape(-1, 2) for row in matches],
    )
    connection.close()
    return found


def h5(path: Path) -> object:
    """All datasets of an HDF5 file."""
    import h5py

    found = []

    def keep(_name: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset):
            found.append(each[()])

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def lines(path: Path) -> object:
    """Words of each line."""
    with path.open() as file:
        return [line.split() for line in file]


def comma_lines(path: Path) -> object:
    """Cells of each line."""
    with path.open() as file:
        return list(csv.reader(file))


def named_numbers(path: Path) -> object:
    """First word and numbers of each line."""
    names = np.loadtxt(path, str, usecols=0).tolist()
    return names, np.loadtxt(path, usecols=range(1, 8))


def numbers(path: Path) -> object:
    """Table of numbers between spaces."""
    return np.loadtxt(path)


def comma_numbers(path: Path) -> object:
    """Table of numbers between commas."""
    return np.loadtxt(path, delimiter=",")


def pose_files(path: Path) -> object:
    """7-Scenes: the numbers of each pose file."""
    files = [file for file in sorted(path.rglob("*")) if file.name.endswith(".pose.txt")]
    return [np.array(file.read_text().split(), np.float64) for file in files]


def _members(path: Path) -> list[object]:
    """Numbers of all members of a tar; of 8 bytes, as their type does not matter here."""
    with tarfile.open(path) as tar:
        files = (tar.extractfile(member) for member in tar)
        return [np.frombuffer(file.read(), "u1") for file in files if file is not None]
