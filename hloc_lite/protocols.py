"""Interfaces of models and estimators; ``registry`` creates their implementations by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from hloc_lite.types import (
    Bool,
    Camera,
    Correspondences,
    Cue,
    DepthMap,
    Float32,
    Float64,
    Int64,
    LabelMap,
    LocalFeatures,
    Matches,
    PairMatches,
    Photo,
    PoseEstimate,
    PutativeMatches,
    RetrievalHits,
    Rig,
    Rigid3,
    RigPoseEstimate,
)


@dataclass(frozen=True)
class WeightsFile:
    """Content of a file of weights, with its checksum; as a text, it is its path."""

    path: Path
    content: bytes = field(repr=False)
    sha256: str
    """Checksum of ``content``, in hex digits."""

    def __str__(self) -> str:
        return str(self.path)


class Weights(Protocol):
    """Source of network weights; ``io.weights.WeightsStore`` is the default."""

    def path(self, name: str) -> Path:
        """Return a local file with the expected sha256, downloaded first if absent and allowed.

        Raises:
            WeightsError: absent and not downloadable, or another checksum.
        """

    def read(self, name: str) -> WeightsFile:
        """Return the content of that file, of which the checksum was computed.

        Another process may change the file between ``path`` and the moment it is loaded. Here, what
        was checked is what is loaded.

        Raises:
            WeightsError: as ``path``.
        """


class FeatureExtractor(Protocol):
    """Image -> local features."""

    descriptor_dim: int
    """D of the (N, D) descriptors."""

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        """Extract features of each photo, in order; photos of equal size may run as one batch."""


class Matcher(Protocol):
    """Two sets of local features -> matches."""

    def match(self, pairs: Sequence[tuple[LocalFeatures, LocalFeatures]]) -> list[Matches]:
        """Match each pair, in order. Empty features give empty matches."""


class PairMatcher(Protocol):
    """Two photos -> matches with keypoints of their own, without features extracted before.

    Dense and semi-dense matchers are of this kind. ``matching.keypoint_aggregation`` merges the
    keypoints that one image has in several pairs.
    """

    def match_photos(self, pairs: Sequence[tuple[Photo, Photo]]) -> list[PairMatches]:
        """Match each pair, in order; empty matches if the photos have nothing in common."""


@runtime_checkable
class KeypointProposer(Protocol):
    """A ``PairMatcher`` that knows the keypoints of a photo before it sees another photo.

    Maps from depth take them all as landmarks, so that their images need no pairs.
    """

    def propose_keypoints(self, photo: Photo) -> LocalFeatures:
        """All keypoints that the photo can have as the first one of a pair; D = 0."""


class GlobalDescriptor(Protocol):
    """Image -> unit vector.

    ``fit`` learns from the map's images (e.g. a vocabulary). The map stores ``state`` and hands it
    to ``load_state`` before queries are described.
    """

    def fit(self, photos: Sequence[Photo]) -> None:
        """Learn from a sample of the map's images."""

    def state(self) -> dict[str, Any]:
        """Return the learned arrays by name; empty if nothing was learned."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the learned arrays."""

    def describe(self, photos: Sequence[Photo]) -> Float32:
        """Describe photos by (B, D) unit rows."""


class Segmenter(Protocol):
    """Image -> semantic label of each pixel."""

    def segment(self, photos: Sequence[Photo]) -> Sequence[LabelMap | None]:
        """Label photos, in order, possibly at a lower resolution; None where labels are missing."""


class DepthModel(Protocol):
    """Image -> depth of each pixel."""

    def predict(self, photos: Sequence[Photo]) -> list[DepthMap | None]:
        """Predict depth maps, in order, NaN at edges; None where depth is missing."""


class MapDepth(Protocol):
    """Measured depth of map images: depth images, scans, or a surface seen from their cameras.

    A source may also have ``fingerprint(image_name) -> str``, which changes with the measurements;
    else the depths themselves are hashed, to know whether a map is still up to date.
    """

    def depth_of(self, image_name: str) -> DepthMap | None:
        """Depths of a map image in map units, as its camera sees them; None where there are none.

        Raises:
            FormatError: its depth cannot be read.
        """


class Lifter(Protocol):
    """3D points behind the keypoints of map images: SfM tracks, a depth map or a mesh."""

    @property
    def num_points(self) -> int:
        """Number of points M; indices of points are below it."""

    @property
    def image_names(self) -> frozenset[str]:
        """Map images that have at least one point."""

    def points_of(self, image_name: str) -> Int64:
        """(N,) point of each keypoint of a map image, ``NO_POINT`` where it has none.

        Keypoints of several images with the same point show the same landmark.
        """

    def xyz_of(self, point3D_idxs: Int64) -> Float64:
        """(K, 3) world coordinates of points, map units."""

    def track_lengths_of(self, point3D_idxs: Int64) -> Int64:
        """(K,) number of images that observe each point; below 2 where unknown."""

    def errors_px_of(self, point3D_idxs: Int64) -> Float64:
        """(K,) mean reprojection error of each point, pixels; NaN or negative where unknown."""


class CueComputer(Protocol):
    """Putative matches of a query -> factor per match, combined with other cues into a weight."""

    def compute(
        self,
        matches: PutativeMatches,
        photo: Photo,
        features: LocalFeatures,
        hits: RetrievalHits,
        lifter: Lifter,
    ) -> Cue:
        """Compute the cue of each match.

        Args:
            matches: R matches of the query with points of the map.
            photo: the query.
            features: its features; ``matches.keypoint_idxs`` points into them.
            hits: retrieved images; ``matches.hit_idxs`` points into them.
            lifter: points of the map; ``matches.point3D_idxs`` points into them.
        """


DepthScorer = Callable[[Float64, Bool], Float64]
"""Scores H poses with predicted depths: ``scorer(depths, inliers)`` returns (H,) factors in [0, 2]
by which the poses' scores are multiplied; 1 is neutral.

``depths`` are the (H, K) depths of K correspondences along the optical axis under each pose, NaN
where unknown; ``inliers`` is the (H, K) mask of inliers of each pose."""


class PoseEstimator(Protocol):
    """2D-3D correspondences -> camera pose."""

    def estimate(
        self,
        correspondences: Correspondences,
        camera: Camera,
        depth_scorer: DepthScorer | None = None,
    ) -> PoseEstimate | None:
        """Estimate and refine a pose; None without ``pose.min_inliers`` inliers.

        Args:
            depth_scorer: scores poses by the depths of these correspondences; an estimator may
                ignore it.
        """

    def ransac(
        self,
        correspondences: Correspondences,
        camera: Camera,
        max_num_trials: int,
        depth_scorer: DepthScorer | None = None,
    ) -> tuple[Rigid3, int] | None:
        """RANSAC without refinement, stopped after ``max_num_trials`` at the latest.

        Returns:
            (cam_from_world, number of trials; 0 if unknown), or None if no pose was found.
        """


class RigEstimator(Protocol):
    """2D-3D correspondences of several cameras -> pose of their rig."""

    def estimate(
        self, correspondences: Sequence[Correspondences], rig: Rig
    ) -> RigPoseEstimate | None:
        """Estimate and refine a rig's pose; None without ``pose.rig_min_inliers`` inliers.

        Raises:
            ShapeError: not as many correspondences as cameras.
        """
