"""``hloc-lite surface``: makes or exports the surface of a map."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.map_depth import check_depth_camera, open_depth
from hloc_lite.cli.options import OutputFile, say, trust_option
from hloc_lite.errors import ConfigError, counted
from hloc_lite.io.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from hloc_lite.maps.map import Map
    from hloc_lite.maps.surface import StoredSurface
    from hloc_lite.protocols import MapDepth


@click.command("surface")
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))
@click.option(
    "--depth",
    type=click.Path(path_type=Path),
    help="Folder of depth images named after the map images, in map units (integers: millimetres).",
)
@click.option(
    "--depth-camera",
    help="Camera of the depth images, if they do not lie over the photos: a TOML file with its "
    "intrinsics and pose, or 7scenes.",
)
@click.option(
    "--scan",
    type=click.Path(path_type=Path),
    help="Laser scan, point cloud or mesh in the frame of the map: a file .ply, .ptx or .e57, or a "
    "folder of scans.",
)
@click.option(
    "--points", is_flag=True, help="Use the map's own SfM points, which is seldom dense enough."
)
@click.option(
    "--images", type=click.Path(path_type=Path), help="Photos, for the colours of --depth."
)
@click.option(
    "--voxel",
    type=click.FloatRange(min=0, min_open=True),
    help="Distance of points, map units.  [default: from depths or scan]",
)
@click.option("-o", "--output", type=OutputFile(), help="Write the surface to this PLY file.")
@trust_option
def command(
    map_folder: Path,
    depth: Path | None,
    depth_camera: str | None,
    scan: Path | None,
    points: bool,
    images: Path | None,
    voxel: float | None,
    output: Path | None,
    trust: bool,
) -> None:
    """Make the surface of MAP: coloured points or triangles.

    Without a source, the surface that MAP has is described, and written with --output.
    """
    sources = [name for name, given in _given(depth, scan, points=points) if given]
    if len(sources) > 1:
        raise ConfigError(f"give one source of the surface, got {' and '.join(sources)}")
    check_depth_camera(depth, depth_camera)
    if output is not None and output.suffix.lower() != ".ply":
        raise ConfigError(f"--output takes a file .ply, got {output}")
    from hloc_lite.maps.map import Map

    sfm_map = Map.open(map_folder, trust=trust)
    started = time.monotonic()
    if sources:
        files = (
            None
            if depth is None
            else open_depth(depth, sfm_map.model, depth_camera, sfm_map.config.lifting)
        )
        surface = _make(map_folder, sfm_map, files, scan, images, voxel)
        say(f"made in {time.monotonic() - started:.1f} s from {sources[0]}")
    else:
        surface = _existing(map_folder, sfm_map)
    _describe(surface, sfm_map)
    _describe_views(Map.open(map_folder, trust=trust))
    if output is not None:
        from hloc_lite.formats.ply import write_ply

        count = write_ply(output, surface.equal_parts())
        say(f"{output}: {count:,} points, {output.stat().st_size:,} bytes")


def _given(depth: Path | None, scan: Path | None, *, points: bool) -> list[tuple[str, bool]]:
    return [("--depth", depth is not None), ("--scan", scan is not None), ("--points", points)]


def _existing(map_folder: Path, sfm_map: Map) -> StoredSurface:
    from hloc_lite.maps.surface import StoredSurface

    if not isinstance(sfm_map.surface, StoredSurface):
        raise ConfigError(
            f"{map_folder} has no surface; make one with --depth FOLDER, --scan FILE or --points"
        )
    return sfm_map.surface


def _make(
    map_folder: Path,
    sfm_map: Map,
    depth: MapDepth | None,
    scan: Path | None,
    images: Path | None,
    voxel: float | None,
) -> StoredSurface:
    from hloc_lite.config.surface import SurfaceConfig
    from hloc_lite.io.image_sources import folder_source
    from hloc_lite.mapping.surface import (
        surface_from_depth,
        surface_from_file,
        surface_from_points,
    )
    from hloc_lite.maps.folder import SURFACE
    from hloc_lite.maps.surface import StoredSurface
    from hloc_lite.maps.surface_depth import check_surface
    from hloc_lite.maps.surface_saving import replace_surface, write_surface

    model = sfm_map.model
    config = SurfaceConfig() if voxel is None else SurfaceConfig(voxel=voxel)
    if depth is not None:
        photos = sfm_map.photos if images is None else folder_source(images, sfm_map.config.images)
        parts = surface_from_depth(model, depth, photos, config)
        source = {"source": "depth"}
    elif scan is not None:
        parts, source = surface_from_file(scan, config), {"source": "scan", "file": scan.name}
    else:
        parts, source = surface_from_points(model), {"source": "points"}
    name = "the depth" if scan is None else str(scan)
    with temporary_folder() as scratch:
        surface = write_surface(scratch, parts, sfm_map.fingerprint, source)
        if source["source"] != "points":  # a few points cover next to nothing, rightly
            check_surface(surface, model, name)
        replace_surface(map_folder, surface, sfm_map.fingerprint)
    return StoredSurface(map_folder / SURFACE)


def _describe(surface: StoredSurface, sfm_map: Map) -> None:
    from hloc_lite.config.surface import SurfaceConfig
    from hloc_lite.maps.surface_depth import surface_agreement

    size = sum(path.stat().st_size for path in surface.folder.rglob("*") if path.is_file())
    kind = "mesh vertices" if surface.is_mesh else "points"
    coverage = surface_agreement(surface, sfm_map.model).coverage
    say(
        f"{surface.folder}: {len(surface):,} {kind} in {counted(len(surface.tiles), 'tile')}, "
        f"{size:,} bytes; covers {100 * coverage:.0f} % of a map image (median)"
    )
    if coverage < SurfaceConfig().min_coverage:
        say("it is too thin to be rendered: views of it say little; make one from depth or scans")


def _describe_views(sfm_map: Map) -> None:
    """Say how views of the surface agree with the map's own photos."""
    from hloc_lite.localize.surface_views import LOW_AGREEMENT, compare_own_views

    found = compare_own_views(sfm_map)
    if not found.num_compared:
        say("its views could not be compared with photos of the map")
        return
    photos = counted(found.num_compared, "photo")
    say(f"views of it agree to {found.agreement:.2f} with {photos} of the map (median)")
    if found.is_low:
        say(
            f"that is below {LOW_AGREEMENT:g}, which right poses reach: the surface may be of "
            f"another scale, shifted, coarse or without colours, and right poses will be doubted"
        )
