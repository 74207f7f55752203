"""Pose priors on the command line: --near and --gps."""

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
    """Add --near and --gps."""
    function = click.option(
        "--gps",
        metavar="LAT,LON,ACCURACY",
        help="GPS position of the photos (degrees) and its accuracy (metres, as phones report it); "
        "the map must be georeferenced.",
    )(function)
    return click.option(
        "--near",
        metavar="X,Y,Z,RADIUS",
        help="Approximate position of the photos in the map, and the largest distance from it "
        "(map units).",
    )(function)


def parse_prior(near: str | None, gps: str | None, sfm_map: Map, map_folder: Path) -> Prior | None:
    """Return the prior of --near or --gps; None if neither is given.

    Raises:
        ConfigError: both are given, a wrong number of values, or --gps for a map without
            georeference.
    """
    from hloc_lite.localize.prior import prior_from_gps
    from hloc_lite.types import Prior

    if near is not None and gps is not None:
        raise ConfigError("give either --near or --gps, not both")
    if near is not None:
        x, y, z, radius = _parse_numbers(near, "--near", "X,Y,Z,RADIUS")
        return Prior(position=(x, y, z), radius=radius)  # type: ignore[arg-type]
    if gps is None:
        return None
    latitude_deg, longitude_deg, accuracy_m = _parse_numbers(gps, "--gps", "LAT,LON,ACCURACY")
    georeference = require_georeference(sfm_map, map_folder, "--gps")
    return prior_from_gps(georeference, latitude_deg, longitude_deg, accuracy_m)


def require_georeference(sfm_map: Map, map_folder: Path, option: str) -> Georeference:
    """Return the georeference of a map, which an option needs.

    Raises:
        ConfigError: the map has none.
    """
    if sfm_map.georeference is None:
        raise ConfigError(
            f"{option} needs a georeferenced map, and {map_folder} is not: run `hloc-lite "
            f"georeference {map_folder} --positions FILE.csv` (or --exif IMAGES) first"
        )
    return sfm_map.georeference


def _parse_numbers(text: str, option: str, layout: str) -> list[float]:
    """Parse comma-separated numbers, as many as ``layout`` names."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != layout.count(",") + 1:
        raise ConfigError(f"{option}: expected {layout}, got {text!r}")
    return numbers
