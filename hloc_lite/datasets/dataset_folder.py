"""Reader of data set folders in the layout of rendered towns.

    images/                   all images; names in lists are relative to it
    map_images.txt            names of the map images
    model/                    COLMAP model with their cameras and poses; may be missing
    queries[_CONDITION].txt   hloc's query lists with intrinsics
    gt[_CONDITION].txt        true poses of the queries; may be missing
    depth/, labels/           may be missing
    unit.txt                  reference length in map units; may be missing

A folder with nothing but ``images/`` is a data set whose images are all map images.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.dataset import Dataset
from hloc_lite.errors import FormatError, ImageError
from hloc_lite.formats.colmap import read_model
from hloc_lite.formats.hloc_lists import read_image_list, read_poses, read_queries
from hloc_lite.io.dataset_layout import DatasetLayout
from hloc_lite.io.files import read_text
from hloc_lite.io.image_names import check_relative, list_images
from hloc_lite.scene import SfmModel
from hloc_lite.types import Rigid3

_NUM_EXAMPLES = 3


def read_dataset_folder(root: Path, card: Card | None = None) -> Dataset:
    """Read a data set folder and check that its lists, model and images belong together.

    Args:
        root: folder of the data set.
        card: gives the name, the order of the conditions, thresholds, source and licence. Without
            a card the folder's name is the name, and conditions are sorted.

    Raises:
        FormatError: a file is missing or damaged, or names what another one lacks.
    """
    layout = DatasetLayout(root)
    if not layout.images.is_dir():
        problem = "has no folder images/" if root.is_dir() else "is not a folder"
        raise FormatError(
            f"{root} {problem}: expected a data set with images/, map_images.txt, model/ and "
            f"queries.txt or queries_CONDITION.txt"
        )
    lists = _in_order(layout.query_lists(), card, root)
    queries = {condition: read_queries(path) for condition, path in lists.items()}
    for condition, path in lists.items():
        _check_on_disk(queries[condition], path, layout.images)
    reference = read_model(layout.model) if layout.model.is_dir() else None
    unit_length = _read_unit_length(layout.unit_length)
    return Dataset(
        name=root.resolve().name if card is None else card.name,
        image_folder=layout.images,
        map_image_names=_read_map_images(layout, reference, has_queries=bool(lists)),
        reference=reference,
        queries=queries,
        ground_truth=_read_ground_truth(layout, lists, queries),
        unit_length=unit_length,
        is_metric=reference is not None and unit_length is None,
        thresholds=() if card is None else card.thresholds,
        source="" if card is None else card.source,
        licence="" if card is None else card.licence,
        citation="" if card is None else card.citation,
        label_folder=layout.labels if layout.labels.is_dir() else None,
        depth_folder=layout.depth if layout.depth.is_dir() else None,
    )


def _in_order(lists: Mapping[str, Path], card: Card | None, root: Path) -> dict[str, Path]:
    """Put conditions in the card's order; the folder may have only some of them."""
    if card is None or not card.conditions:
        return dict(lists)
    unknown = [condition for condition in lists if condition not in card.conditions]
    if unknown:
        raise FormatError(
            f"{root} has queries of the condition {unknown[0]!r}; the card of {card.name!r} knows "
            f"{', '.join(card.conditions)}"
        )
    return {each: lists[each] for each in card.conditions if each in lists}


def _read_map_images(
    layout: DatasetLayout, reference: SfmModel | None, *, has_queries: bool
) -> tuple[str, ...]:
    path = layout.map_images
    if not path.is_file() and reference is None and not has_queries:
        return list_images(layout.images)
    names = read_image_list(path)
    if not names:
        raise FormatError(f"{path} is empty: expected the name of a map image per line")
    _check_on_disk(names, path, layout.images)
    if reference is not None:
        posed = {image.name for image in reference.images}
        _check_known(names, posed, f"names in {path}", f"in the model {layout.model}")
    return tuple(names)


def _read_ground_truth(
    layout: DatasetLayout, lists: Mapping[str, Path], queries: Mapping[str, Collection[str]]
) -> dict[str, dict[str, Rigid3]]:
    """Read the true poses of each condition that has a file of them."""
    paths = layout.ground_truths()
    for condition, path in paths.items():
        if condition not in queries:
            expected = layout.queries(condition).name
            raise FormatError(f"{path} has no query list: expected {expected} beside it")
    found = {}
    for condition, names in queries.items():
        if condition in paths:
            path, listed = paths[condition], lists[condition].name
            poses = read_poses(path)
            _check_known(names, poses, f"queries of {listed}", f"in {path}")
            _check_known(poses, names, f"names in {path}", f"queries of {listed}")
            found[condition] = poses
    return found


def _read_unit_length(path: Path) -> float | None:
    if not path.is_file():
        return None
    text = read_text(path).strip()
    try:
        length = float(text)
    except ValueError:
        length = math.nan
    if not 0 < length < math.inf:
        raise FormatError(f"{path}: expected one length above zero, got {text[:80]!r}")
    return length


def _check_on_disk(names: Collection[str], path: Path, images: Path) -> None:
    try:
        check_relative(names)
    except ImageError as error:
        raise FormatError(f"{path}: {error}") from None
    # os.path.isfile is False, not an error, for names too long for the file system
    existing = {name for name in names if os.path.isfile(images / name)}
    _check_known(names, existing, f"names in {path}", f"files below {images}")


def _check_known(names: Iterable[str], known: Collection[str], what: str, where: str) -> None:
    """Check that names are known.

    Raises:
        FormatError: some are not; counts them and quotes the first ones.
    """
    names = list(names)
    missing = [name for name in names if name not in known]
    if missing:
        examples = ", ".join(repr(name[:200]) for name in missing[:_NUM_EXAMPLES])
        raise FormatError(
            f"{len(missing)} of {len(names)} {what} are not {where}, first: {examples}. "
            f"Names must be the same paths everywhere, relative to the image folder"
        )
