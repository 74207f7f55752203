"""Wrong intrinsics in a request: noticed, named, and replaced on request, as in Python."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tests.exact_scene import SIZE, mapped_scene
from tests.localize.localizers import make_localizer
from tests.serve.conftest import Connect


def test_wrong_intrinsics_of_a_request_are_named(connect: Connect) -> None:
    with mapped_scene() as (scene, sfm_map):
        client, photo = connect(make_localizer(sfm_map)), io.BytesIO()
        Image.fromarray(scene.image(3)).save(photo, "PNG")

        def answer(**fields: str) -> dict:
            files = {"image": ("photo.png", photo.getvalue(), "image/png")}
            found = client.post("/v1/localize", files=files, data=fields)
            assert found.status_code == 200, found.text
            return found.json()

        right = f"SIMPLE_RADIAL {SIZE[0]} {SIZE[1]} 300 160 120 -0.05"
        wrong = f"SIMPLE_RADIAL {SIZE[0]} {SIZE[1]} 450 160 120 -0.05"
        assert answer(camera=right)["status"] == "localized"
        refused = answer(camera=wrong)
        assert refused["status"] == "doubtful" and refused["pose"] is None
        assert "the intrinsics do not fit: f = 450 px given, 300 px fits" in refused["reason"]
        assert answer(fx="450")["status"] == "doubtful"
        mended = answer(camera=wrong, recalibrate="true")
        assert mended["status"] == "localized" and "recalibrated" in mended["reason"]
        center = np.array(mended["pose"]["position"])
        assert np.linalg.norm(center - scene.poses[3].center) < 0.1
