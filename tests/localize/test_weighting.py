"""Cues from files and from the map change the weights of matches, and results count them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.errors import ConfigError, FormatError, StaleArtefactError
from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.bank import write_bank
from hloc_lite.maps.map import Map
from hloc_lite.types import Photo, Status
from pipelines.benchmarks.robustness.hostile_maps import sign
from tests.exact_scene import MAP_NAMES, SIZE, ExactScene
from tests.localize.exact_maps import (
    BUILDING,
    CAR,
    QUERY,
    ROAD,
    build_on_disk,
    write_labels,
)
from tests.localize.localizers import make_localizer


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Folder in which the map images show buildings; the query is not in it."""
    write_labels(tmp_path / "labels", [*MAP_NAMES], BUILDING)
    return tmp_path / "labels"


@pytest.fixture
def labelled_map(scene: ExactScene, labels: Path, tmp_path: Path) -> Map:
    """Map on disk, made with ``labels``, which later queries are compared with."""
    return build_on_disk(scene, tmp_path / "map", f"semantics.source=files:{labels}")


def query(scene: ExactScene) -> Photo:
    return Photo("query.png", scene.image(QUERY))


def test_labels_are_kept_with_the_map_and_disagreeing_matches_are_counted(
    scene: ExactScene, labels: Path, labelled_map: Map
) -> None:
    write_labels(labels, ["query.png"], ROAD)
    assert labelled_map.landmark_labels is not None
    assert (labelled_map.landmark_labels.labels == BUILDING).all()
    assert (labelled_map.landmark_labels.shares == 1).all()
    assert labelled_map.report["landmarks"]["labelled"] == labelled_map.model.num_points
    localizer = make_localizer(labelled_map)
    result = localizer.localize(query(scene), scene.camera)
    assert result.status is Status.LOCALIZED  # all disagree alike: no match gains over another
    assert result.counts["semantics_touched"] == result.counts["matches"]
    assert result.counts["semantics_lowered"] == result.counts["matches"]
    (cue,) = (each for each in result.cues if each.name == "semantics")
    assert result.correspondences is not None
    assert cue.factors.shape == (len(result.correspondences),)
    assert (cue.factors < 1).all()
    predicted = localizer.predict_labels(query(scene))
    assert predicted is not None
    assert (predicted.labels == ROAD).all()


