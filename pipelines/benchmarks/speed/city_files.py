"""Features, matches, pairs and poses of a made city, in files of many formats."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.formats.colmap.database_writing import number_images, write_database
from hloc_lite.formats.hloc.features import StoredFeatures, write_features
from hloc_lite.formats.hloc.global_descriptors import write_global_descriptors
from hloc_lite.formats.hloc.matches_writing import write_matches
from hloc_lite.formats.kapture.matches import write_matches as write_kapture_matches
from hloc_lite.types import Float64, Matches
from pipelines.benchmarks.speed.city_model import CAMERA, FOCAL_PX, HEIGHT, WIDTH, City

NEXT_IMAGES = 5
"""Images behind each one that it is matched with."""
NUM_MATCHES = 100
"""Matches of each pair."""
NUM_RETRIEVED = 50
"""Map images of each query in lists of pairs."""
PER_SEQUENCE = 1000
"""Frames of a sequence of 7-Scenes."""


def write_transforms(city: City, path: Path) -> None:
    """Write a transforms.json of nerfstudio."""
    frames = [
        {"file_path": name, "transform_matrix": [*matrix, [0.0, 0.0, 0.0, 1.0]]}
        for name, matrix in zip(city.names, _matrices(len(city.centers)).tolist(), strict=True)
    ]
    lens = {"w": WIDTH, "h": HEIGHT, "fl_x": FOCAL_PX, "fl_y": FOCAL_PX, "cx": 512.0, "cy": 384.0}
    path.write_text(json.dumps({**lens, "frames": frames}))


def write_colmap_database(city: City, path: Path) -> None:
    """Write a database of COLMAP with keypoints and matches."""
    keypoints = {
        name: xy.astype(np.float32)
        for name, (xy, _) in zip(city.names, city.observed(), strict=True)
    }
    rows = np.arange(min(NUM_MATCHES, min(map(len, keypoints.values()))), dtype=np.int32)
    matches = ((pair, np.column_stack([rows, rows])) for pair in _pairs(city.names))
    images = number_images(dict.fromkeys(city.names, CAMERA))
    write_database(path, images, keypoints, matches=matches)


def write_hloc_features(city: City, path: Path) -> None:
    """Write a feature file of hloc: keypoints and scores."""
    write_features(
        path,
        (
            (
                name,
                StoredFeatures(
                    keypoints=xy.astype(np.float32),
                    scores=np.ones(len(xy), np.float32),
                    image_size=(WIDTH, HEIGHT),
                ),
            )
            for name, (xy, _) in zip(city.names, city.observed(), strict=True)
        ),
    )


def write_hloc_matches(city: City, path: Path) -> None:
    """Write a matches file of hloc, and the names beside it."""
    rows = np.arange(NUM_MATCHES, dtype=np.int32)
    found = Matches(np.column_stack([rows, rows]), np.ones(NUM_MATCHES, np.float32))
    counts = dict.fromkeys(city.names, NUM_MATCHES)
    write_matches(path, ((pair, found) for pair in _pairs(city.names)), counts)
    path.with_suffix(".json").write_text(json.dumps(city.names))


def write_hloc_global_descriptors(city: City, path: Path) -> None:
    """Write a file of global descriptors of hloc."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(len(city.centers), 256)).astype(np.float32)
    write_global_descriptors(path, city.names, rows)


def write_matches_tar(city: City, path: Path) -> None:
    """Write matches of a kapture in a tar."""
    rows = np.arange(NUM_MATCHES, dtype=np.float64)
    found = np.column_stack([rows, rows, np.ones(NUM_MATCHES)])
    pairs = dict.fromkeys(_pairs(city.names), found)
    write_kapture_matches(path, "sift", pairs, as_tar=True)


def write_pairs(city: City, path: Path, separator: str = " ") -> None:
    """Write ``NUM_RETRIEVED`` map images of each query, a pair per line, and the names beside."""
    names = city.names
    with path.open("w") as file:
        for row, name in enumerate(names):
            chosen = [names[(row + 1 + 7 * k) % len(names)] for k in range(NUM_RETRIEVED)]
            file.writelines(f"{name}{separator}{other}\n" for other in dict.fromkeys(chosen))
    path.with_suffix(".json").write_text(json.dumps(names))


def write_pose_list(count: int, path: Path) -> None:
    """Write poses of images, ``name qw qx qy qz tx ty tz``."""
    with path.open("w") as file:
        for row, (q, t) in enumerate(zip(*_poses(count), strict=True)):
            file.write(f"{row:07d}.jpg {_text([q[3], *q[:3], *t])}\n")


def write_tum(count: int, path: Path) -> None:
    """Write a trajectory of TUM's format, 200 poses a second."""
    with path.open("w") as file:
        for row, (q, t) in enumerate(zip(*_poses(count), strict=True)):
            file.write(f"{1_400_000_000 + row / 200:.3f} {_text([*t, *q])}\n")


def write_euroc(count: int, path: Path) -> None:
    """Write a trajectory of EuRoC's format, 200 poses a second."""
    with path.open("w") as file:
        file.write("#timestamp, p_x, p_y, p_z, q_w, q_x, q_y, q_z\n")
        for row, (q, t) in enumerate(zip(*_poses(count), strict=True)):
            numbers = _text([*t, q[3], *q[:3]], ",")
            file.write(f"{1_400_000_000_000_000_000 + row * 5_000_000},{numbers}\n")


def write_kitti(count: int, path: Path) -> None:
    """Write a trajectory of KITTI's format."""
    with path.open("w") as file:
        file.writelines(f"{_text(row)}\n" for row in _matrices(count).reshape(-1, 12).tolist())


def write_seven_scenes(count: int, path: Path) -> None:
    """Write a folder of 7-Scenes with pose files, and empty files instead of photos."""
    path.mkdir()
    numbers = range(1, (count + PER_SEQUENCE - 1) // PER_SEQUENCE + 1)
    (path / "TrainSplit.txt").write_text("".join(f"sequence{number}\n" for number in numbers))
    for row, matrix in enumerate(_matrices(count).tolist()):
        folder = path / f"seq-{row // PER_SEQUENCE + 1:02d}"
        folder.mkdir(exist_ok=True)
        stem = f"frame-{row % PER_SEQUENCE:06d}"
        (folder / f"{stem}.color.png").touch()
        lines = [_text(line) for line in [*matrix, [0.0, 0.0, 0.0, 1.0]]]
        (folder / f"{stem}.pose.txt").write_text("\n".join(lines) + "\n")


def _pairs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for row, name in enumerate(names):
        for other in names[row + 1 : row + 1 + NEXT_IMAGES]:
            yield name, other


def _poses(count: int) -> tuple[list[list[float]], list[list[float]]]:
    """Quaternions xyzw and translations of a walk."""
    angles = np.arange(count)[:, None] * np.array([1e-3, 7e-4, 3e-4])
    steps = np.arange(count)[:, None] * np.array([0.01, 0.001, 0.02])
    return Rotation.from_rotvec(np.sin(angles)).as_quat().tolist(), steps.tolist()


def _matrices(count: int) -> Float64:
    """(count, 3, 4) poses of the same walk."""
    quats, steps = _poses(count)
    return np.concatenate([Rotation.from_quat(quats).as_matrix(), np.array(steps)[..., None]], -1)


def _text(values: Sequence[float], separator: str = " ") -> str:
    return separator.join(f"{value:.9f}" for value in values)
