"""Fingerprints of measured depth, by which a map knows whether it is still up to date."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from hloc_lite.protocols import MapDepth


def depth_hashes(depth: MapDepth, names: Iterable[str]) -> dict[str, str]:
    """Image name -> fingerprint of its depth; images without depth are left out.

    A source with a method ``fingerprint(name)`` tells it; else the depths are read and hashed.

    Raises:
        FormatError: depth that cannot be read.
    """
    known = getattr(depth, "fingerprint", None)
    hashes = {}
    for name in names:
        value = _hash_of(depth, name) if known is None else known(name)
        if value is not None:
            hashes[name] = value
    return hashes


def _hash_of(depth: MapDepth, name: str) -> str | None:
    found = depth.depth_of(name)
    if found is None:
        return None
    digest = hashlib.sha256(np.ascontiguousarray(found.depths).tobytes())
    digest.update(repr((found.depths.shape, found.image_size)).encode())
    return digest.hexdigest()[:16]
