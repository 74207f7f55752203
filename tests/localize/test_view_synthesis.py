"""Poses that are checked by looking: right ones agree with the view, others do not."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from hloc_lite.config import Config, load_config
from hloc_lite.consistency.labels import label_windows
from hloc_lite.io.results import result_from_json, result_to_json
from hloc_lite.localize.confidence import load_calibration, model_fingerprint
from hloc_lite.localize.estimation import PoseHypothesis, PoseSolver, SelectedHypothesis
from hloc_lite.localize.known_answers import load_known_answers
from hloc_lite.localize.query import Predictions, Query
from hloc_lite.localize.view_check import ViewCheck
from hloc_lite.localize.view_cues import LabelledPoints, normals_of_depth
from hloc_lite.localize.view_synthesis import (
    agreement_factor,
    agreement_log_odds,
    share_of_less_similar,
)
from hloc_lite.pose.confidence import Term
from hloc_lite.pose.quality import VIEW
from hloc_lite.types import (
    Correspondences,
    DepthMap,
    LabelMap,
    LocalizationResult,
    Photo,
    PoseEstimate,
    RetrievalHits,
    Rigid3,
    Status,
    Surface,
    ViewComparison,
)
from tests.localize.facades import CAMERA, DISTANCE, Facade, pose_at, wall, with_poster

FACADE = Facade(wall(1))
HERE = pose_at(0.2, 0.1, 0.3, 2.0)
NOTHING = Predictions(None, None)
PERSON, BUILDING, VEGETATION = 11, 2, 8


def query_at(
    facade: Facade, pose: Rigid3, predictions: Predictions = NOTHING, pixels=None
) -> Query:
    photo = Photo("query.jpg", facade.photo(pose) if pixels is None else pixels)
    return Query(photo, CAMERA, True, (), predictions)


def estimate(pose: Rigid3) -> PoseEstimate:
    return PoseEstimate(pose, np.zeros(0, bool), 0, None, CAMERA)


def compare(
    surface: Surface,
    query: Query,
    pose: Rigid3,
    config: Config | None = None,
    labelled: LabelledPoints | None = None,
) -> ViewComparison:
    views = ViewCheck(surface, config or Config(), labelled).of(query)
    assert views is not None
    return views.compare(estimate(pose))


@pytest.mark.parametrize(
    "wrong",
    [pose_at(0.7, 0.1, 0.3, 2.0), pose_at(0.2, 0.1, 1.2, 2.0), pose_at(0.2, 0.1, 0.3, 12.0)],
    ids=["moved to the side", "moved forward", "turned"],
)
def test_the_right_pose_agrees_more_than_others(wrong: Rigid3) -> None:
    query = query_at(FACADE, HERE)
    right, other = (compare(FACADE.surface(), query, pose) for pose in (HERE, wrong))
    assert right.agreement > 0.97
    assert right.agreement > other.agreement + 0.1
    assert right.inverse_distance > 1.3 * other.inverse_distance
    assert right.valid_share > 0.99


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_at_another_place_it_is_near_chance(seed: int) -> None:
    found = compare(Facade(wall(seed)).surface(), query_at(FACADE, HERE), HERE)
    assert found.agreement == pytest.approx(0.5, abs=0.2)


def test_darkness_does_not_look_like_another_place() -> None:
    dark = (FACADE.photo(HERE) * 0.2).astype(np.uint8)
    found = compare(FACADE.surface(), query_at(FACADE, HERE, pixels=dark), HERE)
    assert found.agreement > 0.95


def test_a_surface_that_fills_too_little_says_nothing() -> None:
    found = compare(FACADE.surface(shown=0.3), query_at(FACADE, HERE), HERE)
    assert 0 < found.valid_share < 0.3
    assert math.isnan(found.agreement) and math.isnan(found.inverse_distance)
    assert math.isnan(agreement_log_odds(found.agreement))


def test_the_part_that_the_surface_shows_is_compared() -> None:
    found = compare(FACADE.surface(shown=0.6), query_at(FACADE, HERE), HERE)
    assert found.valid_share < 0.75
    assert found.agreement > 0.97


def test_a_surface_without_colours_says_nothing() -> None:
    surface = FACADE.surface()
    grey = replace(surface, rgb=np.full_like(surface.rgb, 128))
    found = compare(grey, query_at(FACADE, HERE), HERE)
    assert found.valid_share > 0.99
    assert math.isnan(found.agreement) and math.isnan(found.inverse_distance)


def test_an_even_part_of_a_view_does_not_count() -> None:
    surface = FACADE.surface()
    rgb = surface.rgb.copy()
    rgb[surface.xyz[:, 0] > 0.5] = 90
    found = compare(replace(surface, rgb=rgb), query_at(FACADE, HERE), HERE)
    assert found.agreement > 0.88


def test_a_surface_of_few_large_points_says_nothing() -> None:
    surface = FACADE.surface()
    kept = np.random.default_rng(0).permutation(len(surface))[: len(surface) // 400]
    assert surface.radii is not None
    coarse = replace(surface.subset(kept), radii=20 * surface.radii[kept])
    found = compare(coarse, query_at(FACADE, HERE), HERE)
    assert 0 < found.valid_share < 0.3 and math.isnan(found.agreement)


def test_stored_features_without_a_photo_are_not_compared() -> None:
    query = query_at(FACADE, HERE, pixels=np.zeros((1, 1, 3), np.uint8))
    assert ViewCheck(FACADE.surface(), Config()).of(query) is None


# Which of two locations


def hypothesis(pose: Rigid3, score: float) -> PoseHypothesis:
    none = np.zeros(0, np.int64)
    given = Correspondences(np.zeros((0, 2)), np.zeros((0, 3)), none, none, np.zeros(0))
    return PoseHypothesis(given, estimate(pose), np.zeros(0), score, 0.5, {}, (), 0)


def checked(
    surface: Surface, query: Query, first: tuple[Rigid3, float], *others: tuple[Rigid3, float]
) -> SelectedHypothesis:
    """Selection among locations with scores by geometry, the best first."""
    groups = tuple((hypothesis(*each),) for each in others)
    best = hypothesis(*first)
    ambiguity = max((score for _, score in others), default=0.0) / best.score
    selected = SelectedHypothesis(best, 1, ambiguity, best.score, groups)
    views = ViewCheck(surface, Config()).of(query)
    assert views is not None
    solver = PoseSolver(None, Config(), CAMERA, True)  # type: ignore[arg-type]
    return views.check(selected, solver)


@pytest.fixture(scope="module")
def twins() -> tuple[Facade, Facade, Surface]:
    """Two facades, alike but for their posters, 20 m apart."""
    left, right = (Facade(with_poster(wall(1), 7 + i), 20.0 * i) for i in range(2))
    parts = [left.surface(), right.surface()]
    joined = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("xyz", "rgb", "normals", "radii")
    ]
    return left, right, Surface(*joined)


def test_a_poster_tells_twins_apart(twins) -> None:
    left, right, both = twins
    at_left, at_right = pose_at(0.2), pose_at(20.2)
    for facade, there, elsewhere in ((left, at_left, at_right), (right, at_right, at_left)):
        found = checked(both, query_at(facade, there), (elsewhere, 103.0), (there, 100.0))
        assert found.hypothesis.pose is not None
        assert found.hypothesis.pose.cam_from_world is there
        assert found.score == 100.0
        assert [view.cam_from_world for view in found.views] == [there, elsewhere]
        assert found.ambiguity is not None and found.ambiguity < 1


def test_geometry_decides_where_views_differ_little(twins) -> None:
    left, _, both = twins
    there = pose_at(0.2)
    found = checked(both, query_at(left, there), (there, 100.0), (pose_at(0.22), 99.0))
    assert found.hypothesis.pose is not None and found.hypothesis.pose.cam_from_world is there
    far_better = checked(both, query_at(left, there), (pose_at(20.2), 300.0), (there, 100.0))
    assert far_better.hypothesis.pose is not None
    assert far_better.hypothesis.pose.cam_from_world.center[0] == pytest.approx(20.2)


def test_where_nothing_is_seen_geometry_decides() -> None:
    nowhere, there = pose_at(0, 0, 100.0), HERE
    found = checked(FACADE.surface(), query_at(FACADE, HERE), (nowhere, 100.0), (there, 99.0))
    assert found.hypothesis.pose is not None and found.hypothesis.pose.cam_from_world is nowhere
    assert found.ambiguity == pytest.approx(0.99)
    assert [math.isnan(view.agreement) for view in found.views] == [True, False]


def test_locations_of_low_score_are_not_rendered() -> None:
    query = query_at(FACADE, HERE)
    found = checked(FACADE.surface(), query, (HERE, 100.0), (pose_at(1.0), 20.0))
    assert len(found.views) == 1
    assert found.ambiguity == pytest.approx(0.2, abs=0.01)


# Cues


def test_people_do_not_count() -> None:
    pixels = FACADE.photo(HERE)
    pixels[:, 100:260] = wall(5)[:240, :160]  # a crowd
    labels = np.full((240, 320), BUILDING, np.uint8)
    labels[:, 100:260] = PERSON
    windows = label_windows(LabelMap(labels, (320, 240)), Config().semantics)
    without, known = (
        compare(FACADE.surface(), query_at(FACADE, HERE, predictions, pixels), HERE)
        for predictions in (NOTHING, Predictions(windows, None))
    )
    assert known.agreement > without.agreement + 0.05


def test_contradicting_labels_lower_the_agreement() -> None:
    surface = FACADE.surface()
    xyz = surface.xyz[::7].astype(np.float64)
    points = LabelledPoints(xyz, np.full(len(xyz), BUILDING, np.uint8))
    found = []
    for label in (BUILDING, VEGETATION):
        label_map = LabelMap(np.full((240, 320), label, np.uint8), (320, 240))
        predictions = Predictions(label_windows(label_map, Config().semantics), None)
        query = query_at(FACADE, HERE, predictions)
        found.append(compare(surface, query, HERE, labelled=points).agreement)
    assert found[0] > 0.97 and found[1] < 0.2


def test_normals_of_a_tilted_plane() -> None:
    tilt = np.radians(30)
    normal = np.array([np.sin(tilt), 0.0, -np.cos(tilt)])
    columns = np.arange(CAMERA.width) + 0.5
    rays = (columns - CAMERA.params[2]) / CAMERA.params[0]
    depths = -DISTANCE * np.cos(tilt) / (normal[0] * rays + normal[2])
    depth_map = DepthMap(np.tile(depths, (CAMERA.height, 1)).astype(np.float32), (320, 240))
    found = normals_of_depth(depth_map, CAMERA, Config().depth)
    inner = found[4:-4, 4:-4]
    np.testing.assert_allclose(inner, np.broadcast_to(normal, inner.shape), atol=2e-3)


def test_places_with_other_normals_weigh_less() -> None:
    pixels = FACADE.photo(HERE)
    pixels[:, 160:] = wall(5)[:240, :160]  # a box stands in front of the right half
    depths = np.full((240, 320), DISTANCE, np.float32)
    depths[:, 160:] = np.linspace(4.0, 1.5, 160)
    query = query_at(FACADE, HERE, Predictions(None, DepthMap(depths, (320, 240))), pixels)
    known = compare(FACADE.surface(), query, HERE)
    without = compare(FACADE.surface(), query_at(FACADE, HERE, NOTHING, pixels), HERE)
    assert known.agreement > without.agreement + 0.05


# The statistic


def test_chance_is_a_half_and_identity_nearly_one() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.random((500, 128)).astype(np.float32) for _ in range(2))
    first -= 0.5
    second -= 0.5
    first, second = (each / np.linalg.norm(each, axis=1)[:, None] for each in (first, second))
    assert share_of_less_similar(first, second, 256).mean() == pytest.approx(0.5, abs=0.05)
    assert share_of_less_similar(first, first, 256).mean() > 0.99


def test_equal_places_say_nothing() -> None:
    plain = np.full((200, 128), 128**-0.5, np.float32)
    np.testing.assert_allclose(share_of_less_similar(plain, plain, 64), 0.5)


def test_factor_and_log_odds() -> None:
    assert agreement_factor(0.4, 1.0) == agreement_factor(0.5, 1.0) == 0.0
    assert agreement_factor(1.0, 1.0) == 1.0 and agreement_factor(0.8, 0.0) == 1.0
    assert agreement_log_odds(0.5) == 0.0
    assert agreement_log_odds(0.7) == pytest.approx(np.log(0.7 / 0.3))
    assert agreement_log_odds(1.0) == agreement_log_odds(0.9) > agreement_log_odds(0.8)


def test_a_map_without_surface_is_refused_only_if_it_is_demanded(sfm_map) -> None:
    from hloc_lite.errors import ConfigError
    from hloc_lite.localize.localizer import Localizer
    from tests.weights_stores import NoWeights

    assert sfm_map.surface is None
    demanding = load_config(base=sfm_map.config, settings=["view_synthesis.enabled=on"])
    with pytest.raises(ConfigError, match="has no surface"):
        Localizer(sfm_map, demanding, weights=NoWeights())
    with_one = replace(sfm_map, surface=FACADE.surface())
    Localizer(with_one, demanding, weights=NoWeights())


# Confidence


def test_without_a_view_the_confidence_is_the_same_to_the_bit() -> None:
    calibration = load_calibration(Config().confidence)
    assert calibration is not None
    terms = {**calibration.terms, VIEW: Term(center=2.0, scale=1.0, coefficient=1.5)}
    others = {name: term for name, term in terms.items() if name != VIEW}
    with_term = calibration.model_copy(update={"terms": terms})
    without = calibration.model_copy(update={"terms": others})
    features = {"evidence": 2.1, "certainty": 0.7, "spread": 0.3, "uniqueness": 0.9}
    for known in (features, {**features, VIEW: math.nan}):
        assert with_term.assess(known) == without.assess(features)
    unlike = with_term.probability({**features, VIEW: agreement_log_odds(0.6)})
    assert unlike < without.probability(features)


@pytest.mark.parametrize("agreement", [0.86, 0.9, 0.99, 1.0])
def test_a_view_that_agrees_does_not_raise_the_confidence(agreement: float) -> None:
    calibration = load_calibration(Config().confidence)
    assert calibration is not None
    features = {"evidence": 2.1, VIEW: agreement_log_odds(agreement)}
    assert calibration.contributions(features)[VIEW] == pytest.approx(0, abs=1e-4)


def test_a_view_that_does_not_agree_lowers_the_confidence() -> None:
    calibration = load_calibration(Config().confidence)
    assert calibration is not None
    lowered = [
        calibration.contributions({VIEW: agreement_log_odds(agreement)})[VIEW]
        for agreement in (0.5, 0.6, 0.7, 0.8)
    ]
    assert lowered == sorted(lowered) and lowered[-1] < 0 and lowered[0] < -1


def test_what_was_learned_without_views_stays_valid() -> None:
    calibration = load_calibration(Config().confidence)
    assert calibration is not None
    terms = {**calibration.terms, VIEW: Term(center=1.0, scale=2.0, coefficient=3.0)}
    other = calibration.model_copy(update={"terms": terms})
    assert model_fingerprint(other) == model_fingerprint(calibration)
    assert load_known_answers(other)


def test_views_are_in_the_lines_of_results() -> None:
    views = (
        ViewComparison(HERE, 0.98, 2.5, 0.9, 120.0),
        ViewComparison(pose_at(3.0), math.nan, math.nan, 0.1, 80.0),
    )
    hits = RetrievalHits((), np.zeros(0, np.float32))
    result = LocalizationResult(
        "a.jpg", Status.NO_POSE, "none", None, None, None, hits, {}, {}, views=views
    )
    value = result_to_json(result)
    assert value["views"][0]["agreement"] == 0.98 and value["views"][1]["agreement"] is None
    found = result_from_json(json.loads(json.dumps(value))).views
    assert [each.valid_share for each in found] == [0.9, 0.1]
    assert [each.score for each in found] == [120.0, 80.0]
    assert math.isnan(found[1].agreement)
    np.testing.assert_allclose(found[0].cam_from_world.center, HERE.center)
    assert "views" not in result_to_json(replace(result, views=()))
