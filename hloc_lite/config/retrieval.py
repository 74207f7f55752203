"""Config of image retrieval."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hloc_lite.config.section import Section, Use


class RetrievalConfig(Section):
    """Global descriptors."""

    use: ClassVar[Use] = Use.RETRIEVAL | Use.QUERY | Use.EQUAL_FOR_QUERIES

    name: str = "netvlad-lite0"
    """Name of a global descriptor in the registry."""
    max_side_px: int = Field(640, ge=64, le=4096)
    """Longer image side at which the backbone runs."""
    scales: tuple[float, ...] = Field((1.0,), min_length=1, max_length=8)
    """Factors of ``max_side_px`` at which ``pooled:`` descriptors see a photo; several cost as much
    time each. Papers on landmarks use 1, 0.707 and 0.5."""
    num_clusters: int = Field(64, ge=2, le=4096)
    """NetVLAD clusters, as in the paper: 4 to 9 points of mean average precision above 32 on
    rendered streets."""
    vocabulary_images: int = Field(200, ge=1, le=100000)
    """Images sampled (with ``seed``) to learn the clusters."""
    whiten_min_images: int = Field(2000, ge=2, lt=2**31)
    """PCA whitening is learned only from at least this many images: from few it halves recall."""
    output_dim: int = Field(1024, ge=8, le=65536)
    """Dimensions that the PCA keeps, if one is learned."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seed of the vocabulary that is learned from the map images."""
