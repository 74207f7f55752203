"""Bag of visual words with tf-idf weights (Sivic and Zisserman, ICCV 2003)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.retrieval.pooling import FeatureMaps
from hloc_lite.retrieval.poolings.netvlad import VocabularyPooling
from hloc_lite.types import Float32


def inverse_document_frequency(counts: Float32) -> Float32:
    """(K,) weights ln(M / M_k) of (M, K) counts: M_k of the M images have word k; 0 if none has.

    Words of all images weigh nothing.
    """
    having = (counts > 0).sum(axis=0)
    weights = np.zeros(counts.shape[1], np.float32)
    np.log(len(counts) / np.maximum(having, 1), out=weights, where=having > 0, casting="same_kind")
    return weights


class BagOfWords(VocabularyPooling):
    """Counts of the nearest words, weighted by how rare they are in the map: K values.

    State: also ``idf`` (K,).
    """

    idf: Float32 | None = None

    def fit(self, samples: Sequence[FeatureMaps]) -> None:
        """Learn the words, and in how many images each occurs."""
        super().fit(samples)
        self.idf = inverse_document_frequency(
            np.array([self._counts(maps.first) for maps in samples])
        )
        if not self.idf.any():  # one image, or the same words in all
            self.idf = np.ones_like(self.idf)

    def state(self) -> dict[str, Float32]:
        """The words and their weights, empty before ``fit``."""
        found = super().state()
        return found if self.idf is None else {**found, "idf": self.idf}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the words. Raises HlocLiteError if a part is missing."""
        super().load_state(state)
        if "idf" not in state:
            raise HlocLiteError(
                "the weights of the words are missing; build the map again with this retrieval"
            )
        self.idf = np.asarray(state["idf"], np.float32)

    def pool_map(self, feature_map: Float32) -> Float32:
        """(K,) vector of a (D, H, W) map."""
        counts = self._counts(feature_map)
        if self.idf is None:
            raise HlocLiteError("the words have no weights yet: call fit or load_state first")
        return counts / counts.sum() * self.idf

    def _counts(self, feature_map: Float32) -> Float32:
        _, assignment, words = self.assigned(feature_map)
        counts = np.bincount(assignment.argmax(axis=1), minlength=len(words.centers))
        return counts.astype(np.float32)
