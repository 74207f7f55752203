"""``hloc-lite georeference``: where on Earth a map lies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.errors import ConfigError, GeoreferenceError, HlocLiteError, counted

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
    help="CSV of map images: 'name,latitude,longitude,height' (degrees, metres, WGS-84).",
)
@click.option(
    "--exif",
    "images",
    type=click.Path(path_type=Path),
    help="Folder of the map's photos, for the positions in their EXIF.",
)
@click.option(
    "--max-scale-error",
    type=float,
    default=0.1,
    show_default=True,
    help="Refuse where the scale would be less sure than this (relative standard deviation).",
)
@click.option("--dry-run", is_flag=True, help="Print what comes out, write nothing.")
def command(
    map_folder: Path,
    positions: Path | None,
    images: Path | None,
    max_scale_error: float,
    dry_run: bool,
) -> None:
    """Find scale, north, up and place of MAP from where some of its photos were taken.

    The map stays as it is; MAP/georeference.json is written beside it, or replaced. From then on
    poses can be given out as GeoPose, and priors as GPS positions.
    """
    if (positions is None) == (images is None):
        raise ConfigError("give either --positions FILE.csv or --exif IMAGES")
    if not 0 < max_scale_error <= 1:
        raise ConfigError(f"--max-scale-error: expected above 0, at most 1; got {max_scale_error}")
    from hloc_lite.maps.folder import GEOREFERENCE
    from hloc_lite.maps.georeference import write_georeference
    from hloc_lite.maps.georeference_fit import GeoreferenceConfig, fit_georeference
    from hloc_lite.maps.map import Map

    place = Map.open(map_folder)
    if positions is not None:
        from hloc_lite.formats.gps import read_positions

        known = read_positions(positions)
    else:
        assert images is not None
        known = _positions_in_exif(images, place)
    poses = {image.name: image.cam_from_world for image in place.model.images}
    config = GeoreferenceConfig(max_scale_sigma=max_scale_error)
    found, residuals_m = fit_georeference(poses, known, config)
    if not dry_run:
        write_georeference(map_folder, found)
    _print(map_folder, found, residuals_m)
    written = "nothing was written (--dry-run)" if dry_run else map_folder / GEOREFERENCE
    click.echo(written)


def _positions_in_exif(folder: Path, place: Map) -> dict[str, Geodetic]:
    from hloc_lite.io.image_sources import check_image_folder
    from hloc_lite.io.images import exif_position

    check_image_folder(folder)
    names = [image.name for image in place.model.images]
    present = [name for name in names if (folder / name).is_file()]
    if not present:
        raise HlocLiteError(f"no image of the map is in {folder}; it has names like {names[0]!r}")
    read = {name: exif_position(folder / name, place.config.images) for name in present}
    found = {name: position for name, position in read.items() if position is not None}
    if not found:
        raise GeoreferenceError(
            f"none of {counted(len(present), 'photo')} has a position with height in its EXIF; "
            f"give them with --positions FILE.csv"
        )
    return found


def _print(folder: Path, found: Georeference, residuals_m: Mapping[str, float]) -> None:
    quality = found.quality
    far_off = quality.num_positions - quality.num_inliers
    sources = {
        "positions": "the positions",
        "cameras": "cameras held level, mainly: the positions are less sure of it",
        "both": "the positions, mainly, and cameras held level",
    }
    click.echo(
        f"{folder}: {counted(quality.num_positions, 'position')} of map images, {far_off} of them "
        f"far off and not used\n"
        f"origin: {found.latitude_deg:.7f} {found.longitude_deg:.7f}, height "
        f"{found.height_m:.2f} m\n"
        f"scale: {found.metres_per_unit:.6g} m per map unit, to {100 * quality.scale_sigma:.2g} %\n"
        f"north: to {quality.heading_sigma_deg:.2g} deg; up: to {quality.tilt_sigma_deg:.2g} deg, "
        f"from {sources[quality.up_from]}\n"
        f"residuals: median {quality.median_error_m:.3g} m, root mean square "
        f"{quality.rms_error_m:.3g} m (of heights {quality.rms_error_up_m:.3g} m)"
    )
    worst = sorted(residuals_m, key=lambda name: residuals_m[name], reverse=True)
    for name in worst[: min(SHOWN_WORST, max(far_off, 1))]:
        click.echo(f"  {name}: {residuals_m[name]:.3g} m off")
