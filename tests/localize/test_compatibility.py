"""Checks that config, labels, networks and extra maps fit the map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.config import load_config
from hloc_lite.errors import ConfigError, HlocLiteError, StaleArtefactError
from hloc_lite.localize.compatibility import keys_without_effect, unused_sources
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.types import Photo, Rigid3, Status
from tests.exact_scene import MAP_NAMES, ExactScene, NoWeights
from tests.localize.exact_maps import (
    BUILDING,
    QUERY,
    TwoMaps,
    build,
    build_on_disk,
    config_of,
    write_labels,
)
from tests.localize.localizers import make_localizer


def test_features_other_than_the_maps_are_refused(sfm_map: Map) -> None:
    other = sfm_map.config.model_copy(
        update={"features": sfm_map.config.features.model_copy(update={"name": "disk"})}
    )
    with pytest.raises(ConfigError, match=r"features\.name.*'exact'.*'disk'"):
        Localizer(sfm_map, other, weights=NoWeights())


def test_keys_that_only_mapping_reads_are_found(sfm_map: Map) -> None:
    base = sfm_map.config
    changed = ["mapping.mapper=global", "pairs.spec=exhaustive", "mapping.camera_model=PINHOLE"]
    config = load_config(settings=[*changed, "pose.max_error_px=5"], base=base)
    assert keys_without_effect(config, base) == ["pairs.spec", "mapping.mapper"]
    assert keys_without_effect(base, base) == []
    ratio = ["matching.max_ratio=0.7"]
    config = load_config(settings=ratio, base=base)
    assert keys_without_effect(config, base) == ["matching.max_ratio"]
    without_scores = load_config(settings=[*ratio, 'weighting.off=["score"]'], base=base)
    assert keys_without_effect(without_scores, base) == []


@pytest.mark.parametrize("key", ["semantics", "depth"])
def test_a_source_that_has_nothing_for_a_query_is_reported(
    scene: ExactScene, tmp_path: Path, key: str
) -> None:
    labels, empty = tmp_path / "labels", tmp_path / "empty"
    empty.mkdir()
    write_labels(labels, [*MAP_NAMES, "query.png"], BUILDING)
    sfm_map = build_on_disk(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    photo = Photo("query.png", scene.image(QUERY))
    localizer = make_localizer(sfm_map, f"{key}.source=files:{empty}")
    result = localizer.localize(photo, scene.camera)
    assert result.status is Status.LOCALIZED
    (line,) = unused_sources([result], localizer.config)
    assert f"for 1 of 1 queries, first 'query.png': files:{empty} has none for it" in line
    off = load_config(base=localizer.config, settings=[f'weighting.off=["{key}"]'])
    assert unused_sources([result], off) == []
    with_labels = make_localizer(sfm_map).localize(photo, scene.camera)
    assert unused_sources([with_labels], sfm_map.config) == []


def test_a_map_whose_folder_of_labels_is_gone_names_the_options(
    scene: ExactScene, tmp_path: Path
) -> None:
    labels = tmp_path / "labels"
    write_labels(labels, [*MAP_NAMES], BUILDING)
    sfm_map = build_on_disk(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    labels.rename(tmp_path / "moved")
    with pytest.raises(
        ConfigError, match=r"labels .* not exist here.*--labels FOLDER.*--labels none"
    ):
        Localizer(sfm_map, weights=NoWeights())
    for source in ("none", f"files:{tmp_path / 'moved'}"):
        localizer = make_localizer(sfm_map, f"semantics.source={source}")
        assert localizer.config.semantics.source == source


def moved(sfm_map: Map, shift: float, count: int) -> Map:
    """The map with its first images shifted along x."""
    images = [
        replace(
            image,
            cam_from_world=Rigid3(
                image.cam_from_world.rotation,
                image.cam_from_world.translation + np.array([shift * (index < count), 0, 0]),
            ),
        )
        for index, image in enumerate(sfm_map.model.images)
    ]
    return replace(sfm_map, model=replace(sfm_map.model, images=tuple(images)))


def scaled(sfm_map: Map, factor: float) -> Map:
    """The map in other units."""
    images = tuple(
        replace(
            image,
            cam_from_world=Rigid3(
                image.cam_from_world.rotation, factor * image.cam_from_world.translation
            ),
        )
        for image in sfm_map.model.images
    )
    model = replace(sfm_map.model, images=images, xyz=factor * sfm_map.model.xyz)
    return replace(sfm_map, model=model)


def test_extra_maps_with_other_poses_are_refused(two_maps: TwoMaps) -> None:
    other = two_maps.maps["other"]
    two_maps.localizer(other=moved(other, 1e-6, 6))  # rounding of text files
    for shift, count in ((0.1, 1), (50.0, 6), (np.nan, 6)):
        with pytest.raises(StaleArtefactError, match=rf"{count} of 6 common .*--reference"):
            two_maps.localizer(other=moved(other, shift, count))


def test_the_largest_allowed_distance_of_poses_scales_with_the_scene(two_maps: TwoMaps) -> None:
    large = {name: scaled(each, 1000.0) for name, each in two_maps.maps.items()}
    two_maps.localizer(exact=large["exact"], other=moved(large["other"], 1.0, 6))
    with pytest.raises(StaleArtefactError):
        two_maps.localizer(other=moved(two_maps.maps["other"], 1.0, 6))


def test_maps_that_do_not_fit_together_are_refused(two_maps: TwoMaps) -> None:
    with pytest.raises(ConfigError, match="two maps have 'exact' features"):
        two_maps.localizer(other=two_maps.maps["exact"])
    elsewhere = build(two_maps.scenes["other"], config_of("other"), {"a.png": 0, "b.png": 1})
    with pytest.raises(ConfigError, match=r"no image of the first map.*'a\.png'"):
        two_maps.localizer(other=elsewhere)
    other = two_maps.maps["other"]
    as_stored = load_config(settings=["images.exif_rotation=false"], base=other.config)
    with pytest.raises(ConfigError, match="exif_rotation"):
        two_maps.localizer(other=replace(other, config=as_stored))
    labels = load_config(settings=["semantics.source=files:x"], base=two_maps.maps["exact"].config)
    with pytest.raises(HlocLiteError):
        Localizer(two_maps.maps["exact"], labels, extra_maps=[other], weights=NoWeights())


@pytest.mark.parametrize("setting", ["confidence.enabled=false", "intrinsics.check=false"])
def test_recalibration_needs_the_test_of_intrinsics(
    scene: ExactScene, sfm_map: Map, setting: str
) -> None:
    with pytest.raises(ConfigError, match="recalibrate needs the test of intrinsics"):
        make_localizer(sfm_map, setting, "localize.recalibrate=true")
    with pytest.raises(ConfigError, match="recalibrate needs the test of intrinsics"):
        make_localizer(sfm_map, setting).localize(scene.image(3), scene.camera, recalibrate=True)


def test_without_confidence_untested_intrinsics_are_said(sfm_map: Map, caplog) -> None:
    make_localizer(sfm_map)
    assert "not tested" not in caplog.text
    make_localizer(sfm_map, "confidence.enabled=false")
    assert "given intrinsics are not tested" in caplog.text
