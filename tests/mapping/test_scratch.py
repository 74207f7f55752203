"""Maps from scratch: which ways are tried, with which cameras, and which candidate is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from hloc_lite.config import Config
from hloc_lite.errors import MappingError
from hloc_lite.formats.colmap.mappers import Reconstructions
from hloc_lite.mapping import scratch
from hloc_lite.mapping.repair import with_images_only
from hloc_lite.mapping.scratch import ScratchInputs, candidate_models
from hloc_lite.mapping.two_pass_matching import VerifiedPairs
from hloc_lite.types import Camera
from tests.mapping.test_repair import exact_model

NO_PAIRS = VerifiedPairs({}, {}, {})
FULL = exact_model()
PART = with_images_only(FULL, {"a.png", "b.png", "c.png"})
GUESS = Camera("SIMPLE_RADIAL", 640, 480, np.array([768.0, 320, 240, 0]), False)
OWN = (dict.fromkeys(range(1, 6), GUESS), {image.name: image.image_id for image in FULL.images})


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch):
    """Function that tries candidates: (images, disagreement of their focal lengths) of each."""

    def try_candidates(outcomes: list[tuple[int, float]], match_all=None) -> list[tuple]:
        used, left = [], list(outcomes)

        def reconstruct(cameras, camera_of, *rest, **options) -> Reconstructions:
            images, apart = left.pop(0)
            used.append(len(cameras))
            monkeypatch.setattr(scratch, "focal_disagreement", lambda *arguments: apart)
            if not images:
                raise MappingError("nothing")
            return Reconstructions((FULL if images == 5 else PART,), {})

        monkeypatch.setattr(scratch, "reconstruct", reconstruct)
        monkeypatch.setattr(scratch, "adjusted_with_own_cameras", lambda model: model)
        monkeypatch.setattr(scratch, "repaired", lambda model, *rest: (model, {}))
        monkeypatch.setattr(scratch, "has_global_mapper", lambda: False)
        inputs = ScratchInputs(Config(), NO_PAIRS, {}, OWN, match_all)
        return candidate_models(inputs), used

    return try_candidates


def test_one_camera_is_enough_where_it_registers_the_photos(tried) -> None:
    found, used = tried([(5, 0.0)])
    assert used == [1] and found[0].num_registered == 5


@pytest.mark.parametrize("first", [(5, 0.1), (0, 0.0)])
def test_photos_that_are_not_of_one_camera_get_their_own(tried, first) -> None:
    found, used = tried([first, (5, 0.0)])
    assert used == [1, 5] and found[0].name == "cameras as given"
    assert bool(found[1].rejected) == (first[0] == 5)


def test_one_camera_is_checked_again_where_few_photos_could_not_tell(tried) -> None:
    found, used = tried([(3, 0.0), (5, 0.1), (5, 0.0)], match_all=lambda: NO_PAIRS)
    assert used == [1, 1, 5]
    assert found[0].name.endswith("cameras as given") and not found[0].rejected
    assert "not of one camera" in found[-1].rejected
