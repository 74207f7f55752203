"""Several maps of the same images and poses, with other features, in one query."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.cli.main import main
from hloc_lite.clock import StageClock
from hloc_lite.formats.hloc_lists import read_poses, write_queries
from hloc_lite.geometry.cameras import with_focal
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.image_sources import MemorySource
from hloc_lite.io.results import read_results_jsonl
from hloc_lite.localize.batch import localize_all
from hloc_lite.localize.cascade import MatchingStep
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.multi_map import joint_model
from hloc_lite.localize.weighting import MatchCues
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.map import Map
from hloc_lite.scene import keypoints_of
from hloc_lite.types import Camera, Photo, Rig, RigCamera, Status
from tests.exact_scene import MAP_NAMES
from tests.localize.exact_maps import (
    QUERY,
    TwoMaps,
    build,
    config_of,
)
from tests.localize.localizers import FixedExtractor, make_localizer, solve


def cues_of(localizer: Localizer, photo: Photo, camera: Camera) -> MatchCues:
    """Cues about the matches of a query with the landmarks of all maps."""
    pipeline, clock = localizer.pipeline, StageClock()
    query, hits = pipeline.describe(photo, camera)
    matches = pipeline.match(query, hits, clock)
    return pipeline.compute_cues(query, hits, matches, clock).joined


def test_the_inliers_of_both_maps_are_joined(two_maps: TwoMaps) -> None:
    alone = [
        make_localizer(each).localize(two_maps.pixels, two_maps.camera)
        for each in two_maps.maps.values()
    ]
    result = two_maps.localizer().localize(two_maps.pixels, two_maps.camera)
    assert result.status is Status.LOCALIZED and result.pose is not None
    assert pose_errors(result.pose.cam_from_world, two_maps.pose)[0] < 1e-4
    for name, single in zip(two_maps.maps, alone, strict=True):
        assert single.counts["inliers"] > 40
        assert f"{name}_inliers" not in single.counts
        assert result.counts[f"{name}_inliers"] == single.counts["inliers"]
        for what in ("keypoints", "matches", "correspondences"):
            assert result.counts[f"{name}_{what}"] == single.counts[what]
    for what in ("keypoints", "matches", "inliers", "correspondences"):
        assert result.counts[what] == sum(single.counts[what] for single in alone)
    assert result.counts["agreeing_clusters"] == 2
    assert result.features is not None
    assert len(result.features) == alone[0].counts["keypoints"]
    # that of the intrinsics and of the map does not shrink with the number of matches
    assert np.trace(result.pose.covariance) < 1.01 * min(np.trace(r.pose.covariance) for r in alone)


def test_wrong_intrinsics_are_noticed_in_several_maps_too(two_maps: TwoMaps) -> None:
    wrong = with_focal(two_maps.camera, 1.5 * two_maps.camera.params[0])
    result = two_maps.localizer().localize(two_maps.pixels, wrong)
    assert result.status is Status.DOUBTFUL and result.pose is None
    assert "the intrinsics do not fit: f = 450 px given, 300 px fits" in result.reason
    found = two_maps.localizer().localize(two_maps.pixels, wrong, recalibrate=True)
    assert found.pose is not None and "recalibrated" in found.reason
    assert pose_errors(found.pose.cam_from_world, two_maps.pose)[0] < 0.1


def test_keypoints_and_points_of_the_second_map_follow_those_of_the_first(
    two_maps: TwoMaps,
) -> None:
    localizer = two_maps.localizer()
    given = localizer.localize(two_maps.pixels, two_maps.camera).correspondences
    assert given is not None
    model = localizer.model
    assert np.array_equal(model.xyz[given.point3D_idxs], given.points3D)
    keypoints = np.concatenate([two_maps.features(name).keypoints for name in ("exact", "other")])
    assert np.array_equal(keypoints[given.keypoint_idxs].astype(float), given.points2D)
    pairs = np.stack([given.keypoint_idxs, given.point3D_idxs])
    assert len(np.unique(pairs, axis=1).T) == len(given)
    assert len(np.unique(model.point3D_ids)) == model.num_points
    for image in model.images:
        rows = image.point3D_idxs >= 0
        points = model.xyz[image.point3D_idxs[rows]]
        assert (image.cam_from_world.apply(points)[:, 2] > 0).all()
        parts = [each.model.image_named(image.name) for each in two_maps.maps.values()]
        assert rows.sum() == sum((part.point3D_idxs >= 0).sum() for part in parts)


def test_keypoints_are_joined_in_compact_maps_too(two_maps: TwoMaps, tmp_path: Path) -> None:
    full = [*two_maps.maps.values()]
    compact = []
    for each in full:
        compress_map(each, tmp_path / each.fingerprint)
        compact.append(Map.open(tmp_path / each.fingerprint))
    for maps in ([full[0], compact[1]], compact):
        model = joint_model(maps)
        for image in model.images:
            parts = [each.model for each in maps]
            own = [keypoints_of(part, part.image_named(image.name)) for part in parts]
            found = keypoints_of(model, image)
            assert len(found) == len(image.point3D_idxs) > 100
            assert np.abs(found - np.concatenate(own)).max() < 0.1


@pytest.mark.parametrize("rows", [slice(0, 0), slice(0, 5)])
@pytest.mark.parametrize("failing", ["exact", "other"])
def test_where_one_map_fails_the_other_gives_the_pose(
    two_maps: TwoMaps, failing: str, rows: slice
) -> None:
    localizer = two_maps.localizer({failing: two_maps.features(failing, rows)})
    result = localizer.localize(two_maps.pixels, two_maps.camera)
    assert result.status is Status.LOCALIZED and result.pose is not None
    assert pose_errors(result.pose.cam_from_world, two_maps.pose)[0] < 1e-4
    working = {"exact": "other", "other": "exact"}[failing]
    assert result.counts[f"{failing}_inliers"] == 0
    assert result.counts[f"{working}_inliers"] == result.counts["inliers"] > 40
    assert result.counts["agreeing_clusters"] == 1


def test_where_both_maps_fail_the_reason_is_given(two_maps: TwoMaps) -> None:
    nothing = {name: two_maps.features(name, slice(0, 0)) for name in two_maps.maps}
    result = two_maps.localizer(nothing).localize(two_maps.pixels, two_maps.camera)
    assert result.status is Status.TOO_FEW_MATCHES and "no keypoints" in result.reason
    few = {**nothing, "other": two_maps.features("other", slice(0, 5))}
    localizer = two_maps.localizer(few)
    result = localizer.localize(two_maps.pixels, two_maps.camera)
    assert result.status is Status.TOO_FEW_MATCHES and "5 keypoints match" in result.reason
    assert len(cues_of(localizer, two_maps.photo, two_maps.camera).matches) > 0


@pytest.mark.parametrize("wrong", ["exact", "other"])
def test_a_map_with_another_pose_is_outweighed(two_maps: TwoMaps, wrong: str) -> None:
    """Its features are those of another camera, but fewer than the other map's correct ones."""
    elsewhere = two_maps.scenes[wrong].features(0, 1000).subset(np.arange(30))
    localizer = two_maps.localizer({wrong: elsewhere})
    result = localizer.localize(two_maps.pixels, two_maps.camera)
    assert result.pose is not None
    assert pose_errors(result.pose.cam_from_world, two_maps.pose)[0] < 1e-4
    assert result.counts[f"{wrong}_inliers"] == 0 and result.counts["agreeing_clusters"] == 1
    assert result.ambiguity is not None and 0.05 < result.ambiguity < 1


