"""Config of doubts about intrinsics: how uncertain they are, and when they are said not to fit."""

from __future__ import annotations

from pydantic import Field

from hloc_lite.config.section import Section


class IntrinsicsConfig(Section):
    """Uncertainty of intrinsics, and the test of the given ones against free ones."""

    check: bool = True
    """Test whether other intrinsics than those given explain clearly more matches. If so, the pose
    is doubtful, and the reason names them."""
    focal_sigma: float = Field(0.003, ge=0, le=1)
    """Standard deviation of a given focal length, relative: calibrations of one camera by several
    programs differ by 0.1 to 0.5 %."""
    center_sigma: float = Field(0.003, ge=0, le=1)
    """Standard deviation of a given principal point, over the longer image side."""
    radial_sigma: float = Field(0.005, ge=0, le=10)
    """Standard deviation of a given radial distortion k1."""
    map_sigma: float = Field(0.003, ge=0, le=1)
    """Standard deviation of the map around a query, over the median distance of the inliers. With
    the covariance of keypoints alone 2 of 10 right poses of a courtyard lie within three of their
    standard deviations (up to 46 away), with 0.003 all."""
    map_sigma_deg: float = Field(0.05, ge=0, le=10)
    """Standard deviation of its orientation there."""
    independent_matches: int = Field(40, ge=1, le=10**6)
    """Matches beyond this number tell little more about an unknown focal length: errors of
    neighbouring landmarks are alike. The covariance of uncalibrated poses is that of at most so
    many."""
    unknown_center_sigma: float = Field(0.01, ge=0, le=1)
    """Standard deviation of the principal point about the image centre where intrinsics are
    unknown, over the longer image side."""
    unknown_radial_sigma: float = Field(0.05, ge=0, le=10)
    """Standard deviation of k1 about 0 where it is unknown and not estimated."""
    exif_focal_sigma: float = Field(0.15, gt=0, le=10)
    """Standard deviation of the logarithm of a focal length from EXIF. Where the estimated one lies
    more than two of them away, all focal lengths are tried: crops, converters and the other lenses
    of a phone make it wrong by a factor."""
    min_exif_inlier_ratio: float = Field(0.5, ge=0, le=1)
    """Least share of inliers at which the focal length of EXIF is taken without trying others."""
    min_gain: float = Field(0.3, gt=0, le=100)
    """Least gain of log likelihood per inlier, in nats, at which likely intrinsics are preferred to
    those given. Of 53 queries of three real scenes with the right ones, 3 gain more than 0.22 (at
    most 0.45, and their poses hardly move); with 0.8 or 1.25 times the focal length 31 of 34 gain
    more than 0.5, the others have about 30 inliers and little confidence."""
    sure_inlier_share: float = Field(0.4, ge=0, le=1)
    """Share of inliers from which other focal lengths are not searched for if a fit that starts
    from the given one gains nothing. Of 9 photos of a kitchen with 1.25 times the focal length, one
    had 22 % inliers and such a fit found nothing; each start takes about 50 ms."""
    gain_scale: float = Field(0.05, gt=0, le=100)
    """Change of that gain over which the confidence falls from 3/4 to 1/4 of its value."""
    clear_gain: float = Field(1.0, gt=0, le=100)
    """Gain at which likely intrinsics are preferred however little the pose moves."""
    min_crop_shift: float = Field(0.08, gt=0, le=10)
    """Distance of the principal point from the image centre, over the longer side, from which on a
    photo of unknown intrinsics counts as cropped. Those of lenses lie within 0.02."""
    min_more_matches: float = Field(0.15, gt=0, le=100)
    """Share of additional matches at which likely intrinsics matter even where the pose hardly
    moves. Right intrinsics gain 5 % at most."""
