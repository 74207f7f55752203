"""Global descriptors of the map images, kept on disk as they come."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from hloc_lite.concurrency import prefetch
from hloc_lite.config import Use, fingerprint, values_for_fingerprint
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.run import Run
from hloc_lite.maps.folder import WORK
from hloc_lite.types import Float32, Photo

STATE = "/state/"
"""Store key of the descriptor's state; image names are relative and cannot begin like this."""


class _Photos(Sequence[Photo]):
    """Sequence of photos, each loaded when it is indexed."""

    def __init__(self, run: Run, names: Sequence[str]) -> None:
        self._run, self._names = run, names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        return self._run.source.load(self._names[index])


def compute_global_descriptors(run: Run, image_hashes: Mapping[str, str]) -> Float32:
    """Compute the (M, D) global descriptors of the images, as unit rows in order.

    A descriptor with a vocabulary learns it from these images first. Both are stored as they come,
    so a killed run resumes.

    Args:
        image_hashes: image name -> fingerprint of its bytes.
    """
    describer, names = run.models.global_descriptor, list(image_hashes)
    with closing(descriptor_store(run, image_hashes)) as store:
        if STATE in store:
            learned = json.loads(bytes(store[STATE]["values"].astype(np.uint8)))
            describer.load_state({key: _array(store[_state_key(key)]) for key in learned})
        else:
            describer.fit(_Photos(run, names))
            state = describer.state()
            for key, value in state.items():
                store.add(_state_key(key), _arrays(value))
            listed = np.frombuffer(json.dumps(list(state)).encode(), np.uint8)
            store.add(STATE, _arrays(listed))  # last: it marks the state as complete
            store.flush()
        todo = [name for name in names if name not in store]
        photos = prefetch(run.source.load, todo, ahead=2)
        quiet = not run.progress or not todo
        for photo in tqdm(photos, "retrieval", len(todo), unit="image", disable=quiet):
            store.add(photo.name, _arrays(describer.describe([photo])[0]))
        store.flush()
        return np.stack([_array(store[name]) for name in names])


def _state_key(name: str) -> str:
    return f"{STATE}{name}"


def _arrays(value: npt.ArrayLike) -> dict[str, np.ndarray]:
    array = np.asarray(value, np.float32)
    return {"values": array.ravel(), "shape": np.array(array.shape, np.int64)}


def _array(arrays: Mapping[str, np.ndarray]) -> Float32:
    return arrays["values"].reshape(arrays["shape"])


def descriptor_store(run: Run, image_hashes: Mapping[str, str]) -> ShardedStore:
    """Open the store for these images only; other images teach another vocabulary."""
    read = values_for_fingerprint(run.config, Use.RETRIEVAL)
    parts = [read["retrieval"], read["images"], run.models.global_descriptor_weights]
    made_from = fingerprint("1", *parts, dict(image_hashes))
    name = f"retrieval-{made_from}"
    return ShardedStore(run.folder / WORK / name, made_from, "global descriptors")
