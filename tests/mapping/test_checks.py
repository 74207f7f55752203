"""What cannot work is refused before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.cli.main import main
from hloc_lite.config import load_config
from hloc_lite.errors import ConfigError
from hloc_lite.mapping.run import load_models
from hloc_lite.registry import DEFAULT_MATCHER, FEATURES, MATCHERS, Runtime, check_matcher
from tests.exact_scene import NoWeights


@pytest.mark.parametrize(
    ("features", "matcher", "fit"),
    [
        ("rootsift", "lightglue-aliked", "mutual-nn"),
        ("aliked-t16", "lightglue-aliked", "mutual-nn"),
        ("aliked-n16", "lightglue-disk", "mutual-nn, lightglue-aliked"),
        ("disk", "lighterglue-xfeat", "mutual-nn, lightglue-disk"),
    ],
)
def test_matchers_for_other_features_are_refused(features, matcher, fit, tmp_path, capsys) -> None:
    config = load_config(overrides={"features": {"name": features}, "matching": {"name": matcher}})
    with pytest.raises(ConfigError, match=f"matchers for '{features}': {fit}$"):
        load_models(config, Runtime(NoWeights()))  # no weights are asked for
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "images" / name).touch()
    command = ["map", str(tmp_path / "images"), "-o", str(tmp_path / "map"), "--offline"]
    with pytest.raises(SystemExit) as stop:
        main([*command, "--features", features, "--matcher", matcher])
    assert stop.value.code == 2 and "was trained for" in capsys.readouterr().err
    assert not (tmp_path / "map").exists()


def test_all_features_have_their_own_matcher_and_the_nearest_neighbours() -> None:
    for features in FEATURES:
        check_matcher(DEFAULT_MATCHER[features], features)
        check_matcher("mutual-nn", features)
    for features in ("aliked-n16rot", "aliked-n32"):
        check_matcher("lightglue-aliked", features)
    with pytest.raises(ConfigError, match=f"known are .*{max(MATCHERS)}"):
        check_matcher("superglue", "aliked-n16")


def test_a_mapper_beside_known_poses_is_refused(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["map", ".", "-o", str(tmp_path / "m"), "--reference", "model", "--mapper", "global"])
    assert stop.value.code == 2 and "leave --mapper away" in capsys.readouterr().err
