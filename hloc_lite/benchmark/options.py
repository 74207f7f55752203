"""Options of a benchmark run, and the config that they give."""

from __future__ import annotations

from dataclasses import dataclass

from hloc_lite.config import Config, load_config
from hloc_lite.datasets.cards import Card
from hloc_lite.errors import UnknownNameError

OURS = "ours"
"""Name of the config with this package's own defaults, and those of the data set's card."""
EVERY_POSE = "confidence.max_wrong=1"
"""Setting under which no pose is withheld: benchmarks count a missing pose like a wrong one. The
search is the same as without it, and the confidences are kept."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """Options of a run; all have the defaults of a first try."""

    profile: str = "balanced"
    config_name: str = OURS
    """``ours``, or a name of ``Card.configs``, such as ``published-hloc``."""
    settings: tuple[str, ...] = ()
    """``key=value`` of config keys, over those of the profile and the named config."""
    subset: int | None = None
    """Queries per condition, evenly spread; None for all. A subset is not worth a submission."""
    map_subset: int | None = None
    """Map images of each part, evenly spread; None for all."""
    parts: tuple[str, ...] = ()
    """Names of the parts to run, such as scenes; empty for all."""
    device: str = "cpu"
    offline: bool = False
    progress: bool = False


def benchmark_config(card: Card, options: BenchmarkOptions) -> tuple[Config, str]:
    """Config of a run, and a sentence on what replaces parts of a published run.

    Raises:
        UnknownNameError: no such config; the message lists those of the data set.
        ConfigError: an unknown key or a value out of range.
    """
    if options.config_name == OURS:
        settings = (EVERY_POSE, *card.settings, *options.settings)
        return load_config(options.profile, settings=settings), ""
    if options.config_name not in card.configs:
        known = ", ".join([OURS, *card.configs])
        raise UnknownNameError(
            f"{card.name} has no config {options.config_name!r}; known are {known}"
        )
    published = card.configs[options.config_name]
    settings = (EVERY_POSE, *published.settings, *options.settings)
    return load_config(options.profile, settings=settings), published.replaced
