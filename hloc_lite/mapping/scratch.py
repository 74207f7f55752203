"""Maps from scratch: several ways of structure from motion, and the choice among them.

Images of one size without EXIF data are first taken for photos of one camera. If their focal
lengths disagree once they are free, each gets a camera of its own. If too few images are
registered, more expensive ways follow, until one succeeds or the time is up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hloc_lite.config import Config, MappingConfig, ScratchConfig
from hloc_lite.errors import FormatError, MappingError, counted
from hloc_lite.formats.colmap.adjustment import adjusted_with_own_cameras
from hloc_lite.formats.colmap.mappers import Reconstructions, reconstruct
from hloc_lite.io.pycolmap_adapter import TwoView, has_global_mapper
from hloc_lite.mapping.cameras import (
    Cameras,
    focal_change,
    focal_disagreement,
    with_shared_cameras,
)
from hloc_lite.mapping.model_choice import localizing_strength, rank_models
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.repair import repaired, separated, without_contradicting_images
from hloc_lite.mapping.two_pass_matching import VerifiedPairs
from hloc_lite.scene import SfmModel
from hloc_lite.types import Float64

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way in which structure from motion was tried, and what came of it."""

    name: str
    models: tuple[SfmModel, ...]
    """Best first."""
    left_out: Mapping[str, str]
    """Name -> reason of each image that had to leave the models: no lens can have its camera, or
    its matches contradict its pose."""
    pairs: VerifiedPairs
    seconds: float
    strength: float
    """``localizing_strength`` of the best model; 0 without one."""
    focal_change: float = 0.0
    """Typical change of known focal lengths from those that were kept while images were registered,
    as a share."""
    rejected: str = ""
    """Reason why the candidate is not used, although it may have models; empty if it may be."""

    @property
    def num_registered(self) -> int:
        return len(self.models[0].images) if self.models else 0


@dataclass(frozen=True, eq=False)
class ScratchInputs:
    """Inputs of structure from motion, and the ways to get better ones."""

    config: Config
    pairs: VerifiedPairs
    keypoints: Mapping[str, Float64]
    """Image name -> (N, 2) pixels."""
    cameras: Cameras
    match_all: Callable[[], VerifiedPairs] | None
    """Matches all pairs by the learned matcher; None if that has been done."""
    only_turned: bool = False
    """Photos show no parallax: where the first way finds no model, no other does."""
    progress: Callable[[int], None] | None = None
    """Called with the number of images that are registered so far."""
    clock: Callable[[], float] = time.monotonic


def candidate_models(inputs: ScratchInputs) -> list[Candidate]:
    """Try to build models, the best candidate first.

    Candidates end when enough images are registered (``scratch.min_registered_share``), or no more
    is to be tried, or ``scratch.fallback_s`` have passed since the first one ended.
    """
    config, candidates = inputs.config.scratch, []
    num_images = len(inputs.cameras[1])
    first_ended: float | None = None
    for candidate in _candidates(inputs):
        candidates.append(candidate)
        logger.info(
            "%s: %d of %s registered, %.0f s",
            candidate.name, candidate.num_registered, counted(num_images, "image"),
            candidate.seconds,
        )  # fmt: skip
        if any(_is_enough(each, config, num_images) for each in candidates):
            break
        if inputs.only_turned and not candidate.models:
            break
        now = inputs.clock()
        first_ended = now if first_ended is None else first_ended
        if now - first_ended > config.fallback_s:
            logger.warning(
                "no more is tried: %g s are over (scratch.fallback_s)", config.fallback_s
            )
            break
    return sorted(candidates, key=_rank, reverse=True)


def _is_enough(candidate: Candidate, config: ScratchConfig, num_images: int) -> bool:
    """Return True if no other candidate needs to be tried."""
    return (
        not candidate.rejected
        and candidate.num_registered >= config.min_registered_share * num_images
        and candidate.focal_change <= config.max_known_focal_change
    )


def _rank(candidate: Candidate) -> tuple[bool, float, int, int, int]:
    """Strength; of equally strong ones the number of images in all models, then that of points of
    the best one: right cameras find more."""
    points = candidate.models[0].num_points if candidate.models else 0
    in_all = sum(len(model.images) for model in candidate.models)
    strength = round(candidate.strength, 1)
    return not candidate.rejected, strength, candidate.num_registered, in_all, points


def _candidates(inputs: ScratchInputs) -> Iterator[Candidate]:
    """Yield one candidate after the other, cheap ones first.

    Once the photos do not seem to be of one camera, cameras are those given.
    """
    config = inputs.config.mapping
    shared = with_shared_cameras(inputs.cameras)
    is_shared = config.cameras == "auto" and len(shared[0]) < len(inputs.cameras[0])

    def candidates_of(pairs: VerifiedPairs, way: str, mapper: str) -> Iterator[Candidate]:
        nonlocal is_shared
        given = replace(inputs, pairs=pairs)
        if is_shared:
            name = f"{way}one camera for photos of equal size"
            one = replace(given, cameras=shared)
            for found in _with_known_focal_lengths(one, name, mapper):
                candidate = _checked(one, found)
                is_shared = bool(candidate.models) and not candidate.rejected
                yield candidate
        if not is_shared:
            yield from _with_known_focal_lengths(given, f"{way}cameras as given", mapper)

    yield from candidates_of(inputs.pairs, "", config.mapper)
    pairs = inputs.pairs
    if inputs.match_all is not None:
        pairs = inputs.match_all()
        yield from candidates_of(pairs, "all pairs by the learned matcher, ", config.mapper)
    other = "global" if config.mapper == "incremental" else "incremental"
    if other == "incremental" or has_global_mapper():
        yield from candidates_of(pairs, f"{other} mapper, ", other)


