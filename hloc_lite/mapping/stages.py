"""The long stages of mapping: features and matches of all images, kept on disk as they come."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from hloc_lite.errors import HlocLiteError, StaleArtefactError
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.registry import FeatureExtractor, Matcher
from hloc_lite.types import Float64, LocalFeatures, Matches, Photo, UInt8

logger = logging.getLogger(__name__)
S = TypeVar("S")
T = TypeVar("T")
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
    workers: int = 1,
    progress: bool,
) -> None:
    """Matches of all pairs into the store, those already there left alone.

    Args:
        workers: threads that match, one batch each; they share the matcher.
    """
    todo = [pair for pair in pairs if pair_key(pair) not in store]
    batches = [*_chunks(by_locality(todo), batch_size)]
    loaded = ([(features(name0), features(name1)) for name0, name1 in batch] for batch in batches)
    with (
        tqdm(total=len(todo), desc="matches", unit="pair", disable=not progress or not todo) as bar,
        single_threaded_torch(workers > 1),
    ):
        found = prefetch(matcher.match, loaded, ahead=2 * workers, workers=workers)
        for batch, answers in zip(batches, found, strict=True):
            for pair, matches in zip(batch, answers, strict=True):
                arrays = {"indices": matches.indices, "scores": matches.scores}
                store.add(pair_key(pair), arrays)
            bar.update(len(batch))
    store.flush()


def by_locality(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs in an order in which those of one image lie close together: a cache of few images
    then reads each about once (Cuthill 1969)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    if not pairs:
        return []
    names = sorted({name for pair in pairs for name in pair})
    index = {name: row for row, name in enumerate(names)}
    rows = np.array([[index[name] for name in pair] for pair in pairs], np.int32)
    ends = np.concatenate([rows, rows[:, ::-1]]).T
    graph = coo_matrix((np.ones(ends.shape[1]), ends), shape=(len(names), len(names))).tocsr()
    rank = np.empty(len(names), np.int64)
    rank[reverse_cuthill_mckee(graph, symmetric_mode=True)] = np.arange(len(names))
    ranks = np.sort(rank[rows], axis=1)
    return [pairs[at] for at in np.lexsort(ranks.T)]


@contextmanager
def single_threaded_torch(wanted: bool = True) -> Iterator[None]:
    """One thread for each of torch's operations, where several of ours run them at once: together
    they would be more than there are cores, and wait for each other."""
    if not wanted:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def pair_key(pair: Pair) -> str:
    """One string for a pair, whatever characters its names have."""
    return json.dumps(pair, ensure_ascii=False)


def stored_matches(store: ShardedStore, pair: Pair) -> Matches:
    arrays = store[pair_key(pair)]
    return Matches(arrays["indices"], arrays["scores"])


def keypoints_of(features: ShardedStore, names: Iterable[str]) -> dict[str, Float64]:
    """(N, 2) float64 pixels of each image."""
    read = ((name, features.read(name, ["keypoints"])) for name in names)
    return {name: arrays["keypoints"].astype(np.float64) for name, arrays in read}


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


def prefetch(
    call: Callable[[S], T], items: Iterable[S], ahead: int, workers: int = 1
) -> Iterator[T]:
    """``call(item)`` in order, computed by threads up to ``ahead`` items in advance."""
    remaining = iter(items)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        running = [pool.submit(call, item) for item in islice(remaining, max(1, ahead))]
        try:
            while running:
                result = running.pop(0).result()
                running += [pool.submit(call, item) for item in islice(remaining, 1)]
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
