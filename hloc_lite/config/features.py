"""Config of images and local features."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hloc_lite.config.section import Section, Use


class ImagesConfig(Section):
    """Reading of photos."""

    use: ClassVar[Use] = Use.FEATURES | Use.RETRIEVAL | Use.QUERY

    max_megapixels: float = Field(200.0, gt=0, le=2000)
    """Larger images are refused before decoding. A photo of 200 MP takes 0.6 GB, and up to 2 GB
    while it is decoded (``python -m pipelines.benchmarks.robustness.image_bombs``)."""
    max_file_mb: float = Field(200.0, gt=0, le=4000)
    """Larger files are refused before reading."""
    exif_rotation: bool = True
    """Rotate photos upright according to EXIF; false for reference models made without."""


class FeaturesConfig(Section):
    """Extraction of local features. Queries may have another number of keypoints or resolution."""

    use: ClassVar[Use] = Use.FEATURES | Use.QUERY | Use.EQUAL_FOR_QUERIES

    name: str = "aliked-n16"
    """Name of a local feature in the registry."""
    max_keypoints: Annotated[int, Use.FEATURES | Use.QUERY] = Field(1024, ge=16, le=65536)
    """Keypoints kept, best scores first. LightGlue's time grows with its square (0.3 s per pair at
    1024)."""
    max_side_px: Annotated[int, Use.FEATURES | Use.QUERY] = Field(1024, ge=64, le=16384)
    """Longer image side at which the detector runs; keypoints are in original pixels."""
    min_score: float = Field(0.0, ge=0, le=1)
    """Keypoints with lower scores are dropped, in addition to the detector's own threshold."""
    batch_size: Annotated[int, Use.FEATURES | Use.QUERY] = Field(1, ge=1, le=256)
    """Photos of equal size per batch; more than 1 pays on GPUs only."""
