"""``hloc-lite map --from-hloc``, ``--from-colmap``, ``--from-kapture``: their files -> map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hloc_lite.cli.options import say
from hloc_lite.errors import ConfigError

if TYPE_CHECKING:
    from hloc_lite.config import Config
    from hloc_lite.mapping.run import MapInputs
    from hloc_lite.maps.map import Map

F = TypeVar("F", bound=Callable[..., Any])
FILE_OPTIONS = {
    "hloc_model": "Folder of the SfM model.",
    "hloc_features": "File of local features.",
    "hloc_matches": "File of matches, for a model without points.",
    "hloc_global": "File of global descriptors.",
}
"""Option -> what it chooses among several in the folder of hloc."""
SOURCE_OPTIONS = {
    "from_hloc": (
        "DIR",
        "Output folder of hloc: its features, global descriptors and SfM model become the map; "
        "nothing is extracted or matched again. IMAGES may then be omitted.",
    ),
    "from_colmap": (
        "DATABASE",
        "COLMAP database: its features and verified matches become the map, with the poses of "
        "--reference or by structure from motion. Queries are then described by the same features, "
        "SIFT or ALIKED.",
    ),
    "from_kapture": (
        "DIR",
        "kapture with features and matches, which become the map, with its poses or by structure "
        "from motion. IMAGES is its own folder of photos if omitted.",
    ),
}
"""Option -> its value and help."""
ALLOWED = {"from_colmap": ("--reference", "--mapper")}
"""Option -> options of maps of photos that go with it; none with the others."""


@dataclass(frozen=True, kw_only=True)
class GivenSource:
    """Files of another program, as the command line names them."""

    option: str
    """Name in ``SOURCE_OPTIONS``."""
    path: Path
    files: Mapping[str, Path | None]
    """Values of ``FILE_OPTIONS``."""
    features: str | None
    """Value of --features; None to tell by the files."""


def from_options(function: F) -> F:
    """Add the options of ``SOURCE_OPTIONS`` and ``FILE_OPTIONS``."""
    for name, text in reversed(FILE_OPTIONS.items()):
        function = click.option(
            _option(name),
            name,
            type=click.Path(path_type=Path),
            help=f"With --from-hloc: {text[0].lower()}{text[1:-1]}, if there are several.",
        )(function)
    for name, (value, text) in reversed(SOURCE_OPTIONS.items()):
        function = click.option(
            _option(name), type=click.Path(path_type=Path), metavar=value, help=text
        )(function)
    return function


def given_source(
    sources: Mapping[str, Path | None],
    files: Mapping[str, Path | None],
    others: Mapping[str, Any],
    features: str | None,
) -> GivenSource | None:
    """The source of another program that is given; None for a map of photos.

    Args:
        sources: values of ``SOURCE_OPTIONS``.
        files: values of ``FILE_OPTIONS``.
        others: values of options that are for maps of photos, by option; None or False if omitted.
        features: value of --features.

    Raises:
        ConfigError: options that do not go together; names them.
    """
    given = [(name, path) for name, path in sources.items() if path is not None]
    if len(given) > 1:
        raise ConfigError(f"{_option(given[0][0])} and {_option(given[1][0])}: give one of them")
    chosen = [name for name, path in files.items() if path is not None]
    if chosen and sources.get("from_hloc") is None:
        raise ConfigError(f"{_option(chosen[0])} is only for --from-hloc")
    if not given:
        return None
    name, path = given[0]
    surplus = [
        each for each, value in others.items() if value and each not in ALLOWED.get(name, ())
    ]
    if surplus:
        raise ConfigError(
            f"{_option(name)} has the features, matches and cameras already: omit "
            f"{', '.join(surplus)}"
        )
    return GivenSource(option=name, path=path, files=files, features=features)


def features_name(source: GivenSource) -> str | None:
    """Registry name of the features, for their tuned settings; None if only the map tells it.

    Raises:
        FormatError: a damaged database, or one without features.
        ConfigError: features that this package cannot extract.
    """
    if source.features is not None or source.option != "from_colmap":
        return source.features
    from hloc_lite.formats.colmap.database import ColmapDatabase
    from hloc_lite.mapping.colmap_features import features_of_database

    with ColmapDatabase(source.path) as database:
        return features_of_database(database)


def map_given(
    source: GivenSource,
    images: Path | None,
    output: Path,
    config: Config,
    *,
    inputs: MapInputs | None = None,
    device: str = "cpu",
    offline: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> Map:
    """Build and save the map of another program's files, and tell what it is made of.

    Args:
        source: files of the other program.
        images: folder of the photos; None without.
        output: folder of the map.
        config: config of the map.
        inputs: reference and its unit.
        device: torch device.
        offline: never download weights.
        overwrite: replace another map.
        progress: show progress bars.
    """
    from hloc_lite.io.weights import WeightsStore
    from hloc_lite.mapping.run import MapInputs

    inputs = inputs or MapInputs()
    common: dict[str, Any] = {
        "features_name": source.features,
        "output": output,
        "weights": WeightsStore(offline=offline),
        "device": device,
        "overwrite": overwrite,
    }
    if source.option == "from_hloc":
        sfm_map = _from_hloc(source, images, config, metric=inputs.metric, **common)
    elif source.option == "from_colmap":
        from hloc_lite.mapping.from_colmap import build_map_from_colmap

        assert images is not None  # the command has checked it
        sfm_map = build_map_from_colmap(
            source.path, images, config, inputs=inputs, progress=progress, **common
        )
    else:
        from hloc_lite.mapping.from_kapture import build_map_from_kapture

        sfm_map = build_map_from_kapture(
            source.path, config, images=images, metric=inputs.metric, progress=progress, **common
        )
    for kind, path in sfm_map.report[source.option].items():
        say(f"  {kind}: {path}")
    return sfm_map


def _from_hloc(
    source: GivenSource, images: Path | None, config: Config, *, metric: bool, **common: Any
) -> Map:
    from hloc_lite.mapping.from_hloc import build_map_from_hloc
    from hloc_lite.mapping.hloc_files import HlocFiles

    files = HlocFiles(
        model=source.files.get("hloc_model"),
        features=source.files.get("hloc_features"),
        matches=source.files.get("hloc_matches"),
        global_descriptors=source.files.get("hloc_global"),
    )
    return build_map_from_hloc(
        source.path, config, files=files, images=images, metric=metric, **common
    )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
