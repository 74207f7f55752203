"""Names of models and estimators: one entry per name, loaded at first use.

Every class is called as ``Class(name, config, runtime)``: the registry name (one class may serve
several), the config section of its role, and the ``Runtime`` it may use. Installed packages add
names by entry points (``entries``); ``register`` adds one in this process.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hloc_lite.deprecation import deprecated_names
from hloc_lite.entries import (
    Entry,
    EstimatorEntry,
    Factory,
    FeatureEntry,
    MatcherEntry,
    Table,
    load_factory,
)
from hloc_lite.entries import find as find
from hloc_lite.entries import lookup as lookup
from hloc_lite.errors import ConfigError

if TYPE_CHECKING:
    from hloc_lite.protocols import Weights

_ALIKED = "hloc_lite.features.aliked:AlikedExtractor"
_LIGHTGLUE = "hloc_lite.matching.lightglue:LightGlueMatcher"
_COARSE_TO_FINE = "hloc_lite.matching.coarse_to_fine:CoarseToFineMatcher"
_LOFTR = "hloc_lite.matching.loftr:LoftrMatcher"
_ONE_PASS = {"two_pass": False}
"""Default of features for which the effect of two-pass matching on a map has not been measured."""

FEATURES = Table(
    "feature",
    "hloc_lite.features",
    FeatureEntry,
    {
        # 64-D descriptors: no LightGlue was trained for them
        "aliked-t16": FeatureEntry(_ALIKED, ("aliked-t16",)),
        "aliked-n16": FeatureEntry(_ALIKED, ("aliked-n16",), "lightglue-aliked"),
        "aliked-n16rot": FeatureEntry(
            _ALIKED, ("aliked-n16rot",), "lightglue-aliked", {"matching": _ONE_PASS}
        ),
        "aliked-n32": FeatureEntry(
            _ALIKED, ("aliked-n32",), "lightglue-aliked", {"matching": _ONE_PASS}
        ),
        "disk": FeatureEntry(
            "hloc_lite.features.disk:DiskExtractor",
            ("disk",),
            "lightglue-disk",
            {"matching": _ONE_PASS},
        ),
        "xfeat": FeatureEntry(
            "hloc_lite.features.xfeat:XFeatExtractor",
            ("xfeat",),
            "lighterglue-xfeat",
            {
                "features": {"max_keypoints": 2048},
                # a similarity threshold instead of a ratio, as its authors match: twice the
                # correct matches of ratio 0.9
                "matching": {"max_ratio": 1.0, "min_similarity": 0.82, **_ONE_PASS},
            },
        ),
        "rootsift": FeatureEntry(
            "hloc_lite.features.rootsift:RootSiftExtractor",
            # many cheap keypoints; 0.85 is where precision falls below 80 %
            defaults={"features": {"max_keypoints": 4096}, "matching": {"max_ratio": 0.85}},
        ),
    },
)
MATCHERS = Table(
    "matcher",
    "hloc_lite.matchers",
    MatcherEntry,
    {
        "mutual-nn": MatcherEntry("hloc_lite.matching.nearest:NearestMatcher"),
        "lightglue-aliked": MatcherEntry(
            _LIGHTGLUE,
            ("lightglue-aliked",),
            is_learned=True,
            # trained on n16; n16rot and n32 have descriptors of the same kind
            features=("aliked-n16", "aliked-n16rot", "aliked-n32"),
        ),
        "lightglue-disk": MatcherEntry(
            _LIGHTGLUE, ("lightglue-disk",), is_learned=True, features=("disk",)
        ),
        "lighterglue-xfeat": MatcherEntry(
            _LIGHTGLUE, ("lighterglue-xfeat",), is_learned=True, features=("xfeat",)
        ),
        "coarse-to-fine-lite0": MatcherEntry(
            _COARSE_TO_FINE, ("efficientnet-lite0",), is_learned=True, takes_photos=True
        ),
        "coarse-to-fine-vgg16": MatcherEntry(
            _COARSE_TO_FINE, ("netvlad-pitts30k",), is_learned=True, takes_photos=True
        ),
        "loftr-outdoor": MatcherEntry(
            _LOFTR, ("loftr-outdoor",), is_learned=True, takes_photos=True
        ),
        "loftr-indoor": MatcherEntry(_LOFTR, ("loftr-indoor",), is_learned=True, takes_photos=True),
    },
)
_HASHES = "hloc_lite.retrieval.perceptual_hashes:PerceptualHash"
GLOBAL_DESCRIPTORS = Table(
    "global descriptor",
    "hloc_lite.global_descriptors",
    Entry,
    {
        "netvlad-lite0": Entry("hloc_lite.retrieval.netvlad:NetVladLite", ("efficientnet-lite0",)),
        "gem-lite0": Entry("hloc_lite.retrieval.gem:GemLite", ("efficientnet-lite0",)),
        "netvlad-pitts30k": Entry(
            "hloc_lite.retrieval.netvlad_vgg16:NetVladVgg16", ("netvlad-pitts30k",)
        ),
        "local:": Entry("hloc_lite.retrieval.pooling_descriptors:LocalFeaturesDescriptor"),
        "ahash": Entry(_HASHES),
        "dhash": Entry(_HASHES),
        "phash": Entry(_HASHES),
        "hsv-histogram": Entry("hloc_lite.retrieval.colour_histogram:ColourHistogram"),
        "pooled:": Entry("hloc_lite.retrieval.pooling_descriptors:FeatureMapDescriptor"),
    },
)
_NETVLAD_KIN = "hloc_lite.retrieval.poolings.netvlad"
POOLINGS = Table(
    "pooling",
    "hloc_lite.poolings",
    Entry,
    {
        "average": Entry("hloc_lite.retrieval.poolings.average:Average"),
        "blcf": Entry("hloc_lite.retrieval.poolings.blcf:Blcf"),
        "bow": Entry("hloc_lite.retrieval.poolings.bow:BagOfWords"),
        "cam": Entry("hloc_lite.retrieval.poolings.cam:Cam"),
        "crow": Entry("hloc_lite.retrieval.poolings.crow:Crow"),
        "fisher": Entry("hloc_lite.retrieval.poolings.fisher:Fisher"),
        "gem": Entry("hloc_lite.retrieval.poolings.gem:Gem"),
        "mac": Entry("hloc_lite.retrieval.poolings.mac:Mac"),
        "netfv": Entry(f"{_NETVLAD_KIN}:NetFisher"),
        "netrvlad": Entry(f"{_NETVLAD_KIN}:NetRvlad"),
        "netvlad": Entry(f"{_NETVLAD_KIN}:NetVlad"),
        "nip": Entry("hloc_lite.retrieval.poolings.nested_invariance:NestedInvariance"),
        "rmac": Entry("hloc_lite.retrieval.poolings.rmac:Rmac"),
        "selective-vlad": Entry("hloc_lite.retrieval.poolings.selective:SelectiveVlad"),
        "soft-dbow": Entry(f"{_NETVLAD_KIN}:SoftBagOfWords"),
        "spoc": Entry("hloc_lite.retrieval.poolings.spoc:Spoc"),
        "vlad": Entry("hloc_lite.retrieval.poolings.vlad:Vlad"),
    },
)
_LITE = "hloc_lite.retrieval.backbones.efficientnet_lite:EfficientNetLiteBackbone"
BACKBONES = Table(
    "backbone",
    "hloc_lite.backbones",
    Entry,
    {
        "lite0": Entry(_LITE, ("efficientnet-lite0",)),
        "lite1": Entry(_LITE, ("efficientnet-lite1",)),
        "lite2": Entry(_LITE, ("efficientnet-lite2",)),
        "vgg16-pitts30k": Entry(
            "hloc_lite.retrieval.backbones.vgg16:Vgg16Backbone", ("netvlad-pitts30k",)
        ),
    },
)
COMPOSED: Mapping[str, tuple[Table[Any], Table[Any]]] = {
    "pooled:": (POOLINGS, BACKBONES),
    "local:": (POOLINGS, FEATURES),
}
"""Prefix of a global descriptor ``PREFIX:FIRST+SECOND`` -> the tables of its two names."""
SEGMENTERS = Table(
    "segmenter",
    "hloc_lite.segmenters",
    Entry,
    {
        "deeplab-edgetpu-cityscapes": Entry(
            "hloc_lite.consistency.segmentation_litert:LiteRtSegmenter",
            ("deeplab-edgetpu-cityscapes",),
        ),
        "files:": Entry("hloc_lite.consistency.segmentation_files:LabelFiles"),
        "hf:": Entry("hloc_lite.consistency.segmentation_hf:HuggingFaceSegmenter"),
    },
)
DEPTH_MODELS = Table(
    "depth model",
    "hloc_lite.depth_models",
    Entry,
    {
        "files:": Entry("hloc_lite.consistency.depth_models:DepthFiles"),
        "hf:": Entry("hloc_lite.consistency.depth_models:HuggingFaceDepth"),
    },
)
ESTIMATORS = Table(
    "estimator",
    "hloc_lite.estimators",
    EstimatorEntry,
    {
        "weighted": EstimatorEntry(
            "hloc_lite.pose.weighted_estimator:WeightedEstimator",
            rig_factory="hloc_lite.pose.rig_estimators:WeightedRigEstimator",
        ),
        "poselib": EstimatorEntry(
            "hloc_lite.pose.poselib_estimator:PoseLibEstimator",
            rig_factory="hloc_lite.pose.rig_estimators:PoseLibRigEstimator",
        ),
        "pycolmap": EstimatorEntry(
            "hloc_lite.pose.pycolmap_estimator:PycolmapEstimator",
            rig_factory="hloc_lite.pose.rig_estimators:PycolmapRigEstimator",
        ),
        "opencv": EstimatorEntry("hloc_lite.pose.opencv_estimator:OpenCvEstimator"),
    },
)
LIFTERS = Table("lifter", "hloc_lite.lifters", Entry, {})
CUES = Table("cue", "hloc_lite.cues", Entry, {})
TABLES: dict[str, Table[Any]] = {
    "features": FEATURES,
    "matchers": MATCHERS,
    "global_descriptors": GLOBAL_DESCRIPTORS,
    "poolings": POOLINGS,
    "backbones": BACKBONES,
    "segmenters": SEGMENTERS,
    "depth_models": DEPTH_MODELS,
    "estimators": ESTIMATORS,
    "lifters": LIFTERS,
    "cues": CUES,
}
"""Role -> its table; the entry points of other packages are in the groups ``hloc_lite.ROLE``."""


@dataclass(frozen=True)
class Runtime:
    """Weights and device that a model uses."""

    weights: Weights
    device: str = "cpu"
    """torch's name: cpu, cuda, cuda:1, mps."""

    def __post_init__(self) -> None:
        check_device(self.device)


