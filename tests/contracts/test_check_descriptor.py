"""check_descriptor refuses descriptors that break one of its rules, and names the rule."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hloc_lite.contracts import check_descriptor
from hloc_lite.errors import ContractError


class Thumbnails:
    """Photos of 8 x 8 pixels, relative to the mean of the photos that it was fitted to."""

    mean = np.zeros(192, np.float32)

    def fit(self, photos):
        self.mean = np.mean(self.thumbnails(photos), axis=0, dtype=np.float32)

    def state(self):
        return {"mean": self.mean}

    def load_state(self, state):
        self.mean = state["mean"]

    def describe(self, photos):
        rows = self.thumbnails(photos) - 0.5 * self.mean + np.float32(1e-3)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def thumbnails(self, photos):
        small = [cv2.resize(p.pixels, (8, 8), interpolation=cv2.INTER_AREA) for p in photos]
        return np.array(small, np.float32).reshape(len(small), 192) / 255


class Forgetful(Thumbnails):
    def state(self):
        return {}

    def load_state(self, state):
        pass


class InDoublePrecision(Thumbnails):
    def describe(self, photos):
        return super().describe(photos).astype(np.float64)


class LongRows(Thumbnails):
    def describe(self, photos):
        return 2 * super().describe(photos)


class BatchNormalized(Thumbnails):
    def describe(self, photos):
        rows = super().describe(photos)
        rows = rows - 0.5 * rows.mean(axis=0) if len(rows) else rows
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Accumulating(Thumbnails):
    def fit(self, photos):
        self.mean = self.mean + np.mean(self.thumbnails(photos), axis=0, dtype=np.float32)


class FlatWithoutPhotos(Thumbnails):
    def describe(self, photos):
        return super().describe(photos) if photos else np.zeros((0, 1), np.float32)


class NanWithoutTexture(Thumbnails):
    def describe(self, photos):
        rows = super().describe(photos)
        is_black = np.array([p.pixels.max() == 0 for p in photos], bool)
        return np.where(is_black[:, None], np.float32("nan"), rows)


class JsonState(Thumbnails):
    def state(self):
        return {"mean": self.mean.tolist()}


@pytest.mark.parametrize(
    ("descriptor", "message"),
    [
        (Forgetful, r"state\(\) and load_state\(\)"),
        (InDoublePrecision, "float32"),
        (LongRows, "length 1"),
        (BatchNormalized, "alone as in a batch"),
        (Accumulating, "another fit"),
        (FlatWithoutPhotos, r"shape \(0, 192\)"),
        (NanWithoutTexture, "finite rows for a black photo"),
        (JsonState, r"state\(\)\['mean'\], got list"),
    ],
)
def test_broken_descriptors_are_refused(descriptor, message):
    with pytest.raises(ContractError, match=f"{descriptor.__name__}: expected .*{message}"):
        check_descriptor(descriptor())


def test_descriptors_that_keep_the_contract_pass():
    check_descriptor(Thumbnails())
