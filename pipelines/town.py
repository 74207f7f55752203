"""The rendered town as a benchmark: recall by condition for each local feature.

python -m pipelines.town -o /tmp/town --features aliked-n16 --features xfeat
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import click

from hloc_lite.io.python_process import python_command, python_environment
from pipelines.benchmarks.table import Table, results_option

CONDITIONS = ("day", "night", "changed")
RECIPES: dict[str, tuple[str, ...]] = {
    "aliked-n16": ("features.max_side_px=1024", "features.max_keypoints=1024"),
    "disk": ("features.max_side_px=1024", "features.max_keypoints=1024"),
    "xfeat": ("features.max_side_px=1024", "features.max_keypoints=2048"),
    "rootsift": ("features.max_side_px=1024", "features.max_keypoints=4096"),
}
"""Settings of each feature: the image size and number of keypoints that suit its weights."""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--features", multiple=True, default=tuple(RECIPES), show_default=True)
@click.option("--map", "num_map", default=120, show_default=True, help="Map images.")
@click.option("--queries", "num_queries", default=40, show_default=True, help="Per condition.")
@click.option("--seed", default=7, show_default=True, help="Seed of the town.")
@click.option("--set", "settings", multiple=True, help="KEY=VALUE for mapping.")
@results_option
def main(
    output: Path,
    features: tuple[str, ...],
    num_map: int,
    num_queries: int,
    seed: int,
    settings: tuple[str, ...],
    results: Path | None,
) -> None:
    """Render the town once; map, localize and score it with each of the features."""
    town = output / "town"
    run("town", "render", "-o", town, "--map", num_map, "--queries", num_queries, "--seed", seed,
        "--no-depth", "--no-labels")  # fmt: skip
    for name in features:
        chosen = [f"--set={setting}" for setting in (*RECIPES.get(name, ()), *settings)]
        folder = output / name
        run("map", town / "images", "-o", folder / "map", "--image-list", town / "map_images.txt",
            "--reference", town / "model", "--metric", "--features", name, *chosen)  # fmt: skip
        queries = [f"--queries={town / f'queries_{condition}.txt'}" for condition in CONDITIONS]
        truth = [town / f"gt_{condition}.txt" for condition in CONDITIONS]
        run("localize", folder / "map", "--images", town / "images", *queries,
            "-o", folder / "poses.txt", "--jsonl", folder / "results.jsonl",
            "--report", folder / "report", *(f"--truth={file}" for file in truth))  # fmt: skip
        run(
            "evaluate",
            folder / "poses.txt",
            *truth,
            "--thresholds",
            "aachen",
            "--json",
            folder / "scores.json",
        )
    table = Table(
        "Rendered town: recall",
        ["features", "condition", "0.25 m, 2°", "0.5 m, 5°", "5 m, 10°", "median", "ms per query"],
        f"{num_map} map images and {num_queries} queries per condition at 1024 x 768, seed {seed}; "
        f"known poses, triangulated. Recall in percent; a query without a pose is a failure.",
    )
    for name in features:
        add_rows(table, name, output / name)
    table.write(results)


def run(*arguments: object) -> None:
    """Run one ``hloc-lite`` command in a process of its own, as a user would.

    Raises:
        SystemExit: it failed. That no query was localized is no failure: the scores show it.
    """
    command = python_command("hloc_lite", *arguments)
    done = subprocess.run(command, check=False, env=python_environment())
    if done.returncode not in ((0, 1) if arguments[0] == "localize" else (0,)):
        raise SystemExit(done.returncode)


def add_rows(table: Table, features: str, folder: Path) -> None:
    """Add a row per condition from the scores and results in a folder."""
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))["conditions"]
    lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    times = sorted(json.loads(line)["timings_ms"].get("total", 0.0) for line in lines)
    for condition in CONDITIONS:
        row = scores[condition]
        recalls = [round(100 * recall["value"], 1) for recall in row["recalls"]]
        median = row["median_distance"]["value"]
        shown = "no pose" if median is None else f"{100 * median:.1f} cm"
        table.add(features, condition, *recalls, shown, round(times[len(times) // 2]))


if __name__ == "__main__":
    main()
