"""``hloc-lite map --from-hloc``: the files of an hloc run -> map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hloc_lite.errors import ConfigError

if TYPE_CHECKING:
    from hloc_lite.config import Config
    from hloc_lite.maps.map import Map

F = TypeVar("F", bound=Callable[..., Any])
FILE_OPTIONS = {
    "hloc_model": "Folder of the SfM model.",
    "hloc_features": "File of local features.",
    "hloc_matches": "File of matches, for a model without points.",
    "hloc_global": "File of global descriptors.",
}
"""Option -> what it chooses among several in the folder."""


def from_hloc_options(function: F) -> F:
    """Add --from-hloc and the options that choose among several files."""
    for name, text in reversed(FILE_OPTIONS.items()):
        option = f"--{name.replace('_', '-')}"
        function = click.option(
            option,
            name,
            type=click.Path(path_type=Path),
            help=f"With --from-hloc: {text[0].lower()}{text[1:-1]}, if there are several.",
        )(function)
    return click.option(
        "--from-hloc",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Output folder of hloc: its features, global descriptors and SfM model become the "
        "map; nothing is extracted or matched again. IMAGES may then be omitted.",
    )(function)


def check_from_hloc_usage(
    from_hloc: Path | None, files: dict[str, Path | None], others: dict[str, Any]
) -> None:
    """Refuse options that do not go together.

    Args:
        from_hloc: value of --from-hloc.
        files: values of ``FILE_OPTIONS``.
        others: values of options that are only for maps of photos, by option; None or False if
            omitted.

    Raises:
        ConfigError: names the options.
    """
    if from_hloc is None:
        given = [name for name, path in files.items() if path is not None]
        if given:
            raise ConfigError(f"--{given[0].replace('_', '-')} is only for --from-hloc")
        return
    given = [option for option, value in others.items() if value]
    if given:
        raise ConfigError(f"--from-hloc has the model already: omit {', '.join(given)}")


def map_from_hloc(
    folder: Path,
    images: Path | None,
    output: Path,
    config: Config,
    files: dict[str, Path | None],
    *,
    features: str | None = None,
    metric: bool = False,
    device: str = "cpu",
    offline: bool = False,
    overwrite: bool = False,
) -> Map:
    """Build and save the map of an hloc run (``mapping.from_hloc``), and tell what it is made of.

    Args:
        folder: value of --from-hloc.
        images: folder of the photos; None without.
        output: folder of the map.
        config: config of the map.
        files: values of ``FILE_OPTIONS``.
        features: value of --features; None to tell by the name of the file.
        metric: value of --metric.
        device: torch device.
        offline: never download weights.
        overwrite: replace another map.
    """
    from hloc_lite.io.weights import WeightsStore
    from hloc_lite.mapping.from_hloc import build_map_from_hloc
    from hloc_lite.mapping.hloc_files import HlocFiles

    sfm_map = build_map_from_hloc(
        folder,
        config,
        files=HlocFiles(
            model=files.get("hloc_model"),
            features=files.get("hloc_features"),
            matches=files.get("hloc_matches"),
            global_descriptors=files.get("hloc_global"),
        ),
        images=images,
        features_name=features,
        output=output,
        metric=metric,
        weights=WeightsStore(offline=offline),
        device=device,
        overwrite=overwrite,
    )
    for kind, path in sfm_map.report["from_hloc"].items():
        click.echo(f"  {kind}: {path}")
    return sfm_map
