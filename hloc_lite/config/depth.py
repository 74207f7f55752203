"""Config of predicted depth."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hloc_lite.config.section import Section


class DepthConfig(Section):
    """Source of depth maps, and the weight of matches whose depths disagree.

    Depths are compared as ratios: between query and retrieved image (``view_*``), and between the
    query's depth map and the map's points under a pose (``pose_*``).
    """

    source: str = "none"
    """none | files:FOLDER | hf:MODEL (a folder or a hub name; extra ``hf``)."""
    revision: str = ""
    """hf: commit, tag or branch on the hub; empty: the current main branch."""
    values: Literal["auto", "metric", "relative", "inverse"] = "auto"
    """metric: depths in one unit throughout; relative: depths up to scale and shift; inverse:
    inverse depths up to scale and shift. auto: files are metric, networks as their config says."""
    integer_step: float = Field(0.001, gt=0, le=1000)
    """Depth of one step of an integer image: most datasets store millimetres."""
    max_megapixels: float = Field(50.0, gt=0, le=1000)
    """Larger depth maps are refused before decoding (50 take 0.2 GB)."""
    max_side_px: int = Field(1024, ge=32, le=8192)
    """Longer side of stored depth maps of networks, which resolve little more detail."""
    max_relative_gradient: float = Field(0.1, gt=0, le=10)
    """Pixels whose depth differs by a larger share from a neighbour's are edges and unused: a
    keypoint there may lie on either side."""
    min_matches: int = Field(15, ge=3, le=100000)
    """Matches of an image or a pose from which depths are compared: median and spread of fewer mean
    little."""
    outlier_sigmas: float = Field(2.5, gt=0, le=100)
    """Log depths agree within this many robust standard deviations (1.4826 median absolute
    deviations): 98.8 % of normal errors."""
    view_shift: bool = True
    """Fit a shift between two views also for metric depths, as forward motion causes one. Without
    it 6 to 11 % of the correct matches on rendered streets lose weight, with it 1 to 3 %."""
    view_ratio: float = Field(1.1, gt=1, le=10)
    """Ratio between two views below which depths always agree, however exact the others."""
    view_fit_ratio: float = Field(1.4, gt=1, le=10)
    """Ratio between two views below which a match is an inlier of the line that relates their
    depths. 1.25 finds as many wrong matches, but at 15 % depth error takes twice as many correct
    ones for wrong."""
    min_view_fit_share: float = Field(0.05, ge=0, le=1)
    """Share of an image's matches that must be inliers of that line beyond chance. With less, the
    views differ too much, or nearly all matches are wrong, and depth is not used."""
    pose_ratio: float = Field(1.25, gt=1, le=10)
    """Ratio under a pose below which depths agree (the usual accuracy bound of depth networks)."""
    max_pose_ratio: float = Field(2.0, gt=1, le=100)
    """Ratio under a pose above which the factor is always lowered; otherwise the large spread of a
    wrong pose would make its errors look normal."""
    full_agreement: float = Field(0.75, gt=0.5, le=1)
    """Share of agreeing inliers above which a pose's score in RANSAC grows no more. At a depth
    error of 15 % correct poses reach 0.86 +- 0.05, wrong ones 0.3 to 0.5."""
    in_ransac: bool = False
    """Use the agreement of depths in the score of each pose within RANSAC (``weighted`` only), not
    only to compare poses of different clusters. On 240 queries of rendered streets it changed no
    recall; with useless depths it took up to 3 times the trials."""
    min_factor: float = Field(0.1, ge=0, le=1)
    """Least factor of a match: predicted depth can be wrong, too."""
