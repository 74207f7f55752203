"""Config: defaults, overrides in order, and a clear no to everything else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.config import (
    PROFILES,
    Config,
    Section,
    Use,
    building_keys,
    config_from_dict,
    config_of_another_version,
    fingerprint,
    keys_equal_for_queries,
    load_config,
    query_profile,
    query_settings,
    values_for_fingerprint,
    with_matching_of_map,
    without_query_keys,
)
from hloc_lite.config.renamed_keys import OLD_TO_NEW
from hloc_lite.errors import ConfigError
from hloc_lite.registry import ESTIMATORS, FEATURES, GLOBAL_DESCRIPTORS, MATCHERS


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
        load_config(file=Path("nowhere.toml"))
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
    for name, entry in FEATURES.items():
        assert MATCHERS[entry.default_matcher].matches(name)


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


OTHER_VALUES: dict[str, object] = {
    "cascade.enough": 0.9, "cascade.first_images": 4, "cascade.hopeless": 0.2,
    "cascade.images_at_once": 3, "depth.min_view_gain": 0.1, "depth.view_support_ratio": 1.3,
    "localize.max_rival_trials": 5, "localize.rival_share": 0.4, "localize.same_place_deg": 4,
    "localize.same_place_depths": 0.2, "matching.chance_verified": 4, "matching.cheap_first": False,
    "matching.enough_pairs": 5, "matching.enough_verified": 70, "matching.even_ratio": 0.75,
    "pose.judged_per_batch": 7, "pose.prior_share": 0.2, "pose.screen_size": 64,
    "pose.screen_survivors": 16, "prior.slack_depths": 2, "weighting.places": 0.5,
}  # fmt: skip


def nested(values: dict[str, object]) -> dict[str, dict[str, object]]:
    sections: dict[str, dict[str, object]] = {}
    for path, value in values.items():
        section, _, key = path.partition(".")
        sections.setdefault(section, {})[key] = value
    return sections


def value_at(config: Config, path: str) -> object:
    section, _, key = path.partition(".")
    return getattr(getattr(config, section), key)


def test_all_renamed_keys_lead_to_keys_of_today() -> None:
    assert set(OTHER_VALUES) == set(OLD_TO_NEW)
    config = Config()
    for old, new in OLD_TO_NEW.items():
        assert value_at(config, new) != OTHER_VALUES[old]
        section, _, key = old.partition(".")
        assert key not in type(getattr(config, section)).model_fields


@pytest.mark.parametrize("old", OLD_TO_NEW)
def test_an_old_key_is_read_with_one_line_of_warning(old: str, tmp_path: Path, caplog) -> None:
    value, new = OTHER_VALUES[old], OLD_TO_NEW[old]
    text = str(value).lower()
    section, _, key = old.partition(".")
    file = tmp_path / "c.toml"
    file.write_text(f"[{section}]\n{key} = {text}\n")
    sources = {
        "file": file,
        "settings": [f"{old}={text}"],
        "overrides": nested({old: value}),
    }
    for each in ({name: source} for name, source in sources.items()):
        caplog.clear()
        assert value_at(load_config(**each), new) == value  # type: ignore[arg-type]
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert record.message == (
            f"config key '{old}' is now called '{new}'; the old name still works"
        )
    caplog.clear()
    assert value_at(load_config(**sources), new) == value  # type: ignore[arg-type]
    assert len(caplog.records) == 1
    assert load_config(settings=[f"{old}={text}"]) == load_config(settings=[f"{new}={text}"])


def test_old_keys_of_a_stored_map_are_read_silently(caplog) -> None:
    config, unknown = config_of_another_version(nested(OTHER_VALUES))
    assert not unknown and not caplog.records
    assert all(value_at(config, new) == OTHER_VALUES[old] for old, new in OLD_TO_NEW.items())


def test_both_names_of_one_key_are_refused() -> None:
    both = ["matching.cheap_first=true", "matching.two_pass=false"]
    match = r"'matching\.cheap_first' and 'matching\.two_pass' are the old and the new name"
    with pytest.raises(ConfigError, match=match):
        load_config(settings=both)
    with pytest.raises(ConfigError, match=match):
        config_from_dict({"matching": {"cheap_first": True, "two_pass": False}})
    with pytest.raises(ConfigError, match="'places' and 'view_semantics'"):
        load_config(settings=['weighting.off=["places", "view_semantics"]'])


def test_a_later_source_wins_whichever_name_it_uses(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[cascade]\nenough = 0.5\n")
    assert load_config("accurate", file).cascade.accept_above == 0.5
    assert load_config(file=file, settings=["cascade.accept_above=0.6"]).cascade.accept_above == 0.6
    base = load_config(settings=["cascade.accept_above=0.6"])
    assert load_config(base=base, file=file).cascade.accept_above == 0.5


def test_the_old_name_of_a_cue_is_read_in_lists(caplog) -> None:
    config = load_config(settings=['weighting.off=["places", "track"]'])
    assert config.weighting.off == ("view_semantics", "track")
    (record,) = caplog.records
    assert record.message == (
        "'places' in 'weighting.off' is now called 'view_semantics'; the old name still works"
    )
    with pytest.raises(ConfigError, match=r"weighting.off.*got 3"):
        load_config(settings=["weighting.off=3"])
    with pytest.raises(ConfigError, match=r"weighting.off.0.*got \['x'\]"):
        load_config(settings=['weighting.off=[["x"]]'])


FINGERPRINTS_OF_0_1 = {
    "balanced": "dc0b09b7a7047a3c",
    "fast": "47255ea345d8c9c9",
    "accurate": "439d4f30d5cb8f3f",
}


@pytest.mark.parametrize("profile", PROFILES)
def test_fingerprints_of_version_0_1_stay_valid(profile: str) -> None:
    assert fingerprint(load_config(profile)) == FINGERPRINTS_OF_0_1[profile]


def test_fingerprints_of_renamed_keys_stay_valid() -> None:
    config = config_from_dict(nested({**OTHER_VALUES, "weighting.off": ["places", "track"]}))
    found = {name: fingerprint(getattr(config, name)) for name in nested(OTHER_VALUES)}
    assert found == {
        "cascade": "ac4f78b4aaa27092",
        "depth": "b3e4f66d608ad0ee",
        "localize": "f9c9c8cb2df3148a",
        "matching": "b855970113df92da",
        "pose": "49a0a685d4c227a4",
        "prior": "2def298b91de6de9",
        "weighting": "307ac9ee8b336e11",
    }
    assert fingerprint("1", config) == "5366853d8d9777e6"


def test_keys_that_queries_share_with_the_map() -> None:
    assert set(keys_equal_for_queries()) == {
        "features.name", "features.min_score", "retrieval.name", "retrieval.max_side_px",
        "retrieval.num_clusters", "retrieval.vocabulary_images", "retrieval.whiten_min_images",
        "retrieval.output_dim", "retrieval.scales", "retrieval.seed",
    }  # fmt: skip


def test_keys_that_only_building_reads() -> None:
    names = (
        "burned_in", "pairs", "geometry", "mapping", "lifting", "scratch", "assessment",
        "self_test",
    )  # fmt: skip
    sections = {name: getattr(Config(), name) for name in names}
    whole = {f"{name}.{key}" for name, each in sections.items() for key in type(each).model_fields}
    two_pass = {
        "matching.two_pass", "matching.two_pass_good_matches", "matching.two_pass_good_pairs",
        "matching.two_pass_chance_matches",
    }  # fmt: skip
    read = {"mapping.camera_model", "self_test.for_queries"}
    assert set(building_keys()) == (whole | two_pass) - read


def test_only_what_queries_do_not_read_alone_identifies_a_map() -> None:
    plain = {**Config().model_dump(), "unknown": {"x": 1}}
    kept = without_query_keys(plain)
    assert set(kept) == {
        "images", "features", "matching", "retrieval", "pairs", "geometry", "mapping", "semantics",
        "lifting", "scratch", "assessment", "self_test", "burned_in", "unknown",
    }  # fmt: skip
    assert set(kept["semantics"]) == {
        "source", "table", "revision", "max_side_px", "max_aspect", "window_px",
        "reference_side_px",
    }  # fmt: skip
    config = load_config(settings=["pose.seed=3", "semantics.mode=hard", "pairs.spec=poses:3"])
    assert query_settings(config) == {"pose": {"seed": 3}, "semantics": {"mode": "hard"}}


def test_fingerprints_of_stores_read_only_their_own_keys() -> None:
    found = values_for_fingerprint(Config(), Use.NEAREST_MATCHES)
    assert set(found) == {"matching"}
    assert set(found["matching"]) == {"max_ratio", "even_ratio", "ratio_slope", "min_similarity"}
    assert set(values_for_fingerprint(Config(), Use.FEATURES)) == {"images", "features"}
    assert "burned_in" not in values_for_fingerprint(Config(), Use.MODEL)  # a later section
    changed = load_config(settings=["burned_in.min_share=0.4"])
    assert values_for_fingerprint(changed, Use.MODEL)["burned_in"] == {"min_share": 0.4}
    assert set(values_for_fingerprint(Config(), Use.ACCEPTANCE)["mapping"]) == {
        "min_triangulated_share",
        "low_triangulated_share",
    }


def test_query_settings_of_a_profile_leave_features_alone() -> None:
    assert query_profile("fast") == {
        "localize": {"num_retrieved": 10},
        "cascade": {"num_initial_images": 5, "max_images": 0, "accept_above": 0.95},
    }


def test_an_extra_map_is_matched_by_its_own_settings() -> None:
    config = load_config(settings=["pose.seed=3"])
    extra = load_config("fast", settings=["pose.seed=4", "images.exif_rotation=false"])
    both = with_matching_of_map(config, extra)
    for name in ("features", "matching", "retrieval"):
        assert getattr(both, name) == getattr(extra, name)
    assert both.pose == config.pose and both.images == config.images


@pytest.mark.parametrize(
    "text",
    [
        "pose." + ".".join(["a"] * 3000) + " = 1",
        "[pose." + ".".join(["a"] * 3000) + "]\nb = 1",
        "pose = " + "{a = " * 300 + "1" + "}" * 300,
        "pose = " + "[" * 3000 + "]" * 3000,
        "# " + "x" * (1 << 20),
    ],
)
def test_deep_and_huge_files_are_errors(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"nested|dots|recursion|larger"):
        load_config(file=tmp_path / "c.toml")


def test_deep_settings_are_errors() -> None:
    with pytest.raises(ConfigError, match="parts"):
        load_config(settings=["pose." + ".".join(["a"] * 3000) + "=1"])
    with pytest.raises(ConfigError, match="nested"):
        load_config(settings=["pose=" + "{a=" * 300 + "1" + "}" * 300])
