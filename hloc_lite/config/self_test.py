"""Config of a map's test on its own photos, and of landmarks that are expected in view."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hloc_lite.config.section import Section, Use


class SelfTestConfig(Section):
    """Test of a map on its own photos, from which it learns how sure it may be."""

    use: ClassVar[Use] = Use.ACCEPTANCE

    enabled: bool = True
    """Test each new map; ``hloc-lite calibrate`` does so at any time."""
    for_queries: Annotated[bool, Use.QUERY] = True
    """Correct the confidence of queries by what the map has learned."""
    max_time_share: float = Field(0.3, gt=0, le=100)
    """Time of the test over that of mapping: no further photo is tested beyond."""
    max_images: int = Field(60, ge=1, le=100000)
    """Photos of a map that are tested, in each of the two ways."""
    neighbour_landmarks: int = Field(20, ge=1, le=100000)
    """Images that share as many landmarks with a photo are its neighbourhood. Pairs with fewer than
    15 verified matches are dropped in mapping, so a few more are a view of the same place; in a
    small room every image shares some landmark with every other."""
    min_images_left: int = Field(10, ge=1, le=100000)
    """Images that must remain in the map without a neighbourhood: with fewer there is no place left
    that could look alike."""
    prior_answers: float = Field(30.0, gt=0, le=10**6)
    """Answers at which the map's own calibration counts as much as the global one."""
    map_error_ratio: float = Field(2.5, gt=0, le=100)
    """Standard deviation of queries along each axis over the median error of the map's own photos
    without themselves: these have helped to place its landmarks, and were taken on the same day."""
    prior_map_errors: float = Field(5.0, gt=0, le=10**6)
    """Right answers at which the errors of a map's own photos count as much as those of all maps;
    a median settles sooner than the odds of rare wrong answers."""
    look_alike_share: float = Field(0.3, gt=0, lt=1)
    """Weight of the answers without neighbourhood among all. Fewer photos of users will show such
    places; a wrong answer costs more than one that is withheld."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seed of the order in which photos are tested."""


class VisibilityConfig(Section):
    """Landmarks that should be seen under a pose."""

    max_angle_deg: float = Field(45.0, gt=0, le=180)
    """Largest angle at a landmark between the photo and a map image that observes it. Of 20, 30 and
    45 degrees, with ratios of 1.5, 2 and 2.5, this pair told right poses from wrong ones best
    (480 answers in two real scenes and two towns: AUROC 0.992, 0.988 without the check)."""
    max_distance_ratio: float = Field(2.5, ge=1, le=100)
    """Largest ratio of their distances from the landmark; chosen with the angle."""
    expected_share: float = Field(0.4, gt=0, lt=1)
    """Share of the nearest-neighbour matches with landmarks in view that agree with a right pose at
    least. By day 0.5 to 0.9 agree, at night 0.25 to 0.5, at places that look alike 0.05 to 0.25."""
    error_growth: float = Field(1.0, ge=0, le=10)
    """Growth of the standard deviations that come from keypoints where few landmarks in view are
    found again: the photo shows them changed, and what matches is shifted. Of 130 poses in two
    rendered towns, by day, at night and in another season, the median error grows from 1.6 of these
    standard deviations to 4.6. With a growth of 1 those that are given lie within three of their
    total ones, 97 % without it; 2 withholds one in ten right ones."""
    error_growth_scale: float = Field(0.3, gt=0, le=10)
    """Log odds below those expected at which 63 % of the growth is reached."""
    prior_matches: float = Field(16.0, gt=0, le=1000)
    """Matches with that share of agreement which are counted besides those found. A right pose from
    an angle of its own has few or none in view."""
