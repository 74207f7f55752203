"""Segmentation with any Hugging Face model, whose classes are mapped by name.

Both semantic models (SegFormer, BEiT, DPT, UperNet, MobileNet, ...) and universal ones (MaskFormer,
Mask2Former, EoMT, ...) work. Only safetensors are read; no code of a repository is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.config import SemanticsConfig
from hloc_lite.consistency.class_table import train_ids
from hloc_lite.consistency.labels import NUM_CLASSES
from hloc_lite.errors import ConfigError, HlocLiteError, WeightsError
from hloc_lite.io.image_resizing import resize, resized_size
from hloc_lite.optional_dependencies import require_extra
from hloc_lite.registry import Runtime
from hloc_lite.types import UNKNOWN_LABEL, LabelMap, Photo, UInt8

PREFIX = "hf:"


class HuggingFaceSegmenter:
    """``hf:MODEL``: a model by folder or hub name; the hub's own cache keeps its files.

    Raises:
        MissingDependencyError: transformers is not installed.
        WeightsError: the model does not exist, is not available offline, has no safetensors, or
            does not segment.
        ConfigError: no class of the model has a known name.
    """

    def __init__(self, name: str, config: SemanticsConfig, runtime: Runtime) -> None:
        model_name = name.removeprefix(PREFIX)
        offline = bool(getattr(runtime.weights, "offline", False))
        loaded = _load(model_name, config.revision or None, offline)
        self._model, self._processor, self._universal = loaded
        self._model.eval().requires_grad_(False).to(runtime.device)
        self._train_ids = train_ids({int(k): v for k, v in self._model.config.id2label.items()})
        if not (self._train_ids < NUM_CLASSES).any():
            names = list(self._model.config.id2label.values())
            shown = ", ".join(str(n) for n in names[:8])
            raise ConfigError(
                f"none of the {len(names)} classes of {model_name} has a known name ({shown}): "
                f"set id2label in its config.json to names like road, building, sky, person"
            )
        self._device = runtime.device
        self._max_side_px = config.max_side_px

    @property
    def classes(self) -> dict[str, int]:
        """Train id of each class of the model, by its name."""
        names = self._model.config.id2label
        return {str(names[i]): int(self._train_ids[i]) for i in sorted(names)}

    def segment(self, photos: Sequence[Photo]) -> list[LabelMap]:
        """Label maps of the photos, in order, no larger than ``max_side_px``."""
        return [self._segment_one(photo) for photo in photos]

    def _segment_one(self, photo: Photo) -> LabelMap:
        size = resized_size(photo.width, photo.height, self._max_side_px)
        return LabelMap(self._labels(resize(photo.pixels, size)), (photo.width, photo.height))

    def _labels(self, pixels: UInt8) -> UInt8:
        import torch

        # a centre crop would leave the borders without labels
        options = {"do_center_crop": False} if _crops(self._processor) else {}
        inputs = self._processor(images=[pixels], return_tensors="pt", **options)
        inputs = {key: value.to(self._device) for key, value in inputs.items()}
        size = pixels.shape[:2]
        with torch.inference_mode():
            outputs = self._model(**inputs)
            if self._universal:
                process = self._processor.post_process_semantic_segmentation
                ids = process(outputs, target_sizes=[size])[0].cpu().numpy()
                return self._train_ids[np.clip(ids, 0, len(self._train_ids) - 1)]
            return largest_classes(outputs.logits[0], self._train_ids, size)


def largest_classes(logits: Any, train_id_table: UInt8, size: tuple[int, int]) -> UInt8:
    """(h, w) train ids at ``size`` with the largest interpolated logit.

    Classes of the same train id (or of none) are merged by their maximum before interpolation: 20
    maps of the photo's size take a gigabyte less than the 150 of ADE20K.

    Args:
        logits: (C, h', w').
        train_id_table: (C,) train id of each class.
        size: (height, width).
    """
    import torch

    count = min(len(train_id_table), len(logits))
    groups = [np.flatnonzero(train_id_table[:count] == label) for label in range(NUM_CLASSES)]
    groups.append(np.flatnonzero(train_id_table[:count] == UNKNOWN_LABEL))
    present = [label for label, group in enumerate(groups) if len(group)]
    joined = torch.stack([logits[torch.as_tensor(groups[g])].amax(dim=0) for g in present])
    full = torch.nn.functional.interpolate(
        joined[None].float(), size=size, mode="bilinear", align_corners=False
    )
    winners = full[0].argmax(dim=0).cpu().numpy()
    labels = np.array([g if g < NUM_CLASSES else UNKNOWN_LABEL for g in present], np.uint8)
    return labels[winners]


def _load(name: str, revision: str | None, offline: bool) -> tuple[Any, Any, bool]:
    """Model, image processor, and True for a universal model."""
    require_extra("hf", f"segmentation model {name!r}")
    import transformers

    options: dict[str, Any] = {"trust_remote_code": False, "revision": revision or "main"}
    options["local_files_only"] = offline or Path(name).is_dir()
    try:
        config = transformers.AutoConfig.from_pretrained(name, **options)
        loader = _loader_of(transformers, config)
        processor = transformers.AutoImageProcessor.from_pretrained(name, **options)
        model, found = loader.from_pretrained(
            name, config=config, use_safetensors=True, output_loading_info=True, **options
        )
    except HlocLiteError:
        raise
    except Exception as error:  # transformers, the hub and safetensors have no common base class
        where = "offline: not fetched" if offline else "a folder or a hub name"
        reason = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise WeightsError(
            f"cannot load {name!r} ({where}) as a segmentation model with safetensors: {reason}"
        ) from None
    missing = sorted([*found["missing_keys"], *(str(key) for key in found["mismatched_keys"])])
    if missing:  # transformers would leave them random
        raise WeightsError(
            f"the weights of {name!r} lack {len(missing)} tensors of {type(model).__name__}, first "
            f"{missing[0]}: is it a backbone that was not trained to segment?"
        )
    return model, processor, loader is transformers.AutoModelForUniversalSegmentation


def _loader_of(transformers: Any, config: Any) -> Any:
    for loader in (
        transformers.AutoModelForSemanticSegmentation,
        transformers.AutoModelForUniversalSegmentation,
    ):
        if type(config) in loader._model_mapping:
            return loader
    raise WeightsError(
        f"models of type {config.model_type} do not segment; choose a semantic segmentation model"
    )


def _crops(processor: Any) -> bool:
    return bool(getattr(processor, "do_center_crop", False))
