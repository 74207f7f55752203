"""Fisher vectors of a mixture of Gaussians (Perronnin et al., ECCV 2010)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.retrieval.pooling import FeatureMaps, MapKind, Pooling
from hloc_lite.retrieval.poolings.netvlad import sampled_rows, unit_rows
from hloc_lite.types import Float32

PARTS = ("weights", "means", "deviations")
MAX_ITERATIONS = 100


def fisher_vector(local: Float32, weights: Float32, means: Float32, deviations: Float32) -> Float32:
    """(2 * K * D,) gradients of the log-likelihood by means and deviations, each per vector.

    Args:
        local: (N, D).
        weights: (K,) priors of the Gaussians.
        means, deviations: (K, D), diagonal.
    """
    z = (local[:, None] - means) / deviations
    log_densities = (
        np.log(weights) - np.log(deviations).sum(axis=1) - 0.5 * np.square(z).sum(axis=2)
    )
    posteriors = np.exp(log_densities - log_densities.max(axis=1, keepdims=True))
    posteriors /= posteriors.sum(axis=1, keepdims=True)
    scale = 1 / (len(local) * np.sqrt(weights))[:, None]
    by_mean = scale * np.einsum("nk,nkd->kd", posteriors, z)
    by_deviation = scale / np.sqrt(2) * np.einsum("nk,nkd->kd", posteriors, np.square(z) - 1)
    return np.concatenate([by_mean.ravel(), by_deviation.ravel()]).astype(np.float32)


class Fisher(Pooling):
    """Square roots of a Fisher vector, as in the improved one: 2 * K * D values.

    State: ``weights`` (K,), ``means`` and ``deviations`` (K, D). Learning needs scikit-learn.
    """

    map_kind = MapKind.LOCAL
    mixture: dict[str, Float32] | None = None

    def fit(self, samples: Sequence[FeatureMaps]) -> None:
        """Fit the mixture by expectation maximization."""
        from sklearn.mixture import GaussianMixture

        rng = np.random.default_rng(self.config.seed)
        rows = np.concatenate([sampled_rows(rng, unit_rows(maps.first)) for maps in samples])
        if len(rows) == 1:  # the mixture is fitted to two vectors at least
            rows = np.repeat(rows, 2, axis=0)
        count = min(self.config.num_clusters, len(rows))
        model = GaussianMixture(
            count, covariance_type="diag", max_iter=MAX_ITERATIONS, random_state=self.config.seed
        ).fit(rows.astype(np.float64))
        values = (model.weights_, model.means_, np.sqrt(model.covariances_))
        self.mixture = {
            name: np.asarray(value, np.float32) for name, value in zip(PARTS, values, strict=True)
        }

    def state(self) -> dict[str, Float32]:
        """The mixture, empty before ``fit``."""
        return dict(self.mixture or {})

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the mixture. Raises HlocLiteError if a part is missing."""
        if not set(PARTS) <= set(state):
            raise HlocLiteError(
                "the mixture that was learned from the map's images is missing; build the map "
                "again with this retrieval"
            )
        self.mixture = {name: np.asarray(state[name], np.float32) for name in PARTS}

    def pool_map(self, feature_map: Float32) -> Float32:
        """(2 * K * D,) vector of a (D, H, W) map."""
        if self.mixture is None:
            raise HlocLiteError("there are no words yet: call fit or load_state first")
        vector = fisher_vector(unit_rows(feature_map), **self.mixture)
        return np.sign(vector) * np.sqrt(np.abs(vector))
