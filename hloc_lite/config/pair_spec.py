"""Parses ``pairs.spec``: which pairs of map images to match."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from hloc_lite.config.mapping import PairsConfig
from hloc_lite.errors import ConfigError, MappingError

KINDS_WITH_K = ("retrieval", "covisible", "poses", "sequential")
_K = re.compile(r"0*[1-9][0-9]{0,8}", re.ASCII)  # isdigit() also takes "²"
RETRIEVAL_PAIRS = 20
"""Neighbours that ``auto`` takes in large maps, as hloc's recipes do."""


@dataclass(frozen=True)
class PairSpec:
    """Parsed spec: ``exhaustive``, ``none``, one of ``KINDS_WITH_K`` with its K, or ``file``."""

    kind: str
    k: int = 0
    file: Path | None = None


def parse_pair_spec(
    config: PairsConfig, num_images: int, num_reference_points: int | None
) -> PairSpec:
    """Parse ``config.spec`` and resolve ``auto``.

    Args:
        num_reference_points: points of the reference model; None without a reference.

    Raises:
        ConfigError: neither a known kind with a positive K nor a file.
    """
    spec = config.spec
    if spec == "auto":
        if num_images <= config.exhaustive_max_images:
            return PairSpec("exhaustive")
        return PairSpec("covisible" if num_reference_points else "retrieval", RETRIEVAL_PAIRS)
    kind, _, number = spec.partition(":")
    if spec in ("exhaustive", "none"):
        return PairSpec(spec)
    if kind in KINDS_WITH_K and _K.fullmatch(number):
        return PairSpec(kind, int(number))
    if os.path.isfile(spec):  # unlike Path.is_file, False for text that cannot be a path
        return PairSpec("file", file=Path(spec))
    kinds = ", ".join(f"{kind}:K" for kind in KINDS_WITH_K)
    raise ConfigError(
        f"--pairs {spec!r}: expected exhaustive, none, {kinds} with K > 0, or a file of name pairs"
    )


def check_reference(spec: PairSpec, num_reference_points: int | None) -> None:
    """Check that the reference model has what a spec needs.

    Raises:
        MappingError: no reference, or one without points.
    """
    if spec.kind not in ("covisible", "poses"):
        return
    if num_reference_points is None:
        raise MappingError(f"--pairs {spec.kind}:K needs known poses: give --reference MODEL")
    if spec.kind == "covisible" and num_reference_points == 0:
        raise MappingError("--pairs covisible:K needs a reference model with points; it has none")
