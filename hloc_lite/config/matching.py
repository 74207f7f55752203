"""Config of local feature matching."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hloc_lite.config.section import Section, Use

_NEAREST = Use.NEAREST_MATCHES | Use.MATCHES | Use.QUERY


class MatchingConfig(Section):
    """Matching of local features, and two-pass matching of map images."""

    use: ClassVar[Use] = Use.MATCHES | Use.QUERY

    name: str = "auto"
    """Name of a matcher in the registry; auto: the default matcher of the features."""
    max_ratio: Annotated[float, _NEAREST] = Field(0.95, gt=0, le=1)
    """mutual-nn: largest ratio of the best to the second-best distance. Queries use
    ``localize.max_ratio`` instead where scores become weights. On rendered street pairs 0.95 keeps
    1.2 times the correct matches of 0.9 for ALIKED, at 78 % precision. Some features have tuned
    defaults."""
    ratio_midpoint: Annotated[float, _NEAREST] = Field(0.8, gt=0, le=1)
    """mutual-nn: distance ratio at which a match is correct with probability 0.5. RootSIFT on
    rendered streets: 0.84 by day, 0.78 in another season, 0.73 at night."""
    ratio_slope: Annotated[float, _NEAREST] = Field(16.0, ge=0, le=200)
    """mutual-nn: decrease of a match's log odds as the distance ratio goes from 0 to 1. RootSIFT on
    rendered streets: 15.7 by day, 15.8 in another season, 17.2 at night."""
    min_similarity: Annotated[float, _NEAREST] = Field(0.0, ge=-1, le=1)
    """mutual-nn: least cosine similarity of a match; 0 leaves the decision to the ratio."""
    min_score: float = Field(0.1, ge=0, le=1)
    """LightGlue's filter threshold (the authors' default)."""
    two_pass: Annotated[bool, Use.MODEL] = True
    """Match all pairs of map images by nearest neighbours first. The matcher above then matches
    only those pairs that the three settings below select. No effect with mutual-nn, nor on
    queries."""
    two_pass_good_matches: Annotated[int, Use.MODEL] = Field(80, ge=1, le=100000)
    """Verified nearest-neighbour matches that make a pair good; good pairs are not matched again.
    Below this number LightGlue doubles the correct matches of an ALIKED pair on a rendered street.
    """
    two_pass_good_pairs: Annotated[int, Use.MODEL] = Field(6, ge=1, le=1000)
    """Good pairs that each image should have. An image with fewer has as many of its next best
    pairs matched again: 13 % of all pairs in a dense street, 1 in 3 of the overlapping pairs where
    photos are 8 m apart."""
    two_pass_chance_matches: Annotated[int, Use.MODEL] = Field(3, ge=0, le=1000)
    """Verified matches that occur by chance. Of 150 pairs with no more, LightGlue found none to
    overlap. Such pairs are matched again only for images with fewer than two good pairs."""
    batch_size: int = Field(1, ge=1, le=256)
    """Pairs per batch; more than 1 pays on GPUs only."""
    dense_side_px: int = Field(640, ge=64, le=4096)
    """Matchers of photos: longer image side at which they run; keypoints are in original pixels.
    Their time grows with the square of the number of pixels."""
    dense_min_support: int = Field(2, ge=1, le=9)
    """coarse-to-fine: neighbouring coarse matches that must have found a match, of 9. Matches with
    one only are wrong three times as often on a street as those with two."""
    dense_min_certainty: float = Field(0.2, ge=0, le=1)
    """LoFTR and warps such as RoMa's: least confidence of a match (LoFTR's authors' default)."""
    dense_max_matches: int = Field(4096, ge=16, le=100000)
    """Matches kept per pair of photos, best scores first."""
    dense_cell_px: float = Field(2.0, gt=0, le=64)
    """Side of the cell in which keypoints of several pairs become one: above the error of a dense
    matcher, below the distance of two structures. Also the largest distance between the match of a
    query and the map image's keypoint that it is taken for."""
