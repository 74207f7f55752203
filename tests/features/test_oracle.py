"""Extractors against kornia's own detection: equal keypoints, half a pixel apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data

from hloc_lite import registry
from hloc_lite.config import FeaturesConfig
from hloc_lite.types import Photo

pytestmark = pytest.mark.weights


def kornia_aliked(name, path, tensor):
    from kornia.feature import ALIKED

    network = ALIKED(name)
    network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"), strict=False)
    found = network.eval()(tensor)[0]
    return found.keypoints, found.keypoint_scores, found.descriptors


def kornia_disk(name, path, tensor):
    from kornia.feature import DISK

    network = DISK()
    network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu")["extractor"])
    found = network.eval()(tensor)[0]
    return found.keypoints, found.detection_scores, found.descriptors


def kornia_xfeat(name, path, tensor):
    from kornia.feature import XFeat

    network = XFeat()
    network.net.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    found = network.eval().detectAndCompute(tensor)[0]
    return found["keypoints"], found["scores"], found["descriptors"]


@pytest.mark.parametrize(
    ("name", "oracle", "shape"),
    [
        ("aliked-t16", kornia_aliked, (256, 384)),
        ("aliked-n16", kornia_aliked, (256, 384)),
        ("aliked-n16", kornia_aliked, (250, 371)),
        ("aliked-n16rot", kornia_aliked, (256, 384)),
        ("aliked-n32", kornia_aliked, (256, 384)),
        ("disk", kornia_disk, (256, 384)),
        ("xfeat", kornia_xfeat, (256, 384)),
    ],
)
def test_equals_kornia(name, oracle, shape, runtime):
    pixels = np.repeat(data.coins()[: shape[0], : shape[1], None], 3, axis=2)
    config = FeaturesConfig(name=name, max_keypoints=20000)
    extractor = registry.create(registry.FEATURES, name, config, runtime)
    ours = extractor.extract([Photo("a", pixels)])[0]
    tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        keypoints, scores, descriptors = oracle(name, runtime.weights.path(name), tensor)
    assert len(ours) == len(keypoints) > 150
    theirs = keypoints.float().numpy() + 0.5  # kornia's (0, 0) is the centre of the first pixel
    distances = np.linalg.norm(ours.keypoints[:, None] - theirs, axis=2)
    nearest = distances.argmin(axis=1)
    assert distances.min(axis=1).max() < 0.05
    assert len(set(nearest)) == len(ours)
    # convolutions sum in another order on other machines: up to 5e-4 of scores from 0 to 100
    assert np.allclose(ours.scores, scores.numpy()[nearest], rtol=1e-3, atol=1e-3)
    differences = np.abs(ours.descriptors - descriptors.numpy()[nearest]).max(axis=1)
    # ALIKED cuts patches at the pixel below a keypoint; exactly on a pixel, rounding decides
    at_step = np.abs(theirs - 0.5 - np.round(theirs - 0.5)).min(axis=1)[nearest] < 1e-3
    if name.startswith("aliked"):
        assert at_step.mean() < 0.02
        assert differences[~at_step].max() < 1e-3
    else:
        assert differences.max() < 1e-3