def register(role: str, name: str, entry: Entry | Factory) -> ExitStack:
    """Add a name in this process, for tests and notebooks.

    Args:
        role: a key of ``TABLES``, e.g. ``features``.
        entry: an entry of that role, or a class called as ``Class(name, config, runtime)``.

    Returns:
        A stack that removes the name when it is closed, or left as a context:
        ``with register("features", "mine", MyExtractor): ...``

    Raises:
        ConfigError: unknown role, or a name that is taken.
    """
    return lookup(TABLES, role).register(name, entry)


def create(table: Mapping[str, Entry], name: str, config: object, runtime: Runtime) -> Any:
    """Create the model or estimator of a name.

    Raises:
        UnknownNameError: with the nearest names.
    """
    return load_factory(lookup(table, name).factory)(name, config, runtime)


def create_rig_estimator(name: str, config: object, runtime: Runtime) -> Any:
    """Create the rig estimator of a name.

    Raises:
        UnknownNameError: with the nearest names.
        ConfigError: an estimator that has none for rigs.
    """
    factory = lookup(ESTIMATORS, name).rig_factory
    if factory is None:
        having = ", ".join(rig_estimator_names())
        raise ConfigError(f"estimator {name!r} has no rig estimator; choose one of {having}")
    return load_factory(factory)(name, config, runtime)


