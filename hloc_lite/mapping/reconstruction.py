"""SfM model from verified matches: by a mapper, or by triangulation with known poses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from tqdm import tqdm

from hloc_lite.config import Config, MappingConfig
from hloc_lite.errors import MappingError, RegistrationError, counted
from hloc_lite.formats.colmap.mappers import triangulate
from hloc_lite.io.bank import ArrayReader
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.mapping.cameras import Cameras
from hloc_lite.mapping.lifted_model import LiftedModel, lift_model
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.pure_rotation import rotation_pair_share
from hloc_lite.mapping.scratch import Candidate, ScratchInputs, candidate_models
from hloc_lite.mapping.two_pass_matching import VerifiedPairs
from hloc_lite.protocols import MapDepth
from hloc_lite.scene import SfmModel
from hloc_lite.types import NO_POINT, Float64, Int32

logger = logging.getLogger(__name__)
MIN_IMAGES = 3
"""Photos that a reconstruction should have; two succeed only with a wide baseline."""


@dataclass(frozen=True, eq=False)
class BuiltModels:
    """Models of the photos, best first, and how they were found."""

    models: tuple[SfmModel, ...]
    pairs: VerifiedPairs
    """Verified pairs that the models were made from."""
    min_verified: int
    """Verified matches that a pair needed."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Name -> reason of each image that had to leave the models (``Candidate.left_out``)."""
    candidates: Sequence[Candidate] = ()
    """All reconstructions that were tried, best first; empty with known poses."""
    lifted: LiftedModel | None = None
    """Uncertainties of the landmarks of a map from depth, and its report."""


def build_models(
    pairs: VerifiedPairs,
    keypoints: Mapping[str, Float64],
    cameras: Cameras,
    config: Config,
    reference: SfmModel | None = None,
    match_all: Callable[[], VerifiedPairs] | None = None,
    *,
    depth: MapDepth | None = None,
    progress: bool = False,
) -> BuiltModels:
    """Build the SfM model: triangulation with known poses, else structure from motion.

    Args:
        pairs: matches of the pairs, and how many of them are verified.
        keypoints: (N, 2) pixels of each image.
        cameras: intrinsics of the images.
        config: settings of verification, mapper and assessment.
        reference: known poses; None for a map from scratch.
        match_all: matches all pairs by the learned matcher, for a map from scratch in which too few
            images are registered; None if that has been done.
        depth: measured depth of the images; only with known poses.
        progress: show a progress bar of a map from scratch.

    Raises:
        MappingError: no usable pair, nothing registered, or nothing triangulated.
    """
    by_id, id_of = cameras
    keypoints = {name: keypoints[name] for name in id_of}
    needed = min_verified(config, reference)
    usable = [(p, view) for p, view in pairs.two_views.items() if len(view.inliers) >= needed]
    if depth is not None and reference is not None:
        return _build_with_depth(pairs, usable, keypoints, cameras, config, reference, depth)
    if not usable:
        tried = (
            f"{counted(len(pairs.two_views), 'pair')} of images tried, none with {needed} or more "
            f"matches that agree with a geometry: the images do not overlap enough"
        )
        if reference is not None:
            raise MappingError(f"{tried}, or the given poses are wrong")
        raise RegistrationError(tried + _too_few(len(keypoints)))
    if reference is not None:
        shares = _agreeing_shares(usable, pairs.num_matches, config)
        agreement = _check_pose_agreement(shares, config)
        posed = replace(reference.with_images(id_of), cameras=by_id)
        model = triangulate(posed, keypoints, usable, config.mapping)
        _check_triangulated(model, usable, agreement, config.mapping)
        return BuiltModels((model,), pairs, needed)
    with _shown_progress(len(id_of), progress) as show:
        camera_of = {name: by_id[key] for name, key in id_of.items()}
        turned = rotation_pair_share(dict(usable), keypoints, camera_of, config)
        only_turned = turned >= config.assessment.rotation_pair_share
        inputs = ScratchInputs(config, pairs, keypoints, cameras, match_all, only_turned, show)
        candidates = candidate_models(inputs)
    best = candidates[0]
    if not best.models and len(keypoints) < MIN_IMAGES:
        raise RegistrationError(
            f"no map could be made of {counted(len(keypoints), 'photo')}{_too_few(len(keypoints))}"
        )
    if not best.models:
        if only_turned:
            raise MappingError(
                f"no map could be made: the camera only turned about one place, "
                f"{100 * turned:.0f} % of the pairs show no parallax. Take photos from different "
                f"places"
            )
        raise RegistrationError(_nothing_registered(candidates, len(usable)))
    if len(best.models) > 1:
        sizes = ", ".join(str(len(model.images)) for model in best.models)
        logger.warning("%d separate models (%s images), best first", len(best.models), sizes)
    return BuiltModels(best.models, best.pairs, needed, best.left_out, candidates)


