"""kornia's LightGlue with the authors' weights and attention that is fast on CPUs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from kornia.feature import LightGlue
from kornia.feature.lightglue import CrossBlock

from hloc_lite.io.torch_checkpoints import checkpoint_errors, load_parameters, read_checkpoint
from hloc_lite.protocols import WeightsFile


class FusedCrossBlock(CrossBlock):
    """Cross-attention by torch's fused kernel instead of kornia's explicit N x M matrices.

    Parameters and results are the same up to rounding. It is 1.5 times faster on a CPU, and memory
    does not grow with N x M.
    """

    def forward(
        self, x0: torch.Tensor, x1: torch.Tensor, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, N, D) and (B, M, D) tokens, each updated by attention to the other."""
        if mask is not None or x0.device.type == "cuda":  # kornia uses flash attention there
            return super().forward(x0, x1, mask)
        attend = torch.nn.functional.scaled_dot_product_attention
        qk0, v0 = self._heads(self.to_qk(x0)), self._heads(self.to_v(x0))
        qk1, v1 = self._heads(self.to_qk(x1)), self._heads(self.to_v(x1))
        return self._update(x0, attend(qk0, qk1, v1)), self._update(x1, attend(qk1, qk0, v0))

    def _heads(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, H, N, E) from (B, N, H * E)."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _update(self, tokens: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        message = self.to_out(context.transpose(1, 2).flatten(-2))
        return tokens + self.ffn(torch.cat([tokens, message], dim=-1))


def load_lightglue(
    file: Path | WeightsFile,
    *,
    min_score: float,
    depth_confidence: float,
    width_confidence: float,
    device: str,
) -> LightGlue:
    """The network of a checkpoint, ready for inference; its size follows from the shapes.

    Args:
        file: the authors' LightGlue ``.pth``, or XFeat's LighterGlue ``.pt``.
        min_score: matches with lower scores are dropped.
        depth_confidence: share of keypoints with confident predictions at which the network stops
            early; -1 always runs all layers.
        width_confidence: keypoints more confident than this to have no match are pruned; -1 keeps
            all.
        device: torch's name.

    Raises:
        WeightsError: the file is not such a checkpoint.
    """
    with checkpoint_errors(file, "LightGlue"):
        parameters = kornia_state(read_checkpoint(file))
        network = LightGlue(
            features=None,  # type: ignore[arg-type]  # documented: no pretrained weights
            **_architecture(parameters),
            filter_threshold=min_score,
            depth_confidence=depth_confidence,
            width_confidence=width_confidence,
        )
        for layer in network.transformers:
            layer.cross_attn.__class__ = FusedCrossBlock  # other forward pass
        # derived from the number of layers, so not in the checkpoint
        parameters["confidence_thresholds"] = network.confidence_thresholds
        return load_parameters(network, parameters, device)


def kornia_state(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters renamed to kornia's names.

    LighterGlue's file also holds XFeat. The DISK file lists the blocks separately (``self_attn.3``
    for ``transformers.3.self_attn``) and has an unused scalar ``r`` per layer.
    """
    renamed: dict[str, Any] = {}
    for name, value in checkpoint.items():
        if name.startswith("extractor.") or re.fullmatch(r"log_assignment\.\d+\.r", name):
            continue
        name = name.removeprefix("matcher.")
        name = re.sub(r"^(self_attn|cross_attn)\.(\d+)\.", r"transformers.\2.\1.", name)
        renamed[name] = value
    return renamed


def _architecture(parameters: Mapping[str, Any]) -> dict[str, int]:
    """Arguments of kornia's constructor, from the shapes of the parameters."""
    descriptor_dim, input_dim = parameters["input_proj.weight"].shape
    head_dim = 2 * len(parameters["posenc.Wr.weight"])  # cosine and sine of each frequency
    layers = {name.split(".")[1] for name in parameters if name.startswith("transformers.")}
    return {
        "input_dim": input_dim,
        "descriptor_dim": descriptor_dim,
        "num_heads": descriptor_dim // head_dim,
        "n_layers": len(layers),
    }
