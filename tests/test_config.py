"""Config: defaults, overrides in order, and a clear no to everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.config import PROFILES, Config, Section, fingerprint, load_config
from hloc_lite.errors import ConfigError
from hloc_lite.registry import DEFAULT_MATCHER, ESTIMATORS, FEATURES, GLOBAL_DESCRIPTORS, MATCHERS


def test_later_sources_win(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[pose]\nmax_error_px = 5\nmin_inliers = 20\n")
    config = load_config("fast", file, ["pose.max_error_px=6"])
    assert config.pose.max_error_px == 6
    assert config.pose.min_inliers == 20
    assert config.features.name == "xfeat"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("pose.max_eror_px=3", "did you mean pose.max_error_px"),
        ("max_error_px=3", "unknown config key"),
        ("pose.max_error_px=-1", "greater than or equal to 0.001"),
        ("pose.max_error_px=nan", "finite"),
        ("pose.min_inliers=three", "integer"),
        ("mapping.mapper=magic", "'incremental' or 'global'"),
        ("pose", "key=value"),
        (f"pose.seed={2**31}", "less than 2147483648"),
        ("pose.seed=" + "1" * 5000, "integer"),
        ("pose.max_error_px=6\npose.min_inliers=3", "one value"),
        ("features.name=disk\npose.min_inliers=3", "one value"),
        ("localize.min_focal_ratio=5", r"min_focal_ratio.*below.*max_focal_ratio, got 5 and 4"),
    ],
)
def test_bad_settings_are_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        load_config(settings=[setting])


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[pose]\nmin_inliers = 20\n", encoding="utf-8-sig")
    assert load_config(file=file).pose.min_inliers == 20


@pytest.mark.parametrize("text", ["[pose", "pose = 3", "[pos]\nx=1", "x=" + "1" * 5000])
def test_bad_files_are_refused(tmp_path, text):
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        load_config(file=file)


def test_missing_file_and_profile():
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(file="nowhere.toml" and __import__("pathlib").Path("nowhere.toml"))
    with pytest.raises(ConfigError, match="unknown profile"):
        load_config("quick")


def test_features_bring_their_own_defaults_and_settings_win():
    assert load_config(overrides={"features": {"name": "rootsift"}}).matching.max_ratio == 0.85
    assert load_config("fast").matching.min_similarity == 0.82
    assert load_config("fast", settings=["matching.min_similarity=0.5"]).matching.max_ratio == 1
    again = load_config(settings=["pose.seed=1"], base=load_config("fast"))
    assert again.matching == load_config("fast").matching


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_name_things_that_exist(profile):
    config = load_config(profile)
    assert config.features.name in FEATURES
    assert config.matching.name in {"auto", *MATCHERS}
    assert config.retrieval.name in GLOBAL_DESCRIPTORS
    assert config.pose.estimator in ESTIMATORS


def test_every_feature_has_a_matcher():
    assert set(DEFAULT_MATCHER) == set(FEATURES)
    assert set(DEFAULT_MATCHER.values()) <= set(MATCHERS)


def sections():
    return [(n, f.annotation) for n, f in Config.model_fields.items()]


@pytest.mark.parametrize("name, section", sections())
def test_every_number_has_a_range(name, section):
    assert issubclass(section, Section)
    for key, field in section.model_fields.items():
        if field.annotation in (int, float):
            bounds = {type(item).__name__ for item in field.metadata}
            assert bounds & {"Gt", "Ge"}, f"{name}.{key} has no lower bound"


@given(st.integers(min_value=4, max_value=10000), st.integers(min_value=4, max_value=10000))
def test_fingerprint_changes_exactly_with_the_values(a, b):
    first, second = (load_config(settings=[f"pose.min_inliers={n}"]) for n in (a, b))
    assert (fingerprint(first) == fingerprint(second)) == (a == b)
