"""Names of models and estimators, and where their classes are: explicit tables, loaded on demand.

Every class is called as ``Class(name, config, runtime)``: the registry name (one class may serve
several), the config dataclass of its role, and the ``Runtime`` it may use.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from hloc_lite.errors import ConfigError, UnknownNameError
from hloc_lite.types import (
    Bool,
    Camera,
    Correspondences,
    DepthMap,
    Float32,
    Float64,
    Int64,
    LabelMap,
    LocalFeatures,
    Matches,
    PairMatches,
    Photo,
    Rig,
    Rigid3,
    RigPoseEstimate,
)
from hloc_lite.types import PoseEstimate as PoseEstimate

FEATURES: Mapping[str, str] = {
    "aliked-t16": "hloc_lite.features.aliked:AlikedExtractor",
    "aliked-n16": "hloc_lite.features.aliked:AlikedExtractor",
    "aliked-n16rot": "hloc_lite.features.aliked:AlikedExtractor",
    "aliked-n32": "hloc_lite.features.aliked:AlikedExtractor",
    "disk": "hloc_lite.features.disk:DiskExtractor",
    "xfeat": "hloc_lite.features.xfeat:XFeatExtractor",
    "rootsift": "hloc_lite.features.rootsift:RootSiftExtractor",
}
MATCHERS: Mapping[str, str] = {
    "mutual-nn": "hloc_lite.matching.nearest:NearestMatcher",
    "lightglue-aliked": "hloc_lite.matching.lightglue:LightGlueMatcher",
    "lightglue-disk": "hloc_lite.matching.lightglue:LightGlueMatcher",
    "lighterglue-xfeat": "hloc_lite.matching.lightglue:LightGlueMatcher",
}
GLOBAL_DESCRIPTORS: Mapping[str, str] = {
    "netvlad-lite0": "hloc_lite.retrieval.netvlad:NetVladLite",
    "gem-lite0": "hloc_lite.retrieval.gem:GemLite",
    "netvlad-pitts30k": "hloc_lite.retrieval.netvlad_vgg16:NetVladVgg16",
}
SEGMENTERS: Mapping[str, str] = {
    "deeplab-edgetpu-cityscapes": "hloc_lite.consistency.segmentation_litert:LiteRtSegmenter",
    "files:": "hloc_lite.consistency.segmentation_files:LabelFiles",
    "hf:": "hloc_lite.consistency.segmentation_hf:HuggingFaceSegmenter",
}
"""A name that ends in a colon stands for all names that start with it."""
ESTIMATORS: Mapping[str, str] = {
    "weighted": "hloc_lite.pose.weighted_estimator:WeightedEstimator",
    "poselib": "hloc_lite.pose.poselib_estimator:PoseLibEstimator",
    "pycolmap": "hloc_lite.pose.pycolmap_estimator:PycolmapEstimator",
    "opencv": "hloc_lite.pose.opencv_estimator:OpenCvEstimator",
}
RIG_ESTIMATORS: Mapping[str, str] = {
    "weighted": "hloc_lite.pose.rig_estimators:WeightedRigEstimator",
    "poselib": "hloc_lite.pose.rig_estimators:PoseLibRigEstimator",
    "pycolmap": "hloc_lite.pose.rig_estimators:PycolmapRigEstimator",
}
DEPTH_MODELS: Mapping[str, str] = {
    "files:": "hloc_lite.consistency.depth_models:DepthFiles",
    "hf:": "hloc_lite.consistency.depth_models:HuggingFaceDepth",
}
"""A name that ends in a colon stands for all names that start with it."""
DEFAULT_MATCHER: Mapping[str, str] = {
    "aliked-n16": "lightglue-aliked",
    "aliked-n16rot": "lightglue-aliked",
    "aliked-n32": "lightglue-aliked",
    "aliked-t16": "mutual-nn",  # 64-D descriptors: no LightGlue was trained for them
    "disk": "lightglue-disk",
    "xfeat": "lighterglue-xfeat",
    "rootsift": "mutual-nn",
}
MATCHER_FEATURES: Mapping[str, tuple[str, ...]] = {
    # trained on n16; n16rot and n32 have descriptors of the same kind
    "lightglue-aliked": ("aliked-n16", "aliked-n16rot", "aliked-n32"),
    "lightglue-disk": ("disk",),
    "lighterglue-xfeat": ("xfeat",),
}
"""What learned matchers can match; those not listed match all features."""


class Weights(Protocol):
    """Where network weights come from; ``io.weights.WeightsStore`` is the real one."""

    def path(self, name: str) -> Path:
        """A local file whose sha256 was checked; fetched first if absent and allowed.

        Raises:
            WeightsError: not present and not fetchable, or with another checksum.
        """


@dataclass(frozen=True)
class Runtime:
    """What a model may use of its surroundings."""

    weights: Weights
    device: str = "cpu"
    """torch's name: cpu, cuda, cuda:1, mps."""

    def __post_init__(self) -> None:
        check_device(self.device)


class FeatureExtractor(Protocol):
    """Image -> local features. ``descriptor_dim`` is D of its descriptors."""

    descriptor_dim: int

    def extract(self, photos: Sequence[Photo]) -> list[LocalFeatures]:
        """Features of each photo, in order; photos of one size run as one batch."""


