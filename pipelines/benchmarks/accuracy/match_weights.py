"""Ablation of the match weights: recall on rendered towns with and without each cue.

    python -m pipelines.benchmarks.accuracy.match_weights -o OUT --seed 201 --seed 202

Matches are computed once; variants differ in their use only. ``none`` uses matches that pass the
ratio test ``matching.max_ratio``, with equal weights, as one cluster. ``+re-ranking`` re-ranks
twice as many retrieved images (at most 50) by label consistency and keeps the better half; its
control, ``+count re-ranking``, ranks them by the number of matches alone. ``all, confident`` needs
6 inliers instead of 12, but the default confidence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from hloc_lite.consistency.cue_combination import CUE_NAMES
from hloc_lite.localize.localizer import Localizer
from hloc_lite.synthetic.config import CONDITIONS
from pipelines.benchmarks.table import Table, results_option
from pipelines.towns.matched_towns import (
    MAX_TRIALS,
    MatchedTown,
    is_correct,
    map_town,
    match_town,
    query_config,
    render_town,
    with_labels,
)
from pipelines.towns.noisy_cues import CUE_KINDS, cue_sources

RERANK_FACTOR = 2
"""Images matched before re-ranking, as a multiple of those kept."""
ALL = ("re-rank", "semantics", "depth", "score", "track", "retrieval", "clusters")
VARIANTS: Mapping[str, Sequence[str]] = {
    "none": (),
    "+count re-ranking": ("re-rank", "by count"),
    "+re-ranking": ("re-rank",),
    "+semantics": ("semantics",),
    "+depth": ("depth",),
    "+weights": ("score", "track", "retrieval"),
    "+clustering": ("clusters",),
    "all": ALL,
    "all but re-ranking": ALL[1:],
    "all, confident": (*ALL, "confidence"),
}
Outcomes = Mapping[tuple[str, str, int, str], list[bool]]
"""(kind, variant, retrieved images, condition) -> correctness of each query."""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--towns", type=click.Path(path_type=Path), help="Rendered towns.  [default: OUT]")
@click.option("--seed", "seeds", type=int, multiple=True, required=True)
@click.option("--features", default="rootsift", show_default=True)
@click.option("--retrieved", "ks", type=int, multiple=True, default=(1, 5, 10), show_default=True)
@click.option("--variant", "names", type=click.Choice(list(VARIANTS)), multiple=True,
              default=tuple(VARIANTS), show_default=True)  # fmt: skip
@click.option("--kind", "kinds", type=click.Choice(CUE_KINDS), multiple=True, default=CUE_KINDS,
              show_default=True)  # fmt: skip
@click.option("--map", "num_map", default=120, show_default=True, help="Map images per town.")
@click.option("--queries", "num_queries", default=40, show_default=True, help="Per condition.")
@click.option("--set", "settings", multiple=True, help="KEY=VALUE for all variants.")
@results_option
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
    results: Path | None,
) -> None:
    """Print the recall at (0.25 m, 2 deg) of each variant, condition and number of images."""
    outcomes: dict[tuple[str, str, int, str], list[bool]] = {}
    for seed in seeds:
        town = render_town((towns or output) / str(seed), seed, num_map, num_queries)
        folder = output / f"{seed}-{features}"
        sfm_map = map_town(town, folder / "map", features)
        num_retrieved = min(50, RERANK_FACTOR * max(ks))
        matched = match_town(town, sfm_map, folder / "matches", num_retrieved)
        sources = cue_sources(town, folder, kinds)
        for kind, (labels, depth) in sources.items():
            labelled = replace(matched, sfm_map=with_labels(sfm_map, town, labels))
            for name in names:
                parts = VARIANTS[name]
                uses_cues = {"re-rank", "semantics", "depth"} & set(parts)
                if (kind != kinds[0] and not uses_cues) or (depth is None and name == "+depth"):
                    continue
                for k in ks:
                    chosen = [*variant_settings(name, k, labels, depth, kind), *settings]
                    print(f"{seed} {kind} {name} k={k}", flush=True)
                    for condition, correct in localize_queries(labelled, chosen, k, parts):
                        key = (kind if uses_cues else "-", name, k, condition)
                        outcomes.setdefault(key, []).append(correct)
    recall_table(outcomes, ks).write(results)


def variant_settings(name: str, k: int, labels: str, depth: str | None, kind: str) -> list[str]:
    """Config of a variant."""
    parts = VARIANTS[name]
    off = json.dumps([cue for cue in CUE_NAMES if cue not in parts])
    chosen = [f"weighting.off={off}", f"pose.max_num_trials={MAX_TRIALS}"]
    if {"re-rank", "semantics"} & set(parts):
        chosen.append(f"semantics.source={labels}")
    if "re-rank" in parts:
        chosen.append(f"semantics.rerank_keep={k}")
    if "by count" in parts:
        chosen.append("semantics.rerank_consistency_exponent=0")
    if "depth" in parts and depth is not None:
        values = "metric" if kind == "exact" else "relative"
        chosen += [f"depth.source={depth}", f"depth.values={values}"]
    if "confidence" not in parts:
        chosen += ["confidence.enabled=false", "pose.min_inliers=12"]
    if "clusters" not in parts:
        chosen += ["localize.covisibility_clustering=false", "localize.max_runner_up_trials=0"]
    return chosen


def localize_queries(
    town: MatchedTown, settings: Sequence[str], k: int, parts: Sequence[str]
) -> list[tuple[str, bool]]:
    """(condition, is the pose correct) of each query."""
    config = query_config(town.sfm_map, settings)
    localizer = Localizer(town.sfm_map, config)
    found = []
    for each in tqdm(town.queries, leave=False, disable=None):
        query = each.first_hits(min(RERANK_FACTOR * k, 50) if "re-rank" in parts else k)
        if "score" not in parts:
            query = query.with_ratio_test(config.matching)
        result = query.localize(localizer)
        found.append((each.condition, is_correct(result, each.cam_from_world)))
    return found


def recall_table(outcomes: Outcomes, ks: Sequence[int]) -> Table:
    """Table of recalls in percent, with the paired difference to ``none`` and its interval."""
    rng = np.random.default_rng(0)
    columns = ["condition", "labels and depth", "variant", *(f"k = {k}" for k in ks)]
    num = max(map(len, outcomes.values()))
    table = Table(
        "Match weights: recall at 0.25 m, 2°",
        columns,
        f"{num} queries per condition at most; k retrieved images. In brackets: difference to "
        f"`none` with its 95 % bootstrap interval over queries.",
    )
    for condition in CONDITIONS:
        for kind, name in dict.fromkeys(key[:2] for key in outcomes):
            cells = [
                recall_cell(
                    outcomes.get((kind, name, k, condition)),
                    outcomes.get(("-", "none", k, condition)),
                    rng,
                )
                for k in ks
            ]
            table.add(condition, kind, name, *cells)
    return table


def recall_cell(
    correct: list[bool] | None, base: list[bool] | None, rng: np.random.Generator
) -> str | None:
    """Recall in percent, and its difference to ``base``."""
    if correct is None:
        return None
    recall = f"{100 * np.mean(correct):.1f}"
    if base is None or correct is base:
        return recall
    difference = 100 * (np.array(correct, float) - np.array(base, float))
    draws = rng.integers(0, len(difference), (2000, len(difference)))
    low, high = np.quantile(difference[draws].mean(axis=1), (0.025, 0.975))
    return f"{recall} ({difference.mean():+.1f} [{low:+.1f}, {high:+.1f}])"


if __name__ == "__main__":
    main()
