"""Data sets of one's own: a data set folder, two kaptures, or the folder of a recipe of hloc.

* data set folder: see ``datasets.dataset_folder``.
* kapture: ``mapping`` and ``query`` (or ``map``, ``test``, ``validation``), each with
  ``sensors/sensors.txt``. Queries with poses have a truth.
* hloc: an image folder, a COLMAP model of the map images, and query lists with intrinsics,
  ``queries/NAME_with_intrinsics.txt`` or ``queries_with_intrinsics.txt`` or ``queries/NAME.txt``.
  A file ``gt_NAME.txt`` or ``gt.txt`` beside a list gives true poses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.datasets.dataset_folder import read_dataset_folder
from hloc_lite.datasets.layouts.image_files import copy_photo
from hloc_lite.datasets.layouts.kapture_trees import KaptureImages
from hloc_lite.datasets.layouts.photo_writing import map_photos, query_photos
from hloc_lite.datasets.layouts.scene_parts import check_files
from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.colmap import read_model, write_model
from hloc_lite.formats.hloc_lists import read_poses, read_queries, write_poses, write_queries
from hloc_lite.io.dataset_layout import ALL, DatasetLayout
from hloc_lite.io.files import write_text_atomic
from hloc_lite.io.regular_files import is_file
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera, Rigid3

_MAPS, _QUERIES = ("mapping", "map"), ("query", "validation", "test")
_IMAGE_FOLDERS = ("images/images_upright", "images_upright", "images", ".")
_MODELS = ("model", "sfm", "sparse/0", "sparse", "3D-models/*", "sfm*", "outputs/sfm*", "model*")
_LISTS = (
    "queries/*_with_intrinsics*.txt", "*_with_intrinsics*.txt", "queries/*.txt", "queries*.txt",
)  # fmt: skip


def read(root: Path, card: Card | None = None) -> tuple[Dataset, ...]:
    """Read a data set of any of these kinds; the first one whose files are there.

    Args:
        root: folder of the data set.
        card: gives name, thresholds and source; without a card the folder's name is the name.

    Raises:
        FormatError: none of these kinds, or a missing or damaged file.
    """
    layout = DatasetLayout(root)
    if layout.map_images.is_file() and layout.images.is_dir():
        return (read_dataset_folder(root, card),)
    if _kaptures(root, _MAPS):
        return (_read_kaptures(root, card),)
    model, lists = _model_folder(root), _query_lists(root)
    if model is not None and lists:
        return (_read_recipe(root, model, lists, card),)
    if layout.images.is_dir() and model is None and not lists:
        return (read_dataset_folder(root, card),)
    problem = "has a COLMAP model, but no query list" if model is not None else "is no data set"
    raise FormatError(
        f"{root} {problem}: expected images/, map_images.txt, model/ and queries.txt; or kaptures "
        f"mapping/ and query/; or images/, a COLMAP model and queries/NAME_with_intrinsics.txt"
    )


def write(dataset: Dataset, root: Path) -> dict[str, str]:
    """Write a data set folder; names stay as they are.

    Raises:
        FormatError: no metric poses, or a name that lists cannot hold.
    """
    layout = DatasetLayout(root)
    mapped = map_photos(dataset)
    by_condition = query_photos(dataset)
    photos = [*mapped, *(photo for each in by_condition.values() for photo in each)]
    for photo in photos:
        copy_photo(dataset.image_folder / photo.name, layout.images / photo.name)
    if dataset.reference is not None:
        names = set(dataset.map_image_names)
        write_model(layout.model, dataset.reference.with_images(names))
    for condition, queries in by_condition.items():
        write_queries(layout.queries(condition), {each.name: each.camera for each in queries})
        poses = {each.name: each.cam_from_world for each in queries}
        known = {name: pose for name, pose in poses.items() if pose is not None}
        if len(known) == len(poses):
            write_poses(layout.ground_truth(condition), known)
    # last: it marks a whole data set folder
    lines = "".join(f"{photo.name}\n" for photo in mapped)
    write_text_atomic(layout.map_images, lines)
    return {photo.name: photo.name for photo in photos}


def _kaptures(root: Path, names: Iterable[str]) -> dict[str, Path]:
    return {
        name: root / name for name in names if (root / name / "sensors" / "sensors.txt").is_file()
    }


def _read_kaptures(root: Path, card: Card | None) -> Dataset:
    """Data set of a kapture of the map and kaptures of queries, a condition each."""
    mapped = KaptureImages(root, next(iter(_kaptures(root, _MAPS).values())))
    notes = mapped.notes("map")
    queries: dict[str, dict[str, Camera]] = {}
    truth: dict[str, dict[str, Rigid3]] = {}
    folders = _kaptures(root, _QUERIES)
    if not folders:
        raise FormatError(f"{root} has the kapture of a map, but none of queries: expected query/")
    for name, folder in folders.items():
        images = KaptureImages(root, folder)
        notes += [f"{name}: {note}" for note in images.posed.notes]
        queries[name] = images.cameras
        if len(images.poses) == len(images.cameras):
            truth[name] = images.poses
        elif images.poses:
            without = len(images.cameras) - len(images.poses)
            notes.append(f"{name}: {counted(without, 'query image')} without a pose: no truth")
    return _dataset(root, root, mapped.model, queries, truth, card, notes)


def _read_recipe(root: Path, model: Path, lists: Mapping[str, Path], card: Card | None) -> Dataset:
    """Data set of a COLMAP model and hloc's query lists."""
    reference = read_model(model)
    queries = {condition: read_queries(path) for condition, path in lists.items()}
    truth: dict[str, dict[str, Rigid3]] = {}
    for condition, path in lists.items():
        found = [path.with_name(name) for name in (f"gt_{condition}.txt", "gt.txt")]
        poses = next((read_poses(each) for each in found if each.is_file()), {})
        own = {name: pose for name, pose in poses.items() if name in queries[condition]}
        if own and len(own) < len(queries[condition]):
            raise FormatError(
                f"{path}: {len(queries[condition]) - len(own)} of its {len(queries[condition])} "
                f"queries have no pose in the file of true poses beside it: names must be equal"
            )
        if own:
            truth[condition] = own
    names = [image.name for image in reference.images] + [
        name for listed in queries.values() for name in listed
    ]
    folder = _image_folder(root, names)
    relative = model.relative_to(root)
    notes = [f"map images and poses are those of {relative}"]
    return _dataset(root, folder, reference, queries, truth, card, notes)


