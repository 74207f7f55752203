"""NetVLAD and its kin NetRVLAD, soft bag of words and NetFV, with words learned from map images.

NetVLAD: Arandjelovic et al., CVPR 2016. The others: Miech et al., 2017 (LOUPE), without their
learned projection and gating, which need training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.retrieval.aggregation import l2_normalized, netvlad, soft_assignment
from hloc_lite.retrieval.pooling import FeatureMaps, MapKind, Pooling, local_rows
from hloc_lite.retrieval.vocabulary import Vocabulary, learn_vocabulary
from hloc_lite.types import Float32

LOCAL_PER_IMAGE = 500
"""Local vectors sampled from an image for the words: 200 images give 100,000 for 64 words."""
VARIANCE_FLOOR = 1e-6
"""Added to the variances of NetFV, as by its authors, where a word has one vector."""


class VocabularyPooling(Pooling):
    """Base of poolings by words of unit local vectors.

    State: ``centers`` (K, D) and ``alpha`` (1,), the softness of assignment.
    """

    map_kind = MapKind.LOCAL
    words: Vocabulary | None = None

    def fit(self, samples: Sequence[FeatureMaps]) -> None:
        """Learn the words by k-means."""
        rng = np.random.default_rng(self.config.seed)
        vectors = np.concatenate([sampled_rows(rng, unit_rows(maps.first)) for maps in samples])
        self.words = learn_vocabulary(vectors, self.config.num_clusters, self.config.seed)
        self.fit_words(vectors)

    def fit_words(self, vectors: Float32) -> None:
        """Learn more about the words from (N, D) unit vectors; nothing by default."""

    def state(self) -> dict[str, Float32]:
        """The words, empty before ``fit``."""
        if self.words is None:
            return {}
        return {"centers": self.words.centers, "alpha": np.array([self.words.alpha], np.float32)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the words. Raises HlocLiteError if they are missing."""
        if not {"centers", "alpha"} <= set(state):
            raise HlocLiteError(
                f"the words that were learned from the map's images are missing, the map holds "
                f"{sorted(state) or 'nothing'}; build the map again with this retrieval"
            )
        self.words = Vocabulary(state["centers"], float(np.ravel(state["alpha"])[0]))

    def assigned(self, feature_map: Float32) -> tuple[Float32, Float32, Vocabulary]:
        """(N, D) unit vectors of a map, their (N, K) soft assignment, and the words."""
        if self.words is None:
            raise HlocLiteError("there are no words yet: call fit or load_state first")
        local = unit_rows(feature_map)
        return local, soft_assignment(local, self.words.weights, self.words.biases), self.words


class NetVlad(VocabularyPooling):
    """Residuals to the words: K * D values."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(K * D,) vector of a (D, H, W) map."""
        local, _, words = self.assigned(feature_map)
        return netvlad(local, words.weights, words.biases, words.centers).ravel()


class NetRvlad(VocabularyPooling):
    """Sums of the local vectors of each word, without the words themselves: K * D values."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(K * D,) vector of a (D, H, W) map; each word is L2-normalized."""
        local, assignment, _ = self.assigned(feature_map)
        return l2_normalized(assignment.T @ local, axis=1).ravel()


class SoftBagOfWords(VocabularyPooling):
    """Soft counts of the words: K values."""

    def pool_map(self, feature_map: Float32) -> Float32:
        """(K,) vector of a (D, H, W) map."""
        return self.assigned(feature_map)[1].sum(axis=0)


class NetFisher(VocabularyPooling):
    """First and second moments about the words, scaled by their spread: 2 K * D values.

    State: also ``deviations`` (K, D) of the vectors that are nearest to each word.
    """

    deviations: Float32 | None = None

    def fit_words(self, vectors: Float32) -> None:
        """Measure the spread of the vectors about their words."""
        words = self.words
        assert words is not None  # fit sets it before
        nearest = soft_assignment(vectors, words.weights, words.biases).argmax(axis=1)
        spread = np.empty_like(words.centers)
        for word, center in enumerate(words.centers):
            own = vectors[nearest == word]
            squares = np.square(own - center).mean(axis=0) if len(own) else np.ones_like(center)
            spread[word] = np.sqrt(squares + VARIANCE_FLOOR)
        self.deviations = spread

    def state(self) -> dict[str, Float32]:
        """The words and their spread, empty before ``fit``."""
        found = super().state()
        return found if self.deviations is None else {**found, "deviations": self.deviations}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the words. Raises HlocLiteError if a part is missing."""
        super().load_state(state)
        if "deviations" not in state:
            raise HlocLiteError(
                "the spread of the words is missing; build the map again with this retrieval"
            )
        self.deviations = np.asarray(state["deviations"], np.float32)

    def pool_map(self, feature_map: Float32) -> Float32:
        """(2 * K * D,) vector of a (D, H, W) map."""
        local, assignment, words = self.assigned(feature_map)
        deviations = self.deviations
        if deviations is None:
            raise HlocLiteError("the words have no spread yet: call fit or load_state first")
        return net_fisher(local, assignment, words.centers, deviations)


def net_fisher(
    local: Float32, assignment: Float32, centers: Float32, deviations: Float32
) -> Float32:
    """Fisher vector with soft assignment (Miech 2017), (2 * K * D,).

    First part (sum a x - c sum a) / s with intra-normalization, second part
    (sum a x^2 + c^2 sum a - 2 c sum a x) / s^2 - sum a; each is L2-normalized as a whole.

    Args:
        local: (N, D) unit rows.
        assignment: (N, K).
        centers, deviations: (K, D); s above.
    """
    mass = assignment.sum(axis=0)[:, None]
    first_moment = assignment.T @ local
    second_moment = assignment.T @ np.square(local)
    first = (first_moment - centers * mass) / deviations
    second = (second_moment + np.square(centers) * mass - 2 * centers * first_moment) / np.square(
        deviations
    ) - mass
    halves = (l2_normalized(l2_normalized(first, axis=1).ravel()), l2_normalized(second.ravel()))
    return np.concatenate(halves)


def unit_rows(feature_map: Float32) -> Float32:
    """(H * W, D) unit local vectors of a (D, H, W) map."""
    return l2_normalized(local_rows(feature_map))


def sampled_rows(rng: np.random.Generator, rows: Float32) -> Float32:
    """At most ``LOCAL_PER_IMAGE`` random rows, in their order."""
    chosen = rng.choice(len(rows), min(len(rows), LOCAL_PER_IMAGE), replace=False)
    return rows[np.sort(chosen)]
