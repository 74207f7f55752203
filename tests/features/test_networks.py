"""Folded networks and features of pixels equal their plain forms."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from hloc_lite.features.aliked_descriptors import FeaturePixels, _bilinear  # noqa: E402
from hloc_lite.features.networks import _window_maxima, fold_batch_norms  # noqa: E402

FINE, DIM = 5, 16
PADDED, ORIGIN, SIZE = (64, 96), (2, 3), (90, 57)
"""(height, width), (x, y) and (width, height)."""


def random_norm(channels, affine):
    norm = nn.BatchNorm2d(channels, affine=affine)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    if affine:
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.uniform_(norm.bias, -1, 1)
    return norm


@pytest.mark.parametrize("affine", [False, True])
@torch.inference_mode()
def test_folding_preserves_the_function(affine):
    torch.manual_seed(0)
    first = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), random_norm(8, affine), nn.ReLU(inplace=True)
    )
    second = nn.Sequential(nn.Conv2d(8, 4, 1), random_norm(4, affine))
    network = nn.Sequential(first, nn.AvgPool2d(2), second).eval()
    image = torch.rand(2, 3, 20, 31)
    expected = network(image)
    folded = fold_batch_norms(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(image), expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_batch_norms_without_convolution_stay():
    network = nn.Sequential(nn.ReLU(), random_norm(3, affine=True), nn.Conv2d(3, 3, 1)).eval()
    image = torch.rand(1, 3, 4, 4)
    expected = network(image)
    assert torch.equal(fold_batch_norms(network)(image), expected)
    assert isinstance(network[1], nn.BatchNorm2d)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 7, 9])
def test_window_maxima_equal_max_pooling(side):
    scores = torch.rand(11, 23, generator=torch.Generator().manual_seed(side))
    pooled = F.max_pool2d(scores[None, None], (1, side), stride=1)[0, 0]
    assert torch.equal(_window_maxima(scores, side), pooled)


@pytest.fixture
def maps():
    """Random maps of an image's four scales, and the dense features that they give."""
    torch.manual_seed(1)
    height, width = PADDED
    fine = torch.randn(FINE, height, width)
    coarse = [torch.randn(DIM // 4, height // f, width // f) for f in (2, 8, 32)]
    project = torch.randn(DIM // 4, FINE, 1, 1)
    upsampled = [
        F.interpolate(one[None], PADDED, mode="bilinear", align_corners=True) for one in coarse
    ]
    joined = torch.cat([F.selu(F.conv2d(fine[None], project)), *upsampled], dim=1)
    x, y = ORIGIN
    dense = F.normalize(joined, dim=1)[0, :, y : y + SIZE[1], x : x + SIZE[0]]
    return FeaturePixels.from_maps(fine, coarse, project, ORIGIN, SIZE), dense


def test_features_of_pixels_equal_the_dense_map(maps):
    features, dense = maps
    width, height = SIZE
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    found = features.at(x.reshape(-1), y.reshape(-1))
    torch.testing.assert_close(found, dense.flatten(1).T, atol=2e-5, rtol=1e-4)


def test_features_between_pixels_equal_grid_sample(maps):
    features, dense = maps
    width, height = SIZE
    generator = torch.Generator().manual_seed(2)
    inside = torch.rand(500, 2, generator=generator) * torch.tensor([width - 1, height - 1])
    outside = torch.tensor([[-0.25, 3.0], [width - 0.5, 5.5], [7.25, height - 0.25], [-9.0, 900.0]])
    whole = torch.tensor([[0.0, 0.0], [width - 1.0, height - 1.0], [4.0, 5.0]])
    xy = torch.cat([inside, outside, whole])
    grid = 2 * xy / torch.tensor([width - 1, height - 1]) - 1
    expected = F.grid_sample(dense[None], grid[None, None], align_corners=True)[0, :, 0].T
    found = _bilinear(features, xy)
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-3)
    assert (found[-4] == 0).all()  # far outside
