"""``build_map``: photos -> features -> pairs -> verified matches -> model -> Map.

Each long stage keeps what it computed in MAP/work, under a fingerprint of all that went into it:
a killed run resumes, and one with other settings is refused instead of mixed in.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from hloc_lite.clock import StageClock
from hloc_lite.config import Config
from hloc_lite.consistency.landmark_labels import landmark_weights
from hloc_lite.errors import ConfigError, ImageError, MappingError, counted
from hloc_lite.io.image_sources import FolderSource, ImageSource, MemorySource, folder_source
from hloc_lite.io.pycolmap_adapter import require_global_mapper
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.io.weights import WeightsStore
from hloc_lite.mapping.assemble import assemble, colored
from hloc_lite.mapping.cheap_first import match_and_verify
from hloc_lite.mapping.folder import LOCK, check_ours, delete_work, output_folder
from hloc_lite.mapping.landmarks import labelled_landmarks
from hloc_lite.mapping.map import BusyMapError, Map, in_memory
from hloc_lite.mapping.matched import Round
from hloc_lite.mapping.pairs import check_spec
from hloc_lite.mapping.reconstruction import build_model, cameras_of, min_verified
from hloc_lite.mapping.reference import common_names
from hloc_lite.mapping.report import map_report
from hloc_lite.mapping.retrieval import choose, global_descriptors
from hloc_lite.mapping.run import (
    CHEAP_MATCHER,
    MapInputs,
    Run,
    check_finished,
    load_models,
    matcher_name,
)
from hloc_lite.mapping.stages import extract_features, stored_content
from hloc_lite.registry import Runtime, Weights

logger = logging.getLogger(__name__)
Images = Path | str | Mapping[str, npt.NDArray[np.uint8]] | ImageSource
STAGES = ("features", "matches", "verified")
CHEAP_STAGES = ("cheap-matches", "cheap-verified")


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
    """A map of the place that the images show.

    Args:
        images: a folder, name -> (H, W, 3) uint8 RGB arrays, or an ``ImageSource``.
        config: None: the defaults of profile ``balanced``.
        inputs: known poses, intrinsics, masks, image list.
        output: the map's folder, new or empty or with a map in it; None: nothing is kept on disk.
        weights: where networks come from; None: the default store, fetching what is missing.
        device: torch's name of the device the networks run on.
        overwrite: replace what another config or other images left in ``output``, when the new
            map is there; intermediate results that still fit are kept.
        keep_work: leave MAP/work (features and matches of all images) for the next run.
        progress: bars on stderr.

    Raises:
        ImageError: no images.
        StaleArtefactError: ``output`` holds a map or intermediate results of something else.
        MappingError: nothing could be registered or triangulated, or ``output`` holds other files
            than a map.
    """
    config = _checked(config)
    inputs = inputs or MapInputs()
    source = _source(images, config, inputs)
    check_spec(config.pairs, source.names, inputs.reference)
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
    contents, skipped = _usable_images(run)
    made_from = run.fingerprint(contents)
    if not run.overwrite and check_finished(run.folder, made_from):
        logger.info("%s is already complete (fingerprint %s)", run.folder, made_from)
        return Map.open(run.folder)
    clock = StageClock()
    with ExitStack() as stack:
        what = STAGES if run.models.cheap_matcher is None else (*STAGES, *CHEAP_STAGES)
        stores = [stack.enter_context(closing(run.store(each))) for each in what]
        features = stores[0]
        rounds = [Round(matcher_name(run.config), run.models.matcher, *stores[1:3])]
        if run.models.cheap_matcher is not None:
            rounds.insert(0, Round(CHEAP_MATCHER, run.models.cheap_matcher, *stores[3:]))
        if run.overwrite:
            _discard_changed(contents, stores)
        with clock("features"):
            batch = run.config.features.batch_size
            skipped |= extract_features(
                run.source, contents, run.models.extractor, features, batch, progress=run.progress
            )
        names = [name for name in contents if name in features]
        _check_enough(names, skipped, features)
        cameras = cameras_of(run, names, features)  # before the long stages: it checks them
        with clock("retrieval"):
            descriptors = global_descriptors(run, {name: contents[name] for name in names})
            pairs = choose(run, names, descriptors)
        matched = match_and_verify(run, pairs, features, cameras, rounds, clock)
        with clock("reconstruction"):
            model, num_dropped = build_model(run, matched, features, cameras)
        report = map_report(
            model,
            [*names, *skipped],
            skipped,
            {name: len(features.read(name, ["scores"])["scores"]) for name in names},
            {pair: matched.num_verified(pair) for pair in pairs},
            num_dropped,
            min_verified(run),
        )
        labels = None
        if run.models.segmenter is not None:
            with clock("labels"):
                labels = labelled_landmarks(run, model, run.models.segmenter)
            report |= {"landmarks": dict(landmark_weights(labels, run.config.semantics).counts)}
        report |= {"timings_s": clock.seconds, "images_folder": _folder_of(run.source)}
        report |= {"known_poses": run.inputs.reference is not None}
        report |= {"pairs_by_matcher": matched.matchers()}
        model = colored(model, features)
        result = assemble(run, model, features, names, descriptors, made_from, report, labels)
        result.save(run.folder)
    return Map.open(run.folder)


def _check_enough(names: Sequence[str], skipped: Mapping[str, str], features: ShardedStore) -> None:
    """Raises MappingError unless there are two images, and keypoints in any of them."""
    if len(names) < 2:
        reasons = "; ".join(f"{name!r}: {reason}" for name, reason in [*skipped.items()][:3])
        raise MappingError(
            f"a map needs at least 2 images that can be used, got {len(names)}"
            + (f" ({counted(len(skipped), 'other')} skipped: {reasons})" if skipped else "")
        )
    if not any(len(features.read(name, ["scores"])["scores"]) for name in names):
        raise MappingError(
            f"none of the {len(names)} images has any keypoint: they are blank, far too dark, or "
            f"masked away (black parts of masks are ignored, and white ones used)"
        )


def _usable_images(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    """Name -> content fingerprint of the images with a file (and a pose, if poses are given), and
    name -> reason of the others."""
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
    contents = {}
    for name in names:
        try:
            contents[name] = run.source.fingerprint(name)
        except ImageError as error:
            skipped[name] = str(error)
            logger.warning("skipped %r: %s", name, error)
    return contents, skipped


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK).acquire(timeout=0):
            check_ours(folder)
            yield
    except Timeout:
        raise BusyMapError(
            f"another process is building {folder}; wait for it, or choose another folder"
        ) from None
    except OSError as error:
        raise MappingError(f"cannot build the map {folder}: {error}") from error


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
    """Where the photos lay: only reports look there again, and do without if they are gone."""
    return str(source.root.resolve()) if isinstance(source, FolderSource) else None


def _discard_changed(contents: Mapping[str, str], stores: Sequence[ShardedStore]) -> None:
    """Empty all stores if an image is not the one that its features were made from."""
    features = stores[0]
    for name, content in contents.items():
        if name in features and stored_content(features, name) != content:
            logger.warning("image %r has changed: computing all features anew", name)
            for store in stores:
                store.clear()
            return
