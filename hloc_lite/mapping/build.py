"""``build_map``: photos -> features -> pairs -> verified matches -> SfM model -> Map.

Each long step keeps its results in MAP/work, under a fingerprint of everything they depend on. A
killed run resumes; a run with other settings is refused, not mixed in.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hloc_lite.clock import StageClock
from hloc_lite.config import Config
from hloc_lite.consistency.landmark_labels import landmark_weights
from hloc_lite.errors import BusyMapError, ConfigError, ImageError, MappingError, counted
from hloc_lite.io.image_sources import FolderSource, ImageSource, MemorySource, folder_source
from hloc_lite.io.locks import exclusive_lock
from hloc_lite.io.pycolmap_adapter import require_global_mapper
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.io.staging import LOCK
from hloc_lite.io.weights import WeightsStore
from hloc_lite.mapping.cameras import find_cameras
from hloc_lite.mapping.feature_extraction import (
    extract_features,
    stored_image_hash,
    stored_keypoints,
)
from hloc_lite.mapping.labels import label_map_points
from hloc_lite.mapping.pairs import Pair, choose_pairs
from hloc_lite.mapping.reconstruction import build_model, min_verified
from hloc_lite.mapping.reference import common_names
from hloc_lite.mapping.report import map_report
from hloc_lite.mapping.retrieval import compute_global_descriptors
from hloc_lite.mapping.run import FIRST_PASS, MapInputs, Run, check_finished, check_pair_spec
from hloc_lite.mapping.two_pass_matching import MatchingPass, match_and_verify
from hloc_lite.maps.folder import check_ours, delete_work, output_folder
from hloc_lite.maps.map import Map, in_memory
from hloc_lite.maps.storage import StoredFeatures
from hloc_lite.models import FIRST_PASS_MATCHER, load_models, matcher_name
from hloc_lite.registry import Runtime, Weights
from hloc_lite.retrieval.index import RetrievalIndex
from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT, Float32, Float64, RetrievalHits

logger = logging.getLogger(__name__)
Images = Path | str | Mapping[str, npt.NDArray[np.uint8]] | ImageSource


def build_map(
    images: Images,
    config: Config | None = None,
    *,
    inputs: MapInputs | None = None,
    output: Path | str | None = None,
    weights: Weights | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    keep_work: bool = False,
    progress: bool = False,
) -> Map:
    """Build a map from photos.

    Args:
        images: a folder, name -> (H, W, 3) uint8 RGB arrays, or an ``ImageSource``.
        config: None for the defaults of profile ``balanced``.
        inputs: known poses, intrinsics, masks, image list.
        output: folder of the map: new, empty, or with a map in it. None keeps nothing on disk.
        weights: source of network weights; None for the default store, which fetches missing ones.
        device: torch device that the networks run on.
        overwrite: replace a map of another config or other images in ``output`` once the new map
            is complete; intermediate results that still fit are kept.
        keep_work: keep MAP/work (features and matches of all images) for the next run.
        progress: show progress bars on stderr.

    Raises:
        ImageError: no images.
        StaleArtefactError: ``output`` holds a map or intermediate results of other settings.
        MappingError: nothing could be registered or triangulated, or ``output`` holds files other
            than a map.
    """
    config = _checked(config)
    inputs = inputs or MapInputs()
    source = _source(images, config, inputs)
    check_pair_spec(config, inputs, source.names)
    if config.mapping.mapper == "global" and inputs.reference is None:
        require_global_mapper()
    folder = None if output is None else output_folder(output, source, inputs.masks)
    models = load_models(config, Runtime(WeightsStore() if weights is None else weights, device))
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="hloc_lite_map_") as temporary:
            run = Run(source, config, inputs, models, Path(temporary), progress, device)
            return in_memory(_build(run))
    run = Run(source, config, inputs, models, folder, progress, device, overwrite)
    with _locked(folder):
        result = _build(run)
        if not keep_work:
            delete_work(folder)
        return result


def _build(run: Run) -> Map:
    image_hashes, skipped = _usable_images(run)
    made_from = run.fingerprint(image_hashes)
    if not run.overwrite and check_finished(run.folder, made_from):
        logger.info("%s is already complete (fingerprint %s)", run.folder, made_from)
        return Map.open(run.folder)
    clock = StageClock()
    with ExitStack() as stack:
        features, passes = _open_stores(run, stack)
        if run.overwrite:
            _discard_changed(image_hashes, features, passes)
        with clock("features"):
            batch = run.config.features.batch_size
            skipped |= extract_features(
                run.source, image_hashes, run.models.extractor, features, batch,
                progress=run.progress,
            )  # fmt: skip
        names = [name for name in image_hashes if name in features]
        keypoints = stored_keypoints(features, names)
        _check_usable(keypoints, skipped)
        cameras = find_cameras(run, names, features)  # before the long steps: it checks them
        with clock("retrieval"):
            descriptors = compute_global_descriptors(run, {n: image_hashes[n] for n in names})
            pairs = _choose_pairs(run, names, descriptors)
        verified = match_and_verify(run, pairs, features, keypoints, cameras, passes, clock)
        with clock("reconstruction"):
            model, num_dropped = build_model(run, verified, keypoints, cameras)
        report = map_report(
            model,
            [*names, *skipped],
            skipped,
            {name: len(rows) for name, rows in keypoints.items()},
            {pair: len(view.inliers) for pair, view in verified.two_views.items()},
            num_dropped,
            min_verified(run),
        )
        labels = None
        if run.models.segmenter is not None:
            with clock("labels"):
                labels = label_map_points(run, model, run.models.segmenter)
            report |= {"landmarks": dict(landmark_weights(labels, run.config.semantics).counts)}
        report |= {"timings_s": clock.seconds, "images_folder": _folder_of(run.source)}
        report |= {"known_poses": run.inputs.reference is not None}
        report |= {"pairs_by_matcher": dict(verified.matchers)}
        registered = {image.name for image in model.images}
        rows = [row for row, name in enumerate(names) if name in registered]
        Map(
            model=_colored(model, features),
            features=StoredFeatures(features),
            global_names=tuple(names[row] for row in rows),
            global_descriptors=descriptors[rows],
            retrieval_state=run.models.global_descriptor.state(),
            config=run.config,
            fingerprint=made_from,
            weights=run.models.weights,
            report=report,
            landmark_labels=labels,
        ).save(run.folder)
    return Map.open(run.folder)


def _open_stores(run: Run, stack: ExitStack) -> tuple[ShardedStore, list[MatchingPass]]:
    """Open the store of features and those of each matching pass, the first pass first."""

    def opened(name: str) -> ShardedStore:
        return stack.enter_context(closing(run.store(name)))

    features, models = opened("features"), run.models
    matcher = matcher_name(run.config)
    passes = [MatchingPass(matcher, models.matcher, opened("matches"), opened("verified"))]
    if models.first_pass_matcher is not None:
        stores = opened(f"{FIRST_PASS}matches"), opened(f"{FIRST_PASS}verified")
        passes.insert(0, MatchingPass(FIRST_PASS_MATCHER, models.first_pass_matcher, *stores))
    return features, passes


def _choose_pairs(run: Run, names: Sequence[str], descriptors: Float32) -> list[Pair]:
    def retrieve(k: int) -> Sequence[RetrievalHits]:
        return RetrievalIndex(names, descriptors).search(descriptors, k, exclude=names)

    spec, reference = run.pair_spec(len(names)), run.inputs.reference
    pairs = choose_pairs(
        spec, names, run.config.pairs, reference, retrieve, listed=run.source.names
    )
    logger.info("%d pairs of %d images (%s)", len(pairs), len(names), spec.kind)
    return pairs


def _colored(model: SfmModel, features: ShardedStore) -> SfmModel:
    """Model whose points have the mean colour of their keypoints."""
    total = np.zeros((model.num_points, 3))
    count = np.zeros(model.num_points)
    for image in model.images:
        observed = image.point3D_idxs != NO_POINT
        rows = image.point3D_idxs[observed]
        np.add.at(total, rows, features.read(image.name, ["rgb"])["rgb"][observed])
        np.add.at(count, rows, 1)
    rgb = np.rint(total / np.maximum(count, 1)[:, None]).astype(np.uint8)
    return replace(model, rgb=rgb)


def _check_usable(keypoints: Mapping[str, Float64], skipped: Mapping[str, str]) -> None:
    """Raise MappingError if there are fewer than two images, or no keypoints at all."""
    names = list(keypoints)
    if len(names) < 2:
        reasons = "; ".join(f"{name!r}: {reason}" for name, reason in [*skipped.items()][:3])
        raise MappingError(
            f"a map needs at least 2 images that can be used, got {len(names)}"
            + (f" ({counted(len(skipped), 'other')} skipped: {reasons})" if skipped else "")
        )
    if not any(len(rows) for rows in keypoints.values()):
        raise MappingError(
            f"none of the {len(names)} images has any keypoint: they are blank, far too dark, or "
            f"masked away (black parts of masks are ignored, and white ones used)"
        )


def _usable_images(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    """Find the images that can be used.

    Returns:
        Name -> fingerprint of each image with a file (and a pose, if poses are given), and name ->
        reason for each of the others.
    """
    names, skipped = list(run.source.names), {}
    if run.inputs.reference is not None:
        names = common_names(run.inputs.reference, names)
        skipped = dict.fromkeys(run.source.names, "not in the reference model")
        for name in names:
            skipped.pop(name, None)
        absent = {image.name for image in run.inputs.reference.images}.difference(names)
        if absent:
            first = min(absent)
            count = counted(len(absent), "image")
            logger.warning("%s of the reference not found, first %r", count, first)
    image_hashes = {}
    for name in names:
        try:
            image_hashes[name] = run.source.fingerprint(name)
        except ImageError as error:
            skipped[name] = str(error)
            logger.warning("skipped %r: %s", name, error)
    return image_hashes, skipped


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the map folder against other processes, and turn write errors into MappingError."""

    def unwritable(error: OSError) -> MappingError:
        return MappingError(f"cannot build the map {folder}: {error}")

    busy = f"another process is building {folder}; wait for it, or choose another folder"
    with exclusive_lock(folder / LOCK, BusyMapError(busy), unwritable):
        try:
            check_ours(folder)
            yield
        except OSError as error:
            raise unwritable(error) from error


def _checked(config: Config | None) -> Config:
    if config is None or isinstance(config, Config):
        return config or Config()
    raise ConfigError(
        f"config: expected a Config, got {type(config).__name__}; load_config(settings=...) and "
        f"config_from_dict make one"
    )


def _source(images: Images, config: Config, inputs: MapInputs) -> ImageSource:
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


def _folder_of(source: ImageSource) -> str | None:
    """Folder of the photos, recorded as the map's optional image source."""
    return str(source.root.resolve()) if isinstance(source, FolderSource) else None


def _discard_changed(
    image_hashes: Mapping[str, str], features: ShardedStore, passes: Sequence[MatchingPass]
) -> None:
    """Empty all stores if an image has changed since its features were extracted."""
    for name, image_hash in image_hashes.items():
        if name in features and stored_image_hash(features, name) != image_hash:
            logger.warning("image %r has changed: extracting all features again", name)
            features.clear()
            for each in passes:
                each.matches.clear()
                each.verified.clear()
            return
