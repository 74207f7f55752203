"""``hloc-lite info``: what is in a map, and how many bytes each part takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hloc_lite.maps.summary import MapSummary


@click.command("info")
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
def command(map_folder: Path, as_json: bool) -> None:
    """Say what is in MAP, full or compact; all of its files are checked on the way."""
    from hloc_lite.maps.summary import summarize_map

    content = summarize_map(map_folder)
    if as_json:
        click.echo(json.dumps(content.to_json(), indent=1, ensure_ascii=False))
        return
    click.echo(f"{map_folder}: {'compact' if content.is_compact else 'full'} map "
               f"({content.schema}, fingerprint {content.fingerprint})")  # fmt: skip
    click.echo(description(content))
    click.echo(byte_table(content))


def description(content: MapSummary) -> str:
    """Some lines on what the map holds."""
    cut = content.num_landmarks < content.num_landmarks_before
    kept = f" of {content.num_landmarks_before}" if cut else ""
    per_image = content.num_observations / max(1, content.num_images)
    track = content.num_observations / max(1, content.num_landmarks)
    keypoints = "" if content.is_compact else f" of {content.num_keypoints} keypoints"
    labelled = content.labelled_share
    networks = [f"{name} {digest[:12]}" for name, digest in content.weights.items()]
    lines = [
        f"{content.num_images} images that see {per_image:.0f} landmarks each "
        f"(at least {content.min_landmarks_per_image})",
        f"{content.num_landmarks}{kept} landmarks, {content.num_observations} "
        f"observations{keypoints}: {track:.1f} a landmark",
        f"features {content.features}, {content.descriptor_dim} dimensions, {content.coding}",
        f"retrieval {content.retrieval}, {content.retrieval_dim} dimensions, "
        f"{content.retrieval_coding}",
        "no labels" if labelled is None else f"labels of {100 * labelled:.0f} % of the landmarks",
        f"networks: {', '.join(networks) or 'none'}",
    ]
    return "\n".join(f"  {line}" for line in lines)


def byte_table(content: MapSummary) -> str:
    """Bytes of each part, and the share of all that it takes."""
    total = content.total_bytes
    rows = [*content.bytes_by_file.items(), ("all", total)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(
        f"  {name:<{width}} {size:>12,} {100 * size / max(1, total):5.1f} %" for name, size in rows
    )
