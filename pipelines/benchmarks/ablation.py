"""What each kind of evidence is worth: recalls on rendered towns with it and without.

python -m pipelines.benchmarks.ablation -o OUT --seed 201 --seed 202

Matches are made once and reused; only what is done with them differs. ``none``: matches of a ratio
below ``matching.max_ratio``, all of equal weight, one group. ``+SCW`` re-ranks twice as many
retrieved images (at most 50) and keeps the better half; ``+counts``, its control, ranks them by
their matches alone. ``all, confident`` needs 6 inliers, not 12, but the confidence that is asked
for by default. Intervals: bootstrap over queries, 95 %.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from hloc_lite.consistency.cue_combination import CUE_NAMES
from hloc_lite.formats.hloc_lists import read_image_list
from hloc_lite.localize.localizer import Localizer
from hloc_lite.synthetic.config import CONDITIONS
from pipelines.matched_towns import (
    MAX_TRIALS,
    MatchedTown,
    build,
    first_hits,
    is_right,
    labelled,
    match_town,
    passing_ratio_test,
    query_config,
    query_names,
    render,
)
from pipelines.noisy_cues import write_network_labels, write_noisy_depth, write_noisy_labels

NETWORK = "deeplab-edgetpu-cityscapes"
POOL = 2
"""Times as many images are matched before re-ranking as are kept."""
VARIANTS: Mapping[str, Sequence[str]] = {
    "none": (),
    "+counts": ("rerank", "blind"),
    "+SCW": ("rerank",),
    "+SCC": ("semantics",),
    "+DCV": ("depth",),
    "+weights": ("score", "track", "retrieval"),
    "+clustering": ("clusters",),
    "all": ("rerank", "semantics", "depth", "score", "track", "retrieval", "clusters"),
    "all but SCW": ("semantics", "depth", "score", "track", "retrieval", "clusters"),
    "all, confident": (
        "rerank",
        "semantics",
        "depth",
        "score",
        "track",
        "retrieval",
        "clusters",
        "confidence",
    ),
}
KINDS = ("exact", "noisy", "network")


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--towns", type=click.Path(path_type=Path), help="Rendered towns.  [default: OUT]")
@click.option("--seed", "seeds", type=int, multiple=True, required=True)
@click.option("--features", default="rootsift", show_default=True)
@click.option("--retrieved", "ks", type=int, multiple=True, default=(1, 5, 10), show_default=True)
@click.option("--variant", "names", multiple=True, default=tuple(VARIANTS), show_default=True)
@click.option("--kind", "kinds", multiple=True, default=KINDS, show_default=True)
@click.option("--map", "num_map", default=120, show_default=True)
@click.option("--queries", "num_queries", default=40, show_default=True, help="Each condition.")
@click.option("--set", "settings", multiple=True, help="KEY=VALUE for all variants.")
def main(
    output: Path,
    towns: Path | None,
    seeds: tuple[int, ...],
    features: str,
    ks: tuple[int, ...],
    names: tuple[str, ...],
    kinds: tuple[str, ...],
    num_map: int,
    num_queries: int,
    settings: tuple[str, ...],
) -> None:
    """Print the recall at (0.25 m, 2 deg) of each variant, condition and number of images."""
    results: dict[tuple[str, str, int, str], list[bool]] = {}
    for seed in seeds:
        town = render((towns or output) / str(seed), seed, num_map, num_queries)
        folder = output / f"{seed}-{features}"
        place = build(town, folder / "map", features)
        matched = match_town(town, place, folder / "matches", min(50, POOL * max(ks)))
        sources = cue_sources(town, folder, kinds)
        for kind, (labels, depth) in sources.items():
            with_labels = replace(matched, place=labelled(place, town, labels))
            for name in names:
                cues = VARIANTS[name]
                uses_cues = {"rerank", "semantics", "depth"} & set(cues)
                if (kind != kinds[0] and not uses_cues) or (depth is None and name == "+DCV"):
                    continue
                for k in ks:
                    chosen = [*variant_settings(name, k, labels, depth, kind), *settings]
                    start = time.perf_counter()
                    found = run(with_labels, chosen, k, cues)
                    each = 1000 * (time.perf_counter() - start) / len(found)
                    print(f"{seed} {kind} {name} k={k}: {each:.0f} ms a query", flush=True)
                    for condition, right in found:
                        key = (kind if uses_cues else "-", name, k, condition)
                        results.setdefault(key, []).append(right)
        print_table(results, ks)


def cue_sources(
    town: Path, folder: Path, kinds: Sequence[str]
) -> dict[str, tuple[str, str | None]]:
    """kind -> (source of labels, source of depth)."""
    queries = query_names(town)
    names = [*read_image_list(town / "map_images.txt"), *queries]
    found: dict[str, tuple[str, str | None]] = {}
    for kind in kinds:
        if kind == "exact":
            found[kind] = f"files:{town / 'labels'}", f"files:{town / 'depth'}"
        elif kind == "noisy":
            write_noisy_labels(town, names, folder / "noisy_labels")
            write_noisy_depth(town, queries, folder / "noisy_depth")
            sources = folder / "noisy_labels", folder / "noisy_depth"
            found[kind] = f"files:{sources[0]}", f"files:{sources[1]}"
        else:
            write_network_labels(town, names, folder / "network_labels", NETWORK)
            found[kind] = f"files:{folder / 'network_labels'}", None
    return found


def variant_settings(name: str, k: int, labels: str, depth: str | None, kind: str) -> list[str]:
    """Config of a variant."""
    cues = VARIANTS[name]
    off = json.dumps([cue for cue in CUE_NAMES if cue not in cues])
    chosen = [f"weighting.off={off}", f"pose.max_num_trials={MAX_TRIALS}"]
    if {"rerank", "semantics"} & set(cues):
        chosen.append(f"semantics.source={labels}")
    if "rerank" in cues:
        chosen.append(f"semantics.rerank_keep={k}")
    if "blind" in cues:
        chosen.append("semantics.rerank_consistency_exponent=0")
    if "depth" in cues and depth is not None:
        values = "metric" if kind == "exact" else "relative"
        chosen += [f"depth.source={depth}", f"depth.values={values}"]
    if "confidence" not in cues:
        chosen += ["confidence.enabled=false", "pose.min_inliers=12"]
    if "clusters" not in cues:
        chosen += ["localize.covisibility_clustering=false", "localize.max_runner_up_trials=0"]
    return chosen


def run(
    town: MatchedTown, settings: Sequence[str], k: int, cues: Sequence[str]
) -> list[tuple[str, bool]]:
    """(condition, whether the pose is right) of each query."""
    config = query_config(town.place, settings)
    localizer = Localizer(town.place, config)
    found = []
    for each in tqdm(town.queries, leave=False, disable=None):
        query = first_hits(each.query, min(POOL * k, 50) if "rerank" in cues else k)
        if "score" not in cues:
            query = passing_ratio_test(query, config.matching)
        result = localizer.solve(query, query.photo.name)
        found.append((each.condition, is_right(result, each.cam_from_world)))
    return found


def print_table(results: Mapping[tuple[str, str, int, str], list[bool]], ks: Sequence[int]) -> None:
    """Markdown: recall in percent, and its difference to ``none`` with a paired interval."""
    rng = np.random.default_rng(0)
    for condition in CONDITIONS:
        num = len(next(right for key, right in results.items() if key[3] == condition))
        print(f"\n{condition}: {num} queries behind each figure\n")
        print("| cues | variant | " + " | ".join(f"k = {k}" for k in ks) + " |")
        print("|---" * (2 + len(ks)) + "|")
        for kind, name in dict.fromkeys(key[:2] for key in results):
            cells = [
                cell(results.get((kind, name, k, condition)),
                     results.get(("-", "none", k, condition)), rng)
                for k in ks
            ]  # fmt: skip
            print(f"| {kind} | {name} | " + " | ".join(cells) + " |")


def cell(right: list[bool] | None, base: list[bool] | None, rng: np.random.Generator) -> str:
    """One figure of the table."""
    if right is None:
        return ""
    shown = f"{100 * np.mean(right):.1f}"
    if base is None or right is base:
        return shown
    difference = 100 * (np.array(right, float) - np.array(base, float))
    draws = rng.integers(0, len(difference), (2000, len(difference)))
    low, high = np.quantile(difference[draws].mean(axis=1), (0.025, 0.975))
    return f"{shown} ({difference.mean():+.1f} [{low:+.1f}, {high:+.1f}])"


if __name__ == "__main__":
    main()
