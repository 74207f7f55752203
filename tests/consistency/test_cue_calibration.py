"""Calibration of exponents on matches drawn from the model that it fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hloc_lite.config import Config, WeightingConfig, load_config
from hloc_lite.consistency.cue_calibration import calibrate_exponents
from hloc_lite.consistency.cue_combination import combine_cues
from hloc_lite.errors import ConfigError, ShapeError
from hloc_lite.types import Cue, PutativeMatches

ROWS = 40000


def drawn(seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Factors, and labels with odds 3 * depth^1.5 * score^0.4; retrieval is noise."""
    rng = np.random.default_rng(seed)
    factors = {name: rng.uniform(0.05, 1, ROWS) for name in ("retrieval", "score", "depth")}
    odds = 3 * factors["depth"] ** 1.5 * factors["score"] ** 0.4
    return factors, rng.random(ROWS) < odds / (1 + odds)


def test_calibration_recovers_exponents() -> None:
    found = calibrate_exponents(*drawn())
    assert list(found.exponents) == ["score", "retrieval", "depth"]
    assert found.exponents["depth"] == pytest.approx(1.5, abs=0.06)
    assert found.exponents["score"] == pytest.approx(0.4, abs=0.06)
    assert found.exponents["retrieval"] < 0.06
    assert found.intercept == pytest.approx(np.log(3), abs=0.06)
    assert found.log_loss < found.base_log_loss - 0.03
    assert found.num_rows == ROWS and 0 < found.num_right < ROWS


def test_misleading_cues_get_no_negative_exponent() -> None:
    factors, right = drawn()
    found = calibrate_exponents({"depth": 1.05 - factors["depth"]}, right)
    assert found.exponents == {"depth": 0.0}
    assert found.log_loss == pytest.approx(found.base_log_loss, abs=1e-6)


def test_ridge_makes_the_fit_unique() -> None:
    factors, right = drawn()
    depth = factors["depth"]
    constant = calibrate_exponents({"depth": depth, "track": np.ones(ROWS)}, right)
    assert constant.exponents["track"] == pytest.approx(0, abs=1e-6)
    twice = calibrate_exponents({"depth": depth, "semantics": depth}, right).exponents
    assert twice["depth"] == pytest.approx(twice["semantics"], abs=1e-3)
    alone = calibrate_exponents({"depth": depth}, right).exponents["depth"]
    assert sum(twice.values()) == pytest.approx(alone, abs=0.01)
    strong = calibrate_exponents({"depth": depth}, right, ridge=1e5).exponents["depth"]
    assert 0 < strong < 0.7 * alone


def test_separable_matches_and_zero_factors_give_a_finite_fit() -> None:
    right = np.arange(100) < 50
    found = calibrate_exponents({"depth": np.where(right, 1.0, 0.0)}, right)
    assert 0 < found.exponents["depth"] < 20 and found.log_loss < 0.1


def test_order_of_rows_has_no_effect() -> None:
    factors, right = drawn()
    order = np.random.default_rng(1).permutation(ROWS)
    moved = calibrate_exponents({n: v[order] for n, v in factors.items()}, right[order])
    for name, value in calibrate_exponents(factors, right).exponents.items():
        assert moved.exponents[name] == pytest.approx(value, abs=1e-3)


def test_written_file_is_a_config(tmp_path: Path) -> None:
    factors, right = drawn()
    found = calibrate_exponents(factors, right)
    found.write(tmp_path / "weighting.toml")
    config = load_config(file=tmp_path / "weighting.toml")
    assert config.weighting.depth == pytest.approx(found.exponents["depth"], abs=1e-4)
    assert config.weighting.track == Config().weighting.track
    # and it ranks right matches above wrong ones better than equal exponents
    idxs = np.arange(ROWS)
    rows = PutativeMatches(idxs, idxs, np.zeros(ROWS), np.ones(ROWS), np.zeros((ROWS, 3)))
    cues = [Cue(name, values, np.ones(ROWS, bool)) for name, values in factors.items()]
    calibrated = combine_cues(rows, cues, config.weighting).weights
    equal = combine_cues(rows, cues, WeightingConfig(off=())).weights
    assert auc(calibrated, right) > auc(equal, right) + 0.01


def auc(weights: np.ndarray, right: np.ndarray) -> float:
    ranks = np.argsort(np.argsort(weights)) + 1
    positives = right.sum()
    below = ranks[right].sum() - positives * (positives + 1) / 2
    return float(below / (positives * (~right).sum()))


def test_unusable_input_is_an_error() -> None:
    ones, flags = np.ones(4), np.array([True, False, True, True])
    with pytest.raises(ConfigError, match="right and wrong matches, got 4 right of 4"):
        calibrate_exponents({"depth": ones}, np.ones(4, bool))
    with pytest.raises(ConfigError, match="colour"):
        calibrate_exponents({"colour": ones}, flags)
    with pytest.raises(ConfigError, match="none"):
        calibrate_exponents({}, flags)
    with pytest.raises(ConfigError, match="ridge"):
        calibrate_exponents({"depth": ones}, flags, ridge=0)
    with pytest.raises(ShapeError):
        calibrate_exponents({"depth": np.ones(3)}, flags)