def _dataset(
    root: Path,
    image_folder: Path,
    reference: SfmModel,
    queries: Mapping[str, Mapping[str, Camera]],
    truth: Mapping[str, Mapping[str, Rigid3]],
    card: Card | None,
    notes: Iterable[str],
) -> Dataset:
    map_names = tuple(image.name for image in reference.images)
    if not map_names:
        raise FormatError(f"{root}: no map image has a pose")
    check_files(map_names, image_folder, "map images")
    for condition, listed in queries.items():
        check_files(listed, image_folder, f"queries of {condition}")
    return Dataset(
        name=root.resolve().name if card is None else card.name,
        image_folder=image_folder,
        map_image_names=map_names,
        reference=reference,
        queries=queries,
        ground_truth=truth,
        thresholds=() if card is None else card.thresholds,
        source="" if card is None else card.source,
        licence="" if card is None else card.licence,
        citation="" if card is None else card.citation,
        notes=tuple(notes),
    )


def _model_folder(root: Path) -> Path | None:
    """First folder of the usual ones that holds a COLMAP model."""
    for pattern in _MODELS:
        for folder in sorted(root.glob(pattern)):
            if any((folder / f"images{suffix}").is_file() for suffix in (".bin", ".txt")):
                return folder
    return None


def _query_lists(root: Path) -> dict[str, Path]:
    """Condition -> query list, of the first usual place that has some."""
    for pattern in _LISTS:
        found = sorted(path for path in root.glob(pattern) if not path.name.startswith("gt"))
        if found:
            return {_condition(path): path for path in found}
    return {}


def _condition(path: Path) -> str:
    """``night`` for ``night_time_queries_with_intrinsics.txt``; ``all`` for ``queries.txt``."""
    stem = path.stem.partition("_with_intrinsics")[0]
    for word in ("_time_queries", "_queries"):
        stem = stem.removesuffix(word)
    stem = stem.removeprefix("queries").removeprefix("query").strip("_")
    return stem or ALL


def _image_folder(root: Path, names: Iterable[str]) -> Path:
    """Folder of the usual ones that has most of the first images."""
    sample = list(names)[:50]
    counts = {
        place: sum(is_file(root / place / name) for name in sample) for place in _IMAGE_FOLDERS
    }
    best = max(counts, key=lambda place: counts[place])  # the first of equals
    return root if best == "." else root / best
