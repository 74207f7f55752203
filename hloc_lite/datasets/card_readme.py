"""README of a data set, written from its card."""

from __future__ import annotations

from collections.abc import Iterator

from hloc_lite.datasets.card_parts import Source
from hloc_lite.datasets.cards import Card

_TRUTH = {
    "public": "The true poses of the queries are published.",
    "server": "The true poses of the queries are not published: a server scores the poses.",
    "partly": "The true poses of some queries are published; a server scores the others.",
}


def card_readme(card: Card) -> str:
    """Return the text of ``datasets/NAME/README.md``."""
    blocks = [
        f"# {card.title or card.name}",
        " ".join([f"{_capital(card.source)}.", *_home(card)]),
        *_fetching(card),
        *_layout(card),
        *_facts(card),
        f"Licence: {card.licence}.",
        *([f"Citation: {card.citation}."] if card.citation else []),
        f"Source, thresholds and published scores: "
        f"[card](../../hloc_lite/datasets/card_files/{card.name}.toml).",
    ]
    return "\n\n".join(blocks) + "\n"


def _fetching(card: Card) -> Iterator[str]:
    yield "## Getting it"
    if card.size:
        yield f"Size: {card.size}."
    free: dict[str, list[Source]] = {}
    for source in card.sources:
        if not source.login:
            free.setdefault(source.what, []).append(source)
    if free:
        yield f"```bash\nhloc-lite dataset get {card.name} --root DIR\n```"
        yield "It downloads, without a login:"
        yield "\n".join(_source_line(what, files) for what, files in free.items())
    asked = [source for source in card.sources if source.login]
    if asked:
        yield "By hand:"
        yield "\n".join(f"- {source.what}: <{source.url}>" for source in asked)
    if not card.sources:
        known = "See the home page." if card.url else "No address is known that could be checked."
        yield known


def _source_line(what: str, files: list[Source]) -> str:
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"- {what}: <{files[0].url}>{more}"


def _layout(card: Card) -> Iterator[str]:
    if not card.tree:
        return
    yield "## Expected files"
    rows = ["| files in DIR | number | content |", "|---|---|---|"]
    for entry in card.tree:
        number = entry.expected + (" (optional)" if entry.optional else "")
        paths = " or ".join(f"`{glob}`" for glob in entry.globs)
        rows.append(f"| {paths} | {number} | {entry.what} |")
    yield "\n".join(rows)
    yield f"```bash\nhloc-lite dataset check {card.name} --root DIR\n```"


def _facts(card: Card) -> Iterator[str]:
    yield "## Facts"
    lines = [f"- {_TRUTH[card.truth]}"] if card.truth else []
    if card.counts.map_images:
        lines.append(f"- Map images: {card.counts.map_images}.")
    if card.counts.queries:
        counts = [f"{count} {name}" for name, count in card.counts.queries.items()]
        lines.append(f"- Queries: {', '.join(counts)}.")
    lines.append(f"- Units: {card.units}.")
    if card.protocols:
        protocols = " or ".join(f"`--protocol {name}`" for name in card.protocols)
        lines.append(f"- Score: `hloc-lite retrieval evaluate RANKINGS --truth PATH`, {protocols}.")
    lines += [f"- {note}" for note in card.notes]
    yield "\n".join(lines)


def _home(card: Card) -> Iterator[str]:
    if card.url:
        yield f"Home page: <{card.url}>."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
