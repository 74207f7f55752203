"""EfficientNet-Lite0, 1 and 2 (Tan 2019; Lite: ReLU6 and no squeeze-and-excite) in torch."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hloc_lite.io.torch_checkpoints import checkpoint_errors, load_parameters, read_checkpoint
from hloc_lite.protocols import WeightsFile


class Stage(NamedTuple):
    """A row of the architecture's table."""

    kernel: int
    stride: int
    """Stride of the first block; the others have 1."""
    expansion: int
    channels: int
    num_blocks: int


STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)
SCALES = {
    "efficientnet-lite0": (1.0, 1.0),
    "efficientnet-lite1": (1.0, 1.1),
    "efficientnet-lite2": (1.1, 1.2),
}
"""Name -> factors of the channels and of the blocks of each stage, relative to Lite0."""
CHANNEL_STEP = 8
"""Scaled channels are rounded to multiples of it."""
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
PYRAMID_STAGES = (2, 3, 5)
"""Number of stages after which features have stride 4, 8 and 16, with 24, 40 and 112 channels."""
NUM_CLASSES = 1000
PIXEL_MEAN, PIXEL_STD = 0.498, 0.502
"""Normalization of RGB / 255 in training, the same for the three channels."""


def scaled_stages(name: str) -> tuple[Stage, ...]:
    """The stages of a network of ``SCALES``; the first and the last keep their one block."""
    width, depth = SCALES[name]
    return tuple(
        stage._replace(
            channels=_scaled_channels(stage.channels, width),
            num_blocks=stage.num_blocks
            if stage in (STAGES[0], STAGES[-1])
            else math.ceil(depth * stage.num_blocks),
        )
        for stage in STAGES
    )


