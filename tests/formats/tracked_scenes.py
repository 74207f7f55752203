"""Small models with points and measurements, for the tests of NVM and Bundler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
from hypothesis import strategies as st

from hloc_lite.geometry.cameras import img_from_cam
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.io.image_names import leads_out
from hloc_lite.scene import SfmImage, SfmModel, keypoints_of
from hloc_lite.types import Camera, Rigid3

characters = st.characters(exclude_characters='\n\r\0"\\', exclude_categories=["Cs"])
names = st.one_of(
    st.text(characters, min_size=1, max_size=20),
    st.lists(st.sampled_from(["Straße", "é 1", "#", "0.5", "a/b", "IMG 7"]), min_size=1).map(
        " ".join
    ),
).filter(
    lambda name: (
        name == name.strip()
        and not leads_out(name)
        and not name.startswith("\ufeff")
        and name == PurePosixPath(name).as_posix()
        and name != "."
    )
)
"""Image names that a text line can hold."""


def facing_pose(rng: np.random.Generator) -> Rigid3:
    """Camera about 8 units in front of the origin, which it looks at."""
    turn = exp_so3(rng.uniform(-0.3, 0.3, 3))
    return Rigid3(turn, np.array([0, 0, 8.0]) + rng.uniform(-0.3, 0.3, 3))


def scene(image_names: Sequence[str], cameras: Sequence[Camera], seed: int) -> SfmModel:
    """Model of 30 points that all images see; every keypoint has a point."""
    rng = np.random.default_rng(seed)
    xyz = rng.uniform(-1.5, 1.5, (30, 3))
    images = []
    for index, (name, camera) in enumerate(zip(image_names, cameras, strict=True)):
        pose = facing_pose(rng)
        rows = rng.permutation(30)[: rng.integers(20, 31)]
        pixels = img_from_cam(camera, pose.apply(xyz[rows]))
        images.append(SfmImage(index + 1, name, index + 1, pose, pixels, rows))
    return SfmModel(
        {index + 1: camera for index, camera in enumerate(cameras)},
        tuple(images),
        np.arange(1, 31),
        xyz,
        rng.integers(0, 256, (30, 3)).astype(np.uint8),
        np.zeros(30),
    )


def assert_same(found: SfmModel, model: SfmModel) -> None:
    """Same images, poses, intrinsics, points and measurements; ids may differ."""
    assert [image.name for image in found.images] == [image.name for image in model.images]
    np.testing.assert_array_equal(found.xyz, model.xyz)
    np.testing.assert_array_equal(found.rgb, model.rgb)
    for got, want in zip(found.images, model.images, strict=True):
        np.testing.assert_allclose(
            got.cam_from_world.matrix, want.cam_from_world.matrix, atol=1e-13
        )
        assert got.keypoints is not None and want.keypoints is not None
        np.testing.assert_allclose(got.keypoints, want.keypoints, atol=1e-11)
        np.testing.assert_array_equal(got.point3D_idxs, want.point3D_idxs)
    assert np.nanmax(found.errors_px, initial=0) < 1e-9


def with_first_keypoint_lost(model: SfmModel) -> SfmModel:
    """Model whose images have one keypoint without point, in front of the others."""
    images = [
        replace(
            image,
            keypoints=np.vstack([np.array([[1.0, 2.0]]), keypoints_of(model, image)]),
            point3D_idxs=np.concatenate([[-1], image.point3D_idxs]),
        )
        for image in model.images
    ]
    return replace(model, images=tuple(images))


def mutations(data: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with one of them replaced, removed, or everything behind it cut off."""
    byte = st.one_of(st.integers(0, 255), st.sampled_from(list(b"0 9-.eEn\n/\x00")))

    def changed(position: int, value: int, kind: str) -> bytes:
        if kind == "cut":
            return data[:position]
        return data[:position] + (bytes([value]) if kind == "set" else b"") + data[position + 1 :]

    kinds = st.sampled_from(["set", "drop", "cut"])
    return st.builds(changed, st.integers(0, len(data) - 1), byte, kinds)
