"""Global descriptors of the map's images, and the pairs they suggest."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from hloc_lite.mapping.pairs import Pair, choose_pairs, parse_spec
from hloc_lite.mapping.run import Run
from hloc_lite.mapping.stages import prefetch
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.types import Float32, Photo, RetrievalHits

logger = logging.getLogger(__name__)
STATE = "/state/"
"""Key of what was learned; image names are relative and cannot begin like this."""


class _Photos(Sequence[Photo]):
    """The images, loaded when indexed."""

    def __init__(self, run: Run, names: Sequence[str]) -> None:
        self._run, self._names = run, names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        return self._run.source.load(self._names[index])


def global_descriptors(run: Run, contents: Mapping[str, str]) -> Float32:
    """(M, D) unit rows of the images in order; what the descriptor has to learn (a vocabulary) it
    learns first. Both are kept as they come, and taken from there when a killed run resumes.

    Args:
        contents: image name -> content fingerprint.
    """
    describer, names = run.models.describer, list(contents)
    with closing(run.descriptor_store(contents)) as store:
        if STATE in store:
            learned = json.loads(bytes(store[STATE]["values"].astype(np.uint8)))
            describer.load_state({key: _array(store[_state_key(key)]) for key in learned})
        else:
            describer.fit(_Photos(run, names))
            state = describer.state()
            for key, value in state.items():
                store.add(_state_key(key), _arrays(value))
            listed = np.frombuffer(json.dumps(list(state)).encode(), np.uint8)
            store.add(STATE, _arrays(listed))  # last: it marks the state as whole
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


def choose(run: Run, names: Sequence[str], descriptors: Float32) -> list[Pair]:
    """The pairs of images to match, as the config asks."""

    def retrieve(k: int) -> Sequence[RetrievalHits]:
        return RetrievalIndex(names, descriptors).search(descriptors, k, exclude=names)

    reference = run.inputs.reference
    spec = parse_spec(run.config.pairs, len(names), reference)
    pairs = choose_pairs(
        spec, names, run.config.pairs, reference, retrieve, listed=run.source.names
    )
    logger.info("%d pairs of %d images (%s)", len(pairs), len(names), spec.kind)
    return pairs
