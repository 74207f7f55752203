"""Global descriptors of a map: those of another program's files, or computed from the photos."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hloc_lite.config import Config, load_config
from hloc_lite.errors import FormatError
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.maps.outside_names import with_values
from hloc_lite.models import create_recorded
from hloc_lite.registry import GLOBAL_DESCRIPTORS, Runtime
from hloc_lite.types import Float32, Photo

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, kw_only=True)
class GivenDescriptors:
    """Global descriptors in files of another program."""

    where: str
    """File or folder, for messages."""
    name: str
    """Name of the descriptor, as the file says."""
    own_name: str | None
    """Registry name of the same descriptor; None if this package does not have it."""
    state: Mapping[str, Any]
    """Arrays that it learned from the map images."""
    read: Callable[[Sequence[str]], Float32]
    """Returns the (M, D) rows of the named images."""


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
    given: GivenDescriptors | None,
    source: ImageSource | None,
    config: Config,
    runtime: Runtime,
) -> Described:
    """Take given descriptors if queries can have the same, else compute own ones.

    Given ones that this package does not have are kept where there are no photos.

    Args:
        names: images of the map.
        given: descriptors of another program, if there are any.
        source: photos, if they are at hand.
        config: config of the map; its ``retrieval`` holds for own ones.
        runtime: weights and device.

    Raises:
        FormatError: neither descriptors nor photos.
    """
    if given is not None and given.own_name is not None:
        known = load_config(base=config, overrides={"retrieval": {"name": given.own_name}})
        return Described(_unit_rows(given.read(names)), known, given.state, {})
    if source is not None:
        if given is not None:
            logger.info("%s: not of hloc_lite; own ones are computed from the photos", given.where)
        return _compute(names, source, config, runtime)
    if given is None:
        raise FormatError(
            "there are no global descriptors of the images: give the folder of the photos, to "
            "compute them, or with --from-hloc the file (--hloc-global)"
        )
    logger.warning(
        "hloc_lite has no global descriptor of %s: queries need them from elsewhere, by a package "
        "that registers the name %r. With the folder of the photos, own ones are computed",
        given.where, given.name,
    )  # fmt: skip
    foreign = with_values(config, {"retrieval.name": given.name})
    return Described(_unit_rows(given.read(names)), foreign, {}, {})


def _unit_rows(rows: Float32) -> Float32:
    """Rows of length 1; unchanged if they are so already."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if np.abs(lengths - 1).max(initial=0) < 1e-6:
        return rows
    return rows / np.maximum(lengths, np.finfo(np.float32).tiny)


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
