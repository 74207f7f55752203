"""Configuration: one frozen model per stage; every number with its unit, range and reason.

A run's ``Config`` is made from the defaults of a profile, then a TOML file, then ``key=value``
settings (``load_config``). Unknown keys and values out of range are refused.
"""

from hloc_lite.config.assessment import AssessmentConfig
from hloc_lite.config.burned_in import BurnedInConfig
from hloc_lite.config.depth import DepthConfig
from hloc_lite.config.features import FeaturesConfig, ImagesConfig
from hloc_lite.config.fingerprints import fingerprint, plain_for_fingerprint
from hloc_lite.config.intrinsics import IntrinsicsConfig
from hloc_lite.config.key_uses import (
    building_keys,
    differing_keys,
    keys_equal_for_queries,
    map_values_for_fingerprint,
    query_settings,
    settings_with,
    value_of,
    values_for_fingerprint,
    with_matching_of_map,
    without_query_keys,
)
from hloc_lite.config.lifting import LiftingConfig
from hloc_lite.config.loading import config_from_dict, config_of_another_version, load_config
from hloc_lite.config.localize import CascadeConfig, LocalizeConfig, PriorConfig, SequenceConfig
from hloc_lite.config.mapping import GeometryConfig, MappingConfig, PairsConfig
from hloc_lite.config.matching import MatchingConfig
from hloc_lite.config.pose import PoseConfig
from hloc_lite.config.profiles import PROFILES, query_profile
from hloc_lite.config.rendering import RenderingConfig
from hloc_lite.config.retrieval import RetrievalConfig
from hloc_lite.config.root import Config
from hloc_lite.config.scratch import ScratchConfig
from hloc_lite.config.section import Section, Use
from hloc_lite.config.self_test import SelfTestConfig, VisibilityConfig
from hloc_lite.config.semantics import Confusion, SemanticClass, SemanticsConfig
from hloc_lite.config.surface import SurfaceConfig
from hloc_lite.config.weighting import ConfidenceConfig, CueName, WeightingConfig
from hloc_lite.deprecation import deprecated_names
from hloc_lite.registry import FEATURES

__all__ = [
    "PROFILES",
    "AssessmentConfig",
    "BurnedInConfig",
    "CascadeConfig",
    "ConfidenceConfig",
    "Config",
    "Confusion",
    "CueName",
    "DepthConfig",
    "FeaturesConfig",
    "GeometryConfig",
    "ImagesConfig",
    "IntrinsicsConfig",
    "LiftingConfig",
    "LocalizeConfig",
    "MappingConfig",
    "MatchingConfig",
    "PairsConfig",
    "PoseConfig",
    "PriorConfig",
    "RenderingConfig",
    "RetrievalConfig",
    "ScratchConfig",
    "Section",
    "SelfTestConfig",
    "SemanticClass",
    "SemanticsConfig",
    "SequenceConfig",
    "SurfaceConfig",
    "Use",
    "VisibilityConfig",
    "WeightingConfig",
    "building_keys",
    "config_from_dict",
    "config_of_another_version",
    "differing_keys",
    "fingerprint",
    "keys_equal_for_queries",
    "load_config",
    "map_values_for_fingerprint",
    "plain_for_fingerprint",
    "query_profile",
    "query_settings",
    "settings_with",
    "value_of",
    "values_for_fingerprint",
    "with_matching_of_map",
    "without_query_keys",
]

__getattr__ = deprecated_names(
    __name__,
    {"FEATURE_DEFAULTS": lambda: {name: each.defaults for name, each in FEATURES.items()}},
    hints={"FEATURE_DEFAULTS": "registry.FEATURES[...].defaults"},
)
