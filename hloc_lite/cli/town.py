"""``hloc-lite town``: renders a synthetic town or building with exact poses, depth and labels."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from tqdm import tqdm

from hloc_lite.cli.options import mark_resumable, say, validate_section
from hloc_lite.errors import ConfigError


@click.group("town")
def command() -> None:
    """Render a synthetic town or building with exact poses."""


@command.command("render")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder of the town.",
)
@click.option("--map", "num_map", default=120, show_default=True, help="Number of map images.")
@click.option(
    "--queries", "num_queries", default=40, show_default=True, help="Queries per condition."
)
@click.option(
    "--conditions",
    default="day,night,changed",
    show_default=True,
    help="Query conditions, comma-separated.",
)
@click.option("--seed", default=7, show_default=True, help="Seed of the town.")
@click.option(
    "--size", default="1024x768", show_default=True, metavar="WxH", help="Image size in pixels."
)
@click.option("--no-depth", is_flag=True, help="Do not write depth maps.")
@click.option("--no-labels", is_flag=True, help="Do not write label maps.")
@click.option(
    "--jobs", type=int, default=None, help="Number of processes.  [default: one per core]"
)
@click.option("--overwrite", is_flag=True, help="Replace a town with another config in DIR.")
@click.option(
    "--layout",
    "layouts",
    multiple=True,
    metavar="BENCHMARK",
    help="Also write the town as this benchmark is distributed, into DIR/BENCHMARK "
    "(`hloc-lite dataset list`). May be given several times.",
)
def render(
    output: Path,
    num_map: int,
    num_queries: int,
    conditions: str,
    seed: int,
    size: str,
    no_depth: bool,
    no_labels: bool,
    jobs: int | None,
    overwrite: bool,
    layouts: tuple[str, ...],
) -> None:
    """Render a town into the folder DIR.

    Images that are finished already are kept. DIR will contain images/, model/ (COLMAP),
    map_images.txt, queries_CONDITION.txt, gt_CONDITION.txt, depth/ and labels/.
    """
    from hloc_lite.datasets.benchmarks import check_benchmark_name
    from hloc_lite.synthetic.config import CONDITIONS, TownConfig
    from hloc_lite.synthetic.dataset import write_dataset

    for layout in layouts:
        check_benchmark_name(layout)
    width, height = _parse_size(size)
    names = tuple(name.strip() for name in conditions.split(",") if name.strip())
    config = validate_section(
        TownConfig,
        {
            "seed": seed,
            "num_map": num_map,
            "num_queries": num_queries,
            "conditions": names,
            "width": width,
            "height": height,
        },
    )
    if not config.conditions:
        known = ", ".join(CONDITIONS)
        raise ConfigError(f"--conditions needs at least one of {known}, got {conditions!r}")
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs must be at least 1, got {jobs}")
    mark_resumable()
    with _progress() as advance:
        write_dataset(
            output,
            config,
            with_depth=not no_depth,
            with_labels=not no_labels,
            jobs=jobs if jobs is not None else os.cpu_count() or 1,
            overwrite=overwrite,
            progress=advance,
        )
    say(
        f"{output}: {num_map} map images, "
        f"{num_queries} queries for each of {', '.join(config.conditions)}"
    )
    for layout in layouts:
        _write_layout(output, layout)


@command.command("indoor")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder of the building.",
)
@click.option("--floors", "num_floors", default=2, show_default=True, help="Number of floors.")
@click.option("--rooms", "num_rooms", default=6, show_default=True, help="Rooms per floor.")
@click.option(
    "--scans",
    "num_scans",
    default=10,
    show_default=True,
    help="Scans per floor, of 36 cutouts each.",
)
@click.option(
    "--queries", "num_queries", default=40, show_default=True, help="Phone photos of all floors."
)
@click.option("--seed", default=7, show_default=True, help="Seed of the building.")
@click.option(
    "--size", default="800x600", show_default=True, metavar="WxH", help="Cutout size in pixels."
)
@click.option(
    "--query-width", default=1008, show_default=True, help="Longer side of phone photos in pixels."
)
@click.option(
    "--jobs", type=int, default=None, help="Number of processes.  [default: one per core]"
)
@click.option("--overwrite", is_flag=True, help="Replace a building with another config in DIR.")
@click.option(
    "--layout",
    "layouts",
    multiple=True,
    metavar="BENCHMARK",
    help="Also write the building as this benchmark is distributed, into DIR/BENCHMARK; "
    "inloc is made for it.",
)
def indoor(
    output: Path,
    num_floors: int,
    num_rooms: int,
    num_scans: int,
    num_queries: int,
    seed: int,
    size: str,
    query_width: int,
    jobs: int | None,
    overwrite: bool,
    layouts: tuple[str, ...],
) -> None:
    """Render a building: scans with depth, and phone photos.

    Images that are finished already are kept. DIR will contain images/, depth/, labels/, model/
    (COLMAP), map_images.txt, queries_FLOOR.txt and gt_FLOOR.txt.
    """
    from hloc_lite.datasets.benchmarks import check_benchmark_name
    from hloc_lite.synthetic.indoor.config import BuildingConfig
    from hloc_lite.synthetic.indoor.dataset import write_building

    for layout in layouts:
        check_benchmark_name(layout)
    width, height = _parse_size(size)
    config = validate_section(
        BuildingConfig,
        {
            "seed": seed,
            "num_floors": num_floors,
            "num_rooms": num_rooms,
            "num_scans": num_scans,
            "num_queries": num_queries,
            "width": width,
            "height": height,
            "query_width": query_width,
        },
    )
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs must be at least 1, got {jobs}")
    mark_resumable()
    with _progress() as advance:
        number = jobs if jobs is not None else os.cpu_count() or 1
        write_building(output, config, jobs=number, overwrite=overwrite, progress=advance)
    say(
        f"{output}: floors {', '.join(config.floors)}, {num_scans} scans each, "
        f"{num_queries} queries"
    )
    for layout in layouts:
        _write_layout(output, layout)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Progress bar, set by (images done, total images)."""
    bar = tqdm(total=0, unit="image", desc="rendering", disable=None)

    def advance(done: int, total: int) -> None:
        bar.total = total
        bar.n = done
        bar.refresh()

    with bar:
        yield advance


def _write_layout(town: Path, layout: str) -> None:
    """Write a scene as a benchmark is distributed, with a list of the names that images got.

    The folder gets its name when it is complete, so that an interrupted run can be repeated.
    """
    from hloc_lite.datasets.benchmarks import check_new_folder, write_benchmark
    from hloc_lite.datasets.dataset_folder import read_dataset_folder
    from hloc_lite.io.files import write_json_atomic

    folder, partial = town / layout, town / f".{layout}-partial"
    check_new_folder(layout, folder)
    shutil.rmtree(partial, ignore_errors=True)  # left by a killed run
    names = write_benchmark(layout, read_dataset_folder(town), partial)
    partial.rename(folder)
    write_json_atomic(town / f"{layout}-names.json", names)
    say(f"{folder}: {len(names)} images in the layout of {layout}")


def _parse_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", text.strip().lower())
    if match is None:
        raise ConfigError(f"--size must be WIDTHxHEIGHT in pixels (e.g. 1024x768), got {text!r}")
    return int(match[1]), int(match[2])
