"""Values of a log of hloc's localization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hloc_lite.types import Bool, Float64, Int64, Rigid3, freeze_field


@dataclass(frozen=True, eq=False, kw_only=True)
class LoggedEstimate:
    """Pose estimation of a query against some map images."""

    map_images: tuple[str, ...] | tuple[int, ...]
    """Retrieved images: names in InLoc's logs, COLMAP image ids in others."""
    cam_from_world: Rigid3 | None
    """None if no pose was found."""
    num_inliers: int
    inlier_mask: Bool | None
    """(K,) mask over the keypoints; None if the log has none."""
    keypoints: Float64
    """(K, 2) pixels of the query, one row a correspondence; (0.5, 0.5) is the first pixel."""
    point3D_ids: Int64 | None
    """(K,) COLMAP point ids; None in InLoc's logs, which have points of scans."""
    num_matches: int
    """Number of matches with a map point, before equal ones were merged."""

    def __post_init__(self) -> None:
        freeze_field(self, "keypoints", np.float64, None, 2)
        count = len(self.keypoints)
        if self.point3D_ids is not None:
            freeze_field(self, "point3D_ids", np.int64, count)
        if self.inlier_mask is not None:
            freeze_field(self, "inlier_mask", np.bool_, count)

    @property
    def is_success(self) -> bool:
        """True if a pose was found."""
        return self.cam_from_world is not None


@dataclass(frozen=True, eq=False, kw_only=True)
class LoggedQuery:
    """Localization of one query."""

    map_images: tuple[str, ...] | tuple[int, ...]
    """Retrieved images, best first: names in InLoc's logs, COLMAP image ids in others."""
    estimate: LoggedEstimate | None
    """The estimate whose pose was written; None if none of the clusters gave one."""
    clusters: tuple[LoggedEstimate, ...] = ()
    """Estimates of all clusters of covisible map images; empty without clustering."""


@dataclass(frozen=True, eq=False, kw_only=True)
class HlocLog:
    """Log of a localization by hloc."""

    features: str
    """Path of the features file, as given then; empty if not logged."""
    matches: str
    retrieval: str
    queries: Mapping[str, LoggedQuery]