def test_images_that_a_map_lacks_are_not_matched_there(two_maps: TwoMaps) -> None:
    """Its images are not the first of those retrieved."""
    lacking = {"map 0.png": 0, "map 1.png": 1}
    localizer = two_maps.localizer(
        other=build(two_maps.scenes["other"], config_of("other"), lacking)
    )
    pipeline, clock = localizer.pipeline, StageClock()
    query, hits = pipeline.describe(two_maps.photo, two_maps.camera)
    matches = pipeline.match(query, hits, clock)
    assert set(hits.names) == set(MAP_NAMES)
    assert set(matches[1].by_image) == set(lacking)
    cues = pipeline.compute_cues(query, hits, matches, clock).joined
    of_other = cues.matches.keypoint_idxs >= len(query.features[0])
    assert set(np.array(hits.names)[cues.matches.hit_idxs[of_other]]) == set(lacking)
    result = solve(localizer, query, hits, MatchingStep(matches))
    assert result.counts["other_inliers"] > 12 and result.pose is not None
    assert pose_errors(result.pose.cam_from_world, two_maps.pose)[0] < 1e-4


def test_a_first_step_without_matches_is_followed_by_the_next(two_maps: TwoMaps) -> None:
    """The first map sees nothing, and the second lacks the images whose landmarks come first."""
    first, other = two_maps.maps["exact"], two_maps.scenes["other"]
    lacking = build(other, config_of("other"), {"map 0.png": 0, "map 1.png": 1})
    blind = FixedExtractor(two_maps.features("exact", slice(0, 0)))
    localizer = make_localizer(
        first, "cascade.num_initial_images=1", extra_maps=[lacking], extractor=blind
    )
    result = localizer.localize(two_maps.pixels, two_maps.camera)
    assert result.hits.names[0] not in ("map 0.png", "map 1.png")
    assert result.status is Status.LOCALIZED and result.counts["other_inliers"] > 12
    late = localizer.localize(two_maps.pixels, two_maps.camera, budget_ms=0)
    assert late.status is Status.TOO_FEW_MATCHES
    assert late.skipped == ("landmarks of 5 more images", "images by the matcher")


