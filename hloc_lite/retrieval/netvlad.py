"""``netvlad-lite0``: NetVLAD on EfficientNet-Lite0 with words learned from the map's images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hloc_lite.config import RetrievalConfig
from hloc_lite.errors import HlocLiteError
from hloc_lite.registry import Runtime
from hloc_lite.retrieval.aggregation import l2_normalized, netvlad
from hloc_lite.retrieval.pixels import local_vectors, rgb_tensor
from hloc_lite.retrieval.vocabulary import Vocabulary, learn_vocabulary
from hloc_lite.retrieval.whitening import Whitening, learn_whitening
from hloc_lite.types import Float32, Photo

LOCAL_PER_IMAGE = 500
"""Local vectors sampled per vocabulary image: 200 images give 100 000 for 64 words."""
MAX_WHITENING_IMAGES = 10_000
"""Images from which whitening is learned: enough for 1024 dimensions, below 150 MB."""


class NetVladLite:
    """NetVLAD (Arandjelovic 2016) over 112 channels at stride 16, trained on ImageNet only.

    The words are initialized as in the paper, by k-means on the images to be searched. PCA-
    whitening follows if there are enough images to learn it from.
    """

    def __init__(self, name: str, config: RetrievalConfig, runtime: Runtime) -> None:
        from hloc_lite.networks.efficientnet_lite import load_efficientnet_lite

        self._name = name
        self._config = config
        self._device = runtime.device
        self._backbone = load_efficientnet_lite(
            runtime.weights.read("efficientnet-lite0"), runtime.device
        )
        self._vocabulary: Vocabulary | None = None
        self._whitening: Whitening | None = None
        self._kept: dict[bytes, Float32] = {}
        """Local vectors of vocabulary images by digest, until they are described."""

    def fit(self, photos: Sequence[Photo]) -> None:
        """Learn words, and the whitening if there are ``config.whiten_min_images`` photos.

        The sequence is indexed once per sampled photo, so it may load photos on demand.

        Raises:
            HlocLiteError: there are no photos.
        """
        if len(photos) == 0:
            raise HlocLiteError(
                f"{self._name} learns its words from map images, but got none; give at least one"
            )
        rng = np.random.default_rng(self._config.seed)
        sample = _sample(rng, len(photos), self._config.vocabulary_images)
        self._kept = {}
        local = [self._compute_and_keep(photos[index]) for index in sample]
        sampled = [rows[_sample(rng, len(rows), LOCAL_PER_IMAGE)] for rows in local]
        vectors = np.concatenate(sampled)
        self._vocabulary = learn_vocabulary(vectors, self._config.num_clusters, self._config.seed)
        self._whitening = None
        if len(photos) >= self._config.whiten_min_images:
            sample = _sample(rng, len(photos), MAX_WHITENING_IMAGES)
            descriptors = np.concatenate([self.describe([photos[index]]) for index in sample])
            self._whitening = learn_whitening(descriptors, self._config.output_dim)

    def state(self) -> dict[str, Any]:
        """Arrays ``centers`` (K, D), ``alpha`` (1,); if whitened also ``mean`` and ``projection``.

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
        """Restore the ``state`` of another instance.

        Raises:
            HlocLiteError: the vocabulary is missing.
        """
        if not {"centers", "alpha"} <= set(state):
            raise HlocLiteError(
                f"{self._name} needs the words it learned from the map's images, but the map holds "
                f"{sorted(state) or 'nothing'}; build the map again with this retrieval"
            )
        self._vocabulary = Vocabulary(state["centers"], float(np.ravel(state["alpha"])[0]))
        self._whitening = None
        if "projection" in state:
            self._whitening = Whitening(state["mean"], state["projection"])

    def describe(self, photos: Sequence[Photo]) -> Float32:
        """(B, D) unit rows; D = K * 112, or less after whitening.

        Raises:
            HlocLiteError: there are no words yet.
        """
        if self._vocabulary is None:
            raise HlocLiteError(f"{self._name} has no words yet: call fit or load_state first")
        words = self._vocabulary
        weights, biases, centers = words.weights, words.biases, words.centers
        rows = [
            netvlad(self._pop_or_compute(photo), weights, biases, centers).ravel()
            for photo in photos
        ]
        descriptors = np.array(rows, np.float32).reshape(len(rows), centers.size)
        return self._whitening.apply(descriptors) if self._whitening else descriptors

    def _compute_and_keep(self, photo: Photo) -> Float32:
        local = self._compute(photo)
        self._kept[_digest(photo)] = local
        return local

    def _pop_or_compute(self, photo: Photo) -> Float32:
        """Local vectors, kept for one use per vocabulary image: 200 of 640 px take 100 MB."""
        kept = self._kept.pop(_digest(photo), None) if self._kept else None
        return self._compute(photo) if kept is None else kept

    def _compute(self, photo: Photo) -> Float32:
        """(N, 112) local vectors of a photo, unit rows."""
        import torch

        with torch.inference_mode():
            rgb = rgb_tensor(photo, self._config.max_side_px, self._device)
            return l2_normalized(local_vectors(self._backbone.stride16(rgb)))


def _sample(rng: np.random.Generator, count: int, max_size: int) -> np.ndarray:
    """At most ``max_size`` random indices below ``count``, ascending."""
    return np.sort(rng.choice(count, min(count, max_size), replace=False))


def _digest(photo: Photo) -> bytes:
    """Digest of the pixels, since photos may be loaded again."""
    pixels = np.ascontiguousarray(photo.pixels)
    return hashlib.blake2b(pixels.data, digest_size=16, key=str(pixels.shape).encode()).digest()
