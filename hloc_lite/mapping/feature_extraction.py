"""Local features of all map images, kept on disk as they come."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from tqdm import tqdm

from hloc_lite.concurrency import prefetch
from hloc_lite.errors import HlocLiteError, MappingError, StaleArtefactError, counted
from hloc_lite.io.bank import ArrayReader
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.protocols import FeatureExtractor
from hloc_lite.types import Float64, LocalFeatures, Photo, UInt8

logger = logging.getLogger(__name__)
MAX_WAITING_SIZES = 8
"""Largest number of image sizes whose batches are being filled; bounds the photos in memory."""


def extract_features(
    source: ImageSource,
    image_hashes: Mapping[str, str],
    extractor: FeatureExtractor,
    store: ShardedStore,
    batch_size: int,
    *,
    progress: bool,
) -> dict[str, str]:
    """Extract the features of all images that are not in the store yet.

    Args:
        image_hashes: name -> fingerprint of the image's bytes.

    Returns:
        Name -> reason for each image that could not be read.

    Raises:
        StaleArtefactError: an image has changed since its stored features were extracted.
    """
    unreadable: dict[str, str] = {}
    todo = [name for name in image_hashes if name not in store]
    check_unchanged(image_hashes, store)
    bar = tqdm(total=len(todo), desc="features", unit="image", disable=not progress or not todo)
    with bar:
        loads = prefetch(lambda name: _load(source, name), todo, ahead=2 * batch_size)
        for batch in _same_size_batches(loads, batch_size, unreadable):
            for photo, features in zip(batch, extractor.extract(batch), strict=True):
                store.add(photo.name, feature_arrays(photo, features, image_hashes[photo.name]))
            bar.update(len(batch))
    store.flush()
    for name, reason in unreadable.items():
        logger.warning("skipped %r: %s", name, reason)
    return unreadable


def check_unchanged(image_hashes: Mapping[str, str], store: ShardedStore) -> None:
    """Raise StaleArtefactError if an image has changed since its stored features were extracted."""
    for name, image_hash in image_hashes.items():  # in order: neighbours lie in one file
        if name not in store:
            continue
        stored = stored_image_hash(store, name)
        if stored != image_hash:
            raise StaleArtefactError(
                f"image {name!r} has changed since its features were extracted: its fingerprint "
                f"was {stored}, now it is {image_hash}. Use --overwrite to start over"
            )


def check_usable(
    keypoints: Mapping[str, Float64], skipped: Mapping[str, str], *, has_depth: bool = False
) -> None:
    """Raise MappingError if there are fewer than two images, or no keypoints at all.

    Args:
        keypoints: image name -> (N, 2) keypoints.
        skipped: image name -> reason why it cannot be used.
        has_depth: landmarks come from measured depth, for which one image is enough.
    """
    names = list(keypoints)
    at_least = 1 if has_depth else 2
    if len(names) < at_least:
        reasons = "; ".join(f"{name!r}: {reason}" for name, reason in [*skipped.items()][:3])
        raise MappingError(
            f"a map needs at least {counted(at_least, 'image')} that can be used, got {len(names)}"
            + (f" ({counted(len(skipped), 'other')} skipped: {reasons})" if skipped else "")
        )
    if not any(len(rows) for rows in keypoints.values()):
        raise MappingError(
            f"none of the {len(names)} images has any keypoint: they are blank, far too dark, or "
            f"masked away (black parts of masks are ignored, and white ones used)"
        )


def stored_keypoints(features: ArrayReader, names: Iterable[str]) -> dict[str, Float64]:
    """Read the (N, 2) keypoints of each image, in pixels."""
    read = ((name, features.read(name, ["keypoints"])) for name in names)
    return {name: arrays["keypoints"].astype(np.float64) for name, arrays in read}


def stored_image_hash(features: ShardedStore, name: str) -> str:
    """Read the fingerprint of the image that the stored features were extracted from."""
    return bytes(features.read(name, ["content"])["content"]).decode()


def feature_arrays(photo: Photo, features: LocalFeatures, image_hash: str) -> dict[str, np.ndarray]:
    """Arrays stored for an image: keypoints float32, descriptors float16, colours, size, EXIF."""
    exif = json.dumps(dict(photo.exif), ensure_ascii=False).encode()
    return {
        "keypoints": features.keypoints,
        "descriptors": features.descriptors.astype(np.float16),
        "scores": features.scores,
        "rgb": colors_at(photo.pixels, features.keypoints),
        "image_size": np.array(features.image_size, np.int32),
        "content": np.frombuffer(image_hash.encode(), np.uint8),
        "exif": np.frombuffer(exif, np.uint8),
    }


def colors_at(pixels: UInt8, keypoints: np.ndarray) -> UInt8:
    """Read the (N, 3) uint8 RGB pixels at (N, 2) keypoints."""
    height, width = pixels.shape[:2]
    columns = np.clip(keypoints[:, 0].astype(np.int64), 0, width - 1)
    rows = np.clip(keypoints[:, 1].astype(np.int64), 0, height - 1)
    return pixels[rows, columns]


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
