"""Depth images of Stray Scanner: LiDAR depths with a confidence of each pixel.

``depth/000000.png`` has millimetres in 16 bits (``.npy`` with metres in old versions), 256 x 192
pixels that cover the whole video frame. ``confidence/000000.png`` has 0 (low), 1 or 2 (high) of
each pixel. Source: strayrobots/scanner. No real recording was available to test this module.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hloc_lite.config import DepthConfig
from hloc_lite.errors import FormatError
from hloc_lite.formats.depth_images import read_depth
from hloc_lite.io.images import open_image, short_reason
from hloc_lite.io.regular_files import is_file
from hloc_lite.types import DepthMap, UInt8


def read_stray_depth(
    folder: Path, frame: int, image_size: tuple[int, int], *, min_confidence: int = 1
) -> DepthMap | None:
    """Read the depths of a frame in metres, along the optical axis.

    Args:
        folder: recording of Stray Scanner.
        frame: number of the frame.
        image_size: (width, height) of the video, pixels.
        min_confidence: less sure pixels become NaN; 0 keeps all.

    Returns:
        Depths; None if the frame has no depth image.

    Raises:
        FormatError: an unreadable file, or confidences of another size or without a file.
    """
    stem = f"{frame:06d}"
    paths = [folder / "depth" / f"{stem}{suffix}" for suffix in (".png", ".npy")]
    found = [path for path in paths if is_file(path)]
    if not found:
        return None
    depth = read_depth(found[0], image_size, DepthConfig(values="metric", integer_step=0.001))
    if min_confidence <= 0:
        return depth
    path = folder / "confidence" / f"{stem}.png"
    confidences = _read_confidences(path, depth.depths.shape)
    sure = np.where(confidences >= min_confidence, depth.depths, np.float32(np.nan))
    return replace(depth, depths=sure)


def _read_confidences(path: Path, shape: tuple[int, ...]) -> UInt8:
    try:
        with open_image(path) as image:
            size = image.height, image.width
            if size != shape or image.mode not in ("L", "P"):
                raise FormatError(
                    f"{path}: expected {shape[1]} x {shape[0]} pixels of 8 bits, got {size[1]} x "
                    f"{size[0]} of mode {image.mode}"
                )
            return np.array(image, np.uint8)
    except FormatError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds of errors on broken files
        raise FormatError(f"cannot read {path}: {short_reason(error)}") from None
