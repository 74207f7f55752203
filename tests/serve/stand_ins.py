"""A stand-in localizer with known results, and map pools and photos for a server of it."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from hloc_lite.maps.georeference import Georeference
from hloc_lite.scene import SfmImage, SfmModel
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.map_pool import MapPool
from hloc_lite.types import (
    Camera,
    LocalizationResult,
    Photo,
    PoseEstimate,
    Prior,
    RetrievalHits,
    Rigid3,
    Status,
)

QUARTER_TURN = Rigid3(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([1.0, 2.0, 3.0]))
COVARIANCE = np.diag([1e-4, 1e-4, 1e-4, 0.01, 0.04, 0.09])


def model() -> SfmModel:
    camera = Camera("PINHOLE", 64, 48, np.array([50.0, 50, 32, 24]))
    images = tuple(
        SfmImage(i, f"{i}.jpg", 1, Rigid3(np.eye(3), np.array([i, 0.0, 0.0])),
                 np.zeros((0, 2)), np.zeros(0, np.int64))
        for i in range(3)
    )  # fmt: skip
    xyz = np.random.default_rng(0).normal(size=(50, 3))
    ids = np.arange(50)
    return SfmModel({1: camera}, images, ids, xyz, np.zeros((50, 3), np.uint8), np.zeros(50))


class FakeLocalizer:
    """Localizes every photo at ``QUARTER_TURN``, once ``gate`` is open; records its arguments."""

    def __init__(
        self,
        confidence: float | None = 0.9,
        status: Status = Status.LOCALIZED,
        georeference: Georeference | None = None,
    ) -> None:
        config = SimpleNamespace(features=SimpleNamespace(name="fake"))
        self.map = SimpleNamespace(
            model=model(),
            config=config,
            fingerprint="f" * 16,
            georeference=georeference,
            metres_per_unit=None if georeference is None else georeference.metres_per_unit,
        )
        self.confidence, self.status = confidence, status
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Semaphore(0)
        self.photos: list[Photo] = []
        self.cameras: list[Camera | None] = []
        self.priors: list[Prior | None] = []
        self.budgets: list[float | None] = []
        self.recalibrations: list[bool | None] = []

    def localize(
        self,
        image: Photo,
        camera: Camera | None = None,
        *,
        prior: Prior | None = None,
        budget_ms: float | None = None,
        max_wrong: float | None = None,
        recalibrate: bool | None = None,
    ) -> LocalizationResult:
        self.photos.append(image)
        self.cameras.append(camera)
        self.priors.append(prior)
        self.budgets.append(budget_ms)
        self.recalibrations.append(recalibrate)
        self.started.release()
        assert self.gate.wait(20)
        used = camera or Camera("PINHOLE", image.width, image.height, np.array([60.0, 60, 1, 1]))
        mask = np.array([True, True, False])
        pose = PoseEstimate(QUARTER_TURN, mask, 10, COVARIANCE, used)
        return LocalizationResult(
            image.name, self.status, "stand-in result",
            pose if self.status is Status.LOCALIZED else None, None, None,
            RetrievalHits(("0.jpg",), np.array([0.5])), {"inliers": 2}, {"pose": 1.0, "total": 1.0},
            confidence=self.confidence, min_confidence=0.75, max_wrong=max_wrong,
            promise="" if max_wrong is None else "few are wrong",
        )  # fmt: skip


def photo_bytes(kind: str = "JPEG", size: tuple[int, int] = (64, 48)) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def pool_of(*localizers: FakeLocalizer, config: ServeConfig | None = None) -> MapPool:
    """Return a pool with the open maps a, b, ... of the given localizers."""
    named = dict(zip("abcdefgh", localizers, strict=False))
    folders = {name: Path("/nowhere") / name for name in named}
    plan_points = (config or ServeConfig()).plan_points
    pool = MapPool(folders, lambda folder: named[folder.name], plan_points)
    pool.open_all()
    return pool
