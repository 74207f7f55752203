"""Config of image retrieval."""

from __future__ import annotations

from pydantic import Field

from hloc_lite.config.section import Section


class RetrievalConfig(Section):
    name: str = "netvlad-lite0"
    """A name of ``registry.GLOBAL_DESCRIPTORS``."""
    max_side_px: int = Field(640, ge=64, le=4096)
    """Longer side at which the backbone runs."""
    num_clusters: int = Field(64, ge=2, le=4096)
    """NetVLAD words, the paper's number; 4 to 9 points of mean average precision above 32 on
    rendered streets."""
    vocabulary_images: int = Field(200, ge=1, le=100000)
    """Images sampled (seeded) for the vocabulary."""
    whiten_min_images: int = Field(2000, ge=2, lt=2**31)
    """PCA-whitening is learned only from at least so many images: from a few it halves recall."""
    output_dim: int = Field(1024, ge=8, le=65536)
    """Dimensions kept by the PCA, if one is learned."""
    seed: int = Field(0, ge=0, lt=2**31)
