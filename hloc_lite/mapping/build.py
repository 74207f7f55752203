"""``build_map``: photos -> features -> pairs -> verified matches -> SfM model -> Map.

Each long step keeps its results in MAP/work, under a fingerprint of everything they depend on. A
killed run resumes; a run with other settings is refused, not mixed in.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from hloc_lite.clock import StageClock
from hloc_lite.concurrency import sleeping_openmp_threads
from hloc_lite.config import Config
from hloc_lite.errors import BusyMapError, MappingError
from hloc_lite.io.locks import exclusive_lock
from hloc_lite.io.partial_store import PartialStore
from hloc_lite.io.pycolmap_adapter import require_global_mapper
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.io.staging import LOCK
from hloc_lite.io.temporary_folders import temporary_folder
from hloc_lite.io.weights import WeightsStore
from hloc_lite.mapping.assembly import assemble_maps
from hloc_lite.mapping.cameras import find_cameras
from hloc_lite.mapping.differences import check_finished
from hloc_lite.mapping.feature_extraction import (
    check_usable,
    extract_features,
    stored_image_hash,
    stored_keypoints,
)
from hloc_lite.mapping.other_features import make_with_fallback
from hloc_lite.mapping.pairs import PairedImages, choose_image_pairs
from hloc_lite.mapping.photo_matching import pair_and_match_photos
from hloc_lite.mapping.reconstruction import BuiltModels, build_models, color_points
from hloc_lite.mapping.retrieval import compute_global_descriptors
from hloc_lite.mapping.run import (
    FIRST_PASS,
    Images,
    MapInputs,
    Run,
    check_config,
    check_pair_spec,
    open_source,
)
from hloc_lite.mapping.two_pass_matching import MatchingPass, VerifiedPairs, match_and_verify
from hloc_lite.mapping.unmarked_features import (
    discard_other_matches,
    without_marks,
)
from hloc_lite.mapping.usable_images import find_usable_images
from hloc_lite.maps.folder import check_ours, delete_work, mark_work_failed, output_folder
from hloc_lite.maps.map import Map, in_memory
from hloc_lite.maps.saving import write_map
from hloc_lite.maps.side_maps import add_side_maps, replace_side_maps
from hloc_lite.models import FIRST_PASS_MATCHER, load_models, matcher_name
from hloc_lite.protocols import Weights
from hloc_lite.registry import Runtime

logger = logging.getLogger(__name__)


@sleeping_openmp_threads()
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
        output: folder of the map: new, empty, or with a map in it. None keeps nothing on disk, and
            only the best of several models.
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
    config = check_config(config)
    inputs = inputs or MapInputs()
    source = open_source(images, config, inputs)
    check_pair_spec(config, inputs, source.names)
    if config.mapping.mapper == "global" and inputs.reference is None:
        require_global_mapper()
    folder = None if output is None else output_folder(output, source, inputs.masks)
    weights = WeightsStore() if weights is None else weights
    models = load_models(config, Runtime(weights, device))
    if folder is None:
        with temporary_folder() as temporary:
            run = Run(
                source, config, inputs, models, temporary, progress, device,
                weights=weights, keeps_side_maps=False,
            )  # fmt: skip
            return in_memory(_build(run))
    run = Run(source, config, inputs, models, folder, progress, device, overwrite, weights)
    with _locked(folder):
        try:
            result = _build(run)
        except MappingError as error:
            if error.__cause__ is None:  # not for lack of disk space: the same would fail again
                mark_work_failed(folder, str(error))
            raise
        if not keep_work:
            delete_work(folder)
        return result


def _build(run: Run) -> Map:
    image_hashes, skipped = find_usable_images(run)
    made_from = run.fingerprint(image_hashes)
    if not run.overwrite and check_finished(run.folder, made_from, run.config, run.models.weights):
        logger.info("%s is already complete (fingerprint %s)", run.folder, made_from)
        return Map.open(run.folder, trust=True)  # its names are those of this config
    clock = StageClock()
    with ExitStack() as stack:  # the maps read their features from the stores until they are saved

        def make(each: Run) -> list[Map]:
            return _make_maps(each, image_hashes, dict(skipped), made_from, stack, clock)

        if run.inputs.reference is not None:
            best, *others = make(run)
        else:
            best, *others = make_with_fallback(run, make)
        added = add_side_maps(run.folder, others if run.keeps_side_maps else [])
        write_map(run.folder, best)  # it is locked already
        replace_side_maps(run.folder, added)
    return Map.open(run.folder, trust=True)


def _make_maps(
    run: Run,
    image_hashes: Mapping[str, str],
    skipped: dict[str, str],
    made_from: str,
    stack: ExitStack,
    clock: StageClock,
) -> list[Map]:
    """Make the maps of a run, best first; their features stay in stores that ``stack`` closes."""
    store, passes = _open_stores(run, stack)
    if run.overwrite:
        _discard_changed(image_hashes, store, passes)
    matcher, features = run.models.pair_matcher, PartialStore(store, (), {})
    if matcher is None:
        features = _extract(run, image_hashes, skipped, store, passes, clock)
        paired = _pair(run, image_hashes, skipped, features, clock)
    else:
        paired = pair_and_match_photos(
            run, matcher, image_hashes, skipped, store, passes[-1], clock
        )
    built = _match_and_build(run, paired, features, passes, clock)
    with clock("reconstruction"):
        models = tuple(color_points(model, features) for model in built.models)
    built = replace(built, models=models)
    return list(
        assemble_maps(run, paired, built, features, skipped, image_hashes, made_from, clock)
    )


def _match_and_build(
    run: Run,
    paired: PairedImages,
    features: PartialStore,
    passes: Sequence[MatchingPass],
    clock: StageClock,
) -> BuiltModels:
    """Match and verify the pairs, then build the models."""
    keypoints, cameras = paired.keypoints, paired.cameras

    def match(*, learned_only: bool = False) -> VerifiedPairs:
        return match_and_verify(
            run, paired.pairs, features, keypoints, cameras, passes, clock,
            learned_only=learned_only,
        )  # fmt: skip

    verified = match()
    is_partial = len(passes) > 1 and len(verified.matchers) > 1
    match_all = partial(match, learned_only=True) if is_partial else None
    with clock("reconstruction"):
        return build_models(
            verified, keypoints, cameras, run.config, run.inputs.reference, match_all,
            depth=run.inputs.depth, progress=run.progress,
        )  # fmt: skip


def _extract(
    run: Run,
    image_hashes: Mapping[str, str],
    skipped: dict[str, str],
    store: ShardedStore,
    passes: Sequence[MatchingPass],
    clock: StageClock,
) -> PartialStore:
    """Extract features, and leave out those in burned-in marks."""
    with clock("features"):
        batch = run.config.features.batch_size
        skipped |= extract_features(
            run.source, image_hashes, run.models.extractor, store, batch, progress=run.progress
        )
        features = without_marks(store, [n for n in image_hashes if n in store], run.config)
    discard_other_matches(features, passes)
    return features


def _pair(
    run: Run,
    image_hashes: Mapping[str, str],
    skipped: Mapping[str, str],
    features: PartialStore,
    clock: StageClock,
) -> PairedImages:
    """Choose the pairs of images."""
    names = [name for name in image_hashes if name in features]
    keypoints = stored_keypoints(features, names)
    check_usable(keypoints, skipped, has_depth=run.inputs.depth is not None)
    cameras = find_cameras(run, names, features)  # before the long steps: it checks them
    with clock("retrieval"):
        descriptors = compute_global_descriptors(run, {n: image_hashes[n] for n in names})
        pairs = choose_image_pairs(run, names, descriptors)
    return PairedImages(names, keypoints, cameras, descriptors, pairs)


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


def _discard_changed(
    image_hashes: Mapping[str, str], features: ShardedStore, passes: Sequence[MatchingPass]
) -> None:
    """Empty all stores if an image has changed since its features were extracted."""
    for name, image_hash in image_hashes.items():
        if name in features and stored_image_hash(features, name) != image_hash:
            logger.warning("image %r has changed: extracting all features again", name)
            for each in passes:
                each.verified.clear()
                each.matches.clear()
            features.clear()  # last: if the run is killed before, the next one sees the change
            return
