"""Sources of depth maps: files, or a depth estimation network of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import DepthConfig
from hloc_lite.consistency.depth_maps import DepthKind, without_edges
from hloc_lite.errors import ConfigError, MissingDependencyError, WeightsError
from hloc_lite.formats.depth_images import DepthFolder
from hloc_lite.optional_dependencies import require_extra
from hloc_lite.protocols import DepthModel
from hloc_lite.registry import DEPTH_MODELS, Runtime, create
from hloc_lite.types import DepthMap, Photo

INVERSE_TYPES = ("dpt", "depth_anything")
"""Model types whose relative output is inverse depth (trained like MiDaS)."""
METRIC_TYPES = ("zoedepth", "glpn", "depth_pro", "prompt_depth_anything")
"""Model types whose output is always metric."""


def depth_model(config: DepthConfig, runtime: Runtime) -> DepthModel | None:
    """The model named by ``depth.source``; None for "none". Raises what the model raises."""
    if config.source == "none":
        return None
    model: DepthModel = create(DEPTH_MODELS, config.source, config, runtime)
    return model


class DepthFiles:
    """``files:FOLDER``: depth maps read from files named after the photo."""

    def __init__(self, name: str, config: DepthConfig, runtime: Runtime) -> None:
        self._config = config
        self._folder = DepthFolder(Path(_after_colon(name, "a folder")), config)

    def predict(self, photos: Sequence[Photo]) -> list[DepthMap | None]:
        """Depth maps of the photos, in order, NaN at edges; None if the folder has no file for one.

        Raises:
            FormatError: a file is broken, or has another shape than its photo.
        """
        depth_maps = [self._folder.load(p.name, (p.width, p.height)) for p in photos]
        limit = self._config.max_relative_gradient
        return [None if each is None else without_edges(each, limit) for each in depth_maps]


class HuggingFaceDepth:
    """``hf:MODEL``: any depth estimation model of transformers, by folder or hub name.

    Only safetensors are read; no code of the model's repository is run.

    Raises:
        MissingDependencyError: transformers is not installed.
        WeightsError: there is no such model, or it does not estimate depth.
        ConfigError: ``depth.values`` is auto and the model does not declare its kind of output.
    """

    def __init__(self, name: str, config: DepthConfig, runtime: Runtime) -> None:
        self._model_name = _after_colon(name, "a folder or a hub name")
        self._config = config
        self._device = runtime.device
        offline = bool(getattr(runtime.weights, "offline", False))
        self._processor, self._network = _load(
            self._model_name, config.revision or None, runtime.device, offline=offline
        )
        self.kind = kind_of_network(self._network.config, config, self._model_name)

    def predict(self, photos: Sequence[Photo]) -> list[DepthMap | None]:
        """Depth maps of the photos, in order, NaN at edges, at most ``depth.max_side_px`` long."""
        return [self._predict_one(photo) for photo in photos]

    def _predict_one(self, photo: Photo) -> DepthMap:
        import torch

        shrink = min(1.0, self._config.max_side_px / max(photo.width, photo.height))
        size = (max(2, round(photo.height * shrink)), max(2, round(photo.width * shrink)))
        with torch.inference_mode():
            # a copy: the processor may write into its input
            inputs = self._processor(images=np.array(photo.pixels), return_tensors="pt")
            output = self._network(**inputs.to(self._device))
            depths = self._resized(output, size)
        kind = self.kind
        depth_map = DepthMap(
            depths, (photo.width, photo.height), kind == "metric", is_inverse=kind == "inverse"
        )
        return without_edges(depth_map, self._config.max_relative_gradient)

    def _resized(self, output: Any, size: tuple[int, int]) -> np.ndarray:
        """(h, w) float32 at ``size``; the processor undoes its own padding and scaling."""
        import torch

        if hasattr(self._processor, "post_process_depth_estimation"):
            (result,) = self._processor.post_process_depth_estimation(output, target_sizes=[size])
            predicted = result["predicted_depth"].float()
        else:
            raw = output.predicted_depth.float().reshape(1, 1, *output.predicted_depth.shape[-2:])
            predicted = torch.nn.functional.interpolate(
                raw, size, mode="bilinear", align_corners=False
            )
        return predicted.reshape(predicted.shape[-2:]).cpu().numpy().astype(np.float32)


def kind_of_network(network_config: Any, config: DepthConfig, name: str) -> DepthKind:
    """Kind of a network's output: ``depth.values``, or for auto what its config declares.

    Raises:
        ConfigError: auto, and the config declares nothing.
    """
    if config.values != "auto":
        return config.values
    model_type = getattr(network_config, "model_type", "")
    backbone = getattr(getattr(network_config, "backbone_config", None), "model_type", "")
    if getattr(network_config, "depth_estimation_type", None) == "metric":
        return "metric"
    if model_type in METRIC_TYPES:
        return "metric"
    # DPT heads on DINOv2 were trained on metric depth, which their config does not declare
    if model_type in INVERSE_TYPES and (model_type, backbone) != ("dpt", "dinov2"):
        return "inverse"
    raise ConfigError(
        f"the depth model {name!r} (type {model_type!r}) does not declare its kind of output: set "
        f"depth.values to metric, relative or inverse"
    )


def _load(name: str, revision: str | None, device: str, *, offline: bool) -> tuple[Any, Any]:
    """Image processor and network, ready for inference."""
    require_extra("hf", f"depth model {name!r}")
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation
    from transformers.utils import logging as transformers_logging

    options = {
        "revision": revision or "main",
        "local_files_only": offline,
        "trust_remote_code": False,
    }
    had_bar = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        processor = AutoImageProcessor.from_pretrained(name, **options)
        network = AutoModelForDepthEstimation.from_pretrained(name, use_safetensors=True, **options)
    except ImportError as error:
        reason = str(error).strip().splitlines()[0]
        raise MissingDependencyError(
            f"depth model {name!r} needs another package: {reason}"
        ) from None
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise WeightsError(
            f"cannot load depth model {name!r}: {reason}. Expected a folder or a hub name with "
            f"config.json, preprocessor_config.json and model.safetensors of a depth estimation "
            f"model"
        ) from None
    finally:
        if had_bar:
            transformers_logging.enable_progress_bar()
    return processor, network.eval().requires_grad_(False).to(device)


def _after_colon(name: str, what: str) -> str:
    rest = name.partition(":")[2].strip()
    if not rest:
        raise ConfigError(f"depth.source {name!r} must name {what} after the colon")
    return rest