def _scaled_channels(channels: int, width: float) -> int:
    """Nearest multiple of the step, but no less than nine tenths of the exact product."""
    exact = channels * width
    rounded = max(CHANNEL_STEP, int(exact + CHANNEL_STEP / 2) // CHANNEL_STEP * CHANNEL_STEP)
    return rounded if rounded >= 0.9 * exact else rounded + CHANNEL_STEP


class SamePaddedConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding, as in training.

    There are ceil(size / stride) outputs; odd padding is larger on the right and at the bottom.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C', ceil(H / stride), ceil(W / stride)) from (B, C, H, W)."""
        height, width = self._pad(x.shape[-2]), self._pad(x.shape[-1])
        symmetric = (height // 2, width // 2)
        if height % 2 or width % 2:
            x = nn.functional.pad(x, (width // 2, -(-width // 2), height // 2, -(-height // 2)))
            symmetric = (0, 0)
        return nn.functional.conv2d(
            x, self.weight, self.bias, self.stride, symmetric, 1, self.groups
        )

    def _pad(self, size: int) -> int:
        kernel, stride = self.kernel_size[0], self.stride[0]
        return max((-(-size // stride) - 1) * stride + kernel - size, 0)


class InvertedResidual(nn.Module):
    """Expand, depthwise convolution, project (MBConv of Sandler 2018, without attention)."""

    def __init__(self, stage: Stage, inputs: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * stage.expansion
        self.has_expansion = stage.expansion > 1
        if self.has_expansion:
            self.expand_conv = SamePaddedConv(inputs, hidden, 1, bias=False)
            self.bn0 = _batch_norm(hidden)
        self.depthwise_conv = SamePaddedConv(
            hidden, hidden, stage.kernel, stride, groups=hidden, bias=False
        )
        self.bn1 = _batch_norm(hidden)
        self.project_conv = SamePaddedConv(hidden, stage.channels, 1, bias=False)
        self.bn2 = _batch_norm(stage.channels)
        self.has_skip = stride == 1 and inputs == stage.channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C', H / stride, W / stride) from (B, C, H, W)."""
        y = _relu6(self.bn0(self.expand_conv(x))) if self.has_expansion else x
        y = _relu6(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return x + y if self.has_skip else y


class EfficientNetLite(nn.Module):
    """The ImageNet classifier, whose feature maps ``stride16`` and ``head`` return.

    Args:
        name: of ``SCALES``.
    """

    def __init__(self, name: str = "efficientnet-lite0") -> None:
        super().__init__()
        stages = scaled_stages(name)
        self.conv_stem = SamePaddedConv(3, STEM_CHANNELS, 3, 2, bias=False)
        self.bn0 = _batch_norm(STEM_CHANNELS)
        blocks: list[InvertedResidual] = []
        inputs = STEM_CHANNELS
        for stage in stages:
            for index in range(stage.num_blocks):
                blocks.append(InvertedResidual(stage, inputs, stage.stride if index == 0 else 1))
                inputs = stage.channels
        self.blocks = nn.ModuleList(blocks)
        self.conv_head = SamePaddedConv(inputs, HEAD_CHANNELS, 1, bias=False)
        self.bn1 = _batch_norm(HEAD_CHANNELS)
        self.fc = nn.Linear(HEAD_CHANNELS, NUM_CLASSES)
        self.stride16_channels = stages[PYRAMID_STAGES[-1] - 1].channels
        self.num_blocks_of_levels = [
            sum(stage.num_blocks for stage in stages[:count]) for count in PYRAMID_STAGES
        ]

    def pyramid(self, rgb: torch.Tensor) -> list[torch.Tensor]:
        """Signed features (B, C, ceil(H / s), ceil(W / s)) at the strides s = 4, 8 and 16.

        Args:
            rgb: (B, 3, H, W) RGB in [0, 1].
        """
        x = _relu6(self.bn0(self.conv_stem((rgb - PIXEL_MEAN) / PIXEL_STD)))
        levels, start = [], 0
        for end in self.num_blocks_of_levels:
            for block in self.blocks[start:end]:
                x = block(x)
            levels.append(x)
            start = end
        return levels

    def stride16(self, rgb: torch.Tensor) -> torch.Tensor:
        """Signed features (B, C, ceil(H / 16), ceil(W / 16)) of (B, 3, H, W) RGB in [0, 1].

        C is ``stride16_channels``, 112 for Lite0.
        """
        return self.pyramid(rgb)[-1]

    def head(self, stride16: torch.Tensor) -> torch.Tensor:
        """Features (B, 1280, ceil(H / 32), ceil(W / 32)) in [0, 6] from those of ``stride16``."""
        x = stride16
        for block in self.blocks[self.num_blocks_of_levels[-1] :]:
            x = block(x)
        return _relu6(self.bn1(self.conv_head(x)))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """(B, 1000) logits of the ImageNet classes for (B, 3, H, W) RGB in [0, 1]."""
        return self.fc(self.head(self.stride16(rgb)).mean(dim=(-2, -1)))


def fold_batch_norms(network: EfficientNetLite) -> EfficientNetLite:
    """Fold batch norms into the convolutions before them, in place; for inference only."""
    pairs: list[tuple[nn.Module, str, str]] = [
        (network, "conv_stem", "bn0"),
        (network, "conv_head", "bn1"),
    ]
    for block in network.blocks:
        names = (("expand_conv", "bn0"), ("depthwise_conv", "bn1"), ("project_conv", "bn2"))
        pairs += [(block, *both) for both in names if hasattr(block, both[0])]
    for module, conv, norm in pairs:
        setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
        setattr(module, norm, nn.Identity())
    return network


def load_efficientnet_lite(
    file: Path | WeightsFile, device: str, name: str = "efficientnet-lite0"
) -> EfficientNetLite:
    """The network of ``SCALES`` with the weights of its file, ready for inference.

    Raises:
        WeightsError: the file is not such a checkpoint.
    """
    with checkpoint_errors(file, f"EfficientNet-Lite{name[-1]}", name):
        checkpoint = read_checkpoint(file)
        # names in the file have leading underscores: _blocks.3._expand_conv.weight
        renamed = {re.sub(r"(^|\.)_", r"\1", key): value for key, value in checkpoint.items()}
        network = load_parameters(EfficientNetLite(name), renamed, "cpu")
    network = fold_batch_norms(network).requires_grad_(False).to(device)
    # the memory order of photos, in which depthwise convolutions are faster on CPUs
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)  # TensorFlow's epsilon, as in training


def _relu6(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.relu6(x, inplace=True)
