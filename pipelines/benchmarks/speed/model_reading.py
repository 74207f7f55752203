"""Reading of a large COLMAP model: time and memory, beside pycolmap's.

    python -m pipelines.benchmarks.speed.model_reading -o FOLDER

A made model of 20,000 images with 10 million observations is written once. Each reader runs in
processes of its own, in turn, so that a busy machine slows both alike.
"""

from __future__ import annotations

import struct
from pathlib import Path

import click
import numpy as np

from pipelines.benchmarks.speed.fresh_process import measure
from pipelines.benchmarks.table import Table, results_option

READERS = {
    "hloc_lite": "hloc_lite.formats.colmap:read_model",
    "pycolmap": "pycolmap:Reconstruction",
}
VIEWS = 5
"""Observations of each point."""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--images", "num_images", default=20000, show_default=True)
@click.option("--observations", default=10_000_000, show_default=True)
@click.option("--pairs", default=3, show_default=True, help="Runs of each reader, in turn.")
@results_option
def main(
    output: Path, num_images: int, observations: int, pairs: int, results: Path | None
) -> None:
    """Write the model, read it by each reader in turn, and print the ratios."""
    if not (output / "points3D.bin").is_file():
        write_large_model(output, num_images, observations)
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in READERS}
    for _ in range(pairs):
        for name in READERS:
            cost = measure(READERS[name], output)
            runs[name].append((cost.seconds, cost.megabytes))
    table = Table(
        "Reading of a large COLMAP model",
        ("reader", "seconds", "peak memory, MB", "time over pycolmap's", "memory over pycolmap's"),
        f"{num_images} images, {observations} observations, .bin; medians of {pairs} runs each",
    )
    base = np.median(runs["pycolmap"], axis=0)
    for name, values in runs.items():
        seconds, megabytes = np.median(values, axis=0)
        table.add(
            name, round(seconds, 1), round(megabytes), round(seconds / base[0], 2),
            round(megabytes / base[1], 2),
        )  # fmt: skip
    table.write(results)


def write_large_model(folder: Path, num_images: int, observations: int) -> None:
    """Write cameras.bin, images.bin and points3D.bin; each point is seen by ``VIEWS`` images."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    per_image = observations // num_images
    num_points = observations // VIEWS
    camera = struct.pack("<QiiQQ4d", 1, 1, 1, 1024, 768, 800.0, 800.0, 512.0, 384.0)
    (folder / "cameras.bin").write_bytes(camera)
    # observation k is of point k // VIEWS, in image k % num_images
    observed = np.arange(num_images * per_image).reshape(per_image, num_images)
    record = np.dtype([("xy", "<f8", 2), ("point", "<u8")])
    with (folder / "images.bin").open("wb") as file:
        file.write(struct.pack("<Q", num_images))
        for row in range(num_images):
            rows = np.zeros(per_image, record)
            rows["xy"] = rng.uniform(0, 768, (per_image, 2))
            rows["point"] = observed[:, row] // VIEWS + 1
            pose = struct.pack("<7d", 1.0, 0.0, 0.0, 0.0, *rng.normal(0, 50, 3))
            name = f"db/{row:06d}.jpg".encode() + b"\0"
            file.write(struct.pack("<I", row + 1) + pose + struct.pack("<I", 1) + name)
            file.write(struct.pack("<Q", per_image) + rows.tobytes())
    point = np.dtype([
        ("id", "<u8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("length", "<u8"),
        ("track", [("image", "<u4"), ("keypoint", "<u4")], VIEWS),
    ])  # fmt: skip
    points = np.zeros(num_points, point)
    numbers = np.arange(num_points * VIEWS).reshape(num_points, VIEWS)
    points["id"] = np.arange(1, num_points + 1)
    points["xyz"], points["error"] = rng.normal(0, 50, (num_points, 3)), 0.5
    points["length"] = VIEWS
    points["track"]["image"] = numbers % num_images + 1
    points["track"]["keypoint"] = numbers // num_images
    with (folder / "points3D.bin").open("wb") as file:
        file.write(struct.pack("<Q", num_points) + points.tobytes())


if __name__ == "__main__":
    main()
