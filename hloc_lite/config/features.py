"""Config of images and local features."""

from __future__ import annotations

from pydantic import Field

from hloc_lite.config.section import Section


class ImagesConfig(Section):
    max_megapixels: float = Field(200.0, gt=0, le=2000)
    """Larger images are refused before decoding (a 200 MP photo takes 0.6 GB decoded)."""
    max_file_mb: float = Field(200.0, gt=0, le=4000)
    """Larger files are refused before reading."""
    exif_rotation: bool = True
    """Turn photos upright as their EXIF says; false for reference models made without."""


class FeaturesConfig(Section):
    name: str = "aliked-n16"
    """A name of ``registry.FEATURES``."""
    max_keypoints: int = Field(1024, ge=16, le=65536)
    """Best-scored keypoints kept; LightGlue's time grows with the square (0.3 s a pair at 1024)."""
    max_side_px: int = Field(1024, ge=64, le=16384)
    """Longer side at which the detector runs; keypoints come back in original pixels."""
    min_score: float = Field(0.0, ge=0, le=1)
    """Detections below are dropped, on top of the detector's own threshold; 0 keeps its default."""
    batch_size: int = Field(1, ge=1, le=256)
    """Photos of equal size run at once; above 1 it pays on GPUs only."""
