"""hloc's ``extract_features``: photos -> a file of local features or global descriptors."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hloc_lite.compat.hloc.command_line import run
from hloc_lite.compat.hloc.inputs import ImageList, image_names
from hloc_lite.compat.hloc.networks import (
    Network,
    default_runtime,
    descriptor_network,
    features_network,
)
from hloc_lite.compat.hloc.settings import features_config, retrieval_config
from hloc_lite.concurrency import prefetch, sleeping_openmp_threads
from hloc_lite.config import ImagesConfig
from hloc_lite.errors import ConfigError, FormatError
from hloc_lite.formats.hloc.features import FeaturesFile, StoredFeatures, write_features
from hloc_lite.formats.hloc.global_descriptors import (
    read_global_descriptors,
    write_global_descriptors,
)
from hloc_lite.formats.hloc.local_features import to_stored_features
from hloc_lite.io.image_names import list_images
from hloc_lite.io.image_sources import FolderSource, check_image_folder
from hloc_lite.maps.retrieval_state import read_state, state_path, write_state
from hloc_lite.protocols import GlobalDescriptor
from hloc_lite.registry import FEATURES, GLOBAL_DESCRIPTORS, create
from hloc_lite.types import Float32, Photo

logger = logging.getLogger(__name__)


def _conf(output: str, resize_max: int, *, force: bool = False, **model: Any) -> dict[str, Any]:
    preprocessing = {"resize_max": resize_max, **({"resize_force": True} if force else {})}
    return {"output": output, "model": model, "preprocessing": preprocessing}


confs: dict[str, dict[str, Any]] = {
    "superpoint_aachen": _conf(
        "feats-superpoint-n4096-r1024", 1024, name="superpoint", max_keypoints=4096
    ),
    "superpoint_max": _conf(
        "feats-superpoint-n4096-rmax1600", 1600, force=True, name="superpoint", max_keypoints=4096
    ),
    "superpoint_inloc": _conf(
        "feats-superpoint-n4096-r1600", 1600, name="superpoint", max_keypoints=4096
    ),
    "r2d2": _conf("feats-r2d2-n5000-r1024", 1024, name="r2d2", max_keypoints=5000),
    "d2net-ss": _conf("feats-d2net-ss", 1600, name="d2net", multiscale=False),
    "sift": _conf("feats-sift", 1600, name="dog"),
    "sosnet": _conf("feats-sosnet", 1600, name="dog", descriptor="sosnet"),
    "disk": _conf("feats-disk", 1600, name="disk", max_keypoints=5000),
    "aliked-n16": _conf("feats-aliked-n16", 1024, name="aliked", model_name="aliked-n16"),
    "xfeat": _conf("feats-xfeat-n5000-r1600", 1600, name="xfeat", max_keypoints=5000),
    "dir": _conf("global-feats-dir", 1024, name="dir"),
    "netvlad": _conf("global-feats-netvlad", 1024, name="netvlad"),
    "openibl": _conf("global-feats-openibl", 1024, name="openibl"),
    "eigenplaces": _conf("global-feats-eigenplaces", 1024, name="eigenplaces"),
    "megaloc": _conf("global-feats-megaloc", 1024, name="megaloc"),
}
"""hloc's configurations by name; their grayscale and NMS belong to networks that are not here."""


def main(
    conf: Mapping[str, Any],
    image_dir: Path | str,
    export_dir: Path | str | None = None,
    as_half: bool = True,
    image_list: ImageList | None = None,
    feature_path: Path | str | None = None,
    overwrite: bool = False,
) -> Path:
    """Extract features of photos that the file does not have yet.

    Photos are not turned by EXIF, as in hloc.

    Args:
        conf: configuration, as in ``confs``.
        image_dir: folder of the photos.
        export_dir: folder of the file, whose name is ``conf["output"]``.
        as_half: store descriptors in half precision; keypoints always are in single precision.
        image_list: names, or a file of names; None for all photos of the folder.
        feature_path: file to write in place of that in ``export_dir``.
        overwrite: extract all photos anew.

    Returns:
        The file.

    Raises:
        ConfigError: an unknown model, or no place for the file.
        ImageError: a photo that is missing or cannot be read.
    """
    if feature_path is None and export_dir is None:
        raise ConfigError("give export_dir or feature_path")
    path = Path(feature_path or Path(str(export_dir), conf["output"] + ".h5"))
    check_image_folder(Path(image_dir))
    listed = list_images(Path(image_dir)) if image_list is None else image_names(image_list)
    source = FolderSource(Path(image_dir), tuple(listed), ImagesConfig(exif_rotation=False))
    network = features_network(conf["model"])
    if network is None:
        return _describe(source, conf, path, overwrite=overwrite)
    return _extract(source, network, conf, path, as_half=as_half, overwrite=overwrite)


