"""Config of local feature matching."""

from __future__ import annotations

from pydantic import Field

from hloc_lite.config.section import Section


class MatchingConfig(Section):
    name: str = "auto"
    """A name of ``registry.MATCHERS``; auto: the one that goes with the features."""
    max_ratio: float = Field(0.95, gt=0, le=1)
    """mutual-nn: best over second-best distance, of map images and, without weights, of queries
    (else ``localize.max_ratio``). On rendered street pairs 0.95 keeps 1.2 times the right matches
    of 0.9 for ALIKED, at 78 % precision; others in ``FEATURE_DEFAULTS``."""
    ratio_midpoint: float = Field(0.8, gt=0, le=1)
    """mutual-nn: ratio of distances at which a match is as likely right as wrong. RootSIFT on
    rendered streets: 0.84 by day, 0.78 in another season, 0.73 at night."""
    ratio_slope: float = Field(16.0, ge=0, le=200)
    """mutual-nn: what the log odds of a match lose as the ratio goes from 0 to 1. RootSIFT on
    rendered streets: 15.7 by day, 15.8 in another season, 17.2 at night."""
    min_similarity: float = Field(0.0, ge=-1, le=1)
    """mutual-nn: cosine below which no match is made; 0 leaves it to the ratio."""
    min_score: float = Field(0.1, ge=0, le=1)
    """LightGlue's filter threshold (the authors' default)."""
    two_pass: bool = True
    """Match map images by nearest neighbours first, and with the matcher above only those pairs
    that the three numbers below ask for. No effect on mutual-nn, nor on queries."""
    two_pass_good_matches: int = Field(80, ge=1, le=100000)
    """two_pass: verified nearest neighbours with which a pair needs no other matcher; below,
    LightGlue doubles the right matches of a pair of ALIKED on a rendered street."""
    two_pass_good_pairs: int = Field(6, ge=1, le=1000)
    """two_pass: pairs with so many that an image needs. One with fewer has its next best pairs
    matched again, as many as it lacks: 13 % of all in a dense street, 1 in 3 of those that overlap
    where the photos are 8 m apart."""
    two_pass_chance_matches: int = Field(3, ge=0, le=1000)
    """two_pass: so many agree by chance. Of 150 pairs with no more LightGlue found none to
    overlap; they are matched again only for images with less than two good pairs."""
    batch_size: int = Field(1, ge=1, le=256)
    """Pairs run at once; above 1 it pays on GPUs only."""