def _build_with_depth(
    pairs: VerifiedPairs,
    usable: Sequence[tuple[Pair, TwoView]],
    keypoints: Mapping[str, Float64],
    cameras: Cameras,
    config: Config,
    reference: SfmModel,
    depth: MapDepth,
) -> BuiltModels:
    """Build the model of known poses from triangulated and lifted points.

    Raises:
        MappingError: the poses do not fit the images, or the depth does not fit the poses.
    """
    by_id, id_of = cameras
    shares = _agreeing_shares(usable, pairs.num_matches, config)
    if not _has_confirmed(shares, usable, config):  # depth needs no images that overlap
        _check_pose_agreement(shares, config)
    posed = replace(reference.with_images(id_of), cameras=by_id)
    model = triangulate(posed, keypoints, usable, config.mapping, needs_points=False)
    matches = [(pair, view.inliers) for pair, view in usable]
    max_error = config.mapping.max_reprojection_error_px
    lifted = lift_model(model, matches, depth, config.lifting, max_error)
    needed = min_verified(config, reference)
    return BuiltModels((lifted.model,), pairs, needed, lifted=lifted)


def _too_few(num_photos: int) -> str:
    """Sentence on a map of two photos, which works only if these are well taken."""
    if num_photos >= MIN_IMAGES:
        return ""
    return (
        f". Without known poses {num_photos} photos make a map only if they overlap much and are "
        f"taken from different positions: take {MIN_IMAGES} or more"
    )


def _nothing_registered(candidates: Sequence[Candidate], num_pairs: int) -> str:
    """Message for photos of which no candidate made a model."""
    tried = ", ".join(
        f"{each.name}: {each.rejected}" if each.rejected else each.name for each in candidates
    )
    why = ""
    left_out = {n: reason for candidate in candidates for n, reason in candidate.left_out.items()}
    if left_out:
        name = min(left_out)
        count = counted(len(left_out), "image")
        why = f". {count} left the model, for example {name!r}: {left_out[name]}"
    return (
        f"no image could be registered ({counted(num_pairs, 'verified pair')}; tried: {tried})"
        f"{why}. Take more photos with more overlap and from more positions, or give the focal "
        f"length (--cameras)"
    )


@contextmanager
def _shown_progress(num_images: int, enabled: bool) -> Iterator[Callable[[int], None]]:
    """Progress bar of the images that are registered so far; steps are logged, too."""
    with tqdm(desc="registering", total=num_images, unit="image", disable=not enabled) as bar:

        def show(registered: int) -> None:
            bar.n = registered  # starts over with each further model
            bar.refresh()
            logger.debug("%d of %d images registered", registered, num_images)

        yield show


