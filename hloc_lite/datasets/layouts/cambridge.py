"""Cambridge Landmarks: one part per scene, with lists of centres, an NVM model and photos.

Poses are those of the lists. The NVM model has the focal lengths (for photos of 1920 x 1080) of
the images of both lists, named ``.jpg`` for ``.png``, and the points; those that only queries see
are left out. Photos of another size, such as 1024 px copies, get scaled intrinsics. If hloc's SIFT
models lie below the root, these are used instead of the lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.cambridge_sift import FOLDER, read_sift_models
from hloc_lite.datasets.layouts.map_reading import find_path, nvm_cameras
from hloc_lite.datasets.layouts.map_writing import (
    Placed,
    placed_model,
    quat_wxyz_center,
    write_nvm_layout,
    write_photos,
)
from hloc_lite.datasets.layouts.photo_writing import PosedPhoto, map_photos, query_photos
from hloc_lite.datasets.layouts.scene_parts import found_parts, make_part
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.cambridge import (
    FULL_SIZE,
    MAX_CENTER_DIFFERENCE,
    read_cambridge,
)
from hloc_lite.formats.image_lookup import clean_name, is_file, upright_size, without_suffix
from hloc_lite.formats.nvm import nvm_camera, read_nvm
from hloc_lite.formats.nvm_text import NvmCamera
from hloc_lite.formats.pose_text import number_text
from hloc_lite.geometry.cameras import focal_lengths, rescaled
from hloc_lite.geometry.plausible_intrinsics import check_given_camera
from hloc_lite.io.files import write_text_atomic
from hloc_lite.maps.compact_arrays import subset_model
from hloc_lite.scene import SfmImage, SfmModel, observed_points
from hloc_lite.types import Camera

SCENES = ("GreatCourt", "KingsCollege", "OldHospital", "ShopFacade", "StMarysChurch")
WRITTEN_SCENE = "ShopFacade"
TRAIN, TEST = "dataset_train.txt", "dataset_test.txt"
MODEL = "reconstruction.nvm"
_CENTRED = ("SIMPLE_PINHOLE", "SIMPLE_RADIAL")


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the scenes that are there; the only condition is the scene.

    Raises:
        FormatError: no scene, or a file is missing or damaged, or names what another one lacks.
    """
    names = found_parts(root, card.conditions or SCENES, TRAIN, card)
    return tuple(_read_scene(root, name, card) for name in names)


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set as one scene; each condition becomes a test sequence.

    Photos whose camera is not centred, not SIMPLE_RADIAL or not of 16:9 are resampled to one that
    is, which cuts them at the top and bottom.

    Raises:
        FormatError: no metric poses of the map images, or a query without a pose.
    """
    folder = root / WRITTEN_SCENE
    recordings = [map_photos(dataset), *query_photos(dataset).values()]
    parts = [_placed(photos, number) for number, photos in enumerate(recordings, start=1)]
    train, test = parts[0], [each for part in parts[1:] for each in part]
    for path, placed in ((folder / TRAIN, train), (folder / TEST, test)):
        lines = [_pose_line(each) for each in placed]
        header = "Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"
        write_text_atomic(path, "".join([header, *lines]))
    full = [replace(each, camera=_full_size(each.camera)) for each in (*train, *test)]
    model = placed_model(dataset, full)
    write_nvm_layout(folder / MODEL, model, lambda name: f"{name.removesuffix('.png')}.jpg")
    return write_photos(dataset, [*train, *test], folder)


def _read_scene(root: Path, scene: str, card: Card) -> Dataset:
    folder = root / scene
    models = read_sift_models(root, scene)
    if models is not None:
        model, asked, true_poses = models
        note = f"{scene}: intrinsics and poses, of queries too, are those of the models in {FOLDER}"
        return make_part(
            card, scene, folder, model, {scene: asked}, {scene: true_poses}, notes=(note,)
        )
    lines = nvm_cameras(find_path(folder, [MODEL], f"focal lengths of {folder.name}", card))
    full = _full_cameras(lines)
    cameras = _sized(full, folder)
    train, test = (
        read_cambridge(
            find_path(folder, [name], f"poses of {folder.name}", card),
            cameras=cameras,
            image_folder=folder,
        )
        for name in (TRAIN, TEST)
    )
    reference, notes = _with_points(train.model, full, folder / MODEL)
    truth = {image.name: image.cam_from_world for image in test.model.images}
    queries = {name: cameras[name] for name in truth}
    both = [name for name in truth if train.model.image_named(name) is not None]
    if both:
        raise FormatError(
            f"{folder}: {counted(len(both), 'image')} in both lists, such as {both[0]!r}: one of "
            f"{TRAIN} and {TEST} is a copy of the other or of another scene"
        )
    notes = [*_size_notes(cameras, folder.name), *notes]
    return make_part(
        card, folder.name, folder, reference, {folder.name: queries}, {folder.name: truth},
        notes=tuple(dict.fromkeys((*train.notes, *test.notes, *notes))),
    )  # fmt: skip


def _full_cameras(lines: tuple[NvmCamera, ...]) -> dict[str, Camera]:
    """Intrinsics at full size by image name; impossible ones are left out."""
    cameras = {}
    for line in lines:
        name = f"{without_suffix(clean_name(line.name, line.where))}.png"
        try:
            cameras[name] = check_given_camera(nvm_camera(*FULL_SIZE, line.focal_px, line.radial))
        except FormatError:
            continue  # an error only if a list names the image
    return cameras


def _sized(full: Mapping[str, Camera], folder: Path) -> dict[str, Camera]:
    """Intrinsics in the size of the photos: one photo of each sequence is looked at.

    Raises:
        FormatError: a photo whose shape is not that of the full size.
    """
    sizes: dict[str, tuple[int, int]] = {}
    for name in full:
        sequence = name.rpartition("/")[0]
        if sequence not in sizes and is_file(folder / name):
            sizes[sequence] = upright_size(folder / name)
    cameras = {}
    for name, camera in full.items():
        size = sizes.get(name.rpartition("/")[0], FULL_SIZE)
        try:
            cameras[name] = camera if size == FULL_SIZE else rescaled(camera, *size)
        except FormatError as error:
            raise FormatError(f"{folder / name}: {error}") from None
    return cameras


def _size_notes(cameras: Mapping[str, Camera], scene: str) -> list[str]:
    smaller = [each for each in cameras.values() if (each.width, each.height) != FULL_SIZE]
    if not smaller:
        return []
    size = f"{smaller[0].width} x {smaller[0].height}"
    return [
        f"{scene}: photos are of {size} pixels, not {FULL_SIZE[0]} x {FULL_SIZE[1]}: the "
        f"intrinsics were scaled"
    ]


def _with_points(
    listed: SfmModel, full: Mapping[str, Camera], path: Path
) -> tuple[SfmModel, list[str]]:
    """The listed images with the points that they see in the NVM model.

    The list's poses are kept. If the model is in another frame, its points are not used.
    """
    read = read_nvm(path, cameras=full, suffixes={".jpg": ".png"}).model
    found = [(image, read.image_named(image.name)) for image in listed.images]
    distances = [
        np.linalg.norm(image.cam_from_world.center - other.cam_from_world.center)
        for image, other in found
        if other is not None
    ]
    if not distances or np.median(distances) > MAX_CENTER_DIFFERENCE:
        return listed, [
            f"{path.parent.name}: the poses of the lists differ from those of {path.name}, whose "
            f"points were left out"
        ]
    images = [
        image if other is None else _observing(image, other, listed.cameras[image.camera_id])
        for image, other in found
    ]
    model = replace(
        listed, images=tuple(images), point3D_ids=read.point3D_ids, xyz=read.xyz, rgb=read.rgb,
        errors_px=read.errors_px,
    )  # fmt: skip
    seen = observed_points(np.concatenate([each.point3D_idxs for each in images]))
    return subset_model(model, seen), []


def _observing(image: SfmImage, other: SfmImage, camera: Camera) -> SfmImage:
    """The image with the keypoints of the same one at full size."""
    assert other.keypoints is not None
    scale = np.array([camera.width / FULL_SIZE[0], camera.height / FULL_SIZE[1]])
    return replace(image, keypoints=other.keypoints * scale, point3D_idxs=other.point3D_idxs)


def _placed(photos: list[PosedPhoto], sequence: int) -> list[Placed]:
    return [
        Placed(photo, f"seq{sequence}/frame{number:05d}.png", _as_centred(photo.camera))
        for number, photo in enumerate(photos, start=1)
    ]


def _as_centred(camera: Camera) -> Camera:
    """The camera itself if the layout can hold it; else a pinhole of 16:9, centred."""
    width, height = camera.width, camera.height
    is_centred = np.array_equal(camera.params[1:3], [width / 2, height / 2])
    if camera.model in _CENTRED and is_centred and width * FULL_SIZE[1] == height * FULL_SIZE[0]:
        return camera
    height = max(1, round(width * FULL_SIZE[1] / FULL_SIZE[0]))
    focal = float(focal_lengths(camera).mean())
    return Camera("SIMPLE_PINHOLE", width, height, np.array([focal, width / 2, height / 2]))


def _full_size(camera: Camera) -> Camera:
    """Intrinsics that give ``camera`` when a reader scales them to its size."""
    across, down = FULL_SIZE[0] / camera.width, FULL_SIZE[1] / camera.height
    scales = [np.sqrt(across * down), across, down]
    params = np.concatenate([camera.params[:3] * scales, camera.params[3:]])
    return Camera(camera.model, *FULL_SIZE, params)


def _pose_line(placed: Placed) -> str:
    values = quat_wxyz_center(placed.photo)
    return f"{placed.name} {number_text([*values[4:], *values[:4]])}\n"
