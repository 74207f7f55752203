"""Config of view synthesis: poses are checked by what the map's surface looks like there."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hloc_lite.config.section import Section


class ViewSynthesisConfig(Section):
    """Comparison of a photo with views of the map's surface at its pose hypotheses."""

    enabled: Literal["auto", "on", "off"] = "auto"
    """auto: where the map has a surface; on: refuse a map without one; off: never."""
    num_hypotheses: int = Field(3, ge=1, le=100)
    """Locations that are rendered, those with the best score first, the runner-up among them."""
    min_score_share: float = Field(0.25, ge=0, le=1)
    """Share of the best location's score that another must have to be rendered, too."""
    scale: float = Field(0.125, gt=0, le=1)
    """Size of a view over that of the photo, as in InLoc."""
    min_side_px: int = Field(240, ge=32, le=4096)
    """Longer side of a view at least, where the photo has it: an eighth of a VGA photo has 80
    pixels, on which 300 descriptors find place, each of them as wide as a third of the view."""
    max_side_px: int = Field(504, ge=32, le=4096)
    """Longer side of a view at most: an eighth of a phone's photo, for which surfaces are made
    (``surface.voxel``)."""
    max_splat_px: int = Field(4, ge=1, le=101)
    """Longest side of the points of a surface in a view: half a bin of a descriptor. Larger ones
    show blocks, not the place, so they leave holes, and a surface too coarse to be compared fills
    less than ``min_valid_share``. Most SfM clouds do."""
    bin_px: float = Field(8.0, ge=2, le=64)
    """Side of a bin of the dense SIFT descriptors (4 x 4 bins), pixels of the view; as in InLoc."""
    step_px: int = Field(4, ge=1, le=64)
    """Distance of the descriptors; as in InLoc."""
    max_cells: int = Field(3000, ge=100, le=1_000_000)
    """Descriptors of a view: with more, they are farther apart. 2 microseconds each."""
    min_valid_share: float = Field(0.3, ge=0, le=1)
    """Share of a view that the surface must fill for it to say something, as
    ``surface.min_coverage``."""
    min_cells: int = Field(100, ge=10, le=1_000_000)
    """Descriptors on the surface that are needed."""
    num_others: int = Field(256, ge=16, le=10_000)
    """Other places in the view that each place is compared with; the share that is less similar has
    a standard error below 0.03, and its mean over a view one below 0.002."""
    exponent: float = Field(2.0, ge=0, le=10)
    """Power of the agreement of views by which the scores of locations are multiplied; 0: views do
    not choose. Of the 70 queries of a rendered building that had a right hypothesis, scores alone
    chose it for 64, with 1 for 66, with 2 to 4 for 67."""
    depth_ratio: float = Field(1.1, gt=1, le=2)
    """A labelled landmark belongs to the surface in a view if their depths differ by less than this
    ratio; others are hidden by it."""
