"""A map from the files of an hloc run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from hloc_lite.config import Config
from hloc_lite.formats.hloc.features import FeaturesFile
from hloc_lite.formats.hloc.matches import MatchesFile
from hloc_lite.io.weights import WeightsStore
from hloc_lite.mapping.given_features import config_for_features, own_features_name
from hloc_lite.mapping.given_map import Given, build_given_map, photos
from hloc_lite.mapping.given_matches import by_poses, verified_pairs
from hloc_lite.mapping.hloc_descriptors import hloc_descriptors
from hloc_lite.mapping.hloc_features import HlocFeatures
from hloc_lite.mapping.hloc_files import (
    HlocFiles,
    find_features,
    find_global_descriptors,
    find_matches,
    find_model,
)
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.two_pass_matching import VerifiedPairs
from hloc_lite.maps.map import Map
from hloc_lite.protocols import Weights
from hloc_lite.registry import Runtime
from hloc_lite.types import Float64, Matches


def build_map_from_hloc(
    folder: Path | str,
    config: Config | None = None,
    *,
    files: HlocFiles | None = None,
    images: Path | str | None = None,
    features_name: str | None = None,
    output: Path | str | None = None,
    metric: bool = False,
    weights: Weights | None = None,
    device: str = "cpu",
    overwrite: bool = False,
) -> Map:
    """Build a map from the features, global descriptors and SfM model of an hloc run.

    A model without points is triangulated from the matches. With the photos, features are compared
    with those of this package, and global descriptors that it does not have are replaced.

    Args:
        folder: output folder of hloc; files are found in it by what they hold.
        config: config of the map; None for the defaults. Features are those of the files.
        files: files to take instead of those that are found.
        images: folder of the photos.
        features_name: registry name of the features, where the name of their file does not tell.
        output: folder of the map; None keeps nothing on disk.
        metric: True if one unit of the model is a metre.
        weights: source of network weights; None for the default store.
        device: torch device of the networks.
        overwrite: replace another map in ``output``.

    Raises:
        ConfigError: several files of a kind; they are listed, with the option that chooses one.
        FormatError: a file that is missing, damaged, or does not fit the others.
        StaleArtefactError: ``output`` holds another map.
        MappingError: nothing could be triangulated, or ``output`` holds other files.
    """
    root, chosen = Path(folder), files or HlocFiles()
    model_path, model = find_model(root, chosen.model)
    features_path = find_features(root, chosen.features, model)
    global_path = find_global_descriptors(root, chosen.global_descriptors, model)
    names = tuple(image.name for image in model.images)
    matches_path = None if model.num_points else find_matches(root, chosen.matches, names)
    name = features_name or own_features_name(features_path.stem)
    stem = features_path.stem.removeprefix("feats-")
    settings = config_for_features(config, name or stem, features_path.name)
    paths = {"folder": root, "model": model_path, "features": features_path,
             "matches": matches_path, "global_descriptors": global_path}  # fmt: skip
    used = {kind: path for kind, path in paths.items() if path is not None}

    def matches(keypoints: Mapping[str, Float64]) -> VerifiedPairs:
        assert matches_path is not None  # only models without points need matches
        verify = by_poses(model, keypoints, settings.geometry)
        return verified_pairs(_matches(matches_path, keypoints), verify, "hloc")

    with closing(FeaturesFile(features_path)) as file:
        given = Given(
            program="hloc",
            readings=(HlocFeatures(file, names),),
            cameras=(model.cameras, {image.name: image.camera_id for image in model.images}),
            reference=model,
            keeps_points=model.num_points > 0,
            matches=matches,
            descriptors=None if global_path is None else hloc_descriptors(global_path),
            files=used,
            contents=[each for kind, path in used.items() if kind != "folder"
                      for each in _files(path)],
            metric=metric,
        )  # fmt: skip
        return build_given_map(
            given, settings, photos(images, names, settings),
            Runtime(WeightsStore() if weights is None else weights, device),
            output=output, overwrite=overwrite,
        )  # fmt: skip


def _matches(path: Path, keypoints: Mapping[str, Float64]) -> Iterator[tuple[Pair, Matches]]:
    with closing(MatchesFile(path, keypoints)) as file:
        for pair in file.pairs():
            matches = file.read(*pair, (len(keypoints[pair[0]]), len(keypoints[pair[1]])))
            if matches is not None and pair[0] != pair[1]:
                yield pair, matches


def _files(path: Path) -> list[Path]:
    """The file itself, or the files of the model in a folder or below."""
    if path.is_file():
        return [path]
    parts = ("cameras", "images", "points3D")
    return sorted(
        each for each in path.rglob("*.*") if each.stem in parts and each.suffix in (".bin", ".txt")
    )