def test_landmarks_on_cars_can_be_dropped(scene: ExactScene, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    write_labels(labels, [*MAP_NAMES, "query.png"], CAR)
    settings = (f"semantics.source=files:{labels}", "semantics.unstable_landmarks=drop")
    sfm_map = build_on_disk(scene, tmp_path / "map", *settings)
    result = make_localizer(sfm_map).localize(query(scene), scene.camera)
    assert result.status is Status.TOO_FEW_MATCHES
    assert sfm_map.report["landmarks"]["dropped"] == sfm_map.model.num_points


def test_a_query_without_labels_is_localized_without_them(
    scene: ExactScene, labelled_map: Map
) -> None:
    result = make_localizer(labelled_map).localize(query(scene), scene.camera)
    assert result.status is Status.LOCALIZED
    assert "semantics_touched" not in result.counts


def test_depth_files_touch_matches_and_do_not_lower_correct_ones(
    scene: ExactScene, sfm_map: Map, tmp_path: Path
) -> None:
    depth = np.full(SIZE[::-1], np.nan, np.float32)
    in_cam = scene.poses[QUERY].apply(scene.points)
    columns, rows = np.floor(img_from_cam(scene.camera, in_cam)).astype(int).T
    inside = (columns > 1) & (columns < SIZE[0] - 2) & (rows > 1) & (rows < SIZE[1] - 2)
    for x, y, z in zip(columns[inside], rows[inside], in_cam[inside, 2], strict=True):
        depth[y - 1 : y + 2, x - 1 : x + 2] = z
    np.save(tmp_path / "query.npy", depth)
    localizer = make_localizer(sfm_map, f"depth.source=files:{tmp_path}")
    result = localizer.localize(query(scene), scene.camera)
    assert result.pose is not None
    assert result.counts["depth_touched"] > 50
    assert result.counts["depth_lowered"] < 0.1 * result.counts["depth_touched"]
    assert pose_errors(result.pose.cam_from_world, scene.poses[QUERY])[0] < 1e-3


def test_a_cue_that_is_off_is_not_computed(scene: ExactScene, sfm_map: Map, tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    folder.mkdir()
    settings = (f"depth.source=files:{folder}", 'weighting.off=["depth"]')
    localizer = make_localizer(sfm_map, *settings)
    folder.rmdir()
    assert localizer.localize(query(scene), scene.camera).status is Status.LOCALIZED


def test_matches_take_over_the_label_agreement_of_their_images_pose(
    scene: ExactScene, labels: Path, labelled_map: Map
) -> None:
    write_labels(labels, ["query.png"], BUILDING)
    localizer = make_localizer(labelled_map, 'weighting.off=["score", "retrieval"]')
    result = localizer.localize(query(scene), scene.camera)
    assert result.pose is not None
    assert result.counts["view_semantics_touched"] == result.counts["matches"]
    # the image that observes most landmarks agrees most; at least one observes fewer
    assert 0 < result.counts["view_semantics_lowered"] < result.counts["matches"]
    assert pose_errors(result.pose.cam_from_world, scene.poses[QUERY])[0] < 1e-3


def test_re_ranking_keeps_the_images_that_agree_most(
    scene: ExactScene, labels: Path, labelled_map: Map
) -> None:
    write_labels(labels, ["query.png"], BUILDING)
    localizer = make_localizer(labelled_map, "semantics.rerank_keep=2")
    result = localizer.localize(query(scene), scene.camera)
    assert result.status is Status.LOCALIZED
    assert 0 < result.counts["semantics_touched"] < result.counts["matches"]


def test_broken_label_and_depth_files_give_warnings_and_are_not_used(
    scene: ExactScene, labels: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    depth = tmp_path / "depth"
    depth.mkdir()
    for broken in (labels / "query.png.png", labels / "map 4.png.png", depth / "query.png"):
        broken.write_bytes(b"\x89PNG")
    sfm_map = build_on_disk(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    assert "'map 4.png'" in caplog.text and "labels" in caplog.text
    localizer = make_localizer(sfm_map, f"depth.source=files:{depth}")
    result = localizer.localize(query(scene), scene.camera)
    assert result.status is Status.LOCALIZED
    assert "'query.png' is localized without labels" in caplog.text
    assert "'query.png' is localized without depth" in caplog.text


def test_labels_need_a_map_with_labels(
    scene: ExactScene, sfm_map: Map, labels: Path, tmp_path: Path
) -> None:
    source = f"semantics.source=files:{labels}"
    with pytest.raises(ConfigError, match=r"this map has none: build it with .*none"):
        make_localizer(sfm_map, source)
    build_on_disk(scene, tmp_path / "labelled", source)
    (tmp_path / "labelled/landmarks.h5").unlink()
    with pytest.raises(FormatError, match=r"landmarks.h5.*missing.*--overwrite"):
        Map.open(tmp_path / "labelled")


def test_a_map_of_other_labels_does_not_count_as_finished(
    scene: ExactScene, tmp_path: Path
) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    source = f"semantics.source=files:{labels}"
    assert not (
        build_on_disk(scene, tmp_path / "map", source).landmark_labels.labels == BUILDING
    ).any()
    build_on_disk(scene, tmp_path / "map", source)
    for label in (BUILDING, CAR):
        write_labels(labels, [*MAP_NAMES], label)
        with pytest.raises(StaleArtefactError, match="--overwrite"):
            build_on_disk(scene, tmp_path / "map", source)


def test_labels_of_other_points_are_refused(labelled_map: Map, tmp_path: Path) -> None:
    found, origin = labelled_map.landmark_labels, {"fingerprint": labelled_map.fingerprint}
    assert found is not None
    fewer = {"labels": found.labels[:-1], "shares": found.shares[:-1]}
    write_bank(tmp_path / "map/landmarks.h5", [("points", fewer)], origin)
    sign(tmp_path / "map")
    with pytest.raises(FormatError, match=r"points, but labels of shape.*--overwrite"):
        Map.open(tmp_path / "map")


def test_inlier_bounds_follow_the_noise_of_landmarks(scene: ExactScene, sfm_map: Map) -> None:
    errors = np.random.default_rng(0).lognormal(-1, 0.8, sfm_map.model.num_points)
    noisy = replace(sfm_map, model=replace(sfm_map.model, errors_px=errors))
    factors = []
    for exponent in (0, 1):
        localizer = make_localizer(noisy, f"weighting.bound_exponent={exponent}")
        result = localizer.localize(query(scene), scene.camera)
        assert result.pose is not None and result.correspondences is not None
        assert pose_errors(result.pose.cam_from_world, scene.poses[QUERY])[0] < 1e-3
        factors.append(result.correspondences.bound_factors)
    assert factors[0] is None and factors[1] is not None
    own = errors[result.correspondences.point3D_idxs]
    bad, good = own > np.quantile(own, 0.8), own < np.quantile(own, 0.2)
    assert factors[1][bad].min() > 1.2 * factors[1][good].max()
