"""``hloc-lite`` with a global descriptor that needs no weights.

Run as ``python -m tests.robustness.stand_ins map ...``. HLOC_LITE_TEST_PAUSE_S is the time that
each image takes, so that a test can kill the process meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import cv2
import numpy as np

from hloc_lite import registry
from hloc_lite.types import Float32, Photo


class Thumbnail:
    """Global descriptor: 16 x 12 grey pixels, as a unit row."""

    def __init__(self, name: str, config: object, runtime: object) -> None:
        pass

    def fit(self, photos: Sequence[Photo]) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        pass

    def describe(self, photos: Sequence[Photo]) -> Float32:
        time.sleep(float(os.environ.get("HLOC_LITE_TEST_PAUSE_S", "0")))
        small = [cv2.resize(p.pixels, (16, 12), interpolation=cv2.INTER_AREA) for p in photos]
        rows = np.array([image.mean(axis=2).ravel() for image in small], np.float32)
        rows -= rows.mean(axis=1, keepdims=True)
        rows[:, 0] += 1e-3  # an image of one grey level has a direction too
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def register() -> ExitStack:
    """Register ``--retrieval thumbnail``, until the returned stack is closed."""
    return registry.register("global_descriptors", "thumbnail", Thumbnail)


if __name__ == "__main__":
    from hloc_lite.cli.main import main

    register()
    main()
