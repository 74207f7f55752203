"""The threshold of a promise, from a map's own answers and from shipped ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.config import ConfidenceConfig, load_config
from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.localize.acceptance import Promises, choose_acceptance, own_answers
from hloc_lite.localize.confidence import load_calibration, model_fingerprint, write_calibration
from hloc_lite.localize.known_answers import (
    AnswerGroup,
    joined_answers,
    load_known_answers,
    parse_answers,
    write_answers,
)
from hloc_lite.maps.calibration import CalibrationSet, MapCalibration, SelfTestKind
from hloc_lite.maps.map import Map
from hloc_lite.risk_control import KnownAnswers
from hloc_lite.types import Prior, Status
from tests.exact_scene import ExactScene
from tests.localize.localizers import make_localizer

CONFIG = load_config().confidence


def promise(share: float) -> ConfidenceConfig:
    return CONFIG.model_copy(update={"max_wrong": share})


def answers(num_right: int, *wrong: float, confidence: float = 0.95) -> KnownAnswers:
    """Right answers of one confidence, and wrong ones."""
    confidences = np.array([confidence] * num_right + list(wrong))
    is_wrong = np.arange(len(confidences)) >= num_right
    nothing = np.zeros(len(confidences), bool)
    scenes = np.zeros(len(confidences), int)
    return KnownAnswers(confidences, is_wrong, nothing, scenes, len(confidences), 0)


def test_without_a_promise_nothing_changes() -> None:
    chosen = choose_acceptance(CONFIG, answers(40), (answers(1000),))
    assert chosen.threshold == CONFIG.min_confidence
    assert (chosen.max_wrong, chosen.statement) == (None, "")


def test_a_small_map_without_shipped_answers_is_cautious_and_says_so() -> None:
    chosen = choose_acceptance(promise(0.01), answers(40), ())
    assert chosen.threshold == CONFIG.cautious_confidence and not chosen.is_shown
    assert "this map has 40 calibration answers, a promise of 1 % needs 230" in chosen.statement
    assert "only answers from 0.98 on are given" in chosen.statement


def test_shipped_answers_that_cannot_show_a_promise_still_raise_the_threshold() -> None:
    """Two of 100 answers are wrong above 0.98: below the share, but too few for 1 %."""
    shipped = answers(100, 0.985, 0.992, confidence=0.9999)
    chosen = choose_acceptance(promise(0.01), None, (shipped,))
    assert not chosen.is_shown
    assert 0.985 < chosen.threshold < 0.992  # 1 of 101 is wrong there


def test_a_small_map_borrows_from_the_shipped_answers() -> None:
    shipped = answers(1000, *[0.6] * 100)
    chosen = choose_acceptance(promise(0.01), answers(40), (shipped,))
    assert chosen.is_shown and 0.6 < chosen.threshold <= 0.95
    assert "it rests on 1100 answers of other scenes" in chosen.statement


def test_enough_own_answers_that_fail_are_not_outvoted_by_shipped_ones() -> None:
    """Three of 53 own answers are wrong with the highest confidences: that is more than 5 %."""
    own = answers(50, *[0.9996] * 3)
    chosen = choose_acceptance(promise(0.05), own, (answers(1000),))
    assert not chosen.is_shown and chosen.threshold >= CONFIG.cautious_confidence


@pytest.mark.parametrize(("count", "wrong"), [(34, 0), (60, 1)])
@pytest.mark.parametrize("share", [0.05, 0.1])
def test_own_answers_that_keep_a_promise_need_not_show_it(
    count: int, wrong: int, share: float
) -> None:
    """A self-test without a fault must not make the map more cautious than none at all."""
    shipped = (answers(1000, *[0.6] * 150),)
    own = answers(count, *[0.9996] * wrong, *[0.3] * 30)
    chosen = choose_acceptance(promise(share), own, shipped)
    without = choose_acceptance(promise(share), None, shipped)
    assert chosen.is_shown and chosen.threshold == without.threshold


def test_own_wrong_answers_raise_the_threshold() -> None:
    """A look-alike place: the map was sure of answers about its own photos that are wrong."""
    shipped = answers(1000, *[0.6] * 100)
    before = choose_acceptance(promise(0.01), answers(40), (shipped,))
    after = choose_acceptance(promise(0.01), answers(40, *[0.97] * 6), (shipped,))
    assert before.threshold < 0.97 < after.threshold


def test_no_answer_is_given_where_even_the_surest_are_wrong() -> None:
    chosen = choose_acceptance(promise(0.01), answers(10, *[1.0] * 10), (answers(1000),))
    assert chosen.threshold > 1
    assert "no answer is given" in chosen.statement


def test_a_large_own_set_must_keep_the_promise_as_well_as_the_shipped_one() -> None:
    own, shipped = answers(400, *[0.8] * 40), answers(1000, *[0.7] * 100)
    chosen = choose_acceptance(promise(0.05), own, (shipped,))
    assert 0.8 < chosen.threshold <= 0.95
    assert "by 440 answers of this map and 1100 answers of other scenes" in chosen.statement


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_a_stricter_promise_never_gives_more(share: float) -> None:
    rng = np.random.default_rng(1)
    confidences = rng.beta(3, 0.4, 3000)
    nothing = np.zeros(3000, bool)
    is_wrong = rng.random(3000) < 0.8 * (1 - confidences)
    shipped = KnownAnswers(confidences, is_wrong, nothing, nothing.astype(int), 3000, 0)
    strict = choose_acceptance(promise(share / 2), None, (shipped,)).threshold
    loose = choose_acceptance(promise(share), None, (shipped,)).threshold
    assert CONFIG.promise_floor <= loose <= strict


def test_each_kind_of_scenes_must_keep_the_promise() -> None:
    """Many easy answers of one kind must not hide the wrong ones of the other."""
    easy, hard = answers(2000), answers(200, *[0.9] * 30)
    assert choose_acceptance(promise(0.05), None, (easy,)).threshold == CONFIG.promise_floor
    both = choose_acceptance(promise(0.05), None, (easy, hard))
    assert both.is_shown and 0.9 < both.threshold <= 0.95
    too_few = choose_acceptance(promise(0.05), None, (easy, answers(20)))
    assert too_few.threshold == CONFIG.promise_floor  # a small set does not decide


def test_answers_of_a_map_are_those_with_a_pose() -> None:
    kinds = np.array([0, 0, 1, 1], np.uint8)
    found = np.array([True, False, True, False])
    stored = CalibrationSet(np.array([0.9, 0, 0.4, 0]), kinds == 1, kinds, found)
    own = own_answers(MapCalibration(stored, np.zeros(0, np.float32)))
    assert own is not None and len(own) == 2
    assert own.is_unmapped.tolist() == [False, True]
    assert (own.num_mapped, own.num_unmapped) == (2, 2)
    assert SelfTestKind.NEIGHBOURHOOD_LEFT_OUT == 1
    assert own_answers(None) is None


@pytest.mark.parametrize("share", [0, -0.1, 1.5, True, "x", float("nan"), 1e-308])
def test_other_shares_are_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="max_wrong: expected a share from 1e-06"):
        Promises(CONFIG, None, lambda: ()).acceptance(share)


def test_a_promise_needs_confidence() -> None:
    disabled = CONFIG.model_copy(update={"enabled": False})
    with pytest.raises(ConfigError, match=r"confidence\.enabled"):
        Promises(disabled, None, lambda: ()).acceptance(0.1)
    assert Promises(disabled, None, lambda: ()).acceptance().max_wrong is None


def test_results_show_promise_and_threshold(scene: ExactScene, sfm_map: Map) -> None:
    """The pose and its confidence are the same under any promise."""
    localizer = make_localizer(sfm_map)
    plain = localizer.localize(scene.image(3), scene.camera, name="q")
    every = localizer.localize(scene.image(3), scene.camera, name="q", max_wrong=1)
    strict = localizer.localize(scene.image(3), scene.camera, name="q", max_wrong=0.0001)
    assert plain.min_confidence == CONFIG.min_confidence and plain.max_wrong is None
    assert (every.min_confidence, every.max_wrong) == (0, 1)
    assert plain.confidence == every.confidence == strict.confidence
    assert strict.max_wrong == 0.0001 and "needs 23025" in strict.promise
    assert strict.min_confidence is not None and strict.confidence is not None
    assert (strict.status is Status.LOCALIZED) == (strict.confidence >= strict.min_confidence)


def test_a_withheld_pose_says_which_promise_it_misses(scene: ExactScene, sfm_map: Map) -> None:
    settings = ("confidence.max_wrong=0.01", "confidence.cautious_confidence=1")
    result = make_localizer(sfm_map, *settings).localize(scene.image(3), scene.camera, name="q")
    if result.status is Status.DOUBTFUL:
        assert "is required for at most 1 % wrong answers" in result.reason


def test_no_promise_gives_a_pose_that_contradicts_the_prior(
    scene: ExactScene, sfm_map: Map
) -> None:
    """Nor one of less confidence than is required without a promise."""
    localizer = make_localizer(sfm_map, "confidence.min_confidence=1")
    sideways = Prior(gravity_in_cam=np.array([1.0, 0, 0]), gravity_in_world=np.array([0, 1.0, 0]))
    free = localizer.localize(scene.image(3), scene.camera, max_wrong=1)
    withheld = localizer.localize(scene.image(3), scene.camera, max_wrong=1, prior=sideways)
    assert free.pose is not None and free.confidence is not None and free.confidence < 1
    assert withheld.status is Status.DOUBTFUL and withheld.pose is None
    assert "against gravity" in withheld.reason


def test_an_impossible_promise_is_refused_whatever_the_photo_shows(
    scene: ExactScene, sfm_map: Map
) -> None:
    blank = np.zeros_like(scene.image(3))
    with pytest.raises(ConfigError, match="a share from 1e-06 to 1"):
        make_localizer(sfm_map).localize(blank, scene.camera, max_wrong=1.5)


GROUPS = (
    AnswerGroup(
        "rendered", "town", "town", "xfeat", "day", 5, (0.99, 0.7, 0.2), (False, True, True)
    ),
    AnswerGroup("rendered", "a", "castle", "xfeat", "all", 4, (0.45,), (True,)),
)


def test_known_answers_are_written_and_read(tmp_path: Path) -> None:
    calibration = load_calibration(CONFIG)
    assert calibration is not None
    file = tmp_path / "answers.json"
    write_answers(file, GROUPS, calibration, {"commit": "abc"})
    groups, _ = parse_answers(file.read_text(), "x")
    assert groups[0].confidences == (0.99, 0.7)  # 0.2 is never given
    joined = joined_answers(groups)
    assert joined.is_wrong.tolist() == [False, True, True]
    assert joined.is_unmapped.tolist() == [False, False, True]
    assert (joined.num_mapped, joined.num_unmapped) == (5, 4)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "other"}'])
def test_a_damaged_file_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="no file of known answers"):
        parse_answers(text, "x")


def test_answers_of_another_confidence_model_are_not_used() -> None:
    calibration = load_calibration(CONFIG)
    assert calibration is not None
    assert load_known_answers(calibration.model_copy(update={"intercept": 0.5})) == ()
    assert load_known_answers(None) == ()


def test_promises_of_the_shipped_answers() -> None:
    """They belong to the shipped coefficients, and show 10 %; towns differ too much to show 5 %."""
    shipped = load_known_answers(load_calibration(CONFIG))
    assert shipped, "collect them again: pipelines/calibration/known_answers.py"
    chosen = choose_acceptance(promise(0.1), None, shipped)
    assert chosen.is_shown and chosen.threshold < 1
    strict = choose_acceptance(promise(0.05), None, shipped)
    assert not strict.is_shown and chosen.threshold < strict.threshold < 1


def test_own_answers_of_another_confidence_model_show_nothing(
    scene: ExactScene, sfm_map: Map, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load_calibration(CONFIG)
    assert model is not None
    file = tmp_path / "confidence.toml"
    write_calibration(file, model.model_copy(update={"intercept": 9.0}))
    right, none = np.full(500, 0.95), np.zeros(500, bool)
    own = CalibrationSet(right, none, (np.arange(500) % 2).astype(np.uint8), ~none)
    calibration = MapCalibration(own, np.zeros(0, np.float32), fitted_to=model_fingerprint(model))
    calibrated = replace(sfm_map, calibration=calibration)
    localizer = make_localizer(calibrated, f"confidence.file={file}")
    assert "belongs to another confidence model" in caplog.text
    result = localizer.localize(scene.image(3), scene.camera, max_wrong=0.05)
    assert "this map has 0 calibration answers" in result.promise
    assert "not shown" in result.promise
