"""Peak memory of ``map`` and ``localize`` for maps of several sizes.

python -m pipelines.benchmarks.speed.memory -o /tmp/memory --sizes 120 --sizes 480
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from hloc_lite.io.python_process import python_command, python_environment
from pipelines.benchmarks.table import Table, results_option


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--sizes", multiple=True, type=int, default=(120, 480), show_default=True)
@click.option("--queries", "num_queries", default=10, show_default=True)
@click.option("--profile", default="fast", show_default=True)
@click.option("--size", "image_size", default="1024x768", show_default=True)
@results_option
def main(
    output: Path,
    sizes: tuple[int, ...],
    num_queries: int,
    profile: str,
    image_size: str,
    results: Path | None,
) -> None:
    """Render, map and localize towns of several sizes; print the peak of each process."""
    table = Table(
        "Peak memory",
        ["map images", "map on disk, MB", "`map`, MB", "`localize`, MB"],
        f"Profile {profile}, {image_size}, known poses.",
    )
    for count in sizes:
        folder = output / f"n{count}"
        town = folder / "town"
        peak_mb("town", "render", "-o", town, "--map", count, "--queries", num_queries,
                "--conditions", "day", "--size", image_size, "--no-depth",
                "--no-labels")  # fmt: skip
        images, known = town / "images", ("--reference", town / "model")
        listed = ("--image-list", town / "map_images.txt", "--profile", profile, "--overwrite")
        mapping = peak_mb("map", images, "-o", folder / "map", *known, *listed)
        queries = ("--queries", town / "queries_day.txt", "-o", folder / "poses.txt")
        localizing = peak_mb("localize", folder / "map", "--images", images, *queries)
        files = (file for file in (folder / "map").rglob("*") if file.is_file())
        disk_mb = sum(file.stat().st_size for file in files) / 1e6
        table.add(count, *map(round, (disk_mb, mapping, localizing)))
    table.write(results)


def peak_mb(*arguments: object) -> float:
    """Peak resident memory of one ``hloc-lite`` command, as the system accounts it."""
    command = python_command("hloc_lite", *arguments)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=python_environment())
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
