"""``hloc-lite compress``: full map -> compact map."""

from __future__ import annotations

import math
import re
from pathlib import Path

import click

from hloc_lite.errors import ConfigError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


@click.command("compress")
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="A new folder."
)
@click.option(
    "--budget",
    metavar="BYTES",
    help="Bytes of the whole, e.g. 50MB or 800kB: landmarks are left out until it fits, from all "
    "images alike.  [default: all landmarks]",
)
@click.option(
    "--descriptors",
    type=click.Choice(["float16", "int8", "pq"]),
    help="Of landmarks: 2 bytes a dimension, 1, or 1/4 (product codes).  [default: int8, or pq if "
    "more of them fit into the budget so]",
)
@click.option(
    "--retrieval",
    type=click.Choice(["float16", "int8", "bits"]),
    help="Of images: 2 bytes a dimension, 1, or 1/8 (signs).  [default: int8, or bits if that "
    "would take a fifth of the budget]",
)
@click.option("--overwrite", is_flag=True, help="Replace the compact map that is there.")
def command(
    map_folder: Path,
    output: Path,
    budget: str | None,
    descriptors: str | None,
    retrieval: str | None,
    overwrite: bool,
) -> None:
    """Make a compact map of MAP: its landmarks with one descriptor each, and what images see.

    It is localized in as MAP is, and needs no photos. MAP stays as it is.
    """
    if output.resolve().is_relative_to(map_folder.resolve()):
        raise ConfigError("MAP stays as it is: the output must be another folder, not in MAP")
    from hloc_lite.cli.info import byte_table, description
    from hloc_lite.maps.compress import compress_map
    from hloc_lite.maps.map import Map
    from hloc_lite.maps.quantization import Coding
    from hloc_lite.maps.summary import summarize_map

    max_bytes = None if budget is None else parse_bytes(budget)
    place = Map.open(map_folder)
    before = summarize_map(map_folder, place)
    compress_map(
        place,
        output,
        max_bytes=max_bytes,
        coding=None if descriptors is None else Coding(descriptors),
        retrieval=None if retrieval is None else Coding(retrieval),
        overwrite=overwrite,
    )
    after = summarize_map(output)
    click.echo(
        f"{output}: {after.total_bytes:,} bytes of {before.total_bytes:,} "
        f"(1/{before.total_bytes / after.total_bytes:.1f})"
    )
    click.echo(description(after))
    click.echo(byte_table(after))


def parse_bytes(text: str) -> int:
    """``50MB``, ``1.5 GiB``, ``800000``.

    Raises:
        ConfigError: anything else, or no byte at all.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmg]i?)?b?\s*", text, re.IGNORECASE)
    size = 0.0 if match is None else float(match[1]) * _UNITS[(match[2] or "").lower()]
    if not 1 <= size < math.inf:
        raise ConfigError(f"--budget takes bytes, e.g. 50MB, 1.5GiB or 800000; got {text!r}")
    return int(size)