def rig_estimator_names() -> list[str]:
    """Names of the estimators that can estimate rig poses."""
    return [name for name, entry in ESTIMATORS.items() if entry.rig_factory is not None]


def check_matcher_fits(matcher: str, features: str) -> None:
    """Refuse a matcher that was trained for other features: it would match them at random.

    Raises:
        UnknownNameError: no such matcher.
        ConfigError: with the matchers that fit.
    """
    entry = lookup(MATCHERS, matcher)
    if not entry.matches(features):
        of_features = [(key, each) for key, each in MATCHERS.items() if not each.takes_photos]
        fit = [key for key, each in of_features if each.matches(features)]
        raise ConfigError(
            f"matcher {matcher!r} was trained for {', '.join(entry.features)}, not for "
            f"{features!r}; matchers for {features!r}: {', '.join(fit)}"
        )


def is_learned(matcher: str) -> bool:
    """True if a matcher is a network."""
    entry = find(MATCHERS, matcher)
    return entry is not None and entry.is_learned


def check_device(device: str) -> str:
    """Return the device if torch can compute on it.

    Raises:
        ConfigError: unknown or absent.
    """
    if device == "cpu":
        return device
    import torch

    try:
        torch.ones(1, device=device).item()  # devices without memory ("meta") hold no values
    except (RuntimeError, AssertionError, TypeError) as error:
        # for devices other than CUDA torch's message lists its backends, on pages
        reasons = {"cuda": str(error).partition("\n")[0], "mps": "torch finds no such GPU"}
        kind = str(device).partition(":")[0]
        raise ConfigError(
            f"device {device!r} cannot be used here: "
            f"{reasons.get(kind, 'expected cpu, cuda, cuda:1 or mps')}; `hloc-lite doctor` lists "
            f"what can"
        ) from None
    return device


def _matcher_features() -> dict[str, tuple[str, ...]]:
    return {name: entry.features for name, entry in MATCHERS.items() if entry.features}


_PROTOCOLS = (
    "DepthModel", "FeatureExtractor", "GlobalDescriptor", "Matcher", "PoseEstimator",
    "RigEstimator", "Segmenter", "Weights",
)  # fmt: skip
__getattr__ = deprecated_names(
    __name__,
    {
        **{name: f"hloc_lite.protocols:{name}" for name in _PROTOCOLS},
        "DepthJudge": "hloc_lite.protocols:DepthScorer",
        "PoseEstimate": "hloc_lite.types:PoseEstimate",
        "check_matcher": "hloc_lite.registry:check_matcher_fits",
        "RIG_ESTIMATORS": lambda: {
            name: Entry(ESTIMATORS[name].rig_factory or "") for name in rig_estimator_names()
        },
        "DEFAULT_MATCHER": lambda: {name: each.default_matcher for name, each in FEATURES.items()},
        "MATCHER_FEATURES": _matcher_features,
    },
    hints={
        "RIG_ESTIMATORS": "registry.rig_estimator_names",
        "DEFAULT_MATCHER": "registry.FEATURES[...].default_matcher",
        "MATCHER_FEATURES": "registry.MATCHERS[...].features",
    },
)
