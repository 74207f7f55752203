"""A made city as arrays and as text models: NVM, Bundler, kapture and COLMAP's text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.types import Camera, Float64, Int64

VIEWS = 5
"""Images that see each point."""
WIDTH, HEIGHT, FOCAL_PX, DEPTH = 1024, 768, 800.0, 50.0
CAMERA = Camera("PINHOLE", WIDTH, HEIGHT, np.array([FOCAL_PX, FOCAL_PX, WIDTH / 2, HEIGHT / 2]))
_CHUNK = 10_000


@dataclass(frozen=True, eq=False)
class City:
    """N images that look along +z, and M points that each ``VIEWS`` of them see."""

    centers: Float64
    """(N, 3) camera centres."""
    xyz: Float64
    """(M, 3) points."""
    images: Int64
    """(M, VIEWS) image of each observation."""
    features: Int64
    """(M, VIEWS) keypoint of each observation in its image, without gaps."""
    xy: Float64
    """(M, VIEWS, 2) pixels, relative to the image centre."""

    @property
    def names(self) -> list[str]:
        """Names of the images."""
        return image_names(len(self.centers))

    def observed(self) -> Iterator[tuple[Float64, Int64]]:
        """Pixels from the image corner, and points, of each image in the order of its keypoints."""
        order = np.lexsort((self.features.ravel(), self.images.ravel()))
        xy = self.xy.reshape(-1, 2) + np.array([WIDTH / 2, HEIGHT / 2])
        for rows in np.array_split(order, len(self.centers)):
            yield xy[rows], rows // VIEWS


def image_names(count: int) -> list[str]:
    """Names of the first images of any city."""
    return [f"db/{row:06d}.jpg" for row in range(count)]


def make_city(num_images: int, observations: int) -> City:
    """City with the same number of observations in each image."""
    rng = np.random.default_rng(0)
    num_points = observations // num_images * num_images // VIEWS
    centers = np.column_stack([rng.uniform(-9, 9, (num_images, 2)), np.zeros(num_images)])
    xyz = np.column_stack([rng.uniform(-9, 9, (num_points, 2)), np.full(num_points, DEPTH)])
    numbers = np.arange(num_points * VIEWS).reshape(-1, VIEWS)
    images = numbers % num_images
    xy = FOCAL_PX * (xyz[:, None, :2] - centers[images][..., :2]) / DEPTH
    return City(centers, xyz, images, numbers // num_images, xy)


def write_nvm(city: City, path: Path) -> None:
    """Write an NVM file with the intrinsics in its header."""
    with path.open("w") as file:
        file.write(f"NVM_V3\n\n{len(city.centers)}\n")
        for name, (x, y, z) in zip(city.names, city.centers.tolist(), strict=True):
            file.write(f"{name} {FOCAL_PX} 1 0 0 0 {x:.6f} {y:.6f} {z:.6f} 0 0\n")
        file.write(f"\n{len(city.xyz)}\n")
        for (x, y, z), track in _tracks(city, 1):
            file.write(f"{x:.6f} {y:.6f} {z:.6f} 90 100 110 {VIEWS} {track}\n")
        file.write("\n0\n")


def write_bundler(city: City, path: Path) -> None:
    """Write bundle.out and its list.txt into a folder."""
    path.mkdir()
    (path / "list.txt").write_text("".join(f"{name}\n" for name in city.names))
    with (path / "bundle.out").open("w") as file:
        file.write(f"# Bundle file v0.3\n{len(city.centers)} {len(city.xyz)}\n")
        for x, y, z in city.centers.tolist():
            file.write(f"{FOCAL_PX} 0 0\n1 0 0\n0 -1 0\n0 0 -1\n{-x:.6f} {y:.6f} {z:.6f}\n")
        for (x, y, z), track in _tracks(city, -1):
            file.write(f"{x:.6f} {y:.6f} {z:.6f}\n90 100 110\n{VIEWS} {track}\n")


def write_colmap_text(city: City, path: Path) -> None:
    """Write cameras.txt, images.txt and points3D.txt into a folder."""
    path.mkdir()
    camera = f"{FOCAL_PX} {FOCAL_PX} {WIDTH / 2} {HEIGHT / 2}"
    (path / "cameras.txt").write_text(f"1 PINHOLE {WIDTH} {HEIGHT} {camera}\n")
    with (path / "images.txt").open("w") as file:
        rows = zip(city.names, (-city.centers).tolist(), city.observed(), strict=True)
        for number, (name, (x, y, z), (xy, points)) in enumerate(rows, start=1):
            file.write(f"{number} 1 0 0 0 {x:.6f} {y:.6f} {z:.6f} 1 {name}\n")
            pairs = zip(xy.tolist(), points.tolist(), strict=True)
            file.write(" ".join(f"{u:.2f} {v:.2f} {p + 1}" for (u, v), p in pairs) + "\n")
    with (path / "points3D.txt").open("w") as file:
        tracks = zip(city.xyz.tolist(), city.images.tolist(), city.features.tolist(), strict=True)
        for number, ((x, y, z), images, features) in enumerate(tracks, start=1):
            track = " ".join(f"{i + 1} {k}" for i, k in zip(images, features, strict=True))
            file.write(f"{number} {x:.6f} {y:.6f} {z:.6f} 90 100 110 0.5 {track}\n")


def write_kapture_tables(city: City, path: Path) -> None:
    """Write a kapture's sensors, images and poses."""
    root = path / "sensors"
    root.mkdir(parents=True)
    camera = f"PINHOLE, {WIDTH}, {HEIGHT}, {FOCAL_PX}, {FOCAL_PX}, {WIDTH / 2}, {HEIGHT / 2}"
    _write_table(root / "sensors.txt", [f"cam, , camera, {camera}"])
    records = (f"{row}, cam, {name}" for row, name in enumerate(city.names))
    _write_table(root / "records_camera.txt", records)
    poses = enumerate((-city.centers).tolist())
    lines = (f"{row}, cam, 1, 0, 0, 0, {x:.6f}, {y:.6f}, {z:.6f}" for row, (x, y, z) in poses)
    _write_table(root / "trajectories.txt", lines)