def _agreeing_shares(
    usable: Sequence[tuple[Pair, TwoView]], num_matches: Mapping[Pair, int], config: Config
) -> dict[Pair, float]:
    """Share of the matches of each pair that agree with the poses; pairs of few matches are out."""
    return {
        pair: len(view.inliers) / num_matches[pair]
        for pair, view in usable
        if num_matches[pair] >= config.geometry.min_inliers
    }


def _has_confirmed(
    shares: Mapping[Pair, float], usable: Sequence[tuple[Pair, TwoView]], config: Config
) -> bool:
    """True if some images have a pair of which many matches agree with the poses.

    Wrong poses give no such pair. Scans of different rooms give few, but these are proof enough.
    """
    settings = config.geometry
    confirmed = {
        name
        for pair, view in usable
        if len(view.inliers) >= settings.min_inliers
        and shares.get(pair, 0.0) >= settings.min_pose_agreement
        for name in pair
    }
    images = {name for pair in shares for name in pair}
    return len(confirmed) >= max(MIN_IMAGES, settings.min_confirmed_share * len(images))


def _check_pose_agreement(shares: Mapping[Pair, float], config: Config) -> float:
    """Share of matches that agree with the poses, in the best pair of the median image.

    Raises:
        MappingError: it is too small.
    """
    best: dict[str, float] = {}
    for pair, share in shares.items():
        best |= {name: max(best.get(name, 0.0), share) for name in pair}
    typical = float(np.median([*best.values()])) if best else 1.0
    needed = config.geometry.min_pose_agreement
    if typical < needed:
        raise MappingError(
            f"the given poses do not fit the images: only {100 * typical:.0f} % of the matches of "
            f"an image's best pair agree with them, {100 * needed:.0f} % are needed "
            f"(geometry.min_pose_agreement). Check that the reference model belongs to these "
            f"images, that its poses are cam_from_world, and that its photos were turned by "
            f"EXIF, as here (else set images.exif_rotation=false)"
        )
    return typical


def _check_triangulated(
    model: SfmModel,
    usable: Sequence[tuple[Pair, TwoView]],
    agreement: float,
    config: MappingConfig,
) -> None:
    """Raise MappingError if too few of the matched keypoints could be triangulated.

    Args:
        agreement: share of matches that agree with the poses, in the best pair of the median image.
    """
    matched: dict[str, list[Int32]] = {}
    for pair, view in usable:
        for name, rows in zip(pair, view.inliers.T, strict=True):
            matched.setdefault(name, []).append(rows)
    num_matched = sum(len(np.unique(np.concatenate(rows))) for rows in matched.values())
    num_found = sum(int((image.point3D_idxs != NO_POINT).sum()) for image in model.images)
    found = f"only {num_found} of {num_matched} keypoints with verified matches were triangulated"
    remedy = "Check the focal lengths and poses of the reference model"
    if num_found < config.min_triangulated_share * num_matched:
        raise MappingError(
            f"the given poses or intrinsics do not fit the images: {found}, "
            f"{100 * config.min_triangulated_share:g} % are needed "
            f"(mapping.min_triangulated_share). {remedy}"
        )
    is_low = num_found < config.low_triangulated_share * num_matched
    if agreement < config.low_pose_agreement:
        reason = (
            f"only {100 * agreement:.0f} % of the matches of an image's best pair agree with them "
            f"(mapping.low_pose_agreement). They may be world_from_cam, or of a mirrored "
            f"(left-handed) world: expected are cam_from_world, x right, y down, z forward"
        )
        if is_low:
            raise MappingError(f"the given poses do not fit the images: {found}, and {reason}")
        logger.warning("the given poses may be wrong: %s", reason)
    elif is_low:
        logger.warning("the given poses or intrinsics may be wrong: %s. %s", found, remedy)


def min_verified(config: Config, reference: SfmModel | None) -> int:
    """Verified matches that a pair needs; with known poses a single one is enough."""
    return 1 if reference is not None else config.geometry.min_inliers


def color_points(model: SfmModel, features: ArrayReader) -> SfmModel:
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
