"""hloc's ``match_dense``: photos of image pairs -> files of matches and of keypoints."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hloc_lite.compat.hloc.command_line import run
from hloc_lite.compat.hloc.inputs import pairs_in
from hloc_lite.compat.hloc.networks import default_runtime
from hloc_lite.concurrency import sleeping_openmp_threads
from hloc_lite.config import ImagesConfig, MatchingConfig
from hloc_lite.errors import ConfigError, WeightsError
from hloc_lite.formats.hloc.features import FeaturesFile, write_features
from hloc_lite.formats.hloc.local_features import to_local_features, to_stored_features
from hloc_lite.formats.hloc.matches_writing import write_matches
from hloc_lite.io.image_names import list_images
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.mapping.pair_matching import by_locality
from hloc_lite.matching.keypoint_aggregation import aggregate_keypoints
from hloc_lite.protocols import PairMatcher
from hloc_lite.registry import MATCHERS, create, find
from hloc_lite.types import LocalFeatures, Matches, PairMatches

logger = logging.getLogger(__name__)
Pair = tuple[str, str]
CACHED_PHOTOS = 16
WEIGHTS_OF_LOFTR = {
    "outdoor": "loftr-outdoor",
    "indoor": "loftr-indoor",
    "indoor_new": "loftr-indoor",
}
"""hloc's weights of LoFTR -> matcher of this package."""


def _conf(output: str, cell_px: int, max_error_px: int) -> dict[str, Any]:
    return {
        "output": output,
        "model": {"name": "loftr", "weights": "outdoor"},
        "preprocessing": {"grayscale": True, "resize_max": 1024, "dfactor": 8},
        "max_error": max_error_px,
        "cell_size": cell_px,
    }


confs: dict[str, dict[str, Any]] = {
    "loftr": _conf("matches-loftr", 1, 1),
    "loftr_aachen": _conf("matches-loftr_aachen", 8, 2),
    "loftr_superpoint": _conf("matches-loftr_aachen", 4, 4),
}
"""hloc's configurations by name."""


def main(
    conf: Mapping[str, Any],
    pairs: Path | str,
    image_dir: Path | str,
    export_dir: Path | str | None = None,
    matches: Path | str | None = None,
    features: Path | str | None = None,
    features_ref: Path | str | Sequence[Path | str] | None = None,
    max_kps: int | None = 8192,
    overwrite: bool = False,
) -> tuple[Path, Path]:
    """Match the photos of all pairs, and merge the keypoints of each image.

    Args:
        conf: configuration, as in ``confs``; also a matcher of photos of this package by its name.
        pairs: list of pairs.
        image_dir: folder of the photos.
        export_dir: folder of the files that are not given.
        matches: file of matches to write.
        features: file of keypoints to write, or the beginning of its name.
        features_ref: files of features whose images keep their keypoints.
        max_kps: keypoints kept for each image, best first; None for all.
        overwrite: match anew if both files exist.

    Returns:
        The files of features and of matches.

    Raises:
        ConfigError: an unknown model, no place for the files, or weights that cannot be had.
    """
    features_path, matches_path = _paths(conf, Path(pairs), export_dir, matches, features)
    if features_path.exists() and matches_path.exists() and not overwrite:
        logger.info("%s and %s are there already", features_path, matches_path)
        return features_path, matches_path
    names = list_images(Path(image_dir))
    source = FolderSource(Path(image_dir), tuple(names), ImagesConfig(exif_rotation=False))
    wanted = pairs_in(Path(pairs), set(names))
    fixed = _known_features(features_ref)
    found = _match(_matcher(conf), source, wanted)
    cell_px = float(conf.get("cell_size") or 1)
    merged, joined = aggregate_keypoints(
        found, cell_px=cell_px, fixed=fixed, max_distance_px=float(conf.get("max_error") or 1)
    )
    kept = {name: each.subset(np.arange(_count(name, each, fixed, max_kps)))
            for name, each in merged.items()}  # fmt: skip
    counts = {name: len(each) for name, each in kept.items()}
    write_features(features_path, ((name, to_stored_features(each)) for name, each in kept.items()))
    pairs_of_file = ((pair, _within(joined[pair], pair, counts)) for pair in wanted)
    write_matches(matches_path, pairs_of_file, counts)
    return features_path, matches_path


