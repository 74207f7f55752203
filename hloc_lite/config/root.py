"""The whole config of a run."""

from __future__ import annotations

from hloc_lite.config.assessment import AssessmentConfig
from hloc_lite.config.burned_in import BurnedInConfig
from hloc_lite.config.depth import DepthConfig
from hloc_lite.config.features import FeaturesConfig, ImagesConfig
from hloc_lite.config.intrinsics import IntrinsicsConfig
from hloc_lite.config.lifting import LiftingConfig
from hloc_lite.config.localize import CascadeConfig, LocalizeConfig, PriorConfig, SequenceConfig
from hloc_lite.config.mapping import GeometryConfig, MappingConfig, PairsConfig
from hloc_lite.config.matching import MatchingConfig
from hloc_lite.config.pose import PoseConfig
from hloc_lite.config.retrieval import RetrievalConfig
from hloc_lite.config.scratch import ScratchConfig
from hloc_lite.config.section import Section
from hloc_lite.config.self_test import SelfTestConfig, VisibilityConfig
from hloc_lite.config.semantics import SemanticsConfig
from hloc_lite.config.view_synthesis import ViewSynthesisConfig
from hloc_lite.config.weighting import ConfidenceConfig, WeightingConfig


class Config(Section):
    """Settings of all stages, one section each."""

    images: ImagesConfig = ImagesConfig()
    features: FeaturesConfig = FeaturesConfig()
    burned_in: BurnedInConfig = BurnedInConfig()
    matching: MatchingConfig = MatchingConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    pairs: PairsConfig = PairsConfig()
    geometry: GeometryConfig = GeometryConfig()
    mapping: MappingConfig = MappingConfig()
    lifting: LiftingConfig = LiftingConfig()
    scratch: ScratchConfig = ScratchConfig()
    assessment: AssessmentConfig = AssessmentConfig()
    pose: PoseConfig = PoseConfig()
    localize: LocalizeConfig = LocalizeConfig()
    cascade: CascadeConfig = CascadeConfig()
    intrinsics: IntrinsicsConfig = IntrinsicsConfig()
    prior: PriorConfig = PriorConfig()
    sequence: SequenceConfig = SequenceConfig()
    semantics: SemanticsConfig = SemanticsConfig()
    depth: DepthConfig = DepthConfig()
    weighting: WeightingConfig = WeightingConfig()
    confidence: ConfidenceConfig = ConfidenceConfig()
    self_test: SelfTestConfig = SelfTestConfig()
    visibility: VisibilityConfig = VisibilityConfig()
    view_synthesis: ViewSynthesisConfig = ViewSynthesisConfig()
