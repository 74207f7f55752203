"""Photos of a map against views of its surface: a surface elsewhere agrees less."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hloc_lite.localize.surface_views import compare_own_views
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.mapping.surface import surface_from_depth
from hloc_lite.maps.map import Map
from hloc_lite.maps.surface_tiles import join_surfaces
from tests.exact_scene import NoWeights
from tests.photo_wall import WallDepth, config_with, make_photos, registered


@pytest.fixture(scope="module")
def wall_map(tmp_path_factory: pytest.TempPathFactory) -> Map:
    """Map of the wall with its surface and its photos."""
    folder = tmp_path_factory.mktemp("wall")
    photos, reference = make_photos()
    (folder / "images").mkdir()
    for name, pixels in photos.items():
        cv2.imwrite(str(folder / "images" / name), pixels[:, :, ::-1])
    with registered():
        build_map(
            folder / "images", config_with("orb-pairs"), inputs=MapInputs(reference=reference),
            output=folder / "map", weights=NoWeights(),
        )  # fmt: skip
        opened = Map.open(folder / "map", trust=True)
    parts = surface_from_depth(reference, WallDepth(reference), opened.photos)
    return replace(opened, surface=join_surfaces(list(parts)))


def test_photos_agree_with_views_of_their_surface(wall_map: Map) -> None:
    found = compare_own_views(wall_map)
    assert found.num_compared == 5
    assert found.agreement > 0.95 and not found.is_low


@pytest.mark.parametrize("change", ["shift", "grey"])
def test_a_surface_elsewhere_agrees_less(wall_map: Map, change: str) -> None:
    surface = wall_map.surface
    assert surface is not None
    if change == "grey":
        other = replace(surface, rgb=np.full_like(surface.rgb, 128))
    else:
        other = replace(surface, xyz=surface.xyz + np.float32([0.3, 0, 0]))
    found = compare_own_views(replace(wall_map, surface=other))
    assert found.is_low if change != "grey" else found.num_compared == 0


def test_without_photos_or_surface_nothing_is_compared(wall_map: Map) -> None:
    assert compare_own_views(replace(wall_map, surface=None)).num_compared == 0
    assert not compare_own_views(replace(wall_map, photos=None)).is_low
