"""What one run of ``build_map`` is given, the models it uses, the fingerprints of its stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hloc_lite.config import Config, fingerprint
from hloc_lite.errors import ConfigError, FormatError, StaleArtefactError
from hloc_lite.formats.cue_files import label_file_hashes
from hloc_lite.geometry.cameras import CAMERA_MODELS
from hloc_lite.io.files import file_sha256, read_json
from hloc_lite.io.image_sources import ImageSource
from hloc_lite.io.sharded_store import ShardedStore, delete_store
from hloc_lite.io.weights_recording import RecordingWeights
from hloc_lite.mapping.folder import WORK
from hloc_lite.mapping.map_config import chosen_for_queries, made_with
from hloc_lite.mapping.pairs import parse_spec
from hloc_lite.mapping.reference import pose_values, reference_values
from hloc_lite.registry import (
    DEFAULT_MATCHER,
    ESTIMATORS,
    FEATURES,
    GLOBAL_DESCRIPTORS,
    MATCHERS,
    SEGMENTERS,
    FeatureExtractor,
    GlobalDescriptor,
    Matcher,
    Runtime,
    Segmenter,
    check_matcher,
    create,
    lookup,
)
from hloc_lite.types import Camera, SfmModel

CHEAP_MATCHER = "mutual-nn"
"""Needs no weights and fits all features."""
_ONLY_CHECKS = {"min_triangulated_share", "low_triangulated_share"}
"""Of the section mapping: they decide whether there is a map, but not which."""
OF_CHEAP_FIRST = {"cheap_first", "enough_verified", "enough_pairs", "chance_verified"}
"""Of the section matching: which pairs of map images are matched in which way."""
_OF_CHEAP_MATCHES = {"max_ratio", "even_ratio", "ratio_slope", "min_similarity"}


@dataclass(frozen=True, eq=False)
class MapInputs:
    """What a map is made from, besides the photos and the config."""

    reference: SfmModel | None = None
    """Known poses and cameras."""
    cameras: Mapping[str, Camera] | None = None
    """Known intrinsics by image name, where there is no reference."""
    masks: Path | None = None
    """Folder of masks (NAME.png, black = ignored)."""
    names: Sequence[str] | None = None
    """Only these images of a folder."""


@dataclass(frozen=True, eq=False)
class Models:
    """The networks of a map, and name -> sha256 of the weights that each of them uses."""

    extractor: FeatureExtractor
    matcher: Matcher
    describer: GlobalDescriptor
    extractor_weights: Mapping[str, str]
    matcher_weights: Mapping[str, str]
    describer_weights: Mapping[str, str]
    segmenter: Segmenter | None = None
    cheap_matcher: Matcher | None = None
    """Of the first of two rounds; None: there is but one."""
    segmenter_weights: Mapping[str, str] = field(default_factory=dict)

    @property
    def weights(self) -> dict[str, str]:
        """Of all of them."""
        networks = (
            self.extractor_weights,
            self.matcher_weights,
            self.describer_weights,
            self.segmenter_weights,
        )
        return {name: digest for used in networks for name, digest in used.items()}


@dataclass(frozen=True, eq=False)
class Run:
    """Everything that stays the same during one run."""

    source: ImageSource
    config: Config
    inputs: MapInputs
    models: Models
    folder: Path
    progress: bool
    device: str = "cpu"
    overwrite: bool = False
    """Discard what was made with something else, instead of refusing to go on."""

    def store(self, what: str) -> ShardedStore:
        """The intermediate results ``features``, ``matches`` or ``verified`` in MAP/work, or those
        of the cheap matcher, ``cheap-matches`` and ``cheap-verified``.

        Raises:
            StaleArtefactError: they were made with something else.
        """
        folder, made_from = self.folder / WORK / what, fingerprint(*self._parts(what))
        try:
            return ShardedStore(folder, made_from, what)
        except (StaleArtefactError, FormatError):
            if not self.overwrite:
                raise
            delete_store(folder)
            return ShardedStore(folder, made_from, what)

    def descriptor_store(self, contents: Mapping[str, str]) -> ShardedStore:
        """Global descriptors so far of just these images (name -> content): another set of images
        teaches another vocabulary."""
        weights = self.models.describer_weights
        parts = ["1", self.config.retrieval, self.config.images, weights, dict(contents)]
        made_from = fingerprint(*parts)
        what = f"retrieval-{made_from}"
        return ShardedStore(self.folder / WORK / what, made_from, "global descriptors")

    def _parts(self, what: str) -> list[object]:
        config, models = self.config, self.models
        parts: list[object] = ["1", config.features, config.images, models.extractor_weights]
        parts += [str(self.inputs.masks)]
        if what == "features":
            return parts
        if what.startswith("cheap-"):
            parts += [config.matching.model_dump(include=_OF_CHEAP_MATCHES)]
        else:
            # another choice of pairs leaves the matches of each as they are
            parts += [config.matching.model_dump(exclude=OF_CHEAP_FIRST), models.matcher_weights]
        if what.endswith("verified"):
            parts += [config.geometry, config.mapping.camera_model, config.mapping.cameras]
            parts += [pose_values(self.inputs.reference), _intrinsics(self.inputs.cameras)]
        return parts

    def fingerprint(self, contents: Mapping[str, str]) -> str:
        """Of the map that this run makes from images of these names and content fingerprints."""
        poses = pose_values(self.inputs.reference)
        cameras = _intrinsics(self.inputs.cameras)
        masks = str(self.inputs.masks)
        # no defaults of what only queries read: a new version's are no reason to build it again
        config = made_with(self.config.model_dump(exclude={"mapping": _ONLY_CHECKS}))
        parts: list[object] = [config, chosen_for_queries(self.config), self.models.weights]
        parts += [dict(contents), poses, cameras, masks]
        spec = parse_spec(self.config.pairs, len(contents), self.inputs.reference)
        labels = label_file_hashes(self.config.semantics, contents)
        if labels:
            parts.append(labels)
        if spec.file is not None:
            parts.append(file_sha256(spec.file))
        if self.inputs.reference is not None:
            with_points = spec.kind == "covisible"  # nothing else depends on them
            parts.append(reference_values(self.inputs.reference, with_points=with_points))
        return fingerprint("1", *parts)


def load_models(config: Config, runtime: Runtime) -> Models:
    """The extractor, matcher and global descriptor that the config names.

    Raises:
        ConfigError: unknown names, also those that are needed only later, or a matcher for other
            features.
    """
    lookup(ESTIMATORS, config.pose.estimator)
    lookup(FEATURES, config.features.name)
    check_matcher(matcher_name(config), config.features.name)
    if config.mapping.camera_model not in CAMERA_MODELS:
        known = ", ".join(CAMERA_MODELS)
        raise ConfigError(
            f"unknown camera model {config.mapping.camera_model!r}; known are {known}"
        )
    extractor, with_extractor = create_recorded(
        FEATURES, config.features.name, config.features, runtime
    )
    matcher, with_matcher = create_recorded(
        MATCHERS, matcher_name(config), config.matching, runtime
    )
    describer, with_describer = create_recorded(
        GLOBAL_DESCRIPTORS, config.retrieval.name, config.retrieval, runtime
    )
    segmenter: Segmenter | None = None
    with_segmenter: Mapping[str, str] = {}
    if config.semantics.source != "none":
        segmenter, with_segmenter = create_recorded(
            SEGMENTERS, config.semantics.source, config.semantics, runtime
        )
    return Models(
        extractor,
        matcher,
        describer,
        with_extractor,
        with_matcher,
        with_describer,
        segmenter,
        _cheap_matcher(config, runtime),
        with_segmenter,
    )


def _cheap_matcher(config: Config, runtime: Runtime) -> Matcher | None:
    if not config.matching.cheap_first or matcher_name(config) == CHEAP_MATCHER:
        return None
    matcher: Matcher = create(MATCHERS, CHEAP_MATCHER, config.matching, runtime)
    return matcher


def create_recorded(
    table: Mapping[str, str], name: str, config: object, runtime: Runtime
) -> tuple[Any, dict[str, str]]:
    """A model of a registry's table, and name -> sha256 of the weights that it uses."""
    recording = RecordingWeights(runtime.weights)
    return create(table, name, config, replace(runtime, weights=recording)), recording.used


def matcher_name(config: Config) -> str:
    """The configured matcher, ``auto`` resolved by the features."""
    if config.matching.name != "auto":
        return config.matching.name
    return lookup(DEFAULT_MATCHER, config.features.name)


def check_finished(folder: Path, made_from: str) -> bool:
    """Whether the folder holds the finished map of that fingerprint.

    Raises:
        StaleArtefactError: it holds another one.
    """
    path = folder / "map.json"
    if not path.is_file():
        return False
    try:
        header: Any = read_json(path)
    except FormatError as error:
        raise FormatError(f"{error}. Use --overwrite to replace the map") from None
    found = header.get("fingerprint") if isinstance(header, dict) else None
    if found == made_from:
        return True
    raise StaleArtefactError(
        f"{folder} holds a map made with other settings, weights or images: fingerprint {found} "
        f"there, {made_from} asked for. Use --overwrite to replace it, or another output folder"
    )


def _intrinsics(cameras: Mapping[str, Camera] | None) -> dict[str, list[object]]:
    given = cameras or {}
    return {n: [c.model, c.width, c.height, *c.params.tolist()] for n, c in given.items()}
