"""Agreement of verified matches with the poses of a model: images at a wrong place contradict."""

from __future__ import annotations

from collections.abc import Mapping

from hloc_lite.config import GeometryConfig
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.mapping.pairs import Pair
from hloc_lite.matching.geometric_verification import agree_with_poses, posed_image
from hloc_lite.scene import SfmModel, keypoints_of


def image_agreement(
    model: SfmModel, two_views: Mapping[Pair, TwoView], config: GeometryConfig
) -> dict[str, float]:
    """Name -> share of the verified matches of each image that agree with the model.

    Only pairs of two registered images count; an image without any has share 0.
    """
    agree = dict.fromkeys((image.name for image in model.images), 0)
    total = dict(agree)
    for pair, (good, verified) in pair_agreement(model, two_views, config).items():
        for name in pair:
            agree[name] += good
            total[name] += verified
    return {name: agree[name] / total[name] if total[name] else 0.0 for name in agree}


def pair_agreement(
    model: SfmModel, two_views: Mapping[Pair, TwoView], config: GeometryConfig
) -> dict[Pair, tuple[int, int]]:
    """Pair of registered images -> verified matches that agree with the model, and all of them.

    A match agrees if both points lie on each other's epipolar lines under the poses and intrinsics
    of the model.
    """
    posed = {
        image.name: posed_image(
            model.cameras[image.camera_id], image.cam_from_world, keypoints_of(model, image), config
        )
        for image in model.images
    }
    found = {}
    for pair, view in two_views.items():
        if pair[0] in posed and pair[1] in posed and len(view.inliers) >= config.min_inliers:
            good = agree_with_poses((posed[pair[0]], posed[pair[1]]), view.inliers)
            found[pair] = (int(good.sum()), len(good))
    return found


def agreeing_pairs(
    model: SfmModel, two_views: Mapping[Pair, TwoView], config: GeometryConfig, min_share: float
) -> list[Pair]:
    """Pairs of which this share of the verified matches or more agrees with the model."""
    counts = pair_agreement(model, two_views, config)
    return [pair for pair, (good, verified) in counts.items() if good >= min_share * verified]
