"""Items of test banks."""

from __future__ import annotations

import numpy as np


def item(seed: int, length: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "keypoints": rng.random((length, 2)).astype(np.float32),
        "descriptors": rng.random((length, 5)).astype(np.float16),
        "size": np.array([seed, length], np.int32),
        "text": np.frombuffer(f"é{seed}".encode(), np.uint8),
    }


def same(found, expected) -> bool:
    return found.keys() == expected.keys() and all(
        np.array_equal(found[key], expected[key]) and found[key].dtype == expected[key].dtype
        for key in expected
    )
