"""Repair of a model from scratch: images at a wrong place leave it, and are registered again.

The incremental mapper may register an image early, when few points exist, by those of another
place that looks alike. Most verified matches of the image then contradict its pose. Once all other
images are in the model, the same image is registered at the right place.

Groups of images that hang together by few points become separate models.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np

from hloc_lite.config import Config
from hloc_lite.errors import counted
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.mapping.pair_agreement import agreeing_pairs, image_agreement
from hloc_lite.mapping.pairs import Pair
from hloc_lite.mapping.weak_links import link_bound, strongly_linked_groups
from hloc_lite.scene import SfmModel, visible_points
from hloc_lite.types import NO_POINT

logger = logging.getLogger(__name__)
Extend = Callable[[SfmModel, Collection[str]], SfmModel | None]
"""Registers further images in a model, but none of these names; None if that fails."""


def repaired(
    model: SfmModel, two_views: Mapping[Pair, TwoView], config: Config, extend: Extend
) -> tuple[SfmModel, dict[str, str]]:
    """Model without images that contradict it, and name -> reason of each that stays out.

    Args:
        extend: registers the images again that have left the model.
    """
    reasons: dict[str, str] = {}
    for attempt in range(config.scratch.max_repairs + 1):
        model, left = without_contradicting_images(model, two_views, config)
        reasons |= left
        if not left or attempt == config.scratch.max_repairs:
            break
        logger.info("%s at a wrong place: registering again", counted(len(left), "image"))
        extended = extend(model, ())
        if extended is None:
            break
        model = extended
    kept = {image.name for image in model.images}
    return model, {name: reason for name, reason in reasons.items() if name not in kept}


def separated(
    model: SfmModel, two_views: Mapping[Pair, TwoView], config: Config, extend: Extend
) -> list[SfmModel]:
    """Models of the groups of images that strong links hold together, the largest first.

    Photos that do not overlap are joined by chance matches, and their groups come to lie anywhere.
    Groups of fewer than ``scratch.min_model_images`` images leave the model. Images may be
    registered again in a group, if they are strongly linked to it.
    """
    rules = config.scratch
    groups = _groups(model, two_views, config)
    if len(groups) == 1:
        return [model]
    large = [group for group in groups if len(group) >= rules.min_model_images]
    found = []
    for group in large:
        others = set[str]().union(*(each for each in large if each is not group))
        alone = with_images_only(model, group)
        extended = extend(alone, others) or alone
        kept = _groups(extended, two_views, config)[0]
        found.append(with_images_only(extended, kept))
    return found


def _groups(model: SfmModel, two_views: Mapping[Pair, TwoView], config: Config) -> list[set[str]]:
    rules = config.scratch
    agreeing = agreeing_pairs(model, two_views, config.geometry, rules.min_link_agreement)
    needed = link_bound(model, rules.min_link_points, rules)
    return strongly_linked_groups(model, agreeing, needed)


def without_contradicting_images(
    model: SfmModel, two_views: Mapping[Pair, TwoView], config: Config
) -> tuple[SfmModel, dict[str, str]]:
    """Model without its images of low agreement, the worst first, and name -> reason of each."""
    left: dict[str, str] = {}
    while len(model.images) > config.scratch.min_model_images:
        agreement = image_agreement(model, two_views, config.geometry)
        worst = min(agreement, key=lambda name: (agreement[name], name))
        if agreement[worst] >= config.scratch.min_agreement:
            break
        left[worst] = (
            f"only {100 * agreement[worst]:.0f} % of its verified matches agree with the place "
            f"where it was registered, {100 * config.scratch.min_agreement:.0f} % are needed "
            f"(scratch.min_agreement): it looks like several places"
        )
        model = with_images_only(model, {image.name for image in model.images} - {worst})
    return model, left


def with_images_only(model: SfmModel, names: set[str]) -> SfmModel:
    """Model of these images, and the points that at least two of them see."""
    images = [image for image in model.images if image.name in names]
    seen = np.zeros(model.num_points, int)
    for image in images:
        seen[visible_points(image)] += 1
    kept = seen >= 2
    # one entry more for NO_POINT, which is -1
    new_row = np.append(np.where(kept, np.cumsum(kept) - 1, NO_POINT), NO_POINT)
    return replace(
        model,
        images=tuple(replace(image, point3D_idxs=new_row[image.point3D_idxs]) for image in images),
        point3D_ids=model.point3D_ids[kept],
        xyz=model.xyz[kept],
        rgb=model.rgb[kept],
        errors_px=model.errors_px[kept],
    )
