"""Hash of a value of any reader, to tell whether two are equal."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np


def digest(value: object) -> str:
    """Hash of a value of a reader, equal for equal values."""
    hasher = hashlib.sha256()
    for part in _parts(value):
        hasher.update(part + b"\0")
    return hasher.hexdigest()


def _parts(value: object) -> Iterator[bytes]:
    """Bytes of a value and all its parts, in order."""
    if isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__.encode()
        for field in dataclasses.fields(value):
            yield from _parts(getattr(value, field.name, None))
    elif isinstance(value, Mapping):
        hashed = {digest(key): item for key, item in value.items()}  # in any order
        for key, item in sorted(hashed.items(), key=lambda pair: pair[0]):
            yield key.encode()
            yield from _parts(item)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield f"{len(value)} items".encode()
        for item in value:
            yield from _parts(item)
    else:
        yield repr(value).encode("utf-8", "surrogatepass")
