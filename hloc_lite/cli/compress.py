"""``hloc-lite compress``: full map -> compact map."""

from __future__ import annotations

import math
import re
from pathlib import Path

import click

from hloc_lite.cli.options import say, say_block
from hloc_lite.errors import ConfigError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


@click.command("compress")
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the compact map.",
)
@click.option(
    "--budget",
    metavar="BYTES",
    help="Largest size of the compact map, e.g. 50MB or 800kB: landmarks are left out, evenly over "
    "the images, until it fits.  [default: keep all landmarks]",
)
@click.option(
    "--descriptors",
    type=click.Choice(["float16", "int8", "pq"]),
    help="Coding of landmark descriptors: float16 (2 bytes per dimension), int8 (1), or pq "
    "(product quantization, 1/4).  [default: int8, or pq if more landmarks then fit]",
)
@click.option(
    "--retrieval",
    type=click.Choice(["float16", "int8", "bits"]),
    help="Coding of global descriptors: float16 (2 bytes per dimension), int8 (1), or bits (signs, "
    "1/8).  [default: int8, or bits if int8 would take a fifth of the budget]",
)
@click.option(
    "--keep-surface", is_flag=True, help="Copy the surface of MAP, too; it is not in the budget."
)
@click.option("--overwrite", is_flag=True, help="Replace an existing compact map.")
def command(
    map_folder: Path,
    output: Path,
    budget: str | None,
    descriptors: str | None,
    retrieval: str | None,
    keep_surface: bool,
    overwrite: bool,
) -> None:
    """Write a compact copy of MAP.

    It has one descriptor per landmark, and needs no photos. Queries are localized in it as in MAP,
    which is not changed.
    """
    if output.resolve().is_relative_to(map_folder.resolve()):
        raise ConfigError("MAP is not changed: the output must be another folder, not in MAP")
    from hloc_lite.cli.info import byte_table, describe
    from hloc_lite.maps.compress import compress_map
    from hloc_lite.maps.map import Map
    from hloc_lite.maps.quantization import Coding
    from hloc_lite.maps.summary import summarize_map

    max_bytes = None if budget is None else parse_bytes(budget)
    sfm_map = Map.open(map_folder)
    before = summarize_map(map_folder, sfm_map)
    compress_map(
        sfm_map,
        output,
        max_bytes=max_bytes,
        coding=None if descriptors is None else Coding(descriptors),
        retrieval=None if retrieval is None else Coding(retrieval),
        overwrite=overwrite,
        keep_surface=keep_surface,
    )
    after = summarize_map(output)
    say(
        f"{output}: {after.total_bytes:,} bytes instead of {before.total_bytes:,} "
        f"({before.total_bytes / after.total_bytes:.1f} times smaller)"
    )
    say_block(describe(after))
    say_block(byte_table(after))


def parse_bytes(text: str) -> int:
    """Parse a size such as ``50MB``, ``1.5 GiB`` or ``800000``.

    Raises:
        ConfigError: another layout, or less than one byte.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmg]i?)?b?\s*", text, re.IGNORECASE)
    size = 0.0 if match is None else float(match[1]) * _UNITS[(match[2] or "").lower()]
    if not 1 <= size < math.inf:
        raise ConfigError(f"--budget takes bytes, such as 50MB, 1.5GiB or 800000; got {text!r}")
    return int(size)
