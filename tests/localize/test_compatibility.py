"""Checks that config, labels, networks and extra maps fit the map."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.config import load_config
from hloc_lite.errors import ConfigError
from hloc_lite.localize.compatibility import keys_without_effect, unused_sources
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.map import Map
from hloc_lite.types import Photo, Status
from tests.exact_scene import MAP_NAMES, ExactScene, NoWeights
from tests.localize.localizers import make_localizer
from tests.localize.test_weighting import BUILDING, QUERY, build, write_labels


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
    sfm_map = build(scene, tmp_path / "map", f"semantics.source=files:{labels}")
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
    sfm_map = build(scene, tmp_path / "map", f"semantics.source=files:{labels}")
    labels.rename(tmp_path / "moved")
    with pytest.raises(
        ConfigError, match=r"labels .* not exist here.*--labels FOLDER.*--labels none"
    ):
        Localizer(sfm_map, weights=NoWeights())
    for source in ("none", f"files:{tmp_path / 'moved'}"):
        localizer = make_localizer(sfm_map, f"semantics.source={source}")
        assert localizer.config.semantics.source == source
