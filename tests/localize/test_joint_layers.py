"""Several feature extractors at once: maps of the same images and poses, localized in together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite import registry
from hloc_lite.cli.main import main
from hloc_lite.config import Config, load_config
from hloc_lite.entries import FeatureEntry
from hloc_lite.errors import ConfigError, HlocLiteError, StaleArtefactError
from hloc_lite.formats.hloc_lists import read_poses, write_queries
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.io.image_sources import MemorySource
from hloc_lite.io.results import read_results_jsonl
from hloc_lite.localize.batch import localize_all
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.multi_map import joint_model
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.map import Map
from hloc_lite.scene import keypoints_of
from hloc_lite.types import LocalFeatures, Photo, Rigid3, Status
from tests.exact_scene import SIZE, ExactScene, NoWeights, make_scene, use_scene

NAMES = {f"map {i}.png": i for i in (0, 1, 2, 4, 6, 8)}
QUERY = 5
answers: dict[str, LocalFeatures] = {}
"""What the stand-in of that name says of every photo, in place of the truth."""


@dataclass(frozen=True, eq=False)
class World:
    """One scene seen by two extractors, that find other points of it."""

    scenes: dict[str, ExactScene]
    maps: dict[str, Map]

    @property
    def pose(self) -> Rigid3:
        return self.scenes["exact"].poses[QUERY]

    def localizer(self, **others: object) -> Localizer:
        maps = {**self.maps, **others}
        return Localizer(maps["exact"], also=[maps["other"]], weights=NoWeights())

    def photo(self) -> np.ndarray:
        return self.scenes["exact"].image(QUERY)

    def seen(self, name: str, rows: slice = slice(None)) -> LocalFeatures:
        all_of_it = self.scenes[name].features(QUERY, 1000)
        return LocalFeatures(
            all_of_it.keypoints[rows], all_of_it.descriptors[rows], all_of_it.scores[rows], SIZE
        )


class Other:
    """The second extractor; ``scene`` is set by the fixture."""

    descriptor_dim = 64
    scene: ExactScene

    def __init__(self, name: str, config: object, runtime: object) -> None:
        pass

    def extract(self, photos):
        found = [self.scene.features(int(p.pixels[4, 4, 0]), 1000) for p in photos]
        return [answers.get("other", each) for each in found]


def build(scene: ExactScene, config: Config, names: dict[str, int] = NAMES, **options) -> Map:
    images = {name: scene.image(index) for name, index in names.items()}
    inputs = MapInputs(reference=scene.reference(names))
    return build_map(images, config, inputs=inputs, weights=NoWeights(), **options)


def config_of(name: str) -> Config:
    return load_config(overrides={"features": {"name": name}, "retrieval": {"name": "exact"}})


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        first = make_scene(num_points=300)
        more = make_scene(num_points=200, seed=1)
        second = replace(first, points=more.points, descriptors=more.descriptors)
        use_scene(patch, first)
        patch.setattr(Other, "scene", second, raising=False)
        patch.setitem(registry.FEATURES.registered, "other", FeatureEntry(Other))
        scenes = {"exact": first, "other": second}
        yield World(scenes, {name: build(scenes[name], config_of(name)) for name in scenes})


@pytest.fixture(autouse=True)
def truth() -> Iterator[None]:
    answers.clear()
    yield
    answers.clear()


def fool_the_first(localizer: Localizer, answer: LocalFeatures) -> None:
    class Fooled:
        descriptor_dim = 64

        def extract(self, photos):
            return [answer for _ in photos]

    object.__setattr__(localizer._models, "extractor", Fooled())


def test_the_inliers_of_both_are_joined(world: World) -> None:
    camera = world.scenes["exact"].camera
    alone = [
        Localizer(place, weights=NoWeights()).localize(world.photo(), camera)
        for place in world.maps.values()
    ]
    result = world.localizer().localize(world.photo(), camera)
    assert result.status is Status.LOCALIZED and result.pose is not None
    assert pose_errors(result.pose.cam_from_world, world.pose)[0] < 1e-4
    for name, single in zip(world.maps, alone, strict=True):
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
    assert np.trace(result.pose.covariance) < min(np.trace(r.pose.covariance) for r in alone)


def test_numbers_of_keypoints_and_points_count_on(world: World) -> None:
    result = world.localizer().localize(world.photo(), world.scenes["exact"].camera)
    given = result.correspondences
    assert given is not None
    model = joint_model([*world.maps.values()])
    assert np.array_equal(model.xyz[given.point3D_idxs], given.points3D)
    keypoints = np.concatenate([world.seen(name).keypoints for name in ("exact", "other")])
    assert np.array_equal(keypoints[given.keypoint_idxs].astype(float), given.points2D)
    pairs = np.stack([given.keypoint_idxs, given.point3D_idxs])
    assert len(np.unique(pairs, axis=1).T) == len(given)
    assert len(np.unique(model.point3D_ids)) == model.num_points
    for image in model.images:
        rows = image.point3D_idxs >= 0
        center, points = image.cam_from_world, model.xyz[image.point3D_idxs[rows]]
        assert (center.apply(points)[:, 2] > 0).all()
        parts = [place.model.image_named(image.name) for place in world.maps.values()]
        assert rows.sum() == sum((part.point3D_idxs >= 0).sum() for part in parts)


def test_keypoints_count_on_in_compact_maps_too(world: World, tmp_path: Path) -> None:
    full = [*world.maps.values()]
    compact = []
    for place in full:
        compress_map(place, tmp_path / place.fingerprint)
        compact.append(Map.open(tmp_path / place.fingerprint))
    for maps in ([full[0], compact[1]], compact):
        model = joint_model(maps)
        for image in model.images:
            parts = [place.model for place in maps]
            own = [keypoints_of(part, part.image_named(image.name)) for part in parts]
            found = keypoints_of(model, image)
            assert len(found) == len(image.point3D_idxs) > 100
            assert np.abs(found - np.concatenate(own)).max() < 0.1


@pytest.mark.parametrize("rows", [slice(0, 0), slice(0, 5)])
@pytest.mark.parametrize("failing", ["exact", "other"])
def test_where_one_fails_the_other_answers(world: World, failing: str, rows: slice) -> None:
    localizer = world.localizer()
    few = world.seen(failing, rows)
    if failing == "exact":
        fool_the_first(localizer, few)
    else:
        answers["other"] = few
    result = localizer.localize(world.photo(), world.scenes["exact"].camera)
    assert result.status is Status.LOCALIZED and result.pose is not None
    assert pose_errors(result.pose.cam_from_world, world.pose)[0] < 1e-4
    working = {"exact": "other", "other": "exact"}[failing]
    assert result.counts[f"{failing}_inliers"] == 0
    assert result.counts[f"{working}_inliers"] == result.counts["inliers"] > 40
    assert result.counts["agreeing_clusters"] == 1


def test_where_both_fail_there_is_a_reason(world: World) -> None:
    localizer = world.localizer()
    fool_the_first(localizer, world.seen("exact", slice(0, 0)))
    answers["other"] = world.seen("other", slice(0, 0))
    result = localizer.localize(world.photo(), world.scenes["exact"].camera)
    assert result.status is Status.TOO_FEW_MATCHES and "no keypoints" in result.reason
    answers["other"] = world.seen("other", slice(0, 5))
    result = localizer.localize(world.photo(), world.scenes["exact"].camera)
    assert result.status is Status.TOO_FEW_MATCHES and "5 keypoints match" in result.reason
    assert localizer.evidence(localizer.match(_photo(world), world.scenes["exact"].camera))


@pytest.mark.parametrize("fooled", ["exact", "other"])
def test_a_layer_with_another_pose_is_outvoted(world: World, fooled: str) -> None:
    """It sees what another camera saw, but less of it than the other layer sees of the truth."""
    localizer = world.localizer()
    elsewhere = world.scenes[fooled].features(0, 1000)
    elsewhere = LocalFeatures(
        elsewhere.keypoints[:30], elsewhere.descriptors[:30], elsewhere.scores[:30], SIZE
    )
    if fooled == "exact":
        fool_the_first(localizer, elsewhere)
    else:
        answers["other"] = elsewhere
    result = localizer.localize(world.photo(), world.scenes["exact"].camera)
    assert result.pose is not None
    assert pose_errors(result.pose.cam_from_world, world.pose)[0] < 1e-4
    assert result.counts[f"{fooled}_inliers"] == 0 and result.counts["agreeing_clusters"] == 1
    assert result.ambiguity is not None and 0.05 < result.ambiguity < 1


def test_images_that_a_layer_lacks_are_not_matched_there(world: World) -> None:
    """Its only image is not the first of those retrieved."""
    other = build(world.scenes["other"], config_of("other"), {"map 0.png": 0, "map 1.png": 1})
    localizer = world.localizer(other=other)
    camera = world.scenes["exact"].camera
    query = localizer.match(_photo(world), camera)
    assert set(query.hits.names) == set(NAMES)
    assert set(query.others[0].matched) == {"map 0.png", "map 1.png"}
    evidence = localizer.evidence(query)
    of_other = evidence.sightings.keypoint_idxs >= len(query.features)
    names = np.array(query.hits.names)[evidence.sightings.hit_idxs[of_other]]
    assert set(names) == {"map 0.png", "map 1.png"}
    result = localizer.solve(query, "x")
    assert result.counts["other_inliers"] > 12 and result.pose is not None
    assert pose_errors(result.pose.cam_from_world, world.pose)[0] < 1e-4


def test_cues_say_of_each_correspondence_what_its_layer_said(world: World) -> None:
    config = load_config(settings=["weighting.off=[]"], base=world.maps["exact"].config)
    settings = {"also": [world.maps["other"]], "weights": NoWeights()}
    localizer = Localizer(world.maps["exact"], config, **settings)
    result = localizer.localize(world.photo(), world.scenes["exact"].camera)
    assert {cue.name for cue in result.cues} >= {"score", "retrieval", "track"}
    assert all(len(cue.factors) == len(result.correspondences) for cue in result.cues)
    evidence = localizer.evidence(localizer.match(_photo(world), world.scenes["exact"].camera))
    assert all(len(cue.factors) == len(evidence.sightings) for cue in evidence.cues)
    assert len(evidence.sightings) == result.counts["matches"]


def moved(place: Map, shift: float, count: int) -> Map:
    """The map with some images shifted along x."""
    images = [
        replace(
            image,
            cam_from_world=Rigid3(
                image.cam_from_world.rotation,
                image.cam_from_world.translation + np.array([shift * (index < count), 0, 0]),
            ),
        )
        for index, image in enumerate(place.model.images)
    ]
    return replace(place, model=replace(place.model, images=tuple(images)))


def test_other_poses_are_refused(world: World) -> None:
    world.localizer(other=moved(world.maps["other"], 1e-6, 6))  # rounding of text files
    for shift, count in ((0.1, 1), (50.0, 6), (np.nan, 6)):
        with pytest.raises(StaleArtefactError, match=rf"{count} of 6 common .*--reference"):
            world.localizer(other=moved(world.maps["other"], shift, count))


def test_the_bound_for_poses_scales_with_the_scene(world: World) -> None:
    def larger(place: Map) -> Map:
        model = place.model
        images = tuple(
            replace(
                image,
                cam_from_world=Rigid3(
                    image.cam_from_world.rotation, 1000 * image.cam_from_world.translation
                ),
            )
            for image in model.images
        )
        return replace(place, model=replace(model, images=images, xyz=1000 * model.xyz))

    large = {name: larger(place) for name, place in world.maps.items()}
    world.localizer(exact=large["exact"], other=moved(large["other"], 1.0, 6))
    with pytest.raises(StaleArtefactError):
        world.localizer(other=moved(world.maps["other"], 1.0, 6))


def test_maps_that_do_not_go_together_are_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="two maps are of 'exact' features"):
        world.localizer(other=world.maps["exact"])
    elsewhere = build(world.scenes["other"], config_of("other"), {"a.png": 0, "b.png": 1})
    with pytest.raises(ConfigError, match=r"no image of the first map.*'a\.png'"):
        world.localizer(other=elsewhere)
    other = world.maps["other"]
    upright = load_config(settings=["images.exif_rotation=false"], base=other.config)
    with pytest.raises(ConfigError, match="exif_rotation"):
        world.localizer(other=replace(other, config=upright))
    labels = load_config(settings=["semantics.source=files:x"], base=world.maps["exact"].config)
    with pytest.raises(HlocLiteError):
        Localizer(world.maps["exact"], labels, also=[other], weights=NoWeights())


def test_a_run_with_another_layer_is_another_run(world: World, tmp_path: Path) -> None:
    path, camera = tmp_path / "progress", world.scenes["exact"].camera
    source = MemorySource({"query.png": world.photo()})
    heads = []
    for localizer in (
        Localizer(world.maps["exact"], weights=NoWeights()),
        world.localizer(),
        world.localizer(other=replace(world.maps["other"], fingerprint="0")),
    ):
        localize_all(localizer, source, {"query.png": camera}, path)
        heads.append(path.read_text().splitlines()[0])
    assert len(set(heads)) == 3


def labelled_maps(world: World, labels: Path) -> list[Map]:
    """All of whose photos show buildings, and so does the query."""
    labels.mkdir()
    for name in (*NAMES, "query.png"):
        Image.fromarray(np.full(SIZE[::-1], 2, np.uint8)).save(labels / f"{name}.png")
    setting = [f"semantics.source=files:{labels}"]
    return [
        build(world.scenes[name], load_config(settings=setting, base=config_of(name)))
        for name in world.maps
    ]


def test_each_photo_is_labelled_once(world: World, tmp_path: Path, monkeypatch) -> None:
    maps = labelled_maps(world, tmp_path / "labels")
    localizer = Localizer(maps[0], also=maps[1:], weights=NoWeights())
    asked = []
    segmenter = type(localizer._models.segmenter)
    segment = segmenter.segment
    monkeypatch.setattr(
        segmenter, "segment", lambda self, photos: asked.extend(photos) or segment(self, photos)
    )
    camera = world.scenes["exact"].camera
    result = localizer.localize(_photo(world), camera)
    assert len(asked) == 1 and result.pose is not None
    assert result.counts["semantics_touched"] == result.counts["matches"]
    with pytest.raises(ConfigError, match="'other' features: semantics"):
        Localizer(maps[0], also=[world.maps["other"]], weights=NoWeights())


def test_poses_of_any_layer_are_judged_by_the_labels_of_all(world: World, tmp_path: Path) -> None:
    first, other = labelled_maps(world, tmp_path / "labels")
    confused = replace(other.landmark_labels, labels=np.full_like(other.landmark_labels.labels, 8))
    found = {}
    for place in (other, replace(other, landmark_labels=confused)):
        for blind in (False, True):
            localizer = Localizer(first, also=[place], weights=NoWeights())
            if blind:
                fool_the_first(localizer, world.seen("exact", slice(0, 0)))
            result = localizer.localize(_photo(world), world.scenes["exact"].camera)
            assert result.pose is not None and result.confidence is not None
            assert (result.counts["exact_inliers"] == 0) == blind
            found[place is other, blind] = result.grounds["labels"]
    assert found[True, False] == found[True, True] == 1
    assert found[False, False] < 1 and found[False, True] < 1


def test_inlier_bounds_are_those_of_each_layers_own_points(world: World) -> None:
    errors = np.random.default_rng(0).lognormal(-1, 0.8, 500)
    maps, start = {}, 0
    for name, place in world.maps.items():
        end = start + place.model.num_points
        noisy = replace(place.model, errors_px=errors[start:end])
        maps[name], start = replace(place, model=noisy), end
    setting = ["weighting.bound_exponent=1"]
    camera, apart = world.scenes["exact"].camera, {}
    for place in maps.values():
        config = load_config(settings=setting, base=place.config)
        alone = Localizer(place, config, weights=NoWeights())
        given = alone.localize(world.photo(), camera).correspondences
        apart |= dict(zip(map(tuple, given.points3D), given.bound_factors, strict=True))
    config = load_config(settings=setting, base=maps["exact"].config)
    localizer = Localizer(maps["exact"], config, also=[maps["other"]], weights=NoWeights())
    given = localizer.localize(world.photo(), camera).correspondences
    assert len(given) == len(apart) and len(np.unique(given.bound_factors)) > 20
    assert given.bound_factors.tolist() == [apart[tuple(xyz)] for xyz in given.points3D]


def test_from_photos_to_poses_by_commands(world: World, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scene = world.scenes["exact"]
    scene.write_images(Path("images"), NAMES)
    scene.write_images(Path("queries"), {"query.png": QUERY})
    write_queries(Path("queries.txt"), {"query.png": scene.camera})
    build(scene, config_of("exact"), output="map")
    monkeypatch.setattr("hloc_lite.io.weights.WeightsStore.__init__", lambda *_, **__: None)

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as stop:
            main([*arguments])
            raise SystemExit(0)
        return int(stop.value.code or 0)

    options = ("--features", "other", "--retrieval", "exact", "--reference", "map")
    assert run("map", "images", "-o", "second", *options) == 0, capsys.readouterr().err
    localize = ("localize", "map", "--images", "queries", "--queries", "queries.txt")
    files = ("-o", "poses.txt", "--jsonl", "all.jsonl", "--report", "report")
    assert run(*localize, "--also", "second", *files) == 0, capsys.readouterr().err
    found = read_poses(Path("poses.txt"))["query.png"]
    assert pose_errors(found, world.pose)[0] < 1e-4
    (result,) = read_results_jsonl(Path("all.jsonl"))
    assert result.counts["exact_inliers"] > 12 and result.counts["other_inliers"] > 12
    assert Path("report/report.html").is_file()
    assert run(*localize, "--also", "map", "-o", "again.txt") == 2
    assert "two maps are of 'exact' features" in capsys.readouterr().err
    assert run(*localize, "--also", "second", "-o", "second/map.json") == 2


def _photo(world: World) -> Photo:
    return Photo("query.png", world.photo())