@sleeping_openmp_threads()
def _extract(
    source: FolderSource,
    network: Network,
    conf: Mapping[str, Any],
    path: Path,
    *,
    as_half: bool,
    overwrite: bool,
) -> Path:
    """Write local features."""
    there: list[str] = []
    if path.exists() and not overwrite:
        with closing(FeaturesFile(path)) as file:
            there = list(file)
    todo = _missing(source.names, there)
    if not todo:
        return path
    extractor = create(FEATURES, network.name, features_config(network, conf), default_runtime())

    def images() -> Iterator[tuple[str, StoredFeatures]]:
        if there:
            with closing(FeaturesFile(path)) as file:
                yield from file.items()
        for photo in _photos(source, todo):
            yield photo.name, to_stored_features(extractor.extract([photo])[0])

    write_features(path, images(), half_descriptors=as_half)
    return path


@sleeping_openmp_threads()
def _describe(
    source: FolderSource, conf: Mapping[str, Any], path: Path, *, overwrite: bool
) -> Path:
    """Write global descriptors, and beside them what the network learned from the photos."""
    names: tuple[str, ...] = ()
    rows = np.zeros((0, 0), np.float32)
    if path.exists() and not overwrite:
        names, rows = read_global_descriptors(path)
    todo = _missing(source.names, names)
    if not todo:
        return path
    network = descriptor_network(conf["model"])
    config = retrieval_config(network, conf)
    describer = create(GLOBAL_DESCRIPTORS, network.name, config, default_runtime())
    _learn(describer, source, todo, path, is_new=not names)
    found: list[Float32] = [describer.describe([photo])[0] for photo in _photos(source, todo)]
    added = np.stack(found)
    if names and rows.shape[1] != added.shape[1]:
        raise FormatError(
            f"{path} has descriptors of {rows.shape[1]} dimensions, {network.name} has "
            f"{added.shape[1]}: extract them anew (overwrite=True)"
        )
    together = np.concatenate([rows, added]) if names else added
    write_global_descriptors(path, [*names, *todo], together)
    return path


def _learn(
    describer: GlobalDescriptor,
    source: FolderSource,
    todo: Sequence[str],
    path: Path,
    *,
    is_new: bool,
) -> None:
    """Learn a vocabulary from the photos of a new file, or read that of the file."""
    stored = state_path(path)
    if not is_new and stored.is_file():
        describer.load_state(read_state(stored))
        return
    describer.fit(_LazyPhotos(source, todo))
    state = describer.state()
    if state and not is_new:
        raise FormatError(
            f"{path} has descriptors, but {stored.name} with their vocabulary is missing beside "
            f"it: extract them anew (overwrite=True)"
        )
    if state:
        write_state(stored, state)


class _LazyPhotos(Sequence[Photo]):
    """Photos of a folder, each decoded when it is indexed."""

    def __init__(self, source: FolderSource, names: Sequence[str]) -> None:
        self._source, self._names = source, names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        return self._source.load(self._names[index])


def _photos(source: FolderSource, names: Sequence[str]) -> Iterator[Photo]:
    yield from tqdm(prefetch(source.load, names, ahead=2), "features", len(names), disable=None)


def _missing(wanted: Sequence[str], there: Sequence[str]) -> list[str]:
    present = set(there)
    todo = [name for name in wanted if name not in present]
    if not todo:
        logger.info("all %d images have features already", len(wanted))
    return todo


if __name__ == "__main__":
    run(
        main, "image_dir export_dir", optional="image_list feature_path",
        flags="as_half overwrite", confs=confs, default_conf="superpoint_aachen",
    )  # fmt: skip
