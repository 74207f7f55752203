"""``hloc-lite export``: map -> files of other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hloc_lite.cli.options import say, trust_option
from hloc_lite.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])


@click.group("export")
def command() -> None:
    """Write a map in the layout of other programs. The map is not changed."""


def _map_options(what: str) -> Callable[[F], F]:
    """Add the argument MAP, and --output with --overwrite."""

    def add(function: F) -> F:
        function = trust_option(function)
        function = click.option("--overwrite", is_flag=True, help="Replace what is there.")(
            function
        )
        function = click.option(
            "-o", "--output", type=click.Path(path_type=Path), required=True, help=what
        )(function)
        return click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))(
            function
        )

    return add


@command.command("hloc")
@_map_options("Folder for the files.")
def export_to_hloc(map_folder: Path, output: Path, overwrite: bool, trust: bool) -> None:
    """Write features, global descriptors, matches, pairs and model as hloc does.

    A map keeps no matches: those of its tracks are written. `hloc-lite map --from-hloc` reads the
    folder again.
    """
    from hloc_lite.maps.hloc_export import export_hloc
    from hloc_lite.maps.map import Map

    _check_outside(map_folder, output)
    files = export_hloc(Map.open(map_folder, trust=trust), output, overwrite=overwrite)
    for path in vars(files).values():
        say(path)


@command.command("colmap")
@_map_options("Folder for the model.")
def export_to_colmap(map_folder: Path, output: Path, overwrite: bool, trust: bool) -> None:
    """Write the SfM model as COLMAP's binary files."""
    from hloc_lite.formats.colmap import write_model
    from hloc_lite.maps.hloc_export import with_keypoints
    from hloc_lite.maps.map import Map

    _check_outside(map_folder, output)
    _check_absent(output / "images.bin", overwrite=overwrite)
    write_model(output, with_keypoints(Map.open(map_folder, trust=trust).model))
    say(output)


@command.command("kapture")
@_map_options("New folder for the kapture.")
def export_to_kapture(map_folder: Path, output: Path, overwrite: bool, trust: bool) -> None:
    """Write sensors, trajectories, records, keypoints and points as kapture 1.1.

    The photos themselves are not copied; they belong in sensors/records_data.
    """
    from hloc_lite.formats.kapture import write_kapture
    from hloc_lite.formats.posed_images import PosedImages
    from hloc_lite.maps.hloc_export import with_keypoints
    from hloc_lite.maps.map import Map

    if overwrite:
        raise ConfigError("a kapture has many files and is never replaced: choose a new folder")
    _check_outside(map_folder, output)
    sfm_map = Map.open(map_folder, trust=trust)
    model = with_keypoints(sfm_map.model)
    cameras = {image.name: model.cameras[image.camera_id] for image in model.images}
    write_kapture(
        output,
        PosedImages(model=model, cameras=cameras),
        keypoints_type=sfm_map.config.features.name,
    )
    say(output)


@command.command("nerfstudio")
@_map_options("JSON file to write, such as transforms.json.")
@click.option(
    "--prefix", default="", metavar="TEXT", help="Put in front of image names, e.g. images/."
)
def export_to_nerfstudio(
    map_folder: Path, output: Path, overwrite: bool, trust: bool, prefix: str
) -> None:
    """Write cameras and poses as nerfstudio's transforms.json, in the map's own frame."""
    from hloc_lite.formats.nerfstudio_writers import write_nerfstudio
    from hloc_lite.io.outputs import check_writable
    from hloc_lite.maps.map import Map

    _check_outside(map_folder, output)
    check_writable(output)
    _check_absent(output, overwrite=overwrite)
    write_nerfstudio(output, Map.open(map_folder, trust=trust).model, prefix=prefix)
    say(output)


def _check_outside(map_folder: Path, output: Path) -> None:
    """Refuse an output in the folder of the map, which must hold nothing else."""
    if output.resolve().is_relative_to(map_folder.resolve()):
        raise ConfigError("MAP is not changed: the output must be another folder, not in MAP")


def _check_absent(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} exists: give --overwrite, or another output")
