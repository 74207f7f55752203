"""Config of image pairs, two-view verification and reconstruction."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hloc_lite.config.section import Section


class PairsConfig(Section):
    spec: str = "auto"
    """exhaustive | retrieval:K | covisible:K | poses:K | sequential:K | a file of name pairs.
    auto: exhaustive up to ``exhaustive_max_images``, else retrieval:20."""
    exhaustive_max_images: int = Field(25, ge=2, le=1000)
    """Up to here all pairs are cheaper than a missed one (300 pairs)."""
    max_angle_deg: float = Field(60.0, gt=0, le=180)
    """poses:K only pairs cameras whose viewing directions differ by less."""


class GeometryConfig(Section):
    """Verification of matches between two map images."""

    max_epipolar_error_px: float = Field(4.0, gt=0, le=100)
    """Inlier bound; at original resolution for 1024 px images, scaled with larger ones."""
    reference_side_px: int = Field(1024, ge=64, le=10**6)
    """The image side at which the bound above holds."""
    min_inliers: int = Field(15, ge=5, le=1000)
    """Pairs with fewer verified matches are dropped (COLMAP's default)."""
    min_pose_agreement: float = Field(0.2, ge=0, le=1)
    """Share of its matches that must agree with given poses, in the best pair of the median image;
    right poses give 0.6 to 1, wrong ones below 0.1."""
    seed: int = Field(0, ge=0, lt=2**31)


class MappingConfig(Section):
    mapper: Literal["incremental", "global"] = "incremental"
    camera_model: str = "SIMPLE_RADIAL"
    """Model of cameras that have no given intrinsics (COLMAP's default)."""
    cameras: Literal["auto", "single", "per-image", "per-folder"] = "auto"
    """auto: images of equal size, EXIF camera and focal length share one camera."""
    min_triangulation_angle_deg: float = Field(1.5, gt=0, le=90)
    """Points seen under less are dropped (COLMAP's default)."""
    max_reprojection_error_px: float = Field(4.0, gt=0, le=100)
    """Observations with more are dropped (COLMAP's default)."""
    min_triangulated_share: float = Field(0.02, ge=0, le=1)
    """Share of the keypoints with verified matches that must get a point under given poses, else
    there is no map. Right ones gave 0.26 to 0.84, 1.5 times the right focal length 0.02."""
    low_triangulated_share: float = Field(0.15, ge=0, le=1)
    """Less is warned of: 1.1 to 1.25 times the right focal length gave 0.02 to 0.13 on rendered
    streets, twice the right one 0.1 on a textured wall."""
    threads: int = Field(-1, ge=-1, le=1024)
    """-1: all cores."""
    seed: int = Field(0, ge=0, lt=2**31)
