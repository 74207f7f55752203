"""``netvlad-lite0``: NetVLAD on EfficientNet-Lite0, its words learned from the map's own images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hloc_lite.config import RetrievalConfig
from hloc_lite.errors import HlocLiteError
from hloc_lite.registry import Runtime
from hloc_lite.retrieval.aggregation import netvlad, unit
from hloc_lite.retrieval.pixels import local_vectors, rgb_tensor
from hloc_lite.retrieval.vocabulary import Vocabulary, learn_vocabulary
from hloc_lite.retrieval.whitening import Whitening, learn_whitening
from hloc_lite.types import Float32, Photo

LOCAL_PER_IMAGE = 500
"""Local vectors sampled of each vocabulary image: 200 images give 100 000 for 64 words."""
MAX_WHITENING_IMAGES = 10_000
"""Enough for 1024 dimensions; keeps the descriptors to learn from below 150 MB."""


class NetVladLite:
    """NetVLAD (Arandjelovic 2016) over the 112 channels at stride 16, untrained but for ImageNet.

    The words are initialised as in the paper, by k-means on the images to be searched; PCA-
    whitening follows where there are enough images to learn it from.
    """

    def __init__(self, name: str, config: RetrievalConfig, runtime: Runtime) -> None:
        from hloc_lite.retrieval.backbone_lite0 import load_lite0

        self._name = name
        self._config = config
        self._device = runtime.device
        self._backbone = load_lite0(runtime.weights.path("efficientnet-lite0"), runtime.device)
        self._vocabulary: Vocabulary | None = None
        self._whitening: Whitening | None = None
        self._kept: dict[bytes, Float32] = {}
        """Digest of a vocabulary image -> its local vectors, until it is described."""

    def fit(self, photos: Sequence[Photo]) -> None:
        """Learn words, and the whitening if there are ``config.whiten_min_images`` photos.

        The sequence is indexed, one photo at a time and only those sampled: it may load them.

        Raises:
            HlocLiteError: if there is no photo.
        """
        if len(photos) == 0:
            raise HlocLiteError(f"{self._name} learns its words from map images, but got none")
        rng = np.random.default_rng(self._config.seed)
        sample = _sample(rng, len(photos), self._config.vocabulary_images)
        self._kept = {}
        local = [self._local_and_keep(photos[index]) for index in sample]
        few = np.concatenate([rows[_sample(rng, len(rows), LOCAL_PER_IMAGE)] for rows in local])
        self._vocabulary = learn_vocabulary(few, self._config.num_clusters, self._config.seed)
        self._whitening = None
        if len(photos) >= self._config.whiten_min_images:
            sample = _sample(rng, len(photos), MAX_WHITENING_IMAGES)
            described = np.concatenate([self.describe([photos[index]]) for index in sample])
            self._whitening = learn_whitening(described, self._config.output_dim)

    def state(self) -> dict[str, Any]:
        """``centers`` (K, D), ``alpha`` (1,); ``mean`` and ``projection`` if whitening was learned.

        Empty before ``fit``.
        """
        if self._vocabulary is None:
            return {}
        alpha = np.array([self._vocabulary.alpha], np.float32)
        arrays = {"centers": self._vocabulary.centers, "alpha": alpha}
        if self._whitening is not None:
            arrays |= {"mean": self._whitening.mean, "projection": self._whitening.projection}
        return arrays

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take what another instance's ``state`` gave.

        Raises:
            HlocLiteError: if the vocabulary is missing.
        """
        if not {"centers", "alpha"} <= set(state):
            raise HlocLiteError(
                f"{self._name} needs the words it learned from the map's images, but the map has "
                f"{sorted(state) or 'nothing'}; build the map again with this retrieval"
            )
        self._vocabulary = Vocabulary(state["centers"], float(np.ravel(state["alpha"])[0]))
        self._whitening = None
        if "projection" in state:
            self._whitening = Whitening(state["mean"], state["projection"])

    def describe(self, photos: Sequence[Photo]) -> Float32:
        """(B, D) unit rows; D = K * 112, or what the whitening keeps.

        Raises:
            HlocLiteError: before ``fit`` or ``load_state``.
        """
        if self._vocabulary is None:
            raise HlocLiteError(f"{self._name} has no words yet: call fit or load_state first")
        words = self._vocabulary
        weights, biases = words.weights, words.biases
        rows = [
            netvlad(self._take(photo), weights, biases, words.centers).ravel() for photo in photos
        ]
        descriptors = np.array(rows, np.float32).reshape(len(rows), words.centers.size)
        return self._whitening.apply(descriptors) if self._whitening else descriptors

    def _local_and_keep(self, photo: Photo) -> Float32:
        local = self._local(photo)
        self._kept[_digest(photo)] = local
        return local

    def _take(self, photo: Photo) -> Float32:
        """Of a vocabulary image they are there, once: 200 of 640 pixels take 100 MB."""
        kept = self._kept.pop(_digest(photo), None) if self._kept else None
        return self._local(photo) if kept is None else kept

    def _local(self, photo: Photo) -> Float32:
        import torch

        with torch.inference_mode():
            rgb = rgb_tensor(photo, self._config.max_side_px, self._device)
            return unit(local_vectors(self._backbone.stride16(rgb)))


def _sample(rng: np.random.Generator, count: int, wanted: int) -> np.ndarray:
    """Ascending indices, all if there are no more than wanted."""
    return np.sort(rng.choice(count, min(count, wanted), replace=False))


def _digest(photo: Photo) -> bytes:
    """Of the pixels: a photo is loaded anew whenever it is asked for."""
    pixels = np.ascontiguousarray(photo.pixels)
    return hashlib.blake2b(pixels.data, digest_size=16, key=str(pixels.shape).encode()).digest()
