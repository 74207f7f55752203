"""Config of predicted depth."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hloc_lite.config.section import Section


class DepthConfig(Section):
    """Where depth maps come from, and how far a match may disagree with them."""

    source: str = "none"
    """none | files:FOLDER | hf:MODEL (a folder or a hub name; extra ``hf``)."""
    revision: str = ""
    """hf: commit, tag or branch of the hub; empty: the main branch of that day."""
    values: Literal["auto", "metric", "relative", "inverse"] = "auto"
    """metric: depths in one unit throughout; relative: depths up to a scale and a shift; inverse:
    inverse depths up to both. auto: files are metric, networks what their config says."""
    integer_step: float = Field(0.001, gt=0, le=1000)
    """Depth of one step of an integer image: most datasets store millimetres."""
    max_megapixels: float = Field(50.0, gt=0, le=1000)
    """Larger depth maps are refused before decoding (50 take 0.2 GB)."""
    max_side_px: int = Field(1024, ge=32, le=8192)
    """Longer side of the maps kept of networks: they see hardly more detail than that."""
    max_relative_gradient: float = Field(0.1, gt=0, le=10)
    """Change of depth from pixel to pixel, over depth, above which a pixel is an edge and unused:
    a keypoint there may lie on either side."""
    min_matches: int = Field(15, ge=3, le=100000)
    """Of an image or a hypothesis: from fewer, median and spread say little."""
    outlier_sigmas: float = Field(2.5, gt=0, le=100)
    """Standard deviations (1.4826 median absolute deviations) of log depth that agree: 98.8 % of
    normal errors."""
    view_shift: bool = True
    """Between query and retrieved image: fit a shift also where depths are metric, as going forward
    does. Without it 6 to 11 % of the right matches on rendered streets lose, with it 1 to 3 %."""
    view_ratio: float = Field(1.1, gt=1, le=10)
    """Between query and retrieved image: a ratio below always agrees, however exact the rest."""
    view_fit_ratio: float = Field(1.4, gt=1, le=10)
    """Between query and retrieved image: a ratio below supports the line that relates depths. 1.25
    finds as many wrong matches, but at 15 % depth error takes twice as many right ones for such."""
    min_view_fit_share: float = Field(0.05, ge=0, le=1)
    """Share of an image's matches that must support that line beyond what chance would give; with
    less the views differ too much, or nearly all matches are wrong, for depth to say anything."""
    pose_ratio: float = Field(1.25, gt=1, le=10)
    """Under a pose: a ratio below agrees (the usual accuracy bound of depth networks)."""
    max_pose_ratio: float = Field(2.0, gt=1, le=100)
    """Under a pose: a ratio above always lowers the factor; or wrong poses would excuse themselves
    by their own spread."""
    full_agreement: float = Field(0.75, gt=0.5, le=1)
    """Share of agreeing inliers above which no more speaks for a pose within RANSAC: of a depth
    error of 15 % right poses have 0.86, give or take 0.05; wrong ones 0.3 to 0.5."""
    in_ransac: bool = False
    """The agreement of depths counts in the score of each pose within RANSAC (``weighted`` only),
    not only where poses of different groups of images are compared. On 240 queries of rendered
    streets it changed no recall, and where depths are useless it took up to 3 times the trials."""
    min_factor: float = Field(0.1, ge=0, le=1)
    """Least factor of a match: predicted depth can be wrong, too."""
