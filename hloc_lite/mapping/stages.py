"""The long stages of mapping: features and matches of all images, kept on disk as they come."""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from hloc_lite.errors import HlocLiteError, StaleArtefactError
from hloc_lite.io.bank import ShardedStore
from hloc_lite.io.images import ImageSource
from hloc_lite.registry import FeatureExtractor, Matcher
from hloc_lite.types import LocalFeatures, Matches, Photo, UInt8

logger = logging.getLogger(__name__)
T = TypeVar("T")
K = TypeVar("K")
Pair = tuple[str, str]
Arrays = Mapping[str, np.ndarray]
MAX_WAITING_SIZES = 8
"""Image sizes that wait for their batch to fill: bounds the photos held in memory."""


def extract_features(
    source: ImageSource,
    contents: Mapping[str, str],
    extractor: FeatureExtractor,
    store: ShardedStore,
    batch_size: int,
    *,
    progress: bool,
) -> dict[str, str]:
    """Features of all images into the store, those already there left alone.

    Args:
        contents: name -> content fingerprint of each image.

    Returns:
        Name -> reason of each image that could not be read.

    Raises:
        StaleArtefactError: an image is not the one that its stored features were made from.
    """
    unreadable: dict[str, str] = {}
    todo = [name for name in contents if name not in store]
    for name, content in contents.items():  # in order: neighbours lie in one file
        if name not in store:
            continue
        stored = stored_content(store, name)
        if stored != content:
            raise StaleArtefactError(
                f"image {name!r} has changed since its features were extracted: content "
                f"fingerprint {stored} then, {content} now. Use --overwrite to start anew"
            )
    bar = tqdm(total=len(todo), desc="features", unit="image", disable=not progress or not todo)
    with bar:
        loads = prefetch(lambda name: _load(source, name), todo, ahead=2 * batch_size)
        for batch in _same_size_batches(loads, batch_size, unreadable):
            for photo, features in zip(batch, extractor.extract(batch), strict=True):
                store.add(photo.name, feature_arrays(photo, features, contents[photo.name]))
            bar.update(len(batch))
    store.flush()
    for name, reason in unreadable.items():
        logger.warning("skipped %r: %s", name, reason)
    return unreadable


def match_pairs(
    pairs: Sequence[Pair],
    features: Callable[[str], LocalFeatures],
    matcher: Matcher,
    store: ShardedStore,
    batch_size: int,
    *,
    progress: bool,
) -> None:
    """Matches of all pairs into the store, those already there left alone."""
    todo = [pair for pair in pairs if pair_key(pair) not in store]
    with tqdm(
        total=len(todo), desc="matches", unit="pair", disable=not progress or not todo
    ) as bar:
        for batch in _chunks(todo, batch_size):
            loaded = [(features(name0), features(name1)) for name0, name1 in batch]
            for pair, matches in zip(batch, matcher.match(loaded), strict=True):
                arrays = {"indices": matches.indices, "scores": matches.scores}
                store.add(pair_key(pair), arrays)
            bar.update(len(batch))
    store.flush()


def pair_key(pair: Pair) -> str:
    """One string for a pair, whatever characters its names have."""
    return json.dumps(pair, ensure_ascii=False)


def stored_matches(store: ShardedStore, pair: Pair) -> Matches:
    arrays = store[pair_key(pair)]
    return Matches(arrays["indices"], arrays["scores"])


def stored_content(features: ShardedStore, name: str) -> str:
    """Content fingerprint of the image that the stored features were made from."""
    return bytes(features.read(name, ["content"])["content"]).decode()


def feature_arrays(photo: Photo, features: LocalFeatures, content: str) -> dict[str, np.ndarray]:
    """What is kept of an image: keypoints float32, descriptors float16, colours, size, EXIF."""
    exif = json.dumps(dict(photo.exif), ensure_ascii=False).encode()
    return {
        "keypoints": features.keypoints,
        "descriptors": features.descriptors.astype(np.float16),
        "scores": features.scores,
        "rgb": colors_at(photo.pixels, features.keypoints),
        "image_size": np.array(features.image_size, np.int32),
        "content": np.frombuffer(content.encode(), np.uint8),
        "exif": np.frombuffer(exif, np.uint8),
    }


def features_from_arrays(arrays: Arrays) -> LocalFeatures:
    """Inverse of ``feature_arrays`` for what localization needs; descriptors float32 unit rows."""
    descriptors = np.asarray(arrays["descriptors"], np.float32)
    width, height = (int(value) for value in arrays["image_size"])
    return LocalFeatures(arrays["keypoints"], descriptors, arrays["scores"], (width, height))


def colors_at(pixels: UInt8, keypoints: np.ndarray) -> UInt8:
    """(N, 3) uint8 RGB of the pixels that (N, 2) keypoints fall into."""
    height, width = pixels.shape[:2]
    columns = np.clip(keypoints[:, 0].astype(np.int64), 0, width - 1)
    rows = np.clip(keypoints[:, 1].astype(np.int64), 0, height - 1)
    return pixels[rows, columns]


class CachedFeatures:
    """Name -> features out of a store, the last ones used kept in memory."""

    def __init__(self, read: Callable[[str], LocalFeatures], capacity: int) -> None:
        self._read, self._capacity = read, capacity
        self._kept: OrderedDict[str, LocalFeatures] = OrderedDict()

    def __call__(self, name: str) -> LocalFeatures:
        features = self._kept.pop(name) if name in self._kept else self._read(name)
        self._kept[name] = features
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return features


def prefetch(call: Callable[[K], T], keys: Iterable[K], ahead: int) -> Iterator[T]:
    """``call(key)`` in order, computed by a thread up to ``ahead`` items in advance."""
    remaining = iter(keys)
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = [pool.submit(call, key) for key in islice(remaining, max(1, ahead))]
        try:
            while running:
                result = running.pop(0).result()
                running += [pool.submit(call, key) for key in islice(remaining, 1)]
                yield result
        finally:
            for future in running:
                future.cancel()


def _load(source: ImageSource, name: str) -> Photo | tuple[str, str]:
    try:
        return source.load(name)
    except HlocLiteError as error:
        return name, str(error)


def _same_size_batches(
    loads: Iterable[Photo | tuple[str, str]], batch_size: int, unreadable: dict[str, str]
) -> Iterator[list[Photo]]:
    waiting: dict[tuple[int, ...], list[Photo]] = {}
    for load in loads:
        if isinstance(load, tuple):
            unreadable[load[0]] = load[1]
            continue
        batch = waiting.setdefault(load.pixels.shape, [])
        batch.append(load)
        if len(batch) >= batch_size:
            yield waiting.pop(load.pixels.shape)
        elif len(waiting) > MAX_WAITING_SIZES:
            yield waiting.pop(next(iter(waiting)))
    yield from waiting.values()


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
