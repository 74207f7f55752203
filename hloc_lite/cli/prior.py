"""What is known of queries beforehand, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import F
from hloc_lite.errors import ConfigError

if TYPE_CHECKING:
    from hloc_lite.maps.georeference import Georeference
    from hloc_lite.maps.map import Map
    from hloc_lite.types import Prior


def prior_options(function: F) -> F:
    """--near and --gps."""
    function = click.option(
        "--gps",
        metavar="LAT,LON,ACCURACY",
        help="Where on Earth the photos were taken, degrees and metres; the map must be "
        "georeferenced.",
    )(function)
    return click.option(
        "--near",
        metavar="X,Y,Z,RADIUS",
        help="Where in the map the photos were taken, and how far from there at most, map units.",
    )(function)


def prior_of(near: str | None, gps: str | None, place: Map, map_folder: Path) -> Prior | None:
    """What the options say; None: nothing.

    Raises:
        ConfigError: not as many numbers, both at once, or a map that is nowhere on Earth.
    """
    from hloc_lite.localize.prior import prior_from_gps
    from hloc_lite.types import Prior

    if near is not None and gps is not None:
        raise ConfigError("give either --near or --gps, not both")
    if near is not None:
        x, y, z, radius = _numbers(near, "--near", "X,Y,Z,RADIUS")
        return Prior(position=(x, y, z), radius=radius)  # type: ignore[arg-type]
    if gps is None:
        return None
    latitude, longitude, accuracy_m = _numbers(gps, "--gps", "LAT,LON,ACCURACY")
    georeference = needed_georeference(place, map_folder, "--gps")
    return prior_from_gps(georeference, latitude, longitude, accuracy_m)


def needed_georeference(place: Map, map_folder: Path, option: str) -> Georeference:
    """Where the map lies, which an option cannot do without.

    Raises:
        ConfigError: nobody said it.
    """
    if place.georeference is None:
        raise ConfigError(
            f"{option} needs to know where on Earth {map_folder} lies: run `hloc-lite "
            f"georeference {map_folder} --positions FILE.csv` (or --exif IMAGES) first"
        )
    return place.georeference


def _numbers(text: str, option: str, form: str) -> list[float]:
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != form.count(",") + 1:
        raise ConfigError(f"{option} takes {form}, got {text!r}")
    return numbers
