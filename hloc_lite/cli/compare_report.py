"""Report of ``hloc-lite compare``: maps and photos for the pictures of matches."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hloc_lite.cli.options import note
from hloc_lite.cli.queries import read_query_cameras
from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.evaluation.flip_cards import MatchFinder
from hloc_lite.evaluation.names import align_names
from hloc_lite.evaluation.photos import photo_loader
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.io.weights import WeightsStore
from hloc_lite.localize.localizer import Localizer
from hloc_lite.localize.query import query_camera
from hloc_lite.maps.map import Map
from hloc_lite.types import Camera, LocalizationResult, Photo


@dataclass(frozen=True)
class PictureInputs:
    """Options of the pictures, and whether there are any."""

    images: Path | None
    """Folder of the query photos."""
    query_lists: tuple[Path, ...]
    """Query lists with intrinsics."""
    maps: tuple[str, ...]
    """Map folders: MAP for all methods, or METHOD=MAP."""
    map_images: Path | None
    """Folder of the map images; None: where they were when the map was built."""
    trust: bool
    device: str
    offline: bool


@dataclass(frozen=True, eq=False)
class Pictures:
    """Loaders of the pictures of a comparison."""

    finders: Mapping[str, MatchFinder]
    load_query_photo: Callable[[str], Photo | None]
    note: str
    """Sentence on why some or all pictures are missing; empty if none are."""


def check_picture_inputs(
    inputs: PictureInputs, methods: Sequence[str], *, has_report: bool
) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigError: options of the pictures without --report, or --map and --images not together;
            or a map of a method that is not compared.
    """
    given = inputs.images is not None or inputs.maps or inputs.query_lists or inputs.map_images
    if given and not has_report:
        raise ConfigError(
            "--images, --queries, --map and --map-images are for the pictures of --report DIR"
        )
    if given and (inputs.images is None or not inputs.maps):
        raise ConfigError(
            "pictures of matches need both --images DIR (the query photos) and --map MAP"
        )
    map_folders(inputs.maps, methods)


def map_folders(maps: Sequence[str], methods: Sequence[str]) -> dict[str, Path]:
    """Method -> folder of its map, from MAP for all methods or METHOD=MAP.

    Raises:
        ConfigError: a method that is not compared, or two maps of one method.
    """
    named: dict[str, Path] = {}
    common: list[Path] = []
    for text in maps:
        name, separator, folder = text.partition("=")
        if not separator or os.path.exists(text):
            common.append(Path(text))
        elif name not in methods or name in named:
            what = "two maps of" if name in named else "no results are called"
            raise ConfigError(f"--map {text}: {what} {name!r}; results are {', '.join(methods)}")
        else:
            named[name] = Path(folder)
    if len(common) > 1:
        raise ConfigError(
            f"--map is given {len(common)} times without a name: write --map {methods[0]}=MAP "
            f"for the map of {methods[0]!r}"
        )
    return {**dict.fromkeys(methods if common else (), Path(*common)), **named}


def open_pictures(
    inputs: PictureInputs, methods: Sequence[str], true_names: Sequence[str]
) -> Pictures:
    """Open the maps and find the photos of the queries.

    Args:
        methods: names of the results.
        true_names: queries of the ground truth.

    Raises:
        HlocLiteError: no such folder or map, or photos whose names are not those of the queries.
    """
    folders = map_folders(inputs.maps, methods)
    if inputs.images is None:
        reason = "no match pictures: give --images (the query photos) and --map MAP"
        return Pictures({}, lambda _: None, f"{reason}; results files hold no matches")
    cameras = read_query_cameras((), inputs.images, inputs.query_lists, None)
    photo_names = {true: name for name, true in align_names(cameras, true_names).true_names.items()}
    maps = {
        folder: Map.open(folder, trust=inputs.trust) for folder in dict.fromkeys(folders.values())
    }
    config = next(iter(maps.values())).config.images
    load = photo_loader(FolderSource(inputs.images, tuple(cameras), config))
    opened = {folder: _finder(each, inputs, cameras) for folder, each in maps.items()}
    without = [method for method in methods if method not in folders]
    return Pictures(
        {method: opened[folder] for method, folder in folders.items()},
        lambda name: load(photo_names[name]) if name in photo_names else None,
        f"no pictures of {', '.join(without)}: no --map was given for them" if without else "",
    )


def _finder(
    sfm_map: Map, inputs: PictureInputs, cameras: Mapping[str, Camera | None]
) -> MatchFinder:
    weights = WeightsStore(offline=inputs.offline)
    localizer = Localizer(sfm_map, weights=weights, device=inputs.device)
    photos = sfm_map.photos
    if inputs.map_images is not None:
        photos = FolderSource(inputs.map_images, (), sfm_map.config.images)

    @lru_cache(maxsize=1)  # two results may share a map
    def find(photo: Photo) -> tuple[LocalizationResult, Camera]:
        given = cameras.get(photo.name)
        result = localizer.localize(photo, given, name=photo.name)
        if given is None and result.pose is not None:
            return result, result.pose.camera  # its focal length was estimated with the pose
        try:
            return result, query_camera(photo, given, localizer.config)
        except HlocLiteError as error:
            note(f"{photo.name}: {error}")
            return result, query_camera(photo, None, localizer.config)

    return MatchFinder(localizer.model, localizer.config.pose, find, photo_loader(photos))
