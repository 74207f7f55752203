"""A map's own photo, given as a file, is not retrieved; another photo of the same name is."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hloc_lite.config import ImagesConfig
from hloc_lite.io.image_sources import FileSource, FolderSource
from hloc_lite.localize.batch import localize_all
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.own_photos import OwnPhotos, hash_file
from hloc_lite.maps.map import Map
from tests.exact_scene import ExactScene
from tests.localize.localizers import make_localizer


@pytest.fixture(params=["recorded", "photos at hand"])
def own(request, scene: ExactScene, sfm_map: Map, tmp_path: Path) -> tuple[Localizer, str, Path]:
    """Localizer of a map, the name of one of its images, and a copy of that photo elsewhere."""
    name = sfm_map.model.images[2].name
    folder = tmp_path / "mapped"
    scene.write_images(folder, {name: 2})
    copy = tmp_path / "elsewhere" / Path(name).name
    copy.parent.mkdir()
    shutil.copy(folder / name, copy)
    if request.param == "recorded":
        images = {name: {"photo": hash_file(copy, ImagesConfig())}}
        changed = replace(sfm_map, photos=None, report={**sfm_map.report, "images": images})
    else:
        changed = replace(sfm_map, photos=FolderSource(folder, (name,)))
    return make_localizer(changed), name, copy


def test_a_copy_of_a_map_photo_excludes_itself(own) -> None:
    localizer, name, copy = own
    assert name not in localizer.localize(copy).hits.names
    source = FileSource((str(copy),))
    (result,) = localize_all(localizer, source, {str(copy): None})
    assert result.hits.names and name not in result.hits.names


def test_another_photo_of_the_same_file_name_does_not(own, scene: ExactScene) -> None:
    localizer, name, copy = own
    scene.write_images(copy.parent, {copy.name: 3})
    assert name in localizer.localize(copy).hits.names


def test_the_name_of_a_map_image_is_enough(sfm_map: Map) -> None:
    name = sfm_map.model.images[0].name
    assert OwnPhotos(sfm_map).find(name, None) == name
    assert OwnPhotos(sfm_map).find("folder/" + name, None) is None
