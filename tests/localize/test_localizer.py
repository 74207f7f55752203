"""One query: each status with its reason, and what intrinsics do to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.config import load_config
from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.geometry.cameras import focal_lengths, rescaled, with_focal
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.localize.compatibility import keys_without_effect
from hloc_lite.localize.localizer import Localizer
from hloc_lite.pose.confidence import Confidence
from hloc_lite.types import Camera, LocalFeatures, Photo, Status
from tests.exact_scene import MAP_NAMES, SIZE, NoWeights, mapped_scene


class Changed:
    """An extractor whose answer for queries can be replaced."""

    def __init__(self, extractor) -> None:
        self.extractor, self.descriptor_dim, self.answer = extractor, 64, None

    def extract(self, photos):
        return [self.answer] if self.answer is not None else self.extractor.extract(photos)


@pytest.fixture(scope="module")
def built():
    with mapped_scene() as both:
        yield both


@pytest.fixture
def localizer(built) -> Localizer:
    made = Localizer(built[1], weights=NoWeights())
    object.__setattr__(made._models, "extractor", Changed(made._models.extractor))
    return made


def some(features: LocalFeatures, rows) -> LocalFeatures:
    rows = np.asarray(rows)
    return LocalFeatures(
        features.keypoints[rows], features.descriptors[rows], features.scores[rows], SIZE
    )


def answer(localizer: Localizer, features: LocalFeatures) -> None:
    localizer._models.extractor.answer = features


def test_no_keypoints(built, localizer) -> None:
    scene, _ = built
    answer(localizer, some(scene.features(3, 1000), np.arange(0)))
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.status is Status.TOO_FEW_MATCHES and "no keypoints" in result.reason
    assert result.pose is None and result.fallback is None


@pytest.mark.parametrize("count", [1, 3, 4])
def test_too_few_matches(built, localizer, count: int) -> None:
    scene, _ = built
    answer(localizer, some(scene.features(3, 1000), np.arange(count)))
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.status is Status.TOO_FEW_MATCHES and result.pose is None
    assert "6 are needed" in result.reason


def test_random_matches_give_no_pose(built, localizer) -> None:
    scene, _ = built
    features = scene.features(3, 1000)
    rng = np.random.default_rng(0)
    shuffled = replace(features, keypoints=rng.permutation(features.keypoints))
    answer(localizer, shuffled)
    for camera in (scene.camera, None):
        result = localizer.localize(scene.image(3), camera)
        assert result.pose is None and result.counts["correspondences"] > 100
        if result.status is Status.DOUBTFUL:  # some agree by chance
            assert result.confidence is not None and result.confidence < 0.5
            assert "is right with probability" in result.reason and result.ambiguity is not None
            assert result.counts["inliers"] > 0
        else:
            assert result.status is Status.NO_POSE and "no pose agrees" in result.reason
            assert result.confidence is None and result.counts["inliers"] == 0


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("count", [6, 12, 100])
def test_a_pose_is_given_if_and_only_if_it_is_sure_enough(
    built, localizer, count: int, calibrated: bool
) -> None:
    """Also with unknown focal length, and the same pose for any bound."""
    scene, place = built
    answer(localizer, some(scene.features(3, 1000), np.arange(count)))
    photo = localizer.match(Photo("q", scene.image(3)), scene.camera, calibrated=calibrated)
    found = {}
    for least in (0.0, 0.5, 0.99999):
        config = load_config(base=place.config, settings=[f"confidence.min_confidence={least}"])
        result = Localizer(place, config, weights=NoWeights()).solve(photo, "q")
        assert result.confidence is not None
        assert (result.pose is not None) == (result.confidence >= least)
        assert (result.status is Status.LOCALIZED) == (result.pose is not None)
        if result.pose is None:
            assert result.status is Status.DOUBTFUL and f"{least:g} is asked" in result.reason
        found[least] = result
    assert found[0.0].pose is not None
    assert found[0.0].confidence == found[0.5].confidence == found[0.99999].confidence
    assert found[0.0].grounds == found[0.99999].grounds != {}


def test_a_probability_that_is_too_small_is_shown_so(built, localizer, monkeypatch) -> None:
    scene, _ = built
    judged = Confidence(0.7499, {}, ())
    monkeypatch.setattr(localizer._judge, "judge", lambda *_, **__: judged)
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.status is Status.DOUBTFUL
    assert "with probability 0.74 only, 0.75 is asked for" in result.reason


def test_without_confidence_every_pose_is_given(built, localizer) -> None:
    scene, place = built
    answer(localizer, some(scene.features(3, 1000), np.arange(6)))
    photo = localizer.match(Photo("q", scene.image(3)), scene.camera)
    config = load_config(base=place.config, settings=["confidence.enabled=false"])
    result = Localizer(place, config, weights=NoWeights()).solve(photo, "q")
    assert result.pose is not None and result.confidence is None and result.grounds == {}


def test_damaged_coefficients_are_refused_when_a_localizer_is_made(built, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("intercept = 'much'")
    settings = [f"confidence.file={tmp_path / 'c.toml'}"]
    config = load_config(base=built[1].config, settings=settings)
    with pytest.raises(FormatError, match="bad confidence coefficients"):
        Localizer(built[1], config, weights=NoWeights())


def test_in_a_map_without_scale_the_bound_grows_with_it(built, localizer) -> None:
    """The same map in other units is as certain, unless its units are said to be metres."""
    scene, place = built
    exact = scene.features(3, 1000)
    noise = np.random.default_rng(0).normal(0, 1.5, exact.keypoints.shape)
    answer(localizer, replace(exact, keypoints=exact.keypoints + noise))
    photo = localizer.match(Photo("q", scene.image(3)), scene.camera)
    small = replace(place.model, xyz=0.01 * place.model.xyz)

    def certainty(model, bounds: str) -> float:
        config = load_config(base=place.config, settings=[f"confidence.bounds={bounds}"])
        made = Localizer(replace(place, model=model), config, weights=NoWeights())
        result = made.solve(photo, "q")
        assert result.confidence is not None
        return result.grounds["certainty"]

    same = certainty(place.model, "relative")
    assert certainty(small, "relative") == pytest.approx(same, abs=0.01)
    assert certainty(small, "metric") > certainty(place.model, "metric")


def test_points_at_one_place_or_in_one_line_give_no_covariance_or_no_pose(built, localizer) -> None:
    scene, _ = built
    features = scene.features(3, 1000)
    near = np.argsort(np.abs(features.keypoints[:, 1] - 120))[:40]
    in_line = features.keypoints.copy()
    in_line[:, 1] = 120
    for keypoints in (in_line, np.full_like(in_line, 99)):
        answer(localizer, some(replace(features, keypoints=keypoints), near))
        result = localizer.localize(scene.image(3), scene.camera)
        assert (result.status is Status.LOCALIZED) == (result.pose is not None)
        if result.pose is not None:
            assert np.isfinite(result.pose.cam_from_world.translation).all()


def test_no_retrieval_when_the_map_has_only_the_query_itself(built) -> None:
    scene, place = built
    only = replace(place, global_names=("map 4.png",), global_descriptors=np.array([[1.0, 0.0]]))
    localizer = Localizer(only, weights=NoWeights())
    result = localizer.localize(scene.image(4), scene.camera, name="map 4.png", fallback=True)
    assert result.status is Status.NO_RETRIEVAL and result.pose is None
    assert result.fallback is None and "no image to compare" in result.reason
    assert localizer.localize(scene.image(4), scene.camera, name="x").status is Status.LOCALIZED


def test_a_query_of_a_map_images_name_is_not_matched_with_itself(built, localizer) -> None:
    scene, _ = built
    result = localizer.localize(scene.image(4), scene.camera, name="map 4.png")
    assert "map 4.png" not in result.hits.names and len(result.hits.names) == len(MAP_NAMES) - 1
    distance, _ = pose_errors(result.pose.cam_from_world, scene.poses[4])
    assert result.status is Status.LOCALIZED and distance < 1e-4


def test_the_fallback_is_marked_and_never_the_pose(built, localizer) -> None:
    scene, place = built
    answer(localizer, some(scene.features(3, 1000), np.arange(3)))
    plain = localizer.localize(scene.image(3), scene.camera)
    assert plain.fallback is None and plain.fallback_name is None
    result = localizer.localize(scene.image(3), scene.camera, fallback=True)
    assert result.pose is None and result.status is Status.TOO_FEW_MATCHES
    assert result.fallback_name == result.hits.names[0]
    expected = place.model.image_named(result.fallback_name).cam_from_world
    assert result.fallback is expected
    answer(localizer, None)
    good = localizer.localize(scene.image(3), scene.camera, fallback=True)
    assert good.status is Status.LOCALIZED and good.fallback is None


def test_the_fallback_is_given_to_queries_without_keypoints_too(built, localizer) -> None:
    scene, _ = built
    answer(localizer, some(scene.features(3, 1000), np.arange(0)))
    result = localizer.localize(scene.image(3), scene.camera, fallback=True)
    assert result.status is Status.TOO_FEW_MATCHES and "no keypoints" in result.reason
    assert result.fallback_name == result.hits.names[0] and result.fallback is not None


def test_a_guessed_focal_length_is_not_taken_for_known(built, localizer) -> None:
    scene, _ = built
    guess = replace(with_focal(scene.camera, 500.0), has_prior_focal=False)
    result = localizer.localize(scene.image(3), guess)
    assert result.status is Status.LOCALIZED, result.reason
    assert abs(focal_lengths(result.pose.camera)[0] / 300.0 - 1) < 0.02
    assert pose_errors(result.pose.cam_from_world, scene.poses[3])[0] < 0.05


def test_each_pair_of_keypoint_and_point_counts_once(built, localizer) -> None:
    scene, _ = built
    result = localizer.localize(scene.image(3), scene.camera)
    found = result.correspondences
    pairs = np.stack([found.keypoint_idxs, found.point3D_idxs], axis=1)
    assert len(np.unique(pairs, axis=0)) == len(pairs) == result.counts["correspondences"]
    assert result.counts["matches"] > 2 * len(pairs)  # several images saw each point


def test_one_keypoint_repeated_is_no_evidence(built, localizer) -> None:
    scene, _ = built
    features = scene.features(3, 1000)
    five = some(features, np.repeat(np.arange(5), 10))
    answer(localizer, five)
    result = localizer.localize(scene.image(3), scene.camera)
    assert result.pose is None


def test_intrinsics_of_another_resolution_are_rescaled(built, localizer) -> None:
    scene, _ = built
    double = rescaled(scene.camera, 2 * SIZE[0], 2 * SIZE[1])
    result = localizer.localize(scene.image(3), double)
    assert result.status is Status.LOCALIZED
    assert (result.pose.camera.width, result.pose.camera.height) == SIZE
    assert pose_errors(result.pose.cam_from_world, scene.poses[3])[0] < 1e-4


@pytest.mark.parametrize(
    ("camera", "reason"),
    [
        (Camera("SIMPLE_PINHOLE", 320, 320, np.array([300.0, 160, 160])), "the shapes differ"),
        (Camera("SIMPLE_PINHOLE", 240, 320, np.array([300.0, 120, 160])), "the shapes differ"),
        (Camera("SIMPLE_PINHOLE", 320, 240, np.array([np.nan, 160, 120])), "finite"),
        (Camera("SIMPLE_PINHOLE", 320, 240, np.array([-300.0, 160, 120])), "focal length"),
        (Camera("SIMPLE_PINHOLE", 320, 240, np.array([300.0, 160])), "3 parameters"),
        (Camera("SPIRAL", 320, 240, np.array([300.0, 160, 120])), "unknown camera model"),
        (Camera("SIMPLE_PINHOLE", 320, 240, np.array([300.0, 9e5, 120])), "principal point"),
    ],
)
def test_intrinsics_that_cannot_be_are_unreadable_queries(built, localizer, camera, reason) -> None:
    result = localizer.localize(built[0].image(3), camera, fallback=True)
    assert result.status is Status.UNREADABLE and reason in result.reason
    assert result.pose is None and result.fallback is None


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.7])
def test_unknown_focal_lengths_are_found(built, localizer, factor: float) -> None:
    scene, _ = built
    pinhole = Camera("SIMPLE_PINHOLE", *SIZE, np.array([300.0, 160.0, 120.0]))
    true = with_focal(pinhole, factor * 300.0)
    answer(localizer, replace(scene, camera=true).features(3, 1000))
    result = localizer.localize(scene.image(3))
    assert result.status is Status.LOCALIZED, result.reason
    focal = focal_lengths(result.pose.camera)[0]
    assert abs(focal / focal_lengths(true)[0] - 1) < 0.02
    assert pose_errors(result.pose.cam_from_world, scene.poses[3])[0] < 0.1


def test_files_that_are_no_photos_are_unreadable(built, localizer, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    for path in (tmp_path / "a.png", tmp_path / "missing.png", tmp_path):
        result = localizer.localize(path)
        assert result.status is Status.UNREADABLE and path.name in result.reason
    Image.fromarray(built[0].image(3)).save(tmp_path / "good.png")
    result = localizer.localize(tmp_path / "good.png", built[0].camera)
    assert result.status is Status.LOCALIZED and result.query_name == "good.png"


def test_features_other_than_the_maps_are_refused(built) -> None:
    _, place = built
    other = place.config.model_copy(
        update={"features": place.config.features.model_copy(update={"name": "disk"})}
    )
    with pytest.raises(ConfigError, match=r"features\.name.*'exact'.*'disk'"):
        Localizer(place, other, weights=NoWeights())


def test_the_same_query_gives_the_same_bytes(built) -> None:
    scene, place = built
    found = [
        Localizer(place, weights=NoWeights()).localize(scene.image(5), scene.camera)
        for _ in range(2)
    ]
    poses = [result.pose.cam_from_world for result in found]
    assert np.array_equal(poses[0].translation, poses[1].translation)
    assert np.array_equal(found[0].pose.covariance, found[1].pose.covariance)


@pytest.mark.parametrize("camera", ["SIMPLE_PINHOLE 320 240 300 160 120", {"model": "PINHOLE"}, 5])
def test_intrinsics_of_another_type_are_a_mistake(built, localizer, camera) -> None:
    with pytest.raises(ConfigError, match=r"expected a Camera.*parse_camera"):
        localizer.localize(built[0].image(3), camera)


def test_mirrored_and_transposed_arrays_are_photos_like_others(built) -> None:
    mirrored = np.ascontiguousarray(built[0].image(3)[:, ::-1])[:, ::-1]
    fortran = np.asfortranarray(built[0].image(3))
    for pixels in (mirrored, fortran):
        photo = Photo("x", pixels, mask=np.ones(pixels.shape[:2], bool)[::-1])
        assert all(stride > 0 for stride in (*photo.pixels.strides, *photo.mask.strides))
        assert np.array_equal(photo.pixels, built[0].image(3)) and photo.pixels.flags.c_contiguous


def test_only_a_name_that_was_given_says_which_map_image_is_the_query(built, tmp_path) -> None:
    """A file elsewhere that happens to be called as a map image is another photo."""
    scene, place = built
    localizer = Localizer(place, weights=NoWeights())
    Image.fromarray(scene.image(4)).save(tmp_path / "map 4.png")
    result = localizer.localize(tmp_path / "map 4.png", scene.camera)
    assert result.query_name == "map 4.png" and result.hits.names[0] == "map 4.png"
    named = localizer.localize(tmp_path / "map 4.png", scene.camera, name="map 4.png")
    assert "map 4.png" not in named.hits.names
    photo = localizer.localize(Photo("map 4.png", scene.image(4)), scene.camera)
    assert "map 4.png" not in photo.hits.names


def test_settings_that_only_building_reads_are_found(built) -> None:
    _, place = built
    asked = ["mapping.mapper=global", "pairs.spec=exhaustive", "mapping.camera_model=PINHOLE"]
    config = load_config(settings=[*asked, "pose.max_error_px=5"], base=place.config)
    assert keys_without_effect(config, place.config) == ["pairs.spec", "mapping.mapper"]
    assert keys_without_effect(place.config, place.config) == []
    ratio = ["matching.max_ratio=0.7"]
    assert keys_without_effect(load_config(settings=ratio, base=place.config), place.config) == [
        "matching.max_ratio"
    ]
    hard = load_config(settings=[*ratio, 'weighting.off=["score"]'], base=place.config)
    assert keys_without_effect(hard, place.config) == []
