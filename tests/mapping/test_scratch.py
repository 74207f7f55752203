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

    def try_candidates(
        outcomes: list[tuple[int, float]], match_all=None, cameras=OWN, **further
    ) -> tuple[list, list]:
        used, left = [], list(outcomes)
        kept.clear()

        def reconstruct(cameras, camera_of, *rest, **options) -> Reconstructions:
            images, apart = left.pop(0)
            kept.append(sorted(options["constant_cameras"]))
            used.append(len(cameras))
            monkeypatch.setattr(scratch, "focal_disagreement", lambda *arguments: apart)
            if not images:
                raise MappingError("nothing")
            return Reconstructions((FULL if images == 5 else PART,), {})

        monkeypatch.setattr(scratch, "reconstruct", reconstruct)
        monkeypatch.setattr(scratch, "adjusted_with_own_cameras", lambda model: model)
        monkeypatch.setattr(scratch, "repaired", lambda model, *rest: (model, {}))
        monkeypatch.setattr(scratch, "separated", lambda model, *rest: [model])
        monkeypatch.setattr(
            scratch, "without_contradicting_images", lambda model, *rest: (model, {})
        )
        monkeypatch.setattr(scratch, "has_global_mapper", lambda: False)
        inputs = ScratchInputs(Config(), NO_PAIRS, {}, cameras, match_all, **further)
        return candidate_models(inputs), used

    return try_candidates


kept: list[list[int]] = []
"""Ids of the cameras that each run of the mapper kept, in the last call of ``tried``."""


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


def known_cameras(focal_px: float):
    """The same known camera for all images, each with its own id."""
    camera = Camera("SIMPLE_RADIAL", 640, 480, np.array([focal_px, 320, 240, 0]))
    return (dict.fromkeys(range(1, 6), camera), OWN[1])


def test_known_focal_lengths_are_kept_while_images_are_registered(tried, monkeypatch) -> None:
    true = float(FULL.cameras[1].params[0])
    monkeypatch.setattr(scratch, "_repaired", lambda inputs, found, settings, adjust: found)
    found, used = tried([(5, 0.0)], cameras=known_cameras(1.03 * true))
    assert used == [1] and kept == [[1]]
    assert found[0].focal_change == pytest.approx(np.log(1.03))


def test_known_focal_lengths_that_do_not_fit_are_tried_free_as_well(tried, monkeypatch) -> None:
    true = float(FULL.cameras[1].params[0])
    monkeypatch.setattr(scratch, "_repaired", lambda inputs, found, settings, adjust: found)
    found, used = tried([(5, 0.0), (5, 0.0)], cameras=known_cameras(1.4 * true))
    assert used == [1, 1] and kept == [[1], []]
    assert len(found) == 2


def test_photos_without_parallax_are_not_tried_in_further_ways(tried) -> None:
    found, used = tried([(0, 0.0)], match_all=lambda: NO_PAIRS, only_turned=True)
    assert used == [1] and not found[0].models
