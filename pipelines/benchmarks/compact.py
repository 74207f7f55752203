"""Bytes against recall: compact maps of a rendered town, whole and cut, beside the full one.

    python -m pipelines.benchmarks.compact TOWN MAP -o OUT

MAP is a full map of TOWN. ``peer`` are the bytes that hloc keeps for the same images and features:
float16 descriptors, keypoints and scores of all keypoints (features.h5), int16 matches0 and float16
matching_scores0 for each keypoint of the first image of each pair (matches.h5), and the COLMAP
model; without the overhead of HDF5 and without global descriptors, which ours do contain.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.map import Map
from hloc_lite.maps.quantization import Coding
from hloc_lite.maps.summary import summarize_map
from hloc_lite.synthetic.config import CONDITIONS
from pipelines.compact_queries import Described, described, right_ones
from pipelines.matched_towns import query_config

SHARES = (1.0, 0.5, 0.25, 0.1)
"""Of the bytes of the whole map in int8."""
OPENING = """
import sys, time, json
from pathlib import Path
import hloc_lite.maps.compact
from hloc_lite.maps.map import Map
page = 4096
def resident(): return int(Path("/proc/self/statm").read_text().split()[1]) * page
before, start, cpu = resident(), time.perf_counter(), time.process_time()
place = Map.open(sys.argv[1])
took, spent, opened = time.perf_counter() - start, time.process_time() - cpu, resident()
for image in place.model.images: place.features[image.name]
print(json.dumps([took, spent, opened - before, resident() - before]))
"""


@click.command()
@click.argument("town", type=click.Path(path_type=Path, exists=True))
@click.argument("full", type=click.Path(path_type=Path, exists=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--coding", "codings", multiple=True, default=("float16", "int8", "pq"))
@click.option("--share", "shares", type=float, multiple=True, default=SHARES, show_default=True)
@click.option("--cut", "cut", multiple=True, default=("int8", "pq"), help="Codings with budgets.")
@click.option("--matcher", help="In place of the map's own.")
@click.option("--retrieved", default=10, show_default=True)
@click.option("--every", default=2, show_default=True, help="Of the queries.")
def main(
    town: Path,
    full: Path,
    output: Path,
    codings: Sequence[str],
    shares: Sequence[float],
    cut: Sequence[str],
    matcher: str | None,
    retrieved: int,
    every: int,
) -> None:
    """Print the table of bytes and recalls."""
    place = Map.open(full)
    queries = described(town, place, output / "queries")[::every]
    settings = ["localize.matching=images"]  # the cascade would hide what the matcher loses
    settings += [] if matcher is None else [f"matching.name={matcher}"]

    def recalls(opened: Map) -> np.ndarray:
        localizer = Localizer(opened, query_config(opened, settings))
        return np.array(right_ones(localizer, queries, retrieved))

    peer = peer_bytes(place, full)
    click.echo(
        f"{town.name}, {place.config.features.name}, {matcher or 'own matcher'}, {retrieved} "
        f"images, {len(queries)} queries; peer: {peer:,} bytes"
    )
    click.echo(
        f"| map | bytes | peer's | landmarks | least | {' | '.join(CONDITIONS)} | lost, won |"
        " open ms (CPU) | RSS MB opened, all read |"
    )
    click.echo("|---" * (7 + len(CONDITIONS)) + "|")
    reference = recalls(place)
    click.echo(row("full", full, place, reference, reference, queries, peer))
    whole = whole_bytes(place, output)
    for coding in codings:
        for share in shares if coding in cut else shares[:1]:
            folder = output / f"{coding}-{share:g}"
            budget = None if share == 1 else int(share * whole)
            compress_map(place, folder, coding=Coding(coding), max_bytes=budget, overwrite=True)
            opened = Map.open(folder)
            label = coding if budget is None else f"{coding}, {share:g} of the bytes"
            found = recalls(opened)
            click.echo(row(label, folder, opened, found, reference, queries, peer))


def row(
    label: str,
    folder: Path,
    place: Map,
    right: np.ndarray,
    reference: np.ndarray,
    queries: Sequence[Described],
    peer: int,
) -> str:
    """One line of the table."""
    content = summarize_map(folder, place)
    header = json.loads((folder / "map.json").read_text(encoding="utf-8"))
    of_condition = [np.array([q.condition == c for q in queries]) for c in CONDITIONS]
    command = [sys.executable, "-c", OPENING, str(folder)]
    measured = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    took, spent, opened, read = json.loads(measured)
    cells = [
        label,
        f"{content.total_bytes:,}",
        f"1/{peer / content.total_bytes:.1f}",
        content.num_landmarks,
        header.get("least", "-"),
        *(f"{right[rows].sum()} of {rows.sum()}" for rows in of_condition),
        f"{(reference & ~right).sum()}, {(right & ~reference).sum()}",
        f"{1e3 * took:.0f} ({1e3 * spent:.0f})",
        f"{opened / 1e6:.1f}, {read / 1e6:.1f}",
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def whole_bytes(place: Map, output: Path) -> int:
    """Of the compact map in int8 with all landmarks."""
    compress_map(place, output / "int8-1", overwrite=True)
    return summarize_map(output / "int8-1").total_bytes


def peer_bytes(place: Map, folder: Path) -> int:
    """What hloc keeps on disk for the same, see above."""
    counts = [len(image.point3D_idxs) for image in place.model.images]
    dim = place.features[place.model.images[0].name].descriptors.shape[1]
    features = sum(counts) * 2 * (dim + 2 + 1)
    matches = int(place.report["pairs_tried"] * np.mean(counts) * (2 + 2))
    model = sum(path.stat().st_size for path in (folder / "sfm").glob("*.bin"))
    click.echo(f"peer: features {features:,}, matches {matches:,}, model {model:,}")
    return features + matches + model


if __name__ == "__main__":
    main()
