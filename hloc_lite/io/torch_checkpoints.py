"""Checkpoints of torch networks: read without running code, strictly loaded, refused alike."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, TypeVar

from hloc_lite.errors import WeightsError
from hloc_lite.protocols import WeightsFile

if TYPE_CHECKING:
    import torch

Network = TypeVar("Network", bound="torch.nn.Module")
UNREADABLE = (
    OSError, EOFError, RuntimeError, UnpicklingError,
    KeyError, IndexError, ValueError, TypeError, AttributeError,
)  # fmt: skip
"""Exceptions that torch raises on damaged files and on checkpoints of other networks."""


@contextmanager
def checkpoint_errors(file: Path | WeightsFile, network: str, name: str = "NAME") -> Iterator[None]:
    """Raise ``WeightsError`` where a checkpoint cannot be used.

    Args:
        file: the checkpoint.
        network: what it should be a checkpoint of.
        name: name of the weights for `hloc-lite weights fetch`.
    """
    try:
        yield
    except UNREADABLE as error:
        reason = str(error)[:200] or type(error).__name__
        raise WeightsError(
            f"{file} is not a usable checkpoint of {network} ({reason}); fetch it again: "
            f"hloc-lite weights fetch {name}"
        ) from error


def read_checkpoint(file: Path | WeightsFile) -> dict[str, Any]:
    """The tensors of a checkpoint by name, on the CPU; no code of the file is run.

    Raises:
        OSError, RuntimeError, ...: one of ``UNREADABLE``; see ``checkpoint_errors``.
    """
    import torch

    source = io.BytesIO(file.content) if isinstance(file, WeightsFile) else file
    checkpoint = torch.load(source, map_location="cpu", weights_only=True)
    if not isinstance(checkpoint, dict):
        raise TypeError(f"it holds a {type(checkpoint).__name__}, expected a dictionary")
    return checkpoint


def load_parameters(network: Network, parameters: Mapping[str, Any], device: str) -> Network:
    """Load all parameters strictly and prepare the network for inference on ``device``.

    Raises:
        RuntimeError: tensors are missing, left over, or have another shape.
    """
    network.load_state_dict(parameters, strict=True)
    return network.eval().requires_grad_(False).to(device)
