"""Values in consoles and notebooks, and their conversions: NumPy, SciPy, pycolmap, JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hloc_lite import Camera, Config, Rigid3, load_config
from hloc_lite.errors import ShapeError
from hloc_lite.formats.colmap.reconstruction import (
    from_pycolmap_reconstruction,
    to_pycolmap_reconstruction,
)
from hloc_lite.geometry.cameras import CAMERA_MODELS
from hloc_lite.io.pycolmap_adapter import (
    from_pycolmap_camera,
    from_pycolmap_rigid,
    to_pycolmap_camera,
    to_pycolmap_rigid,
)
from hloc_lite.io.results import read_results_jsonl, write_results_jsonl
from hloc_lite.localize.localizer import Localizer
from hloc_lite.types import LocalizationResult
from tests.exact_scene import mapped_scene
from tests.localize.localizers import make_localizer

coordinates = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3)
rotation_vectors = st.lists(st.floats(-3, 3), min_size=3, max_size=3)


@st.composite
def rigids(draw: st.DrawFn) -> Rigid3:
    return Rigid3.from_scipy(Rotation.from_rotvec(draw(rotation_vectors)), draw(coordinates))


def assert_equal(a: Rigid3, b: Rigid3) -> None:
    assert np.allclose(a.rotation, b.rotation, rtol=0, atol=1e-12)
    assert np.allclose(a.translation, b.translation, rtol=1e-12, atol=1e-12)


@given(rigids(), coordinates)
def test_matrices_and_scipy_rotations_round_trip(cam_from_world: Rigid3, point: list[float]):
    assert_equal(Rigid3.from_matrix(cam_from_world.matrix), cam_from_world)
    assert_equal(Rigid3.from_matrix(cam_from_world.matrix[:3]), cam_from_world)
    again = Rigid3.from_scipy(cam_from_world.scipy_rotation, cam_from_world.translation)
    assert_equal(again, cam_from_world)
    in_cam = cam_from_world.matrix @ [*point, 1]
    assert np.allclose(in_cam[:3], cam_from_world.apply(np.array(point)), rtol=1e-12, atol=1e-6)


@given(rigids(), coordinates)
@settings(max_examples=25)
def test_pycolmap_maps_points_as_we_do(cam_from_world: Rigid3, point: list[float]) -> None:
    native = to_pycolmap_rigid(cam_from_world)
    assert np.allclose(native * np.array(point), cam_from_world.apply(np.array(point)), atol=1e-6)
    again = from_pycolmap_rigid(native)
    assert np.allclose(again.matrix, cam_from_world.matrix, rtol=1e-9, atol=1e-9)


@given(st.sampled_from(sorted(CAMERA_MODELS)), st.booleans(), st.data())
@settings(max_examples=40)
def test_cameras_round_trip_through_pycolmap(model: str, known: bool, data: st.DataObject) -> None:
    count = len(to_pycolmap_camera_params(model))
    params = data.draw(st.lists(st.floats(0.01, 1000), min_size=count, max_size=count))
    camera = Camera(model, 640, 480, np.array(params), known)
    again = from_pycolmap_camera(to_pycolmap_camera(camera, 1))
    assert (again.model, again.width, again.height) == (model, 640, 480)
    assert again.has_prior_focal is known and np.array_equal(again.params, camera.params)


def to_pycolmap_camera_params(model: str) -> list[float]:
    return list(CAMERA_MODELS[model].param_names)


@pytest.mark.parametrize(
    "matrix",
    [np.eye(3), 2 * np.eye(4), np.diag([1, 1, -1, 1]), np.eye(4) + np.eye(4, k=-3)],
    ids=["shape", "scale", "mirror", "last row"],
)
def test_matrices_that_are_no_transform_are_refused(matrix: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r"Rigid3\.from_matrix"):
        Rigid3.from_matrix(matrix)


@pytest.fixture(scope="module")
def localized() -> tuple[Localizer, LocalizationResult]:
    with mapped_scene() as (scene, sfm_map):
        localizer = make_localizer(sfm_map)
        yield localizer, localizer.localize(scene.image(7), scene.camera, name="<b>7.png")


def test_reconstructions_round_trip(localized) -> None:
    model = localized[0].map.model
    native = to_pycolmap_reconstruction(model)
    first = model.images[0]
    pose = from_pycolmap_rigid(native.image(first.image_id).cam_from_world())
    assert_equal(pose, first.cam_from_world)
    again = from_pycolmap_reconstruction(native)
    assert np.array_equal(again.xyz, model.xyz)
    assert [image.name for image in again.images] == [image.name for image in model.images]
    for a, b in zip(again.images, model.images, strict=True):
        assert_equal(a.cam_from_world, b.cam_from_world)
        assert np.array_equal(a.point3D_idxs, b.point3D_idxs)


def test_results_as_dictionaries_are_those_of_the_files(localized, tmp_path: Path) -> None:
    result = localized[1]
    write_results_jsonl(tmp_path / "results.jsonl", [result])
    assert json.loads((tmp_path / "results.jsonl").read_text("utf-8")) == result.to_dict()
    (read,) = read_results_jsonl(tmp_path / "results.jsonl")
    assert read.to_dict().keys() == result.to_dict().keys()


def test_values_are_short_in_consoles_and_safe_in_notebooks(localized) -> None:
    localizer, result = localized
    assert result.pose is not None
    values = [localizer, localizer.map, localizer.model, result, result.pose.cam_from_world]
    values += [result.pose.camera, load_config("fast"), Config().pose]
    for value in values:
        assert len(repr(value)) < 700 and "array(" not in repr(value), value
        assert value._repr_html_().startswith("<table>")
    assert "&lt;b&gt;7.png" in result._repr_html_() and "<b>" not in result._repr_html_()
    center = result.pose.cam_from_world.center
    assert f"center ({center[0]:.4g}, " in repr(result)
    assert "angle=90 deg" in repr(
        Rigid3(Rotation.from_rotvec([0, np.pi / 2, 0]).as_matrix(), center)
    )
    guessed = replace(result.pose.camera, has_prior_focal=False)
    assert "guessed" in repr(guessed) and "guessed" not in repr(
        replace(guessed, has_prior_focal=True)
    )


def test_the_repr_of_a_config_names_what_differs_from_the_defaults() -> None:
    assert repr(Config()) == "Config()"
    changed = load_config(settings=["pose.max_error_px=6"])
    assert repr(changed.pose) == "PoseConfig(max_error_px=6.0)"
    assert "PoseConfig(max_error_px=6.0)" in repr(changed) and "seed" not in repr(changed)
