"""Single queries looked at closer: localized again, drawn, blended with the view of the surface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from hloc_lite.localize.localizer import Localizer
from hloc_lite.types import Photo, Surface
from hloc_lite.viz.config import ViewConfig
from hloc_lite.viz.inspection import Inspector, QueryPictures, View, blend, shrink
from hloc_lite.viz.queries import QueryMark
from tests.exact_scene import NoWeights
from tests.viz.scenes import LocalizedScene, localized_scene, moved_pose, result_at

CONFIG = ViewConfig(picture_px=160)


@pytest.fixture(scope="module")
def localized() -> Iterator[LocalizedScene]:
    with localized_scene() as made:
        yield made


def look(
    localized: LocalizedScene, query: QueryMark, surface: Surface | None = None
) -> QueryPictures:
    """Pictures of camera 3, whose map photos are not at hand."""
    localizer = localized.localizer
    if surface is not None:
        localizer = Localizer(replace(localized.map, surface=surface), weights=NoWeights())
    photo = Photo("query 3.png", localized.scene.image(3))
    found = Inspector(localizer, lambda _: photo, lambda _: None, {}, CONFIG).pictures(query)
    assert found is not None
    return found


def with_camera(localized: LocalizedScene, shift: float) -> QueryMark:
    """Query whose result lies beside the true pose, with the true intrinsics."""
    pose = moved_pose(localized.truth["query 3.png"], np.array([shift, 0, 0]))
    result = result_at("query 3.png", pose)
    assert result.pose is not None
    return QueryMark(replace(result, pose=replace(result.pose, camera=localized.scene.camera)))


def test_a_pose_that_differs_from_that_of_the_results_is_told(localized: LocalizedScene) -> None:
    notes = look(localized, with_camera(localized, 0.25)).notes
    assert any("its pose is 0.25 map units and" in note for note in notes)
    assert any("--map-images" in note for note in notes)


def test_the_view_is_rendered_at_the_pose_of_the_results(localized: LocalizedScene) -> None:
    model = localized.map.model
    red = np.broadcast_to(np.array([200, 10, 10], np.uint8), model.rgb.shape)
    surface = Surface(model.xyz.astype(np.float32), red, radii=np.full(len(red), 0.2, np.float32))
    here = look(localized, with_camera(localized, 0.0), surface).view
    assert here is not None and here.photo.shape == here.rendered.shape == (120, 160, 3)
    assert here.mask.any() and (here.rendered[here.mask] == [200, 10, 10]).all()
    far = look(localized, with_camera(localized, 1e4), surface).view
    assert far is not None and not far.mask.any()


def test_a_blend_shows_the_photo_where_there_is_no_surface() -> None:
    photo, rendered = (np.full((2, 2, 3), value, np.uint8) for value in (100, 200))
    mask = np.array([[True, False], [False, False]])
    view = View(photo, rendered, mask)
    assert blend(view, 0.0)[0, 0, 0] == 100 and blend(view, 1.0)[0, 0, 0] == 200
    mixed = blend(view, 0.25)
    assert mixed[0, 0, 0] == 125 and (mixed[~mask] == 100).all()


def test_photos_are_shrunk_and_never_enlarged() -> None:
    assert shrink(np.zeros((300, 600, 3), np.uint8), 100).shape == (50, 100, 3)
    assert shrink(np.zeros((3, 6, 3), np.uint8), 100).shape == (3, 6, 3)
    assert shrink(np.zeros((1, 5000, 3), np.uint8), 100).shape == (1, 100, 3)
