"""Pictures of synthesized views in reports."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
from PIL import Image

from hloc_lite.evaluation.view_picture import GAP_PX, draw_view
from hloc_lite.types import (
    LocalizationResult,
    Photo,
    PoseEstimate,
    RetrievalHits,
    Status,
    ViewComparison,
)
from tests.localize.facades import CAMERA, Facade, pose_at, wall


def test_photo_view_and_blend_lie_side_by_side() -> None:
    facade, pose = Facade(wall(1)), pose_at(0.2)
    photo = Photo("query.jpg", facade.photo(pose))
    estimate = PoseEstimate(pose, np.ones(8, bool), 0, None, CAMERA)
    hits = RetrievalHits((), np.zeros(0, np.float32))
    views = (ViewComparison(pose, 0.98, 2.5, 1.0, 100.0),)
    result = LocalizationResult(
        photo.name, Status.LOCALIZED, "", estimate, None, None, hits, {}, {}, views=views
    )
    picture = draw_view(result, photo, facade.surface())
    assert picture is not None
    assert picture.agreement == 0.98 and picture.valid_share > 0.99
    data = base64.b64decode(picture.uri.partition(",")[2])
    drawn = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float64)
    assert drawn.shape[:2] == (picture.height, picture.width) == (240, 3 * 320 + 2 * GAP_PX)
    step = 320 + GAP_PX
    left, middle, right = (drawn[:, i * step : i * step + 320] for i in range(3))
    assert np.corrcoef(left.ravel(), middle.ravel())[0, 1] > 0.9  # the same place
    assert np.abs(right - (left + middle) / 2).mean() < 6

    unseen = draw_view(replace(result, pose=None, status=Status.DOUBTFUL), photo, facade.surface())
    assert unseen is None
