"""``hloc-lite dataset``: cards of public data sets, download, and check of their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hloc_lite.cli.options import mark_resumable, say, say_json, show_progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hloc_lite.datasets.cards import Card

root_option = click.option(
    "--root",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder of the data set.",
)


@click.group("dataset")
def command() -> None:
    """List, describe, download and check public data sets."""


@command.command("list")
def list_datasets() -> None:
    """List the data sets that have a card."""
    from hloc_lite.datasets.cards import card_names, read_card

    for name in card_names():
        card = read_card(name)
        say(f"{name:<15}{card.title or card.source}")


@command.command("info")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print all fields as JSON.")
def info(name: str, as_json: bool) -> None:
    """Print the card of the data set NAME."""
    from hloc_lite.datasets.cards import read_card

    card = read_card(name)
    if as_json:
        say_json(card.model_dump(mode="json"))
        return
    for line in _info_lines(card):
        say(line)


@command.command("check")
@click.argument("name")
@root_option
@click.pass_context
def check(ctx: click.Context, name: str, root: Path) -> None:
    """Check that all files of the data set NAME are in DIR.

    The exit code is 1 if some are missing. Surplus files do no harm.
    """
    from hloc_lite.datasets.cards import read_card
    from hloc_lite.datasets.check import check_tree

    report = check_tree(root, read_card(name))
    for line in report.lines():
        say(line)
    if not report.is_complete:
        ctx.exit(1)


@command.command("get")
@click.argument("name")
@root_option
@click.option("--keep-archives", is_flag=True, help="Keep archives after they are unpacked.")
@click.option("--yes", is_flag=True, help="Agree to the licence of the data without a question.")
def get(name: str, root: Path, keep_archives: bool, yes: bool) -> None:
    """Download into DIR what the data set NAME gives without a login.

    A download that was interrupted goes on when the command is run again. The licence of the data
    is printed first, and you are asked to agree.
    """
    from tqdm import tqdm

    from hloc_lite.datasets.cards import read_card
    from hloc_lite.datasets.download import download

    card = read_card(name)
    if any(not source.login for source in card.sources):
        say(f"licence: {card.licence}")
        if not yes:
            click.confirm("Do you agree to the licence?", abort=True, err=True)
    mark_resumable()
    bar = tqdm(unit="B", unit_scale=True, disable=not show_progress())

    def advance(file: str, done: int, total: int | None) -> None:
        bar.set_description(file, refresh=False)
        bar.total = total
        bar.n = done
        bar.update(0)

    with bar:
        report = download(card, root, keep_archives=keep_archives, progress=advance)
    for line in report.lines():
        say(line)


def _info_lines(card: Card) -> Iterator[str]:
    for key in ("title", "url", "source", "size", "licence", "citation", "units", "layout"):
        value = getattr(card, key)
        if value:
            yield f"{key + ':':<13}{value}"
    if card.counts.map_images:
        yield f"{'map images:':<13}{card.counts.map_images}"
    if card.counts.queries:
        counts = (f"{count} {name}" for name, count in card.counts.queries.items())
        yield f"{'queries:':<13}{', '.join(counts)}"
    for group, members in card.groups.items():
        yield f"{'group:':<13}{group} = {', '.join(members)}"
    if card.protocols:
        yield f"{'protocols:':<13}{', '.join(card.protocols)} (hloc-lite retrieval evaluate)"
    if card.thresholds:
        comparison = "below" if card.strict else "up to"
        yield f"{'thresholds:':<13}{comparison} {'; '.join(card.thresholds)}"
    for key in ("truth", "submission", "recipe"):
        if getattr(card, key):
            yield f"{key + ':':<13}{getattr(card, key)}"
    for note in card.notes:
        yield f"{'note:':<13}{note}"
    for source in card.sources:
        way = "by hand" if source.login else "download"
        yield f"{way + ':':<13}{source.what}: {source.url}"
    for row in card.published:
        values = "/".join(f"{value:g}" for value in row.values)
        unit = "" if row.unit == "percent" else f" {row.unit}"
        yield f"{'published:':<13}{row.condition:<12}{values}{unit}  {row.method} [{row.source}]"
