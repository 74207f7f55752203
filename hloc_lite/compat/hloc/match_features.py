"""hloc's ``match_features``: features of image pairs -> a file of matches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hloc_lite.compat.hloc.command_line import run
from hloc_lite.compat.hloc.inputs import pairs_in
from hloc_lite.compat.hloc.networks import default_runtime, matcher_network
from hloc_lite.compat.hloc.settings import matching_config
from hloc_lite.concurrency import sleeping_openmp_threads
from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.hloc.features import FeaturesFile
from hloc_lite.formats.hloc.local_features import to_local_features
from hloc_lite.formats.hloc.matches import MatchesFile
from hloc_lite.formats.hloc.matches_writing import write_matches
from hloc_lite.io.lazy_mapping import LazyMapping
from hloc_lite.mapping.pair_matching import by_locality
from hloc_lite.protocols import Matcher
from hloc_lite.registry import MATCHERS, create
from hloc_lite.types import LocalFeatures, Matches

logger = logging.getLogger(__name__)
Pair = tuple[str, str]
CACHED_IMAGES = 512
"""Images whose features stay in memory."""


def _conf(output: str, **model: Any) -> dict[str, Any]:
    return {"output": output, "model": model}


confs: dict[str, dict[str, Any]] = {
    "superpoint+lightglue": _conf(
        "matches-superpoint-lightglue", name="lightglue", features="superpoint"
    ),
    "disk+lightglue": _conf("matches-disk-lightglue", name="lightglue", features="disk"),
    "aliked+lightglue": _conf("matches-aliked-lightglue", name="lightglue", features="aliked"),
    "superglue": _conf(
        "matches-superglue", name="superglue", weights="outdoor", sinkhorn_iterations=50
    ),
    "superglue-fast": _conf(
        "matches-superglue-it5", name="superglue", weights="outdoor", sinkhorn_iterations=5
    ),
    "NN-superpoint": _conf(
        "matches-NN-mutual-dist.7",
        name="nearest_neighbor", do_mutual_check=True, distance_threshold=0.7,
    ),
    "NN-ratio": _conf(
        "matches-NN-mutual-ratio.8",
        name="nearest_neighbor", do_mutual_check=True, ratio_threshold=0.8,
    ),
    "NN-mutual": _conf("matches-NN-mutual", name="nearest_neighbor", do_mutual_check=True),
    "adalam": _conf("matches-adalam", name="adalam"),
}  # fmt: skip
"""hloc's configurations by name."""


def main(
    conf: Mapping[str, Any],
    pairs: Path | str,
    features: Path | str,
    export_dir: Path | str | None = None,
    matches: Path | str | None = None,
    features_ref: Path | str | None = None,
    overwrite: bool = False,
) -> Path:
    """Match those pairs that the file does not have yet.

    Args:
        conf: configuration, as in ``confs``.
        pairs: list of pairs.
        features: file of features, or the ``output`` of their configuration.
        export_dir: folder of the files that are given by such a name.
        matches: file to write; needed where ``features`` is a file.
        features_ref: file with the features of the second images; None for the same.
        overwrite: match all pairs anew.

    Returns:
        The file.

    Raises:
        ConfigError: an unknown model, or no place for the file.
        FormatError: a pair of images without features.
    """
    path, queries = _paths(conf, Path(pairs), features, export_dir, matches)
    same = features_ref is None or Path(features_ref) == queries
    with (
        closing(FeaturesFile(queries)) as first,
        nullcontext(first) if same else closing(FeaturesFile(Path(str(features_ref)))) as second,
    ):
        _match(conf, Path(pairs), first, second, path, overwrite=overwrite)
    return path


def _paths(
    conf: Mapping[str, Any],
    pairs: Path,
    features: Path | str,
    export_dir: Path | str | None,
    matches: Path | str | None,
) -> tuple[Path, Path]:
    """Files of matches, and of the features of the first images."""
    if isinstance(features, Path) or Path(features).is_file():
        if matches is None:
            raise ConfigError(f"features is the file {features}: give the file of matches, too")
        return Path(matches), Path(features)
    if export_dir is None:
        raise ConfigError(f"features is the name {features!r}: give its folder, export_dir")
    name = f"{features}_{conf['output']}_{pairs.stem}.h5"
    return Path(matches or Path(export_dir, name)), Path(export_dir, f"{features}.h5")


@sleeping_openmp_threads()
def _match(
    conf: Mapping[str, Any],
    pairs_file: Path,
    first: FeaturesFile,
    second: FeaturesFile,
    path: Path,
    *,
    overwrite: bool,
) -> None:
    names = [*first, *second]
    pairs = pairs_in(pairs_file, set(names))
    there: tuple[Pair, ...] = ()
    if path.exists() and not overwrite:
        with closing(MatchesFile(path, names)) as file:
            there = file.pairs()
    known = {*there, *(pair[::-1] for pair in there)}
    todo = by_locality([pair for pair in pairs if pair not in known])
    if not todo and path.exists():
        logger.info("all %d pairs are matched already", len(pairs))
        return
    network = matcher_network(conf["model"])
    config = matching_config(network, conf["model"])
    matcher: Matcher = create(MATCHERS, network.name, config, default_runtime())

    @lru_cache(CACHED_IMAGES)
    def load(name: str, is_second: bool) -> LocalFeatures:
        file = second if is_second else first
        if name not in file:
            raise FormatError(f"{file.path} has no features of {name!r}, which {pairs_file} pairs")
        return to_local_features(file[name], f"{file.path}: {name!r}")

    def found() -> Iterator[tuple[Pair, Matches]]:
        if there:
            with closing(MatchesFile(path, names)) as file:
                for pair in there:
                    stored = file.read(*pair, keeps_repeats=True)
                    yield pair, Matches.empty() if stored is None else stored
        for name0, name1 in tqdm(todo, "matches", disable=None):
            sides = load(name0, first is second or name0 not in first), load(name1, True)
            yield (name0, name1), matcher.match([sides])[0]

    def count(name: str) -> int:
        return len(load(name, name in second))

    write_matches(path, found(), LazyCounts(names, count))


class LazyCounts(LazyMapping[int]):
    """Number of keypoints of each image, counted when it is asked for."""

    def __init__(self, names: Sequence[str], count: Callable[[str], int]) -> None:
        super().__init__(dict.fromkeys(names))
        self._count = count

    def _read(self, name: str) -> int:
        return self._count(name)


if __name__ == "__main__":
    run(
        main, "pairs", optional="export_dir matches features_ref", texts="features",
        flags="overwrite", confs=confs, default_conf="superglue",
    )  # fmt: skip