class Matcher(Protocol):
    """Two sets of local features -> matches."""

    def match(self, pairs: Sequence[tuple[LocalFeatures, LocalFeatures]]) -> list[Matches]:
        """Matches of each pair, in order. Empty features give empty matches."""


class PairMatcher(Protocol):
    """Two photos -> matches with keypoints of their own, without features extracted before.

    Dense and semi-dense matchers are of this kind. ``matching.keypoint_aggregation`` joins the
    keypoints that one image has in several pairs.
    """

    def match_photos(self, pairs: Sequence[tuple[Photo, Photo]]) -> list[PairMatches]:
        """Matches of each pair, in order; none where the photos show nothing in common."""


class GlobalDescriptor(Protocol):
    """Image -> one unit vector. ``fit`` learns what depends on the map's own images (a vocabulary);
    its answer is stored with the map and given back to ``load_state``."""

    def fit(self, photos: Sequence[Photo]) -> None: ...

    def state(self) -> dict[str, Any]:
        """Arrays to store with the map; empty if nothing was learned."""

    def load_state(self, state: Mapping[str, Any]) -> None: ...

    def describe(self, photos: Sequence[Photo]) -> Float32:
        """(B, D) float32 unit rows."""


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


class Segmenter(Protocol):
    """Image -> a semantic label for each pixel."""

    def segment(self, photos: Sequence[Photo]) -> Sequence[LabelMap | None]:
        """Label maps of the photos, in order, possibly smaller than the photos; None where there is
        none to be had."""


class DepthModel(Protocol):
    """Image -> depths."""

    def predict(self, photos: Sequence[Photo]) -> list[DepthMap | None]:
        """Of each photo, in order, NaN at edges; None where there is none to be had."""


DepthScorer = Callable[[Float64, Bool], Float64]
"""Scores H poses with predicted depths: ``scorer(depths, inliers)`` returns (H,) factors in [0, 2] by
which the poses' scores are multiplied; 1 is neutral.

``depths`` are the (H, K) depths of K correspondences along the optical axis under each pose, NaN
where unknown; ``inliers`` is the (H, K) mask of inliers of each pose."""


class PoseEstimator(Protocol):
    """2D-3D correspondences -> pose."""

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
    """2D-3D correspondences of several cameras at once -> pose of their rig."""

    def estimate(
        self, correspondences: Sequence[Correspondences], rig: Rig
    ) -> RigPoseEstimate | None:
        """Estimate and refine a rig's pose; None without ``pose.rig_min_inliers`` inliers.

        Raises:
            ShapeError: not as many correspondences as cameras.
        """


def check_device(device: str) -> str:
    """The device, if torch can compute on it.

    Raises:
        ConfigError: unknown or not there.
    """
    if device == "cpu":
        return device
    import torch

    try:
        torch.ones(1, device=device).item()  # devices without memory ("meta") hold no values
    except (RuntimeError, AssertionError, TypeError) as error:
        # what torch says of others than CUDA is a list of its backends, pages long
        reasons = {"cuda": str(error).partition("\n")[0], "mps": "torch finds no such GPU"}
        kind = str(device).partition(":")[0]
        raise ConfigError(
            f"device {device!r} cannot be used here: "
            f"{reasons.get(kind, 'expected cpu, cuda, cuda:1 or mps')}; `hloc-lite doctor` lists "
            f"what can"
        ) from None
    return device


def create(table: Mapping[str, str], name: str, config: object, runtime: Runtime) -> Any:
    """The model of that name.

    Raises:
        UnknownNameError: with the nearest names, if the table does not have it.
    """
    module_name, class_name = lookup(table, name).split(":")
    return getattr(import_module(module_name), class_name)(name, config, runtime)


def check_matcher(matcher: str, features: str) -> None:
    """Refuse a matcher that was trained for other features: it would match them at random.

    Raises:
        UnknownNameError: no such matcher.
        ConfigError: with the matchers that fit.
    """
    lookup(MATCHERS, matcher)
    if features not in MATCHER_FEATURES.get(matcher, (features,)):
        fit = [name for name in MATCHERS if features in MATCHER_FEATURES.get(name, (features,))]
        raise ConfigError(
            f"matcher {matcher!r} was trained for {', '.join(MATCHER_FEATURES[matcher])}, not for "
            f"{features!r}; matchers for {features!r}: {', '.join(fit)}"
        )


def is_learned(matcher: str) -> bool:
    """Whether a matcher is a network, which was trained for some features."""
    return matcher in MATCHER_FEATURES


def lookup(table: Mapping[str, str], name: str) -> str:
    """``table[name]``, or an ``UnknownNameError`` that lists the names."""
    if name in table:
        if name.endswith(":"):
            raise UnknownNameError(f"{name!r} needs a folder or a model after the colon")
        return table[name]
    prefix, colon, rest = name.partition(":")
    if colon and rest and prefix + colon in table:
        return table[prefix + colon]
    near = difflib.get_close_matches(name, table, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UnknownNameError(f"unknown name {name!r}; known are {', '.join(sorted(table))}.{hint}")
