"""The rendered town as a benchmark: recalls by condition for each local feature.

python pipelines/town.py -o /tmp/town --features aliked-n16 --features xfeat
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click

CONDITIONS = ("day", "night", "changed")
# what each feature runs with: the sides and keypoints at which its authors' weights work well
RECIPES: dict[str, tuple[str, ...]] = {
    "aliked-n16": ("features.max_side_px=1024", "features.max_keypoints=1024"),
    "disk": ("features.max_side_px=1024", "features.max_keypoints=1024"),
    "xfeat": ("features.max_side_px=1024", "features.max_keypoints=2048"),
    "rootsift": ("features.max_side_px=1024", "features.max_keypoints=4096"),
}


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--features", multiple=True, default=tuple(RECIPES), show_default=True)
@click.option("--map", "num_map", default=120, show_default=True)
@click.option("--queries", "num_queries", default=40, show_default=True)
@click.option("--seed", default=7, show_default=True)
@click.option("--set", "settings", multiple=True, help="Passed on to map and localize.")
def main(
    output: Path,
    features: tuple[str, ...],
    num_map: int,
    num_queries: int,
    seed: int,
    settings: tuple[str, ...],
) -> None:
    """Render the town once; map, localize and score it with each of the features."""
    town = output / "town"
    run("town", "render", "-o", town, "--map", num_map, "--queries", num_queries, "--seed", seed,
        "--no-depth", "--no-labels")  # fmt: skip
    rows = []
    for name in features:
        chosen = [f"--set={setting}" for setting in (*RECIPES.get(name, ()), *settings)]
        folder = output / name
        run("map", town / "images", "-o", folder / "map", "--image-list", town / "map_images.txt",
            "--reference", town / "model", "--features", name, *chosen)  # fmt: skip
        queries = [f"--queries={town / f'queries_{condition}.txt'}" for condition in CONDITIONS]
        truth = [town / f"gt_{condition}.txt" for condition in CONDITIONS]
        run("localize", folder / "map", "--images", town / "images", *queries,
            "-o", folder / "poses.txt", "--jsonl", folder / "results.jsonl",
            "--report", folder / "report", *(f"--truth={file}" for file in truth))  # fmt: skip
        run("evaluate", folder / "poses.txt", *truth, "--json", folder / "scores.json")
        rows += table_rows(name, folder)
    header = "| features | condition | 0.25 m, 2° | 0.5 m, 5° | 5 m, 10° | median | ms a query |"
    table = "\n".join([header, "|---" * 7 + "|", *rows])
    (output / "table.md").write_text(table + "\n", encoding="utf-8")
    click.echo(table)


def run(*arguments: object) -> None:
    """One ``hloc-lite`` command in a process of its own, as a user would run it."""
    command = [sys.executable, "-m", "hloc_lite", *(str(a) for a in arguments)]
    done = subprocess.run(command, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.returncode)


def table_rows(name: str, folder: Path) -> list[str]:
    """A line of Markdown for each condition."""
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))["conditions"]
    lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    times = sorted(json.loads(line)["timings_ms"].get("total", 0.0) for line in lines)
    rows = []
    for condition in CONDITIONS:
        row = scores[condition]
        recalls = " | ".join(f"{100 * recall['value']:.1f}" for recall in row["recalls"])
        median = row["median_distance"]["value"]
        shown = "no pose" if median is None else f"{100 * median:.1f} cm"
        rows.append(
            f"| {name} | {condition} | {recalls} | {shown} | {times[len(times) // 2]:.0f} |"
        )
    return rows


if __name__ == "__main__":
    main()
