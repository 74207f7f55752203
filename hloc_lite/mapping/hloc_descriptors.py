"""Global descriptors of hloc's files for a map, and which of them this package has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.global_descriptors import read_global_descriptors
from hloc_lite.mapping.given_descriptors import GivenDescriptors
from hloc_lite.maps.retrieval_state import read_state, state_path
from hloc_lite.registry import GLOBAL_DESCRIPTORS
from hloc_lite.types import Float32

OF_HLOC = {"netvlad": "netvlad-pitts30k"}
"""hloc's global descriptors that this package has with the same weights."""


def hloc_descriptors(path: Path) -> GivenDescriptors:
    """Global descriptors of a file, which are read later."""

    def read(names: Sequence[str]) -> Float32:
        there, rows = read_global_descriptors(path)
        row_of = {name: row for row, name in enumerate(there)}
        missing = [name for name in names if name not in row_of]
        if missing:
            raise FormatError(
                f"{path} has no descriptor of {missing[0]!r} ({len(missing)} missing)"
            )
        return rows[[row_of[name] for name in names]]

    name = path.stem.removeprefix("global-feats-")
    own_name, state = _own(name, path)
    return GivenDescriptors(where=path.name, name=name, own_name=own_name, state=state, read=read)


def _own(name: str, path: Path) -> tuple[str | None, dict[str, Any]]:
    """Descriptor of this package that a file holds, and its state; None if it has none."""
    if state_path(path).is_file() and name in GLOBAL_DESCRIPTORS:
        return name, read_state(state_path(path))
    return OF_HLOC.get(name), {}
