"""``hloc-lite georeference``: aligns a map with WGS-84 positions of its photos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import say, say_block
from hloc_lite.errors import ConfigError, GeoreferenceError, HlocLiteError, counted
from hloc_lite.io.regular_files import is_file

if TYPE_CHECKING:
    from hloc_lite.geometry.geodesy import Geodetic
    from hloc_lite.maps.georeference import Georeference
    from hloc_lite.maps.map import Map

SHOWN_WORST = 5


@click.command("georeference")
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))
@click.option(
    "--positions",
    type=click.Path(path_type=Path),
    help="CSV file with positions of map images: 'name,latitude,longitude,height' (degrees, "
    "metres, WGS-84).",
)
@click.option(
    "--exif",
    "images",
    type=click.Path(path_type=Path),
    help="Folder of the map images, to read the positions in their EXIF.",
)
@click.option(
    "--max-scale-error",
    type=float,
    default=0.1,
    show_default=True,
    help="Largest relative standard deviation of the scale that is accepted.",
)
@click.option("--dry-run", is_flag=True, help="Print the result, write nothing.")
def command(
    map_folder: Path,
    positions: Path | None,
    images: Path | None,
    max_scale_error: float,
    dry_run: bool,
) -> None:
    """Estimate scale, orientation and position of MAP on Earth.

    It takes the positions of some map images. The result is written to MAP/georeference.json, and
    the map itself is not changed. Poses can then be written as GeoPoses (localize --geopose), and
    GPS positions used as priors (localize --gps).
    """
    if (positions is None) == (images is None):
        raise ConfigError("give either --positions FILE.csv or --exif IMAGES")
    if not 0 < max_scale_error <= 1:
        raise ConfigError(
            f"--max-scale-error: expected above 0 and at most 1, got {max_scale_error}"
        )
    from hloc_lite.formats.gps import read_positions
    from hloc_lite.maps.folder import GEOREFERENCE
    from hloc_lite.maps.georeference import write_georeference
    from hloc_lite.maps.georeference_fit import GeoreferenceConfig, fit_georeference
    from hloc_lite.maps.map import Map

    sfm_map = Map.open(map_folder)
    if positions is not None:
        known = read_positions(positions)
    else:
        assert images is not None
        known = _positions_from_exif(images, sfm_map)
    poses = {image.name: image.cam_from_world for image in sfm_map.model.images}
    config = GeoreferenceConfig(max_scale_sigma=max_scale_error)
    georeference, residuals_m = fit_georeference(poses, known, config)
    if not dry_run:
        write_georeference(map_folder, georeference)
    _print_georeference(map_folder, georeference, residuals_m)
    if dry_run:
        say("nothing was written (--dry-run)")
    else:
        say(f"written: {map_folder / GEOREFERENCE}")


def _positions_from_exif(folder: Path, sfm_map: Map) -> dict[str, Geodetic]:
    """Read the positions of map images from EXIF: name -> position.

    Raises:
        HlocLiteError: no such folder, no map image in it, or no position in any.
    """
    from hloc_lite.io.image_names import path_inside
    from hloc_lite.io.image_sources import check_image_folder
    from hloc_lite.io.images import exif_position

    check_image_folder(folder)
    names = [image.name for image in sfm_map.model.images]
    present = [name for name in names if is_file(path_inside(folder, name))]
    if not present:
        raise HlocLiteError(f"no image of the map is in {folder}: expected names like {names[0]!r}")
    limits = sfm_map.config.images
    read = {name: exif_position(path_inside(folder, name), limits) for name in present}
    positions = {name: position for name, position in read.items() if position is not None}
    if not positions:
        raise GeoreferenceError(
            f"none of {counted(len(present), 'photo')} has a position with height in its EXIF; "
            f"give positions with --positions FILE.csv"
        )
    return positions


def _print_georeference(
    folder: Path, georeference: Georeference, residuals_m: Mapping[str, float]
) -> None:
    quality = georeference.quality
    num_outliers = quality.num_positions - quality.num_inliers
    up_sources = {
        "positions": "from the positions",
        "cameras": "mainly from the assumption that cameras are held level",
        "both": "mainly from the positions, and from the assumption that cameras are held level",
    }
    say(
        f"{folder}: {counted(quality.num_positions, 'position')} of map images, "
        f"{counted(num_outliers, 'outlier')} not used"
    )
    say_block(
        f"origin: latitude {georeference.latitude_deg:.7f}, longitude "
        f"{georeference.longitude_deg:.7f}, height {georeference.height_m:.2f} m\n"
        f"scale: {georeference.metres_per_unit:.6g} m per map unit, "
        f"+- {100 * quality.scale_sigma:.2g} %\n"
        f"north: +- {quality.heading_sigma_deg:.2g} deg; up: +- {quality.tilt_sigma_deg:.2g} deg, "
        f"{up_sources[quality.up_from]}\n"
        f"residuals: median {quality.median_error_m:.3g} m, root mean square "
        f"{quality.rms_error_m:.3g} m (heights alone {quality.rms_error_up_m:.3g} m)"
    )
    say("largest residuals:")
    worst = sorted(residuals_m, key=lambda name: residuals_m[name], reverse=True)
    for name in worst[: min(SHOWN_WORST, max(num_outliers, 1))]:
        say(f"  {name}: {residuals_m[name]:.3g} m")
