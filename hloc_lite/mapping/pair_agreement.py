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

    A match agrees if both points lie on each other's epipolar lines under the poses and intrinsics
    of the model. Only pairs of two registered images count; an image without any has share 0.
    """
    posed = {
        image.name: posed_image(
            model.cameras[image.camera_id], image.cam_from_world, keypoints_of(model, image), config
        )
        for image in model.images
    }
    agree, total = dict.fromkeys(posed, 0), dict.fromkeys(posed, 0)
    for (first, second), view in two_views.items():
        if first not in posed or second not in posed or len(view.inliers) < config.min_inliers:
            continue
        good = agree_with_poses((posed[first], posed[second]), view.inliers)
        for name in (first, second):
            agree[name] += int(good.sum())
            total[name] += len(good)
    return {name: agree[name] / total[name] if total[name] else 0.0 for name in posed}
