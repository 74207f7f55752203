"""Config of maps from scratch: which models are kept, and what is tried when a map fails."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hloc_lite.config.section import Section, Use


class ScratchConfig(Section):
    """Maps without known poses. No effect on maps with a reference model."""

    use: ClassVar[Use] = Use.SCRATCH

    two_pass_min_pairs: int = Field(300, ge=0, le=10**9)
    """Up to this number, the learned matcher matches all pairs: as many as 25 images have."""
    two_pass_pairs: int = Field(10, ge=0, le=1000)
    """Above that number, it matches the pairs that nearest neighbours verified, and this many of
    each image's best pairs whether verified or not."""
    min_focal_ratio: float = Field(0.2, gt=0, le=1)
    """Images whose focal length comes out smaller, in units of the longer side, leave the map. The
    widest lenses that keep lines straight have 0.28, fisheyes of 180 degrees 0.32."""
    max_focal_ratio: float = Field(10.0, ge=1, le=100)
    """The same for larger ones (COLMAP's default)."""
    min_model_images: int = Field(3, ge=3, le=1000)
    """Separate models of fewer images are dropped: two images have no third to check them."""
    good_triangulation_angle_deg: float = Field(3.0, gt=0, le=90)
    """Points seen under a larger angle count as well-conditioned: twice the least angle of a point
    (mapping.min_triangulation_angle_deg)."""
    enough_points: int = Field(100, ge=1, le=100000)
    """Well-conditioned points with which an image fully counts for the size of a model."""
    min_agreement: float = Field(0.4, ge=0, le=1)
    """Images leave a model if a smaller share of their verified matches agrees with it. Of 20
    photos of a courtyard with repeated windows, the one at a wrong place had 0.10, the others 0.62
    or more."""
    max_repairs: int = Field(2, ge=0, le=20)
    """Times that a model is extended again after images have left it. Images that contradict it
    still are then left out."""
    min_link_points: int = Field(30, ge=1, le=10000)
    """Groups of images that share no more points with each other become separate models. Two sides
    of a street that nothing joins but chance shared 21 points at most, and neighbours in right
    models far more than 30."""
    link_share: float = Field(0.22, ge=0, le=1)
    """In maps of more points, groups need this share of the points that typical neighbours share:
    walks along one street in opposite directions, joined the wrong way round by chance, had up to
    0.20 in three rendered towns, and the weakest link of right maps 0.24 or more."""
    max_link_points: int = Field(60, ge=1, le=10000)
    """But no more than so many points: the chance links of those towns had 10 to 52."""
    min_link_agreement: float = Field(0.7, ge=0, le=1)
    """Only pairs of which a larger share of the verified matches agrees with the model can join
    groups: none did between the opposite walks along four rendered streets that chance matches had
    joined, but many in every part of right maps."""
    max_known_focal_change: float = Field(0.1, ge=0, le=1)
    """Known focal lengths are kept while images are registered, then adjusted. If they change by
    more in the median image, the way without keeping them is tried, too: EXIF data were 41 % off
    in a phone that states 35 mm for 26 mm. Rounded ones of right EXIF data are 2 to 5 % off."""
    max_focal_disagreement: float = Field(0.03, ge=0, le=1)
    """Photos of equal size count as of one camera if their focal lengths, set free, differ from the
    common one by less in the median image."""
    min_registered_share: float = Field(0.8, ge=0, le=1)
    """Below this share of images in the best model, other ways are tried: the learned matcher for
    all pairs, the other mapper, other features."""
    fallback_s: float = Field(600.0, ge=0, le=10**6)
    """No other way is started later than this after the first one has ended."""
    fallback_features: str = "aliked-n16"
    """Features that are tried if too few images are registered with those asked for; none: never.
    Of ten tourist photos of one church, XFeat registered two, ALIKED all."""
