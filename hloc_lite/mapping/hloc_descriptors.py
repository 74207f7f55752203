"""Global descriptors for a map of hloc's files: those of a file, or computed from the photos."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import Config, load_config
from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.global_descriptors import read_global_descriptors
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.maps.outside_names import with_values
from hloc_lite.maps.retrieval_state import read_state, state_path
from hloc_lite.models import create_recorded
from hloc_lite.registry import GLOBAL_DESCRIPTORS, Runtime
from hloc_lite.types import Float32, Photo

logger = logging.getLogger(__name__)
OF_HLOC = {"netvlad": "netvlad-pitts30k"}
"""hloc's global descriptors that this package has with the same weights."""


@dataclass(frozen=True, eq=False)
class Described:
    """Global descriptors of a map, and what queries need to be described alike."""

    rows: Float32
    """(M, D) unit rows, in the order of the images."""
    config: Config
    state: Mapping[str, Any]
    """Arrays that the descriptor learned from the map images."""
    weights: Mapping[str, str]


def describe_images(
    names: Sequence[str],
    path: Path | None,
    source: ImageSource | None,
    config: Config,
    runtime: Runtime,
) -> Described:
    """Take the descriptors of a file if queries can have the same, else compute own ones.

    Descriptors of a file that this package does not have are kept where there are no photos.

    Args:
        names: images of the map.
        path: file of global descriptors, if there is one.
        source: photos, if they are at hand.
        config: config of the map; its ``retrieval`` holds for own ones.
        runtime: weights and device.

    Raises:
        FormatError: neither a file nor photos.
    """
    own = None if path is None else _own_descriptor(path)
    if path is not None and own is not None:
        name, state = own
        known = load_config(base=config, overrides={"retrieval": {"name": name}})
        return Described(_rows(path, names), known, state, {})
    if source is not None:
        if path is not None:
            logger.info("%s: not of hloc_lite; own ones are computed from the photos", path.name)
        return _compute(names, source, config, runtime)
    if path is None:
        raise FormatError(
            "there are no global descriptors of the model's images: give the folder of the photos, "
            "to compute them, or the file (--hloc-global)"
        )
    name = path.stem.removeprefix("global-feats-")
    logger.warning(
        "hloc_lite has no global descriptor of %s: queries need them from elsewhere, by a package "
        "that registers the name %r. With the folder of the photos, own ones are computed",
        path.name, name,
    )  # fmt: skip
    return Described(_rows(path, names), with_values(config, {"retrieval.name": name}), {}, {})


def _own_descriptor(path: Path) -> tuple[str, dict[str, Any]] | None:
    """Global descriptor of this package that a file holds, and its state; None if it has none."""
    name = path.stem.removeprefix("global-feats-")
    if state_path(path).is_file() and name in GLOBAL_DESCRIPTORS:
        return name, read_state(state_path(path))
    return (OF_HLOC[name], {}) if name in OF_HLOC else None


def _rows(path: Path, names: Sequence[str]) -> Float32:
    """Unit rows of the named images."""
    there, rows = read_global_descriptors(path)
    row_of = {name: row for row, name in enumerate(there)}
    missing = [name for name in names if name not in row_of]
    if missing:
        raise FormatError(f"{path} has no descriptor of {missing[0]!r} ({len(missing)} missing)")
    chosen = rows[[row_of[name] for name in names]]
    lengths = np.linalg.norm(chosen, axis=1, keepdims=True)
    if np.abs(lengths - 1).max(initial=0) < 1e-6:
        return chosen
    return chosen / np.maximum(lengths, np.finfo(np.float32).tiny)


def _compute(
    names: Sequence[str], source: ImageSource, config: Config, runtime: Runtime
) -> Described:
    describer, weights = create_recorded(
        GLOBAL_DESCRIPTORS, config.retrieval.name, config.retrieval, runtime
    )
    photos = _LazyPhotos(source, names)
    describer.fit(photos)
    rows = np.stack([describer.describe([photo])[0] for photo in photos])
    return Described(rows, config, describer.state(), weights)


class _LazyPhotos(Sequence[Photo]):
    """Photos, each decoded when it is indexed."""

    def __init__(self, source: ImageSource, names: Sequence[str]) -> None:
        self._source, self._names = source, names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        return self._source.load(self._names[index])
