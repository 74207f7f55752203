"""Reconstruction: poses, intrinsics and photos that cannot give a model are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hloc_lite import registry
from hloc_lite.config import ScratchConfig, load_config
from hloc_lite.entries import Entry
from hloc_lite.errors import MappingError
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.scene import SfmModel
from hloc_lite.synthetic.planes import make_planes
from hloc_lite.types import Camera, Rigid3
from tests.exact_scene import SIZE, NoWeights

FLIP = np.diag([-1.0, 1.0, 1.0])


def test_poses_of_other_images_are_refused(exact_scene) -> None:
    scene, config = exact_scene
    arrays = {f"{index}.png": scene.image(index) for index in range(8)}
    permuted = dict(zip(arrays, [3, 7, 0, 5, 1, 6, 2, 4], strict=True))
    inputs = MapInputs(reference=scene.reference(permuted))
    with pytest.raises(MappingError, match="cam_from_world"):
        build_map(arrays, config, inputs=inputs, weights=NoWeights())


def test_wrong_focal_length_is_reported(monkeypatch, caplog) -> None:
    target = "tests.robustness.stand_ins:Thumbnail"
    monkeypatch.setitem(registry.GLOBAL_DESCRIPTORS.registered, "thumbnail", Entry(target))
    scene = make_planes(11)
    names = {f"{index}.jpg": index for index in range(0, 11, 2)}
    arrays = {name: scene.view(index) for name, index in names.items()}
    right = scene.reference(names)
    wrong = Camera("SIMPLE_PINHOLE", *SIZE, right.cameras[1].params * [3, 1, 1])

    def num_points(reference: SfmModel, min_share: float) -> int:
        settings = [
            "features.name=rootsift", "features.max_keypoints=300", "retrieval.name=thumbnail",
            f"mapping.min_triangulated_share={min_share}", "mapping.threads=1",
        ]  # fmt: skip
        inputs = MapInputs(reference=reference)
        config = load_config(settings=settings)
        return build_map(arrays, config, inputs=inputs, weights=NoWeights()).model.num_points

    assert num_points(right, 0.2) > 200 and "focal lengths" not in caplog.text
    assert num_points(replace(right, cameras={1: wrong}), 0.02) < 50
    assert "Check the focal lengths" in caplog.text
    with pytest.raises(MappingError, match=r"min_triangulated_share.*Check the focal lengths"):
        num_points(replace(right, cameras={1: wrong}), 0.2)


@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        (lambda pose: pose.inverse(), True),
        (lambda pose: Rigid3(FLIP @ pose.rotation @ FLIP, FLIP @ pose.translation), False),
    ],
    ids=["world_from_cam", "mirrored world"],
)
def test_poses_of_another_convention_are_reported(
    monkeypatch, caplog, change: Callable[[Rigid3], Rigid3], is_refused: bool
) -> None:
    target = "tests.robustness.stand_ins:Thumbnail"
    monkeypatch.setitem(registry.GLOBAL_DESCRIPTORS.registered, "thumbnail", Entry(target))
    scene = make_planes(11)
    names = {f"{index}.jpg": index for index in range(0, 11, 2)}
    arrays = {name: scene.view(index) for name, index in names.items()}
    right = scene.reference(names)
    images = [replace(i, cam_from_world=change(i.cam_from_world)) for i in right.images]
    settings = [
        "features.name=rootsift", "features.max_keypoints=300", "retrieval.name=thumbnail",
        "mapping.threads=1",
    ]  # fmt: skip
    inputs = MapInputs(reference=replace(right, images=tuple(images)))
    expected = "world_from_cam, or of a mirrored"
    if is_refused:
        with pytest.raises(MappingError, match=expected):
            build_map(arrays, load_config(settings=settings), inputs=inputs, weights=NoWeights())
    else:
        build_map(arrays, load_config(settings=settings), inputs=inputs, weights=NoWeights())
        assert expected in caplog.text


def test_photos_without_parallax_give_one_error_and_no_output_of_colmap(exact_scene, capfd) -> None:
    scene, config = exact_scene
    # copies of one photo: matches agree with a rotation, and no pair can initialize
    config = config.model_copy(update={"scratch": ScratchConfig(fallback_features="none")})
    photo = scene.image(0)
    arrays = {f"{number}.png": np.minimum(photo, 255 - number) for number in range(4)}
    with pytest.raises(MappingError, match="the camera only turned about one place"):
        build_map(arrays, config, weights=NoWeights())
    assert capfd.readouterr().err == ""
