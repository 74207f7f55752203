"""Config of burned-in marks: time stamps, logos and the like, which are no part of the scene."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hloc_lite.config.section import Section, Use


class BurnedInConfig(Section):
    """Features that stay at one pixel in many photos of a folder; they are not matched.

    Photos of one folder and size are compared. Of those that show one picture, as from a tripod,
    one counts. Measured on 24 photos of castle, redkitchen and hololens and 12 of lund, as they are
    and with a time stamp and a logo drawn in, by RootSIFT, XFeat and ALIKED.
    """

    use: ClassVar[Use] = Use.MODEL

    enabled: bool = True
    """Drop such features before matching."""
    min_photos: int = Field(8, ge=3, le=1000)
    """Different photos in which a feature must stay. Of 2048 features of XFeat in each of twelve
    small photos some stay in seven by chance; 8 still finds nearly all that 6 does."""
    min_share: float = Field(0.33, gt=0, le=1)
    """Share of the different photos in which a feature must stay. Features of the scene stayed in
    at most 6 of 24. Of those in the marks this finds 40 to 80 %, and 0.5 half as many."""
    max_shift_px: float = Field(1.5, gt=0, le=10)
    """A feature that moves further does not stay, in pixels of the detector's image: how precise
    detectors are."""
    min_similarity: float = Field(0.5, ge=0, le=1)
    """Least cosine of the descriptors, without their mean. The scene behind a mark disturbs them:
    0.7 finds half as many with learned features on photos of 640 pixels."""
    margin_px: float = Field(8.0, ge=0, le=100)
    """Features this near to one that stays are dropped as well, in pixels of the detector's image:
    the running seconds of a time stamp, and descriptors that see the mark."""
    max_area_share: float = Field(0.25, gt=0, le=1)
    """Larger marks are none: the whole picture stays, so the camera stood still. Share of 64 fields
    of the photo, of those with features. A line of text and a logo take up 0.16."""
    min_field_share: float = Field(0.3, ge=0, le=1)
    """Two photos show one picture in a field where this share of its features stays. With thousands
    of features some stay by chance in every field of different photos."""
    max_sample: int = Field(32, ge=3, le=1000)
    """Photos of a folder that are compared, evenly spaced: 0.1 to 0.7 s."""
