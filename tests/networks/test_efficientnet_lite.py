"""EfficientNet-Lite0: shapes, padding, errors, and classes of known pictures."""

import pytest
import skimage.data
import torch

from hloc_lite.errors import WeightsError
from hloc_lite.networks.efficientnet_lite import (
    SCALES,
    EfficientNetLite,
    SamePaddedConv,
    fold_batch_norms,
    load_efficientnet_lite,
    scaled_stages,
)
from hloc_lite.retrieval.pixels import local_vectors, rgb_tensor
from hloc_lite.types import Photo


@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 33), (1, 1)])
def test_strides_round_up(height, width):
    network = EfficientNetLite().eval()
    with torch.inference_mode():
        stride16 = network.stride16(torch.rand(1, 3, height, width))
        head = network.head(stride16)
    assert stride16.shape == (1, 112, -(-height // 16), -(-width // 16))
    assert head.shape == (1, 1280, -(-height // 32), -(-width // 32))
    assert 0 <= head.min() <= head.max() <= 6


def test_folding_preserves_the_function():
    torch.manual_seed(0)
    network = EfficientNetLite().eval().double()  # random layers amplify rounding
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
        norm.running_mean.uniform_(-0.1, 0.1)
        norm.running_var.uniform_(0.01, 0.1)
    picture = torch.rand(1, 3, 50, 66, dtype=torch.float64)
    with torch.inference_mode():
        expected = network.stride16(picture), network(picture)
        same = fold_batch_norms(network)
        found = same.stride16(picture), same(picture)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in same.modules())
    for got, right in zip(found, expected, strict=True):
        assert right.std() > 1e-3
        torch.testing.assert_close(got, right, atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (4, 3, 2, [0 + 1 + 2, 2 + 3]),  # pads 0 left, 1 right
        (5, 3, 2, [0 + 1, 1 + 2 + 3, 3 + 4]),  # 1 and 1
        (4, 3, 1, [0 + 1, 0 + 1 + 2, 1 + 2 + 3, 2 + 3]),
        (3, 5, 1, [3, 3, 3]),
        (3, 1, 1, [0, 1, 2]),
    ],
)
def test_padding_is_tensorflows(size, kernel, stride, expected):
    conv = SamePaddedConv(1, 1, kernel, stride, bias=False)
    row = torch.zeros(1, 1, size, size)
    row[0, 0, 0] = torch.arange(size)  # only the first row: sums along it
    with torch.no_grad():
        conv.weight.fill_(1)
        vertical = conv(row).amax(dim=2)
    assert vertical.flatten().tolist() == expected


def test_other_files_are_refused(tmp_path):
    torch.save({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "other.pth")
    (tmp_path / "broken.pth").write_bytes(b"broken")
    for name in ("other.pth", "broken.pth", "absent.pth"):
        with pytest.raises(WeightsError, match="weights fetch efficientnet-lite0"):
            load_efficientnet_lite(tmp_path / name, "cpu")


@pytest.mark.parametrize(
    ("name", "channels", "blocks"),
    [  # tables of the published networks
        ("efficientnet-lite0", (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
        ("efficientnet-lite1", (16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1)),
        ("efficientnet-lite2", (16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
    ],
)
def test_scaled_stages(name, channels, blocks):
    stages = scaled_stages(name)
    assert tuple(stage.channels for stage in stages) == channels
    assert tuple(stage.num_blocks for stage in stages) == blocks


@pytest.mark.weights
@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize(
    ("picture", "classes", "least"),
    [("chelsea", (281, 282, 285), 0.8), ("coffee", (967,), 0.5), ("rocket", (540, 657, 744), 0.2)],
)
def test_recognizes_pictures(runtime, name, picture, classes, least):
    """A cat (tabby, tiger or Egyptian), an espresso, a rocket (or its tower)."""
    network = load_efficientnet_lite(runtime.weights.path(name), "cpu", name)
    pixels = getattr(skimage.data, picture)()
    height, width, _ = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    photo = Photo(picture, pixels[top : top + side, left : left + side])
    with torch.inference_mode():
        probabilities = network(rgb_tensor(photo, 224, "cpu")).softmax(dim=1)[0].numpy()
    assert probabilities.argmax() in classes
    assert probabilities[list(classes)].sum() > least


def test_local_vectors_are_the_positions_of_the_map():
    feature_map = torch.arange(24.0).reshape(1, 2, 3, 4)
    rows = local_vectors(feature_map)
    assert rows.shape == (12, 2)
    assert rows[5].tolist() == feature_map[0, :, 1, 1].tolist()