def _with_known_focal_lengths(inputs: ScratchInputs, name: str, mapper: str) -> Iterator[Candidate]:
    """Yield the candidate that keeps known focal lengths at first, if any, then the other one.

    The first two images determine their focal lengths badly: adjusted from the start, even right
    ones were lost in a narrow street.
    """
    if mapper == "incremental" and any(c.has_prior_focal for c in inputs.cameras[0].values()):
        yield _candidate(inputs, f"{name}, known focal lengths kept at first", mapper, keep=True)
    yield _candidate(inputs, name, mapper)


def _candidate(inputs: ScratchInputs, name: str, mapper: str, *, keep: bool = False) -> Candidate:
    """Run one mapper once; COLMAP's failure is a candidate without models.

    Args:
        keep: keep known intrinsics until all images are registered.
    """
    config, (by_id, id_of) = inputs.config, inputs.cameras
    start = inputs.clock()
    settings = config.mapping.model_copy(update={"mapper": mapper})
    constant = {key for key, camera in by_id.items() if keep and camera.has_prior_focal}
    try:
        found = reconstruct(
            by_id, id_of, inputs.keypoints, usable_pairs(inputs.pairs, config), settings,
            config.scratch, progress=inputs.progress, constant_cameras=constant,
        )  # fmt: skip
    except MappingError as error:
        logger.warning("%s: %s", name, error)
        return Candidate(name, (), {}, inputs.pairs, inputs.clock() - start, 0.0)
    found = _repaired(inputs, found, settings, adjust=bool(constant))
    models = tuple(rank_models(found.models, config.scratch))
    strength = localizing_strength(models[0], config.scratch) if models else 0.0
    change = focal_change(models[0], by_id, constant) if models else 0.0
    seconds = inputs.clock() - start
    return Candidate(name, models, found.left_out, inputs.pairs, seconds, strength, change)


def _repaired(
    inputs: ScratchInputs, found: Reconstructions, settings: MappingConfig, *, adjust: bool
) -> Reconstructions:
    """Models without images at a wrong place; those that stay out are among ``left_out``.

    Args:
        adjust: adjust all intrinsics first.
    """
    config, (by_id, id_of) = inputs.config, inputs.cameras
    pairs = usable_pairs(inputs.pairs, config)
    incremental = settings.model_copy(update={"mapper": "incremental"})
    left_out = dict(found.left_out)

    def extend(model: SfmModel, without: Collection[str] = ()) -> SfmModel | None:
        wanted = [(p, view) for p, view in pairs if p[0] not in without and p[1] not in without]
        try:
            again = reconstruct(
                by_id, id_of, inputs.keypoints, wanted, incremental, config.scratch, model
            )
        except MappingError as error:
            logger.warning("the model could not be extended: %s", error)
            return None
        left_out.update(again.left_out)
        return again.models[0] if again.models else None

    models = []
    for model in found.models:
        adjusted = (extend(model) if adjust else None) or model
        mended, left = repaired(adjusted, inputs.pairs.two_views, config, extend)
        left_out |= left
        for group in separated(mended, inputs.pairs.two_views, config, extend):
            fitting, left = without_contradicting_images(group, inputs.pairs.two_views, config)
            left_out |= left
            models.append(fitting)
        left_out |= dict.fromkeys(
            (image.name for image in mended.images),
            "too few points of pairs that agree with the model join it to a group of other images "
            "(scratch.min_link_points, scratch.link_share)",
        )
    kept = {image.name for model in models for image in model.images}
    reasons = {name: reason for name, reason in left_out.items() if name not in kept}
    return Reconstructions(tuple(models), reasons)


def usable_pairs(pairs: VerifiedPairs, config: Config) -> list[tuple[Pair, TwoView]]:
    """Pairs with enough verified matches."""
    least = config.geometry.min_inliers
    return [(p, view) for p, view in pairs.two_views.items() if len(view.inliers) >= least]


def _checked(inputs: ScratchInputs, candidate: Candidate) -> Candidate:
    """The candidate, rejected if its photos do not seem to be of one camera.

    Equal known focal lengths need no check: even of two cameras they are equal.
    """
    is_guessed = any(not camera.has_prior_focal for camera in inputs.cameras[0].values())
    if not candidate.models or not is_guessed:
        return candidate
    config = inputs.config
    try:
        free = adjusted_with_own_cameras(candidate.models[0])
    except (MappingError, FormatError) as error:
        return replace(candidate, rejected=f"the cameras could not be set free: {error}")
    apart = focal_disagreement(candidate.models[0], free, config.scratch.enough_points)
    if apart <= config.scratch.max_focal_disagreement:
        return candidate
    return replace(
        candidate,
        rejected=f"the focal lengths of the photos differ by {100 * apart:.0f} %: "
        f"they are not of one camera",
    )


def candidate_records(candidates: Sequence[Candidate], features: str) -> list[dict[str, object]]:
    """Plain values about each candidate for the report of a map, in the order given.

    Args:
        features: name of the local features.
    """
    return [
        {
            "features": features,
            "name": each.name,
            "registered": each.num_registered,
            "models": len(each.models),
            "strength": round(each.strength, 2),
            "seconds": round(each.seconds, 1),
            **({"not_used": each.rejected} if each.rejected else {}),
        }
        for each in candidates
    ]
