"""``hloc-lite info``: counts of a map, and the size of each of its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import say, say_block, say_json
from hloc_lite.display import printable
from hloc_lite.mapping.assessment_text import assessment_lines

if TYPE_CHECKING:
    from hloc_lite.maps.summary import MapSummary


@click.command("info")
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print all values as JSON.")
@click.option(
    "--verify",
    is_flag=True,
    help="Instead, compare every byte of every file with the digests in MAP/map.json.",
)
def command(map_folder: Path, as_json: bool, verify: bool) -> None:
    """Show what MAP (full or compact) contains, and check it."""
    from hloc_lite.maps.map import Map
    from hloc_lite.maps.summary import summarize_map

    if verify:
        _verify(map_folder, as_json=as_json)
        return
    sfm_map = Map.open(map_folder)
    summary = summarize_map(map_folder, sfm_map)
    if as_json:
        say_json(summary.to_json())
        return
    kind = "compact" if summary.is_compact else "full"
    say(f"{map_folder}: {kind} map ({summary.schema}, fingerprint {summary.fingerprint})")
    say_block(describe(summary))
    assessment = sfm_map.report.get("assessment")  # of maps from scratch
    lines = [] if assessment is None else assessment_lines(assessment)
    for line in [*lines, *describe_side_maps(map_folder)]:
        say(f"  {line}")
    say_block(byte_table(summary))


def _verify(map_folder: Path, *, as_json: bool) -> None:
    """Print the outcome for each file.

    Raises:
        DamagedMapError: a file is missing or was changed.
    """
    from hloc_lite.errors import DamagedMapError, counted
    from hloc_lite.maps.folder import REMEDY
    from hloc_lite.maps.verify import FileState, verify_map

    checks = verify_map(map_folder)
    if as_json:
        states = {each.name: each.state.name.lower() for each in checks}
        say_json(states)
    else:
        width = max(len(each.name) for each in checks)
        for each in checks:
            say(f"  {each.name:<{width}}  {each.state.value}")
    changed = [each.name for each in checks if each.state is FileState.CHANGED]
    if changed:
        raise DamagedMapError(
            f"{counted(len(changed), 'file')} of {map_folder} missing, damaged or changed "
            f"({', '.join(changed[:3])}{', ...' if len(changed) > 3 else ''}): {REMEDY}"
        )


def describe(summary: MapSummary) -> str:
    """Describe images, landmarks, descriptors, labels and networks of a map, a line each."""
    per_image = summary.num_observations / max(1, summary.num_images)
    track_length = summary.num_observations / max(1, summary.num_landmarks)
    is_reduced = summary.num_landmarks < summary.num_landmarks_before
    kept = f" of {summary.num_landmarks_before}" if is_reduced else ""
    observations = f"{summary.num_observations} observations"
    if not summary.is_compact:
        observations += f" (of {summary.num_keypoints} keypoints)"
    labels = "no semantic labels"
    if summary.labelled_share is not None:
        labels = f"semantic labels for {100 * summary.labelled_share:.0f} % of the landmarks"
    scale = summary.metres_per_unit
    units = "map units of unknown length" if scale is None else f"1 map unit is {scale:.6g} m"
    networks = [f"{name} {digest[:12]}" for name, digest in summary.weights.items()]
    lines = [
        f"{summary.num_images} images with {per_image:.0f} landmarks on average, at least "
        f"{summary.min_landmarks_per_image}",
        f"{summary.num_landmarks}{kept} landmarks, mean track length {track_length:.1f}",
        observations,
        f"lengths: {units}",
        f"features: {summary.features}, {summary.descriptor_dim} dimensions, {summary.coding}",
        f"retrieval: {summary.retrieval}, {summary.retrieval_dim} dimensions, "
        f"{summary.retrieval_coding}",
        labels,
        f"network weights (sha256): {', '.join(networks) or 'none'}",
    ]
    return "\n".join(printable(f"  {line}") for line in lines)


def describe_side_maps(map_folder: Path) -> list[str]:
    """Describe the separate models of a map from scratch that lie beside it, a line each."""
    from hloc_lite.io.files import read_json_object
    from hloc_lite.maps.side_maps import side_map_folders

    lines = []
    for folder in side_map_folders(map_folder):
        header = read_json_object(folder / "map.json")
        images, points = header.get("images"), header.get("points")
        text = f"separate model {folder}: {images} images, {points} landmarks"
        lines.append(printable(text))
    return lines


def byte_table(summary: MapSummary) -> str:
    """Format a table of files with their bytes and share of the total."""
    total = summary.total_bytes
    files = {printable(name): size for name, size in summary.bytes_by_file.items()}
    rows = [*files.items(), ("total", total)]
    width = max(len(name) for name, _ in rows)
    lines = [
        f"{name:<{width}} {size:>12,} {100 * size / max(1, total):5.1f} %" for name, size in rows
    ]
    return "\n".join(f"  {line}" for line in [f"{'file':<{width}} {'bytes':>12}   share", *lines])
