"""Random COLMAP models for tests, and their text form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite.formats.colmap.binary import point_tracks
from hloc_lite.geometry.cameras import CAMERA_MODELS
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.types import NO_POINT, Camera, Rigid3

PARTS = ("cameras", "images", "points3D")


def make_model(names: list[str], num_points: int, seed: int, models: list[str]) -> SfmModel:
    """Random cameras, poses and observations; ids with gaps."""
    rng = np.random.default_rng(seed)
    cameras = {}
    for number, model in enumerate(models):
        layout = CAMERA_MODELS[model]
        params = rng.uniform(-0.01, 0.01, layout.num_params)
        params[: layout.num_focals] = rng.uniform(300, 900)
        params[layout.num_focals : layout.num_focals + 2] = rng.uniform(100, 300, 2)
        if model == "EUCM":
            params[layout.extra_start :] = rng.uniform(0.1, 1, 2)
        if model == "EQUIRECTANGULAR":
            params = np.array([640.0, 480])
        cameras[1 + 3 * number] = Camera(model, 640, 480, params)
    images = []
    for number, name in enumerate(names):
        count = int(rng.integers(0, 12))
        observed = rng.integers(NO_POINT, num_points, count) if num_points else [NO_POINT] * count
        rotation = Rotation.random(rng=rng).as_matrix()
        pose = Rigid3(rotation, rng.normal(size=3))
        camera_id = int(rng.choice(list(cameras)))
        xy = rng.uniform(0, 480, (count, 2))
        images.append(SfmImage(2 + 5 * number, name, camera_id, pose, xy, np.array(observed, int)))
    ids = np.sort(rng.choice(10 * num_points + 1, num_points, replace=False)) + 1
    rgb = rng.integers(0, 256, (num_points, 3), dtype=np.uint8)
    xyz, errors = rng.normal(size=(num_points, 3)), rng.random(num_points)
    return SfmModel(cameras, tuple(images), ids, xyz, rgb, errors)


def write_text(folder: Path, model: SfmModel, *, head: bool = True) -> None:
    """The three files as COLMAP's documentation describes them."""
    folder.mkdir(exist_ok=True)
    lines: dict[str, list[str]] = {part: [] for part in PARTS}
    for camera_id, c in model.cameras.items():
        numbers = " ".join(repr(float(value)) for value in c.params)
        lines["cameras"].append(f"{camera_id} {c.model} {c.width} {c.height} {numbers}")
    for image in model.images:
        x, y, z, w = Rotation.from_matrix(image.cam_from_world.rotation).as_quat()
        pose = " ".join(repr(float(v)) for v in (w, x, y, z, *image.cam_from_world.translation))
        lines["images"].append(f"{image.image_id} {pose} {image.camera_id} {image.name}")
        seen = [-1 if i == NO_POINT else model.point3D_ids[i] for i in image.point3D_idxs]
        triples = zip(image.keypoints.tolist(), seen, strict=True)
        lines["images"].append(" ".join(f"{x!r} {y!r} {i}" for (x, y), i in triples))
    tracks, starts = point_tracks(model)
    for row, point_id in enumerate(model.point3D_ids):
        xyz = " ".join(repr(float(value)) for value in model.xyz[row])
        rgb = " ".join(str(value) for value in model.rgb[row])
        track = " ".join(str(v) for v in tracks[starts[row] : starts[row + 1]].ravel())
        error = float(model.errors_px[row])
        lines["points3D"].append(f"{point_id} {xyz} {rgb} {error!r} {track}")
    words = {"cameras": len(model.cameras), "images": len(model.images), "points3D": len(model.xyz)}
    for part, content in lines.items():
        what = "points" if part == "points3D" else part
        top = [f"# {part} list", f"# Number of {what}: {words[part]}, mean: 3"] if head else []
        (folder / f"{part}.txt").write_text("\n".join([*top, *content]) + "\n", encoding="utf-8")


def assert_same(found: SfmModel, model: SfmModel) -> None:
    assert found.cameras.keys() == model.cameras.keys()
    for camera_id, camera in model.cameras.items():
        other = found.cameras[camera_id]
        assert (other.model, other.width, other.height) == (camera.model, 640, 480)
        assert np.array_equal(other.params, camera.params)
    assert [i.name for i in found.images] == [i.name for i in model.images]
    for image, other in zip(model.images, found.images, strict=True):
        assert (other.image_id, other.camera_id) == (image.image_id, image.camera_id)
        pose, got = image.cam_from_world, other.cam_from_world
        np.testing.assert_allclose(got.rotation, pose.rotation, atol=1e-14)
        assert np.array_equal(got.translation, pose.translation)
        assert np.array_equal(other.keypoints, image.keypoints)
        assert np.array_equal(other.point3D_idxs, image.point3D_idxs)
    for key in ("point3D_ids", "xyz", "rgb", "errors_px"):
        assert np.array_equal(getattr(found, key), getattr(model, key))
