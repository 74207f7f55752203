"""Networks of a map: matchers that do not fit the features are refused before weights are read."""

from __future__ import annotations

import pytest

from hloc_lite.config import load_config
from hloc_lite.errors import ConfigError
from hloc_lite.models import load_models, matcher_name
from hloc_lite.registry import FEATURES, MATCHERS, Runtime, check_matcher_fits
from tests.weights_stores import NoWeights


@pytest.mark.parametrize(
    ("features", "matcher", "fitting"),
    [
        ("rootsift", "lightglue-aliked", "mutual-nn"),
        ("aliked-t16", "lightglue-aliked", "mutual-nn"),
        ("aliked-n16", "lightglue-disk", "mutual-nn, lightglue-aliked"),
        ("disk", "lighterglue-xfeat", "mutual-nn, lightglue-disk"),
    ],
)
def test_matchers_for_other_features_are_refused(features, matcher, fitting) -> None:
    config = load_config(overrides={"features": {"name": features}, "matching": {"name": matcher}})
    with pytest.raises(ConfigError, match=f"matchers for '{features}': {fitting}$"):
        load_models(config, Runtime(NoWeights()))


def test_all_features_have_a_default_matcher_and_nearest_neighbours() -> None:
    for features in FEATURES:
        config = load_config(overrides={"features": {"name": features}})
        assert matcher_name(config) == FEATURES[features].default_matcher
        check_matcher_fits(matcher_name(config), features)
        check_matcher_fits("mutual-nn", features)
    for features in ("aliked-n16rot", "aliked-n32"):
        check_matcher_fits("lightglue-aliked", features)
    with pytest.raises(ConfigError, match=f"known are .*{max(MATCHERS)}"):
        check_matcher_fits("superglue", "aliked-n16")


@pytest.mark.parametrize(
    "setting", ["pose.estimator=magic", "features.name=orb", "mapping.camera_model=BOX"]
)
def test_unknown_names_are_refused_even_if_only_needed_later(setting: str) -> None:
    with pytest.raises(ConfigError, match="known are"):
        load_models(load_config(settings=[setting]), Runtime(NoWeights()))
