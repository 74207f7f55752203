"""VGG16 as the authors of NetVLAD trained it on Pittsburgh 30k, from their MATLAB file.

The file holds the network of Arandjelovic 2016 (VGG16, Pittsburgh 30k, whitened to 4096) as a plain
struct: variable ``net`` with ``layers`` in order, of which the 13 convolutions, the NetVLAD layer
and the whitening have ``weights``. Reading it runs no code: version 5 MAT files hold arrays.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hloc_lite.errors import ShapeError, WeightsError
from hloc_lite.protocols import WeightsFile
from hloc_lite.types import Float32, frozen_array

if TYPE_CHECKING:
    import torch

NUM_CONVOLUTIONS = 13
POOLED_AFTER = (1, 3, 6, 9)
"""Convolutions followed by 2 x 2 max pooling; the pooling after the last is left out."""
LEVELS = (6, 9, 12)
"""Convolutions whose outputs have stride 4, 8 and 16: conv3_3, conv4_3 and conv5_3."""
MAX_FILE_BYTES = 2 << 30
"""Limit of version 5 MAT files; the real one has 529 MB."""


@dataclass(frozen=True, eq=False)
class VggNetVladWeights:
    """The arrays of the file, with axes in the order used here."""

    mean_rgb: Float32
    """(3,) mean to subtract from RGB in [0, 255]."""
    kernels: tuple[Float32, ...]
    """13 arrays (out, in, 3, 3)."""
    conv_biases: tuple[Float32, ...]
    """13 arrays (out,)."""
    assignment: Float32
    """(K, D) weights of the soft assignment, which has no bias."""
    centers: Float32
    """(K, D) words."""
    whitening: Float32
    """(D * K, E) projection; the K words of a channel are adjacent."""
    whitening_bias: Float32
    """(E,) bias."""


class Vgg16:
    """The 13 convolutions on a device."""

    def __init__(self, weights: VggNetVladWeights, device: str) -> None:
        import torch

        self._mean = torch.tensor(weights.mean_rgb, device=device)[:, None, None]
        self._convolutions = [
            (torch.tensor(kernel, device=device), torch.tensor(bias, device=device))
            for kernel, bias in zip(weights.kernels, weights.conv_biases, strict=True)
        ]

    def pyramid(self, rgb: torch.Tensor) -> list[torch.Tensor]:
        """Signed features (1, C, H / s, W / s) at the strides s = 4, 8 and 16.

        Args:
            rgb: (1, 3, H, W) RGB in [0, 1].
        """
        import torch.nn.functional as F

        x, levels = 255 * rgb - self._mean, []
        for index, (kernel, bias) in enumerate(self._convolutions):
            x = F.conv2d(x, kernel, bias, padding=1)
            if index in LEVELS:
                levels.append(x)
            if index < NUM_CONVOLUTIONS - 1:
                x = F.relu(x)
            if index in POOLED_AFTER:
                x = F.max_pool2d(x, 2, ceil_mode=min(x.shape[-2:]) < 2)  # a side of 1 px stays 1 px
        return levels


def read_netvlad_mat(file: Path | WeightsFile) -> VggNetVladWeights:
    """The weights of a ``Pitts30K_struct.mat``.

    Raises:
        WeightsError: the file is missing, too large, damaged, or has another layout.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        if isinstance(file, Path) and file.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"larger than {MAX_FILE_BYTES >> 30} GiB")
        source = io.BytesIO(file.content) if isinstance(file, WeightsFile) else file
        content = loadmat(
            source, struct_as_record=False, squeeze_me=True, variable_names=["net"], mat_dtype=False
        )
        return _weights_of(content["net"])
    # SciPy does not document what it raises on damaged files; these were observed
    except (
        OSError, MatReadError, NotImplementedError, KeyError, ValueError, TypeError, IndexError,
        AttributeError, MemoryError, OverflowError, ShapeError,
    ) as error:  # fmt: skip
        raise WeightsError(
            f"{file} is not the expected NetVLAD network in MATLAB's format "
            f"({str(error)[:200] or type(error).__name__}); fetch it again: "
            f"hloc-lite weights fetch netvlad-pitts30k"
        ) from error


def _weights_of(net: Any) -> VggNetVladWeights:
    """The arrays of the struct, with shapes checked against each other."""
    layers = [pair for layer in net.layers if (pair := _pair_of(layer)) is not None]
    if len(layers) != NUM_CONVOLUTIONS + 2:
        raise ValueError(f"{len(layers)} layers with weights, expected {NUM_CONVOLUTIONS + 2}")
    *convolutions, (assignment, negative_centers), (whitening, whitening_bias) = layers
    kernels, biases, channels = [], [], 3
    for index, (kernel, bias) in enumerate(convolutions):
        outputs = np.atleast_1d(bias).size
        kernels.append(
            _array(kernel, (3, 3, channels, outputs), f"convolution {index}", 3, 2, 0, 1)
        )
        biases.append(_array(bias, (outputs,), f"bias {index}"))
        channels = outputs
    num_words = np.shape(assignment)[-1]
    output_dim = np.atleast_1d(whitening_bias).size
    mean = np.asarray(net.meta.normalization.averageImage, np.float32).reshape(-1, 3)[0]
    return VggNetVladWeights(
        mean_rgb=_array(mean, (3,), "mean"),
        kernels=tuple(kernels),
        conv_biases=tuple(biases),
        assignment=_array(assignment, (channels, num_words), "assignment", 1, 0),
        # negated in the file
        centers=-_array(negative_centers, (channels, num_words), "centers", 1, 0),
        whitening=_array(whitening, (channels * num_words, output_dim), "whitening"),
        whitening_bias=_array(whitening_bias, (output_dim,), "whitening bias"),
    )


def _pair_of(module: Any) -> tuple[Any, Any] | None:
    """The two arrays of a network layer; None for pooling, ReLU and normalization."""
    weights = np.asarray(getattr(module, "weights", ()), dtype=object)
    if weights.ndim != 1 or len(weights) < 2 or any(np.size(part) == 0 for part in weights[:2]):
        return None
    return weights[0], weights[1]


def _array(value: Any, shape: tuple[int, ...], name: str, *axes: int) -> Float32:
    """A finite float32 array from a squeezed MATLAB array of ``shape``, with axes permuted."""
    array = np.asarray(value, np.float32)
    if array.size == np.prod(shape):
        squeezed = [n for n in shape if n != 1]
        frozen_array(array.squeeze(), np.float32, tuple(squeezed), name)
        array = array.reshape(shape)
    checked = np.asarray(frozen_array(array, np.float32, shape, name), np.float32)
    if not np.isfinite(checked).all():
        raise ValueError(f"{name} has values that are not finite")
    return np.ascontiguousarray(checked.transpose(axes) if axes else checked)
