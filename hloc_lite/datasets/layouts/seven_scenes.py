"""7-Scenes: ``SCENE/seq-XX/frame-NNNNNN.*`` and split files; a data set per scene.

The truth is the original poses, moved from the depth camera to the colour camera, or the pseudo
truth if its files lie below the root (``pseudo_truths``). Depth images are those of the depth
camera, which no photo is registered with: they are not offered as depths of photos.
"""

from __future__ import annotations

from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.layouts.photo_writing import (
    PosedPhoto,
    map_photos,
    query_photos,
    write_photo,
)
from hloc_lite.datasets.layouts.pseudo_truths import read_pseudo_truths
from hloc_lite.datasets.layouts.scene_parts import found_parts, make_part
from hloc_lite.errors import FormatError
from hloc_lite.formats.pose_text import number_text
from hloc_lite.formats.pseudo_truth import SEVEN_SCENES_SIZE
from hloc_lite.formats.seven_scenes import color_camera, color_from_depth, read_seven_scenes
from hloc_lite.io.files import write_text_atomic

SCENES = ("chess", "fire", "heads", "office", "pumpkin", "redkitchen", "stairs")


def read(root: Path, card: Card) -> tuple[Dataset, ...]:
    """Read the scenes that are there; the only condition is the scene.

    Raises:
        FormatError: no scene, or a missing or damaged file.
    """
    return tuple(
        _read_scene(root, name, card)
        for name in found_parts(root, card.conditions or SCENES, "TestSplit.txt", card)
    )


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set as the scene chess; all conditions become test sequences.

    Photos are resampled to the camera of the benchmark. Depths are not written, since the
    benchmark's are seen by another camera.

    Raises:
        FormatError: no metric poses, or a query without a pose.
    """
    scene = root / SCENES[0]
    recordings = [map_photos(dataset), *query_photos(dataset).values()]
    names: dict[str, str] = {}
    for number, photos in enumerate(recordings, start=1):
        for frame, photo in enumerate(photos):
            stem = f"seq-{number:02d}/frame-{frame:06d}"
            names[photo.name] = f"{stem}.color.png"
            write_photo(dataset, photo, color_camera(), scene / names[photo.name])
            write_text_atomic(scene / f"{stem}.pose.txt", _pose_text(photo))
    lines = [f"sequence{number}\n" for number in range(1, len(recordings) + 1)]
    write_text_atomic(scene / "TrainSplit.txt", lines[0])
    write_text_atomic(scene / "TestSplit.txt", "".join(lines[1:]))
    return names


def _read_scene(root: Path, name: str, card: Card) -> Dataset:
    folder = root / name
    pseudo = read_pseudo_truths(root, "7scenes", name, SEVEN_SCENES_SIZE)
    if pseudo is None:
        train, test = (read_seven_scenes(folder, split) for split in ("train", "test"))
        note = (
            "poses are the original ones, from depth tracking; put the files of the pseudo ground "
            "truth at pgt/sfm/7scenes/ or pgt/dslam/7scenes/ to use those instead"
        )
    else:
        train, test, note = pseudo
    truth = {image.name: image.cam_from_world for image in test.model.images}
    queries = {key: camera for key, camera in test.cameras.items() if key in truth}
    return make_part(
        card, name, folder, train.model, {name: queries}, {name: truth},
        notes=tuple(dict.fromkeys((note, *train.notes, *test.notes))),
    )  # fmt: skip


def _pose_text(photo: PosedPhoto) -> str:
    """Pose of the depth camera that the photo's camera is mounted beside."""
    if photo.cam_from_world is None:
        raise FormatError(f"7-Scenes has the poses of all queries, {photo.name!r} has none")
    world_from_color = photo.cam_from_world.inverse()
    world_from_depth = world_from_color.compose(color_from_depth())
    rows = [
        [*world_from_depth.rotation[row], world_from_depth.translation[row]] for row in range(3)
    ]
    return "".join(f"{number_text(row)}\n" for row in [*rows, [0, 0, 0, 1]])
