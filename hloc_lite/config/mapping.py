"""Config of image pairs, two-view verification and reconstruction."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hloc_lite.config.section import Section, Use


class PairsConfig(Section):
    """Selection of the pairs of map images that are matched."""

    use: ClassVar[Use] = Use.MODEL

    spec: str = "auto"
    """exhaustive | retrieval:K | covisible:K | poses:K | sequential:K | none | a file of name
    pairs. auto: exhaustive up to ``exhaustive_max_images``, else retrieval:20. none is for maps
    from depth, whose landmarks then belong to one image each."""
    exhaustive_max_images: int = Field(25, ge=2, le=1000)
    """Up to this number, matching all pairs (300) costs less than a missed pair."""
    max_angle_deg: float = Field(60.0, gt=0, le=180)
    """poses:K pairs only cameras whose viewing directions differ by less."""


class GeometryConfig(Section):
    """Geometric verification of matches between two map images."""

    use: ClassVar[Use] = Use.VERIFICATION

    max_epipolar_error_px: float = Field(4.0, gt=0, le=100)
    """Inlier threshold for images of ``reference_side_px``; scaled up with larger ones."""
    reference_side_px: int = Field(1024, ge=64, le=10**6)
    """Longer image side at which the threshold above holds."""
    min_inliers: int = Field(15, ge=5, le=1000)
    """Pairs with fewer verified matches are dropped (COLMAP's default)."""
    min_pose_agreement: float = Field(0.2, ge=0, le=1)
    """Share of matches that must agree with given poses, in the best pair of the median image;
    correct poses give 0.6 to 1, wrong ones below 0.1."""
    min_confirmed_share: Annotated[float, Use.ACCEPTANCE] = Field(0.03, ge=0, le=1)
    """Share of the images of a map from depth that need a pair with ``min_inliers`` agreeing
    matches, as much as ``min_pose_agreement`` asks for: the others may overlap with none. 10 % of
    the cutouts of scans of different rooms had one; with wrong poses none has."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seed of the RANSAC that verifies matches."""


class MappingConfig(Section):
    """Structure from motion."""

    use: ClassVar[Use] = Use.MODEL

    mapper: Literal["incremental", "global"] = "incremental"
    """Structure from motion: image after image, or all at once (pycolmap 4.0 or newer)."""
    camera_model: Annotated[str, Use.MODEL | Use.VERIFICATION | Use.QUERY] = "SIMPLE_RADIAL"
    """Model of cameras without given intrinsics (COLMAP's default)."""
    cameras: Annotated[
        Literal["auto", "single", "per-image", "per-folder"], Use.MODEL | Use.VERIFICATION
    ] = "auto"
    """auto: images of equal size, EXIF camera and focal length share one camera."""
    min_triangulation_angle_deg: float = Field(1.5, gt=0, le=90)
    """Points with smaller angles are dropped (COLMAP's default)."""
    max_reprojection_error_px: float = Field(4.0, gt=0, le=100)
    """Observations with larger errors are dropped (COLMAP's default)."""
    min_triangulated_share: Annotated[float, Use.ACCEPTANCE] = Field(0.02, ge=0, le=1)
    """Share of the keypoints with verified matches that must be triangulated under given poses,
    else mapping fails. Correct poses gave 0.26 to 0.84, 1.5 times the correct focal length 0.02."""
    low_triangulated_share: Annotated[float, Use.ACCEPTANCE] = Field(0.15, ge=0, le=1)
    """A smaller share causes a warning. 1.1 to 1.25 times the correct focal length gave 0.02 to
    0.13 on rendered streets, twice the correct one 0.1 on a textured wall."""
    low_pose_agreement: Annotated[float, Use.ACCEPTANCE] = Field(0.5, ge=0, le=1)
    """A smaller share of matches that agree with given poses (``geometry.min_pose_agreement``)
    causes a warning; with a low share of triangulated keypoints besides, mapping fails. Mirrored
    and inverse poses of two courtyards gave 0.27 to 0.40 and shares of 0.09 to 0.11; right ones of
    five scenes 0.80 or more."""
    threads: int = Field(-1, ge=-1, le=1024)
    """-1: all cores."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seed of the mapper."""
