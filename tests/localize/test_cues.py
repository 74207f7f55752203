"""Evidence from files reaches the weights of matches, and the result says what it did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hloc_lite.localize.attempts import attempts_of
from hloc_lite.localize.hypotheses import choose
from PIL import Image
from scipy.interpolate import NearestNDInterpolator

from hloc_lite.config import load_config
from hloc_lite.errors import ConfigError, FormatError, StaleArtefactError
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.bank import write_bank
from hloc_lite.localize.compatibility import unused_sources
from hloc_lite.localize.estimation import PoseSolver
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.weighting import Evidence
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from hloc_lite.types import (
    Camera,
    Correspondences,
    DepthMap,
    Photo,
    PoseEstimate,
    PutativeMatches,
    Rigid3,
    Status,
)
from tests.exact_scene import SIZE, ExactScene, NoWeights, make_scene, use_scene

NAMES = {f"map {i}.png": i for i in (0, 1, 2, 4, 6, 8)}
QUERY = 5
BUILDING, CAR = 2, 13


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> ExactScene:
    made = make_scene()
    use_scene(monkeypatch, made)
    return made


def build(scene: ExactScene, output: Path, *settings: str) -> Map:
    stand_ins = {"features": {"name": "exact"}, "retrieval": {"name": "exact"}}
    config = load_config(overrides=stand_ins, settings=settings)
    images = {name: scene.image(index) for name, index in NAMES.items()}
    inputs = MapInputs(reference=scene.reference(NAMES))
    build_map(images, config, inputs=inputs, weights=NoWeights(), output=output)
    return Map.open(output)


def write_labels(folder: Path, names: list[str], label: int) -> None:
    for name in names:
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(SIZE[::-1], label, np.uint8)).save(path)


def query(scene: ExactScene) -> Photo:
    return Photo("query.png", scene.image(QUERY))


def test_labels_are_kept_with_the_map_and_disagreeing_matches_are_counted(
    scene: ExactScene, tmp_path: Path
) -> None:
    labels = tmp_path / "labels"
    write_labels(labels, [*NAMES], BUILDING)
    write_labels(labels, ["query.png"], 0)  # road
    place = build(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    assert place.landmark_labels is not None
    assert (place.landmark_labels.labels == BUILDING).all()
    assert (place.landmark_labels.shares == 1).all()
    assert place.report["landmarks"]["labelled"] == place.model.num_points
    localizer = Localizer(place, weights=NoWeights())
    result = localizer.localize(query(scene), scene.camera)
    assert result.status is Status.LOCALIZED  # all disagree alike: nobody is right alone
    assert result.counts["semantics_touched"] == result.counts["matches"]
    assert result.counts["semantics_lowered"] == result.counts["matches"]
    (cue,) = (each for each in result.cues if each.name == "semantics")
    assert result.correspondences is not None
    assert cue.name == "semantics"
    assert cue.factors.shape == (len(result.correspondences),)
    assert (cue.factors < 1).all()
    seen = localizer.labels_of(query(scene))
    assert seen is not None
    assert (seen.labels == 0).all()


def test_landmarks_on_cars_can_be_dropped(scene: ExactScene, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    write_labels(labels, [*NAMES, "query.png"], CAR)
    settings = (f"semantics.source=files:{labels}", "semantics.unstable_landmarks=drop")
    place = build(scene, tmp_path / "map", *settings)
    result = Localizer(place, weights=NoWeights()).localize(query(scene), scene.camera)
    assert result.status is Status.TOO_FEW_MATCHES
    assert place.report["landmarks"]["dropped"] == place.model.num_points


def test_a_query_without_labels_is_localized_without_them(
    scene: ExactScene, tmp_path: Path
) -> None:
    labels = tmp_path / "labels"
    write_labels(labels, [*NAMES], BUILDING)
    place = build(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    result = Localizer(place, weights=NoWeights()).localize(query(scene), scene.camera)
    assert result.status is Status.LOCALIZED
    assert "semantics_touched" not in result.counts


@pytest.mark.parametrize("key", ["semantics", "depth"])
def test_a_source_without_a_word_on_a_query_is_told(
    scene: ExactScene, tmp_path: Path, key: str
) -> None:
    labels, empty = tmp_path / "labels", tmp_path / "empty"
    empty.mkdir()
    write_labels(labels, [*NAMES, "query.png"], BUILDING)
    place = build(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    config = load_config(base=place.config, settings=[f"{key}.source=files:{empty}"])
    localizer = Localizer(place, config, weights=NoWeights())
    result = localizer.localize(query(scene), scene.camera)
    assert result.status is Status.LOCALIZED
    (line,) = unused_sources([result], config)
    assert f"said nothing of 1 of 1 queries, first 'query.png': files:{empty}" in line
    off = load_config(base=config, settings=[f'weighting.off=["{key}"]'])
    assert unused_sources([result], off) == []
    heard = Localizer(place, weights=NoWeights()).localize(query(scene), scene.camera)
    assert unused_sources([heard], place.config) == []


def test_a_map_whose_folder_of_labels_is_gone_says_what_to_give(
    scene: ExactScene, tmp_path: Path
) -> None:
    labels = tmp_path / "labels"
    write_labels(labels, [*NAMES], BUILDING)
    place = build(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    labels.rename(tmp_path / "moved")
    with pytest.raises(ConfigError, match=r"labels .* not here.*--labels FOLDER.*--labels none"):
        Localizer(place, weights=NoWeights())
    for source in ("none", f"files:{tmp_path / 'moved'}"):
        config = load_config(base=place.config, settings=[f"semantics.source={source}"])
        assert Localizer(place, config, weights=NoWeights()).config.semantics.source == source


def test_depth_files_speak_of_matches_and_leave_right_ones_alone(
    scene: ExactScene, tmp_path: Path
) -> None:
    depth = np.full(SIZE[::-1], np.nan, np.float32)
    in_cam = scene.poses[QUERY].apply(scene.points)
    columns, rows = np.floor(img_from_cam(scene.camera, in_cam)).astype(int).T
    inside = (columns > 1) & (columns < SIZE[0] - 2) & (rows > 1) & (rows < SIZE[1] - 2)
    for x, y, z in zip(columns[inside], rows[inside], in_cam[inside, 2], strict=True):
        depth[y - 1 : y + 2, x - 1 : x + 2] = z
    folder = tmp_path / "depth"
    folder.mkdir()
    np.save(folder / "query.npy", depth)
    place = build(scene, tmp_path / "map")
    config = load_config(base=place.config, settings=[f"depth.source=files:{folder}"])
    localizer = Localizer(place, config, weights=NoWeights())
    result = localizer.localize(query(scene), scene.camera)
    assert result.pose is not None
    assert result.counts["depth_touched"] > 50
    assert result.counts["depth_lowered"] < 0.1 * result.counts["depth_touched"]
    assert pose_errors(result.pose.cam_from_world, scene.poses[QUERY])[0] < 1e-3


def test_what_is_switched_off_is_not_asked(scene: ExactScene, tmp_path: Path) -> None:
    place = build(scene, tmp_path / "map")
    missing = tmp_path / "nowhere"
    settings = [f"depth.source=files:{missing}", 'weighting.off=["depth"]']
    missing.mkdir()
    localizer = Localizer(place, load_config(base=place.config, settings=settings),
                          weights=NoWeights())  # fmt: skip
    missing.rmdir()
    assert localizer.localize(query(scene), scene.camera).status is Status.LOCALIZED


def test_matches_inherit_the_labels_under_the_pose_of_their_image(
    scene: ExactScene, tmp_path: Path
) -> None:
    labels = tmp_path / "labels"
    write_labels(labels, [*NAMES, "query.png"], BUILDING)
    place = build(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    config = load_config(base=place.config, settings=['weighting.off=["score", "retrieval"]'])
    result = Localizer(place, config, weights=NoWeights()).localize(query(scene), scene.camera)
    assert result.pose is not None
    assert result.counts["view_semantics_touched"] == result.counts["matches"]
    # the image that shows most landmarks agrees most; at least one shows fewer
    assert 0 < result.counts["view_semantics_lowered"] < result.counts["matches"]
    assert pose_errors(result.pose.cam_from_world, scene.poses[QUERY])[0] < 1e-3


def test_only_the_images_that_agree_most_are_kept(scene: ExactScene, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    write_labels(labels, [*NAMES, "query.png"], BUILDING)
    place = build(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    config = load_config(base=place.config, settings=["semantics.rerank_keep=2"])
    result = Localizer(place, config, weights=NoWeights()).localize(query(scene), scene.camera)
    assert result.status is Status.LOCALIZED
    assert 0 < result.counts["semantics_touched"] < result.counts["matches"]


def test_of_two_places_the_one_with_the_predicted_depths_counts() -> None:
    """Thirty matches say one pose, thirty-five another; only the first has the depths seen."""
    rng = np.random.default_rng(0)
    camera = Camera("PINHOLE", 640, 480, np.array([500.0, 500, 320, 240]))
    keypoints = rng.uniform((20, 20), (620, 460), (65, 2))
    rays = np.concatenate([(keypoints - [320, 240]) / 500, np.ones((65, 1))], axis=1)
    depths = rng.uniform(5, 40, 65)
    seen_depths = np.where(np.arange(65) < 30, depths, rng.uniform(5, 40, 65))
    nearest = NearestNDInterpolator(keypoints, seen_depths)
    columns, rows_px = np.meshgrid(np.arange(640) + 0.5, np.arange(480) + 0.5)
    depth_map = nearest(columns, rows_px).astype(np.float32)
    xyz = rays * depths[:, None]
    hits = np.where(np.arange(65) < 30, 0, 1)
    rows = PutativeMatches(np.arange(65), np.arange(65), hits, np.ones(65, np.float32))
    config = load_config()

    def estimate(given: Correspondences, *_: object) -> PoseEstimate:
        everything = np.ones(len(given), bool)
        aside = 0.0 if len(given) == 30 else 50.0  # which changes no depth
        pose = Rigid3(np.eye(3), np.array([aside, 0, 0]))
        return PoseEstimate(pose, everything, 1, None, camera)

    groups = [np.array([0]), np.array([1])]
    chosen = []
    for known in (DepthMap(depth_map, (640, 480)), None):
        evidence = Evidence(rows, (), keypoints.astype(np.float32), known, config)
        solver = PoseSolver(SimpleNamespace(estimate=estimate), config, camera, calibrated=True)
        attempts = attempts_of([(evidence, groups)], xyz, solver)
        found = choose(attempts, lambda *_: None, lambda _: 0.0, config.localize)
        assert found.num_agreeing == 1 and 0 < found.ambiguity <= 1
        chosen.append(len(found.attempt.correspondences))
    assert chosen == [30, 35]


def test_broken_evidence_is_told_and_done_without(
    scene: ExactScene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels, depth = tmp_path / "labels", tmp_path / "depth"
    write_labels(labels, [*NAMES], BUILDING)
    depth.mkdir()
    for broken in (labels / "query.png.png", labels / "map 4.png.png", depth / "query.png"):
        broken.write_bytes(b"\x89PNG")
    place = build(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    assert "'map 4.png' goes without labels" in caplog.text
    config = load_config(base=place.config, settings=[f"depth.source=files:{depth}"])
    result = Localizer(place, config, weights=NoWeights()).localize(query(scene), scene.camera)
    assert result.status is Status.LOCALIZED
    assert "'query.png' goes without labels" in caplog.text
    assert "'query.png' goes without depths" in caplog.text


def test_labels_need_a_map_with_labels(scene: ExactScene, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    write_labels(labels, [*NAMES, "query.png"], BUILDING)
    source = f"semantics.source=files:{labels}"
    place = build(scene, tmp_path / "plain")
    with pytest.raises(ConfigError, match=r"this map has none: build it with .*none"):
        Localizer(place, load_config(base=place.config, settings=[source]), weights=NoWeights())
    build(scene, tmp_path / "labelled", source)
    (tmp_path / "labelled/landmarks.h5").unlink()
    with pytest.raises(FormatError, match=r"landmarks.h5.*missing.*--overwrite"):
        Map.open(tmp_path / "labelled")


def test_a_map_of_other_labels_is_not_taken_for_finished(scene: ExactScene, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    source = f"semantics.source=files:{labels}"
    assert not (build(scene, tmp_path / "map", source).landmark_labels.labels == BUILDING).any()
    build(scene, tmp_path / "map", source)
    for label in (BUILDING, CAR):
        write_labels(labels, [*NAMES], label)
        with pytest.raises(StaleArtefactError, match="--overwrite"):
            build(scene, tmp_path / "map", source)


def test_labels_of_other_points_are_refused(scene: ExactScene, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    write_labels(labels, [*NAMES], BUILDING)
    place = build(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    found, origin = place.landmark_labels, {"fingerprint": place.fingerprint}
    assert found is not None
    fewer = {"labels": found.labels[:-1], "shares": found.shares[:-1]}
    write_bank(tmp_path / "map/landmarks.h5", [("points", fewer)], origin)
    with pytest.raises(FormatError, match=r"points, but labels of shape.*--overwrite"):
        Map.open(tmp_path / "map")


def test_bounds_of_correspondences_follow_the_noise_of_their_landmarks(
    scene: ExactScene, tmp_path: Path
) -> None:
    place = build(scene, tmp_path / "map")
    errors = np.random.default_rng(0).lognormal(-1, 0.8, place.model.num_points)
    place = replace(place, model=replace(place.model, errors_px=errors))
    factors = []
    for exponent in (0, 1):
        config = load_config(base=place.config, settings=[f"weighting.bound_exponent={exponent}"])
        result = Localizer(place, config, weights=NoWeights()).localize(query(scene), scene.camera)
        assert result.pose is not None and result.correspondences is not None
        assert pose_errors(result.pose.cam_from_world, scene.poses[QUERY])[0] < 1e-3
        factors.append(result.correspondences.bound_factors)
    assert factors[0] is None and factors[1] is not None
    seen = errors[result.correspondences.point3D_idxs]
    bad, good = seen > np.quantile(seen, 0.8), seen < np.quantile(seen, 0.2)
    assert factors[1][bad].min() > 1.2 * factors[1][good].max()


def test_depth_judges_within_ransac_only_if_it_is_asked_to() -> None:
    rng = np.random.default_rng(0)
    points2D, depths = rng.uniform((0, 0), (640, 480), (40, 2)), rng.uniform(5, 40, 40)
    order = np.arange(40)
    given = Correspondences(points2D, np.zeros((40, 3)), order, order, np.ones(40))
    columns, rows = np.meshgrid(np.arange(640) + 0.5, np.arange(480) + 0.5)
    values = NearestNDInterpolator(points2D, depths)(columns, rows).astype(np.float32)
    nothing = PutativeMatches(*np.zeros((4, 0)))
    known = DepthMap(values, (640, 480))
    both = np.stack([3 * depths, rng.permutation(depths)])
    asked = ["depth.in_ransac=true"]
    for depth_map, settings in ((known, asked), (known, []), (None, asked)):
        evidence = Evidence(
            nothing, (), points2D.astype(np.float32), depth_map, load_config(settings=settings)
        )
        judge = evidence.depth_scorer(given)
        if not settings or depth_map is None:
            assert judge is None
            continue
        assert judge is not None
        right, wrong = judge(both, np.ones((2, 40), bool))
        assert right == 2 * evidence.config.depth.full_agreement
        assert wrong < 1
        # of too few inliers nothing is said
        assert (judge(both, np.tile(order < 10, (2, 1))) == 1).all()
