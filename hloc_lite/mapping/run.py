"""Inputs and settings of one mapping run, and the fingerprints of what its steps store."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hloc_lite.config import (
    Config,
    Use,
    fingerprint,
    map_values_for_fingerprint,
    settings_with,
    values_for_fingerprint,
)
from hloc_lite.config.pair_spec import PairSpec, check_reference, parse_pair_spec
from hloc_lite.errors import (
    ConfigError,
    FormatError,
    HlocLiteError,
    ImageError,
    StaleArtefactError,
)
from hloc_lite.formats.cue_files import label_file_hashes
from hloc_lite.formats.hloc_lists import read_pairs
from hloc_lite.io.files import file_sha256, read_json_object
from hloc_lite.io.image_sources import ImageSource, MemorySource, folder_source
from hloc_lite.io.sharded_store import ShardedStore, delete_store, failure_of, is_empty
from hloc_lite.io.weights import WeightsStore
from hloc_lite.mapping.depth_hashes import depth_hashes
from hloc_lite.mapping.differences import explain_differences
from hloc_lite.maps.folder import WORK
from hloc_lite.maps.georeference import Georeference
from hloc_lite.models import Models
from hloc_lite.protocols import MapDepth, Weights
from hloc_lite.scene import SfmModel
from hloc_lite.types import Camera

logger = logging.getLogger(__name__)
Images = Path | str | Mapping[str, npt.NDArray[np.uint8]] | ImageSource
FIRST_PASS = "cheap-"
"""Prefix of the stores of the first matching pass."""


@dataclass(frozen=True, eq=False)
class MapInputs:
    """Inputs of a map besides the photos and the config."""

    reference: SfmModel | None = None
    """Known poses and cameras."""
    cameras: Mapping[str, Camera] | None = None
    """Known intrinsics by image name, where there is no reference."""
    masks: Path | None = None
    """Folder of masks (NAME.png, black = ignored)."""
    names: Sequence[str] | None = None
    """Only these images of a folder."""
    metric: bool = False
    """True if one map unit is a metre, as far as the reference or the user knows."""
    georeference: Georeference | None = None
    """Georeference of the reference, if it has one; it holds for the new map, too."""
    depth: MapDepth | None = None
    """Measured depth of the images, in the units of the reference, which it needs."""

    def __post_init__(self) -> None:
        if self.depth is not None and self.reference is None:
            raise ConfigError("MapInputs.depth needs known poses in its units: give a reference")


@dataclass(frozen=True, eq=False)
class Run:
    """Inputs, settings and networks of one run."""

    source: ImageSource
    config: Config
    inputs: MapInputs
    models: Models
    folder: Path
    progress: bool
    device: str = "cpu"
    overwrite: bool = False
    """Discard results of other settings instead of refusing to continue."""
    weights: Weights = field(default_factory=WeightsStore)
    """Source of the weights of networks that are loaded later."""
    keeps_side_maps: bool = True
    """False if only the best of several models is kept."""
    variant: str = ""
    """Prefix of the stores of a second run with other features."""

    def store(self, name: str) -> ShardedStore:
        """Open intermediate results in MAP/work: ``features``, ``matches`` or ``verified``.

        Those of the first matching pass have the prefix ``FIRST_PASS``; matchers that take photos
        have ``photo-matches``, too.

        Raises:
            StaleArtefactError: they were made with other settings.
        """
        folder = self.folder / WORK / f"{self.variant}{name}"
        made_from = fingerprint(*self._parts(name))
        try:
            return ShardedStore(folder, made_from, name, settings=self._settings(name))
        except (StaleArtefactError, FormatError) as error:
            if not self.overwrite:
                self._check_worthless(folder, self._settings(name), error)
            delete_store(folder)
            return ShardedStore(folder, made_from, name, settings=self._settings(name))

    @staticmethod
    def _check_worthless(folder: Path, settings: Mapping[str, Any], error: HlocLiteError) -> None:
        """Raise the error, with the settings that differ, unless nothing of value would be lost."""
        header = read_json_object(folder / "store.json")
        recorded = header.get("settings")
        there = recorded if isinstance(recorded, Mapping) else {}
        differences = explain_differences(there, settings)
        reason = failure_of(folder)
        if isinstance(error, StaleArtefactError) and (reason is not None or is_empty(folder)):
            if reason is not None:
                what = f"{folder.name} of a run that failed ({reason})"
                logger.warning("%s are replaced: %s", what, differences or "other weights")
            return
        if not differences:
            raise error
        raise StaleArtefactError(
            f"{folder.parent.parent} holds the work of an unfinished run with other settings "
            f"({folder.name}): {differences}. To finish it, give the settings there; else give "
            f"--overwrite, or another output folder"
        ) from None

    def _settings(self, name: str) -> dict[str, Any]:
        """Setting -> plain value of all that the results of a store depend on, for messages."""
        uses = Use.FEATURES
        if name != "features":
            is_first = name.startswith(FIRST_PASS)
            uses |= Use.NEAREST_MATCHES if is_first else Use.MATCHES
        if name.endswith("verified"):
            uses |= Use.VERIFICATION
        poses, cameras = self.inputs.reference is not None, self.inputs.cameras is not None
        given = {"known poses": poses, "known intrinsics": cameras, "masks": str(self.inputs.masks)}
        return {**settings_with(self.config, uses), **given}

    def _parts(self, name: str) -> list[object]:
        """Values that the results of a store depend on."""
        models = self.models
        read = values_for_fingerprint(self.config, Use.FEATURES)
        parts: list[object] = ["1", read["features"], read["images"], models.extractor_weights]
        parts += [str(self.inputs.masks)]
        if name == "features" and models.pair_matcher is None:
            return parts  # else the matcher finds the keypoints
        if name.startswith(FIRST_PASS):
            parts += [values_for_fingerprint(self.config, Use.NEAREST_MATCHES)["matching"]]
        else:
            matching = values_for_fingerprint(self.config, Use.MATCHES)["matching"]
            parts += [matching, models.matcher_weights]
        if name.endswith("verified"):
            read = values_for_fingerprint(self.config, Use.VERIFICATION)
            cameras = read["mapping"]
            parts += [read["geometry"], cameras["camera_model"], cameras["cameras"]]
            parts += [_pose_values(self.inputs.reference), _intrinsics(self.inputs.cameras)]
        return parts

    def fingerprint(self, image_hashes: Mapping[str, str]) -> str:
        """Compute the fingerprint of the map that this run makes.

        Args:
            image_hashes: image name -> fingerprint of its bytes.
        """
        poses = _pose_values(self.inputs.reference)
        cameras = _intrinsics(self.inputs.cameras)
        masks = str(self.inputs.masks)
        parts: list[object] = [*map_values_for_fingerprint(self.config), self.models.weights]
        parts += [dict(image_hashes), poses, cameras, masks]
        if self.inputs.reference is None:
            # only what differs from the defaults, as for queries: version 0.1 had no such settings
            changed = self.config.scratch.model_dump(mode="json", exclude_defaults=True)
            parts += [changed] if changed else []
        spec = _pair_spec(self.config, self.inputs, len(image_hashes))
        labels = label_file_hashes(self.config.semantics, image_hashes)
        if labels:
            parts.append(labels)
        if self.inputs.metric:  # maps without scale keep the fingerprint of earlier versions
            parts.append("metric")
        if spec.file is not None:
            parts.append(file_sha256(spec.file))
        if self.inputs.depth is not None:
            parts.append({"depth": depth_hashes(self.inputs.depth, image_hashes)})
        if self.inputs.reference is not None:
            with_points = spec.kind == "covisible"  # no other spec reads them
            parts.append(_reference_values(self.inputs.reference, with_points=with_points))
        return fingerprint("1", *parts)


def check_pair_spec(config: Config, inputs: MapInputs, names: Sequence[str]) -> None:
    """Refuse a bad pair spec at once, not after hours of feature extraction.

    Args:
        names: all images.

    Raises:
        ConfigError: neither a known kind with a positive K nor a file.
        FormatError: a file of pairs with a bad line.
        MappingError: the spec needs a reference model that is not given.
    """
    spec = _pair_spec(config, inputs, len(names))
    check_reference(spec, None if inputs.reference is None else inputs.reference.num_points)
    if spec.file is not None:
        read_pairs(spec.file, names)


def _pair_spec(config: Config, inputs: MapInputs, num_images: int) -> PairSpec:
    num_points = None if inputs.reference is None else inputs.reference.num_points
    return parse_pair_spec(config.pairs, num_images, num_points)


def check_config(config: Config | None) -> Config:
    """Return the config, or the default one for None; raise ConfigError for other types."""
    if config is None or isinstance(config, Config):
        return config or Config()
    raise ConfigError(
        f"config: expected a Config, got {type(config).__name__}; load_config(settings=...) and "
        f"config_from_dict make one"
    )


def open_source(images: Images, config: Config, inputs: MapInputs) -> ImageSource:
    """Open the photos to map.

    Raises:
        ImageError: no folder, mapping of arrays, or ``ImageSource``.
    """
    if isinstance(images, str | Path):
        return folder_source(Path(images), config.images, inputs.names, inputs.masks)
    if isinstance(images, Mapping):
        return MemorySource(images)
    if all(hasattr(images, member) for member in ("names", "load", "fingerprint")):
        return images
    raise ImageError(
        f"images: expected a folder, a mapping from names to arrays or an ImageSource, got "
        f"{type(images).__name__}"
    )


def _intrinsics(cameras: Mapping[str, Camera] | None) -> dict[str, list[object]]:
    """Plain values of given intrinsics, for fingerprints."""
    given = cameras or {}
    return {n: [c.model, c.width, c.height, *c.params.tolist()] for n, c in given.items()}


def _pose_values(reference: SfmModel | None) -> list[list[object]]:
    """Names, poses and intrinsics as plain values, for fingerprints."""
    if reference is None:
        return []
    return [
        [
            image.name,
            image.cam_from_world.rotation.tolist(),
            image.cam_from_world.translation.tolist(),
            reference.cameras[image.camera_id].model,
            reference.cameras[image.camera_id].params.tolist(),
        ]
        for image in reference.images
    ]


def _reference_values(reference: SfmModel, *, with_points: bool) -> list[object]:
    """Plain values that ``_pose_values`` lacks: camera sizes, and optionally the observed points.

    Args:
        with_points: include which keypoints of each image observe a point.
    """
    sizes = {str(key): [c.width, c.height] for key, c in reference.cameras.items()}
    values: list[object] = [sizes, {i.name: i.camera_id for i in reference.images}]
    if with_points:
        digests = ((i.name, hashlib.sha256(i.point3D_idxs.tobytes())) for i in reference.images)
        values.append({name: digest.hexdigest()[:16] for name, digest in digests})
    return values