def _paths(
    conf: Mapping[str, Any],
    pairs: Path,
    export_dir: Path | str | None,
    matches: Path | str | None,
    features: Path | str | None,
) -> tuple[Path, Path]:
    """Files of features and of matches, under hloc's names."""
    if isinstance(features, Path):
        if matches is None:
            raise ConfigError(f"features is the file {features}: give the file of matches, too")
        return features, Path(matches)
    if export_dir is None:
        raise ConfigError("give export_dir, or the files features and matches")
    name = f"{features or 'feats_'}{conf['output']}.h5"
    file = f"{conf['output']}_{pairs.stem}.h5"
    return Path(export_dir, name), Path(matches or Path(export_dir, file))


def _matcher(conf: Mapping[str, Any]) -> PairMatcher:
    model = conf["model"]
    name = str(model.get("name", "?"))
    if name == "loftr":
        weights = str(model.get("weights", "outdoor"))
        if weights not in WEIGHTS_OF_LOFTR:
            known = ", ".join(WEIGHTS_OF_LOFTR)
            raise ConfigError(f"unknown weights {weights!r} of loftr; known are {known}")
        name = WEIGHTS_OF_LOFTR[weights]
    entry = find(MATCHERS, name)
    if entry is None or not entry.takes_photos:
        own = ", ".join(each for each, other in MATCHERS.items() if other.takes_photos)
        raise ConfigError(f"unknown dense matcher {name!r}; known are loftr, and {own}")
    side = conf.get("preprocessing", {}).get("resize_max") or 1024
    config = MatchingConfig(name=name, dense_side_px=side, dense_max_matches=100000)
    try:
        matcher: PairMatcher = create(MATCHERS, name, config, default_runtime())
    except WeightsError as error:
        raise ConfigError(
            f"{error}. Without them, use the model name 'coarse-to-fine-lite0', or "
            f"extract_features with 'aliked-n16' and match_features with 'aliked+lightglue'; "
            f"reconstruction, triangulation and localize_sfm also take the files of hloc's own "
            f"match_dense"
        ) from None
    return matcher


@sleeping_openmp_threads()
def _match(
    matcher: PairMatcher, source: FolderSource, pairs: Sequence[Pair]
) -> dict[Pair, PairMatches]:
    load = lru_cache(CACHED_PHOTOS)(source.load)
    found = {}
    for first, second in tqdm(by_locality(pairs), "photo pairs", disable=None):
        (found[first, second],) = matcher.match_photos([(load(first), load(second))])
    return found


def _known_features(
    given: Path | str | Sequence[Path | str] | None,
) -> dict[str, LocalFeatures]:
    """Features of all images of the given files; the first file that has an image counts."""
    if given is None:
        return {}
    files = [given] if isinstance(given, str | Path) else list(given)
    known: dict[str, LocalFeatures] = {}
    with ExitStack() as stack:
        for path in map(Path, files):
            file = stack.enter_context(closing(FeaturesFile(path)))
            for name, stored in file.items():
                known.setdefault(name, to_local_features(stored, f"{path}: {name!r}"))
    return known


def _count(
    name: str, features: LocalFeatures, fixed: Mapping[str, LocalFeatures], limit: int | None
) -> int:
    """Number of keypoints that an image keeps; given ones are all kept."""
    is_limited = limit is not None and name not in fixed
    return min(len(features), limit or 0) if is_limited else len(features)


def _within(matches: Matches, pair: Pair, counts: Mapping[str, int]) -> Matches:
    """Matches whose keypoints were kept: the first ones of each image."""
    kept = (matches.indices < [counts[name] for name in pair]).all(axis=1)
    return Matches(matches.indices[kept], matches.scores[kept])


if __name__ == "__main__":
    run(
        main, "pairs image_dir export_dir", optional="matches features features_ref",
        flags="overwrite", confs=confs, default_conf="loftr",
    )  # fmt: skip
