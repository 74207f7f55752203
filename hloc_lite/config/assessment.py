"""Config of the assessment of a map from scratch: which of its cameras are doubtful."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hloc_lite.config.section import Section, Use


class AssessmentConfig(Section):
    """Bounds between right and doubtful cameras of maps without known poses."""

    use: ClassVar[Use] = Use.ACCEPTANCE

    enabled: bool = True
    """False: maps are made without an assessment."""
    max_position_error: float = Field(0.05, gt=0, le=1)
    """Position error up to which a camera counts as right, as a share of the spread of the cameras
    (their mean distance from their mean)."""
    max_rotation_error_deg: float = Field(2.0, gt=0, le=90)
    """Rotation error up to which a camera counts as right."""
    position_sigmas: float = Field(2.5, gt=0, le=20)
    """A camera is doubtful if this many standard deviations of its position exceed the bound. They
    count divided by the share of its matches that agrees with its pose: errors of 94 cameras in
    seven maps were up to 5 of the plain ones, and 3 of those."""
    rotation_sigmas: float = Field(1.3, gt=0, le=20)
    """The same for its rotation; most of its uncertainty is that of the principal point, which lies
    within two of its standard deviations (2 % of the image) unless a photo was cropped. Photos of a
    facade or a narrow street do not tell it: 1.1 and 1.4 degrees were those of right maps."""
    min_images: int = Field(3, ge=2, le=1000)
    """Smaller maps are doubtful: two images have no third to check them."""
    min_agreement: float = Field(0.6, ge=0, le=1)
    """A camera is doubtful if a smaller share of its verified matches agrees with its pose. Cameras
    turned by 3 degrees had 0.51 and 0.56, those of most right maps 0.69 or more."""
    min_link_points: int = Field(30, ge=1, le=10000)
    """Images that share as many points or more are strongly linked. Groups of images that no strong
    link joins to the largest one are doubtful: two sides of a street that nothing joins but chance
    shared 21 points at most; the weakest link in right maps of real photos was far above 30. Where
    neighbours share many, ``scratch.link_share`` asks for more."""
    min_link_agreement: float = Field(0.7, ge=0, le=1)
    """Only pairs of which a larger share of the verified matches agrees with the map are links."""
    rotation_pair_share: float = Field(0.8, ge=0, le=1)
    """Share of the pairs without parallax above which all cameras stand at one place."""
    max_rotation_modulus: float = Field(0.05, gt=0, le=1)
    """A homography is that of a camera that only turned if its eigenvalues have this relative
    distance from the unit circle, or less."""
    min_overlap: int = Field(40, ge=5, le=10000)
    """Landmarks of one image, at the same place as some of another, that should give matches."""
    min_overlap_matched: float = Field(0.03, ge=0, le=1)
    """Two images contradict each other if they see the same places from similar directions, but
    this share of them or less has matches."""
    max_contradicting_share: float = Field(0.3, ge=0, le=1)
    """A camera is doubtful if a larger share of the images that should match with it does not."""
    max_displaced_share: float = Field(0.3, ge=0, le=1)
    """If a larger share of the cameras may be at a wrong place, all are doubtful: nothing tells any
    more which part is right. Half of the cameras of two walks along a street, at a wrong place to
    each other, had no doubt of their own."""
    gps_min_images: int = Field(4, ge=3, le=1000)
    """Images with a GPS position that are needed to compare the map with them."""
    gps_sigmas: float = Field(6.0, gt=0, le=100)
    """A camera is doubtful if it lies this many standard deviations from its GPS position."""
    gps_min_error_m: float = Field(25.0, gt=0, le=10**5)
    """And at least so far: phones in narrow streets are wrong by less."""
    max_images: int = Field(600, ge=2, le=10**5)
    """Larger maps get no uncertainty of cameras: its memory and time grow with the square and the
    cube of their number; 600 images take 200 MB."""
