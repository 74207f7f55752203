"""Peak memory of ``map`` and ``localize`` as the map grows: does it grow faster than the map?

python pipelines/benchmarks/memory.py -o /tmp/memory --sizes 120 --sizes 480
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--sizes", multiple=True, type=int, default=(120, 480), show_default=True)
@click.option("--queries", "num_queries", default=10, show_default=True)
@click.option("--profile", default="fast", show_default=True)
@click.option("--size", "image_size", default="1024x768", show_default=True)
def main(
    output: Path, sizes: tuple[int, ...], num_queries: int, profile: str, image_size: str
) -> None:
    """Render, map and localize towns of several sizes; print the peak of each process."""
    click.echo("| map images | map MB on disk | peak of map, MB | peak of localize, MB |")
    click.echo("|---|---|---|---|")
    for count in sizes:
        folder = output / f"n{count}"
        town = folder / "town"
        peak("town", "render", "-o", town, "--map", count, "--queries", num_queries,
             "--conditions", "day", "--size", image_size, "--no-depth", "--no-labels")  # fmt: skip
        images, known = town / "images", ("--reference", town / "model")
        listed = ("--image-list", town / "map_images.txt", "--profile", profile, "--overwrite")
        mapping = peak("map", images, "-o", folder / "map", *known, *listed)
        queries = ("--queries", town / "queries_day.txt", "-o", folder / "poses.txt")
        localizing = peak("localize", folder / "map", "--images", images, *queries)
        files = (file for file in (folder / "map").rglob("*") if file.is_file())
        disk = sum(file.stat().st_size for file in files)
        click.echo(f"| {count} | {disk / 1e6:.0f} | {mapping:.0f} | {localizing:.0f} |")


def peak(*arguments: object) -> float:
    """Peak resident memory in MB of one ``hloc-lite`` command, as the system accounts it."""
    command = [sys.executable, "-m", "hloc_lite", *(str(a) for a in arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