def write_kapture(city: City, path: Path) -> None:
    """Write a kapture with points, observations, and keypoints in a tar."""
    from hloc_lite.formats.kapture.features import FeatureHeader, write_features

    write_kapture_tables(city, path)
    found = zip(city.names, city.observed(), strict=True)
    keypoints = {name: xy.astype(np.float32) for name, (xy, _) in found}
    header = FeatureHeader("sift", "float32", 2)
    write_features(path, "keypoints", "sift", header, keypoints, as_tar=True)
    root = path / "reconstruction"
    points = (f"{x:.6f}, {y:.6f}, {z:.6f}, 90, 100, 110" for x, y, z in city.xyz.tolist())
    _write_table(root / "points3d.txt", points)
    names = city.names
    tracks = enumerate(zip(city.images.tolist(), city.features.tolist(), strict=True))
    lines = (
        f"{row}, sift, " + ", ".join(f"{names[i]}, {k}" for i, k in zip(*track, strict=True))
        for row, track in tracks
    )
    _write_table(root / "observations.txt", lines)


def write_capture(city: City, path: Path) -> None:
    """Write a capture session of one camera."""
    path.mkdir()
    camera = f"PINHOLE, {WIDTH}, {HEIGHT}, {FOCAL_PX}, {FOCAL_PX}, {WIDTH / 2}, {HEIGHT / 2}"
    (path / "sensors.txt").write_text(f"# id\ncam, , camera, {camera}\n")
    (path / "images.txt").write_text(
        "".join(f"{row}, cam, {name}\n" for row, name in enumerate(city.names))
    )
    (path / "trajectories.txt").write_text(
        "".join(
            f"{row}, cam, 1, 0, 0, 0, {x:.6f}, {y:.6f}, {z:.6f}\n"
            for row, (x, y, z) in enumerate(city.centers.tolist())
        )
    )


def _write_table(path: Path, lines: Iterable[str]) -> None:
    with path.open("w") as file:
        file.write("# kapture format: 1.1\n#\n")
        file.writelines(f"{line}\n" for line in lines)


def _tracks(city: City, down: int) -> Iterator[tuple[list[float], str]]:
    """Position of each point, and ``image feature x y`` of its observations.

    Args:
        city: points with observations.
        down: 1 if y points down in the file, -1 if up.
    """
    for start in range(0, len(city.xyz), _CHUNK):
        rows = slice(start, start + _CHUNK)
        parts = zip(
            city.images[rows].ravel().tolist(), city.features[rows].ravel().tolist(),
            (city.xy[rows] * (1, down)).reshape(-1, 2).tolist(), strict=True,
        )  # fmt: skip
        texts = [f"{i} {k} {x:.2f} {y:.2f}" for i, k, (x, y) in parts]
        for row, xyz in enumerate(city.xyz[rows].tolist()):
            yield xyz, " ".join(texts[VIEWS * row : VIEWS * (row + 1)])