def test_a_rig_is_localized_in_both_maps(two_maps: TwoMaps) -> None:
    scene = two_maps.scenes["exact"]
    world_from_rig = scene.poses[3].inverse()
    cameras = (scene.poses[index].compose(world_from_rig) for index in (3, QUERY))
    rig = Rig(tuple(RigCamera(scene.camera, cam_from_rig) for cam_from_rig in cameras))
    images = [scene.image(index) for index in (3, QUERY)]
    found = two_maps.localizer().localize_rig(images, rig)
    alone = make_localizer(two_maps.maps["exact"]).localize_rig(images, rig)
    assert found.status is Status.LOCALIZED
    assert pose_errors(found.pose.rig_from_world, scene.poses[3])[0] < 1e-4
    for both, single in zip(found.correspondences, alone.correspondences, strict=True):
        assert len(both) > len(single) + 40


def test_cues_of_all_maps_are_joined(two_maps: TwoMaps) -> None:
    first, other = two_maps.maps.values()
    localizer = make_localizer(first, "weighting.off=[]", extra_maps=[other])
    result = localizer.localize(two_maps.pixels, two_maps.camera)
    assert {cue.name for cue in result.cues} >= {"score", "retrieval", "track"}
    assert all(len(cue.factors) == len(result.correspondences) for cue in result.cues)
    cues = cues_of(localizer, two_maps.photo, two_maps.camera)
    assert all(len(cue.factors) == len(cues.matches) for cue in cues.cues)
    assert len(cues.matches) == result.counts["matches"]


def test_a_run_with_another_extra_map_is_another_run(two_maps: TwoMaps, tmp_path: Path) -> None:
    path = tmp_path / "progress"
    source = MemorySource({"query.png": two_maps.pixels})
    heads = []
    for localizer in (
        make_localizer(two_maps.maps["exact"]),
        two_maps.localizer(),
        two_maps.localizer(other=replace(two_maps.maps["other"], fingerprint="0")),
    ):
        localize_all(localizer, source, {"query.png": two_maps.camera}, path)
        heads.append(path.read_text().splitlines()[0])
    assert len(set(heads)) == 3


def test_inlier_bounds_are_those_of_each_maps_own_points(two_maps: TwoMaps) -> None:
    errors = np.random.default_rng(0).lognormal(-1, 0.8, 600)
    maps, start = {}, 0
    for name, each in two_maps.maps.items():
        end = start + each.model.num_points
        noisy = replace(each.model, errors_px=errors[start:end])
        maps[name], start = replace(each, model=noisy), end
    setting, alone = "weighting.bound_exponent=1", {}
    for each in maps.values():
        given = (
            make_localizer(each, setting).localize(two_maps.pixels, two_maps.camera).correspondences
        )
        alone |= dict(zip(map(tuple, given.points3D), given.bound_factors, strict=True))
    localizer = make_localizer(maps["exact"], setting, extra_maps=[maps["other"]])
    given = localizer.localize(two_maps.pixels, two_maps.camera).correspondences
    assert len(given) == len(alone) and len(np.unique(given.bound_factors)) > 20
    assert given.bound_factors.tolist() == [alone[tuple(xyz)] for xyz in given.points3D]


def test_the_commands_map_and_localize_take_an_extra_map(
    two_maps: TwoMaps, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    scene = two_maps.scenes["exact"]
    scene.write_images(Path("images"), MAP_NAMES)
    scene.write_images(Path("queries"), {"query.png": QUERY})
    write_queries(Path("queries.txt"), {"query.png": scene.camera})
    build(scene, config_of("exact"), output="map")

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as stop:
            main([*arguments])
            raise SystemExit(0)
        return int(stop.value.code or 0)

    options = ("--features", "other", "--retrieval", "exact", "--reference", "map", "--offline")
    assert run("map", "images", "-o", "second", *options) == 0, capsys.readouterr().err
    localize = ("localize", "map", "--images", "queries", "--queries", "queries.txt", "--offline")
    files = ("-o", "poses.txt", "--jsonl", "all.jsonl", "--report", "report")
    assert run(*localize, "--also", "second", *files) == 0, capsys.readouterr().err
    found = read_poses(Path("poses.txt"))["query.png"]
    assert pose_errors(found, two_maps.pose)[0] < 1e-4
    (result,) = read_results_jsonl(Path("all.jsonl"))
    assert result.counts["exact_inliers"] > 12 and result.counts["other_inliers"] > 12
    assert Path("report/report.html").is_file()
    assert run(*localize, "--also", "map", "-o", "again.txt") == 2
    assert "two maps have 'exact' features" in capsys.readouterr().err
    assert run(*localize, "--also", "second", "-o", "second/map.json") == 2
