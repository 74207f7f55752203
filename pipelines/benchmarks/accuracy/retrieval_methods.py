"""Global descriptors compared: how often is a map image found that sees what a query sees?

    hloc-lite town render -o T --seed 61 --size 640x480
    python -m pipelines.benchmarks.accuracy.retrieval_methods T CASE CASE ... --method NAME ...

Map images of all folders are one database; each method learns from it what it learns. A retrieved
image is right if it sees a fifth of the query's points (``view_truth``); of folders without depth
images only the right place is counted. Post-processing is measured on the default.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from hloc_lite.config import ImagesConfig, RetrievalConfig
from hloc_lite.evaluation.retrieval.average_precision import ranking_of
from hloc_lite.io.images import read_photo
from hloc_lite.io.weights import WeightsStore
from hloc_lite.registry import GLOBAL_DESCRIPTORS, POOLINGS, Runtime, create
from hloc_lite.retrieval.diffusion import diffuse, make_graph
from hloc_lite.retrieval.query_expansion import Expansion, augment_database, expand_queries
from hloc_lite.types import Float32, Photo
from pipelines.benchmarks.accuracy.view_truth import PosedFolder, read_posed_folder, right_images
from pipelines.benchmarks.table import Table, results_option

DEFAULT = RetrievalConfig().name
METHODS = (
    DEFAULT,
    "gem-lite0",
    *(f"pooled:{name}+lite0" for name in POOLINGS.builtin if name != "netvlad"),
    *(f"pooled:gem+{name}" for name in ("lite1", "lite2")),
    *(f"pooled:netvlad+{name}" for name in ("lite1", "lite2")),
    *(f"local:{name}+rootsift" for name in ("bow", "vlad", "fisher")),
    *(f"local:{name}+xfeat" for name in ("vlad", "netvlad")),
    "ahash", "dhash", "phash", "hsv-histogram",
)  # fmt: skip
COUNTS = (1, 5, 10, 50)
NEIGHBOURS = 3
"""Images that expansion takes: a place has a few photos here, not hundreds as in papers."""


@dataclass(frozen=True)
class PhotoQuery:
    """A query, and the map images that are right for it."""

    condition: str
    place: str
    path: Path
    right: frozenset[str]
    """Right images, as PLACE/NAME; empty if there is no depth to tell."""


def _read(path: Path) -> Photo:
    return read_photo(path, path.name, ImagesConfig())


class _PhotoFiles(Sequence[Photo]):
    """Photos that are read when they are indexed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return _read(self._paths[index])


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--method", "methods", multiple=True, help="Only these names.  [default: all]")
@click.option("--max-side", default=RetrievalConfig().max_side_px, show_default=True)
@results_option
def main(
    folders: tuple[Path, ...], methods: tuple[str, ...], max_side: int, results: Path | None
) -> None:
    """Print recalls, bytes and time of each method."""
    places = [read_posed_folder(folder) for folder in folders]
    database = [(each.root.name, view.name) for each in places for view in each.map_views]
    roots = {each.root.name: each.root for each in places}
    queries = [query for each in places for query in queries_of(each)]
    conditions = [c for c in dict.fromkeys(q.condition for q in queries) if _with_truth(queries, c)]
    columns = (
        "method", "right place@1, %", *(f"{c or 'real'} @1, %" for c in conditions),
        *(f"all @{count}, %" for count in COUNTS), "bytes", "ms an image",
    )  # fmt: skip
    notes = (
        f"{len(database)} map images of {len(places)} places are one database, {len(queries)} "
        f"queries, {sum(bool(q.right) for q in queries)} of them with an image that sees a fifth "
        f"of their points."
    )
    table = Table("Global descriptors", columns, notes)
    names = [f"{place}/{name}" for place, name in database]
    paths = [roots[place] / "images" / name for place, name in database]
    for method in methods or METHODS:
        config = RetrievalConfig(max_side_px=max_side)
        descriptor = create(GLOBAL_DESCRIPTORS, method, config, Runtime(WeightsStore(offline=True)))
        descriptor.fit(_PhotoFiles(paths))
        start = time.perf_counter()
        rows = np.concatenate([descriptor.describe([_read(path)]) for path in paths])
        ms = 1000 * (time.perf_counter() - start) / len(paths)
        asked = np.concatenate([descriptor.describe([_read(q.path)]) for q in queries])
        found = {method: asked @ rows.T}
        if method == DEFAULT:
            found |= post_processed(asked, rows)
        for label, similarities in found.items():
            ranks = [[names[i] for i in row] for row in ranking_of(similarities)]
            scores = _scores(queries, ranks, conditions)
            table.add(label, *scores, 4 * rows.shape[1], round(ms))
    table.write(results)


def queries_of(folder: PosedFolder) -> list[PhotoQuery]:
    """Queries of a folder with their right map images."""
    place = folder.root.name
    return [
        PhotoQuery(
            condition, place, folder.root / "images" / query.name,
            frozenset(f"{place}/{name}" for name in right_images(query, folder.map_views)),
        )
        for condition, queries in folder.queries.items()
        for query in queries
    ]  # fmt: skip


def post_processed(queries: Float32, database: Float32) -> Mapping[str, Float32]:
    """(Q, M) scores of the default descriptor after each kind of post-processing."""
    found = {}
    for kind in Expansion:
        expanded = expand_queries(queries, database, NEIGHBOURS, kind)
        found[f"{DEFAULT}, {kind}"] = expanded @ database.T
    augmented = augment_database(database, NEIGHBOURS)
    found[f"{DEFAULT}, database augmented"] = queries @ augmented.T
    scores = diffuse(make_graph(database), queries)
    # images that the graph does not reach follow by their similarity
    found[f"{DEFAULT}, diffusion"] = np.where(scores > 0, 2 + scores, queries @ database.T)
    return found


def _with_truth(queries: Sequence[PhotoQuery], condition: str) -> bool:
    return any(query.right for query in queries if query.condition == condition)


def _scores(
    queries: Sequence[PhotoQuery], ranks: Sequence[Sequence[str]], conditions: Sequence[str]
) -> list[float]:
    """Right place, recalls at 1 by condition, and recalls of all queries; percent."""
    both = list(zip(queries, ranks, strict=True))
    place = np.mean([ranked[0].startswith(f"{query.place}/") for query, ranked in both])
    with_right = [(query, ranked) for query, ranked in both if query.right]
    values = [float(place)]
    for condition in conditions:
        own = [pair for pair in with_right if pair[0].condition == condition]
        values.append(_recall(own, 1))
    values += [_recall(with_right, count) for count in COUNTS]
    return [round(100 * value, 1) for value in values]


def _recall(pairs: Sequence[tuple[PhotoQuery, Sequence[str]]], count: int) -> float:
    return float(np.mean([not query.right.isdisjoint(ranked[:count]) for query, ranked in pairs]))


if __name__ == "__main__":
    main()
