"""Segmentation with the small Cityscapes network of Coral (DeepLab v3+ on MobileNet EdgeTPU)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from hloc_lite.config import SemanticsConfig
from hloc_lite.consistency.labels import NUM_CLASSES
from hloc_lite.errors import WeightsError
from hloc_lite.optional_dependencies import require_extra
from hloc_lite.protocols import WeightsFile
from hloc_lite.registry import Runtime
from hloc_lite.types import UNKNOWN_LABEL, LabelMap, Photo, UInt8

OVERLAP = 0.125
"""Share of a tile that the next one repeats: labels are worst at the borders of the input."""


class LiteRtSegmenter:
    """Segments photos with a 2 MB network on LiteRT, 0.1 to 0.2 s per photo on one core.

    Photos are squashed to the square input of the network. On rendered streets that is as good as
    keeping the aspect ratio, and faster and better at night than square tiles. Only photos wider
    than ``max_aspect`` are cut into tiles.

    Raises:
        MissingDependencyError: LiteRT is not installed.
        WeightsError: the network is missing, or has another input or output than expected.
    """

    def __init__(self, name: str, config: SemanticsConfig, runtime: Runtime) -> None:
        require_extra("semantics", f"segmenter {name!r}")
        file = runtime.weights.read(name)
        self._interpreter = _load(name, file, config.threads)
        self._input, self._output, self._side = _check_network(self._interpreter, file)
        self._max_aspect = config.max_aspect
        self._lock = threading.Lock()  # an interpreter is not thread-safe

    def segment(self, photos: Sequence[Photo]) -> list[LabelMap]:
        """Label maps of the photos, in order; their shorter side is that of the network, 513 px."""
        return [self._segment_one(photo) for photo in photos]

    def _segment_one(self, photo: Photo) -> LabelMap:
        axis = int(photo.width >= photo.height)
        length, across = photo.pixels.shape[axis], photo.pixels.shape[1 - axis]
        spans = tile_spans(length, across, self._max_aspect)
        parts = [photo.pixels[a:b] if axis == 0 else photo.pixels[:, a:b] for a, b in spans]
        tiles = [self._run(part) for part in parts]
        return LabelMap(join_tiles(tiles, spans, axis), (photo.width, photo.height))

    def _run(self, tile: UInt8) -> UInt8:
        side = self._side
        method = cv2.INTER_AREA if min(tile.shape[:2]) >= side else cv2.INTER_LINEAR
        square = np.asarray(cv2.resize(tile, (side, side), interpolation=method), np.uint8)
        pixels = brighten(square)
        with self._lock:
            self._interpreter.set_tensor(self._input, pixels[None])
            self._interpreter.invoke()
            labels = self._interpreter.get_tensor(self._output)[0]
        return np.where(labels < NUM_CLASSES, labels, UNKNOWN_LABEL).astype(np.uint8)


def brighten(pixels: UInt8) -> UInt8:
    """(h, w, 3) RGB with half the saturation and the square root of the value (HSV).

    Otherwise this network takes deep-blue skies for buildings.
    """
    values = np.arange(256)
    hue, saturation, value = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV))
    saturation = cv2.LUT(saturation, np.rint(values * 0.5).astype(np.uint8))
    value = cv2.LUT(value, np.rint(255 * np.sqrt(values / 255)).astype(np.uint8))
    merged = cv2.merge([hue, saturation, value])
    return np.asarray(cv2.cvtColor(merged, cv2.COLOR_HSV2RGB), np.uint8)


def tile_spans(length: int, across: int, max_aspect: float) -> list[tuple[int, int]]:
    """[start, stop) of equal, overlapping tiles along the longer side of a photo.

    Args:
        length: longer side, pixels.
        across: shorter side, pixels.
        max_aspect: largest length of a tile over ``across``.
    """
    tile = min(length, max(1, round(max_aspect * across)))
    step = tile * (1 - OVERLAP)
    count = 1 + int(np.ceil((length - tile) / step))
    starts = np.rint(np.linspace(0, length - tile, count)).astype(int)
    return [(int(start), int(start) + tile) for start in starts]


def join_tiles(tiles: Sequence[UInt8], spans: Sequence[tuple[int, int]], axis: int) -> UInt8:
    """Join the label maps of tiles; they meet in the middle of each overlap."""
    scale = tiles[0].shape[axis] / (spans[0][1] - spans[0][0])
    offsets = [round(start * scale) for start, _ in spans]
    ends = [offset + tile.shape[axis] for offset, tile in zip(offsets, tiles, strict=True)]
    middles = [(end + after) // 2 for end, after in zip(ends[:-1], offsets[1:], strict=True)]
    parts = [
        tile.take(range(first - offset, last - offset), axis)
        for tile, offset, first, last in zip(
            tiles, offsets, [0, *middles], [*middles, ends[-1]], strict=True
        )
    ]
    return np.concatenate(parts, axis)


def _load(name: str, file: WeightsFile, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=file.content, num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise WeightsError(f"{file} is not a network that LiteRT can run: {error}") from None
    return interpreter


def _check_network(interpreter: Any, file: WeightsFile) -> tuple[int, int, int]:
    """Index of the input, index of the output, side of both in pixels."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) == len(outputs) == 1:
        shape = tuple(int(n) for n in inputs[0]["shape"])
        fits = len(shape) == 4 and shape[1] == shape[2] and shape[::3] == (1, 3)
        fits = fits and inputs[0]["dtype"] is np.uint8
        fits = fits and tuple(outputs[0]["shape"]) == shape[:3]
        if fits and np.issubdtype(outputs[0]["dtype"], np.integer):
            return inputs[0]["index"], outputs[0]["index"], shape[1]
    raise WeightsError(
        f"{file} is not the expected segmentation network: uint8 RGB 1 x N x N x 3 in, integer "
        f"labels 1 x N x N out"
    )
