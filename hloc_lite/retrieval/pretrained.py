"""Base of global descriptors that learn nothing from the map's images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hloc_lite.types import Float32, Photo


class PretrainedDescriptor:
    """A global descriptor without state, computed for one photo at a time."""

    descriptor_dim: int

    def describe_one(self, photo: Photo) -> Float32:
        """(D,) unit vector of a photo, to be implemented."""
        raise NotImplementedError

    def fit(self, photos: Sequence[Photo]) -> None:
        """Do nothing: nothing is learned."""

    def state(self) -> dict[str, Any]:
        """An empty state: nothing was learned."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Do nothing: there is no state."""

    def describe(self, photos: Sequence[Photo]) -> Float32:
        """(B, D) unit rows."""
        rows = [self.describe_one(photo) for photo in photos]
        return np.array(rows, np.float32).reshape(len(rows), self.descriptor_dim)
