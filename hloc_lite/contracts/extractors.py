"""The contract of feature extractors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hloc_lite.contracts.rules import Rules
from hloc_lite.contracts.synthetic import cropped, textured_photo, uniform_photo
from hloc_lite.protocols import FeatureExtractor
from hloc_lite.types import LocalFeatures, Photo

MIN_KEYPOINTS = 8
"""Keypoints that a textured photo must have."""
BATCH_TOLERANCE_PX = 0.01
"""Median difference of keypoints alone and in a batch: networks round differently there."""
CROP_PX = 13
"""Columns cut away: no multiple of a stride, so that keypoints tied to a grid would stay behind."""
MAX_CROP_ERROR_PX = 0.25
TINY_SIZES = ((1, 1), (3, 2), (20, 15), (33, 47), (500, 9))
"""(width, height) of photos that may have no features but must be no error."""


def check_extractor(extractor: FeatureExtractor, photos: Sequence[Photo] | None = None) -> None:
    """Check that a feature extractor keeps its contract.

    Args:
        extractor: ready for use.
        photos: two or more with structures that it detects; by default coloured rectangles.

    Raises:
        ContractError: wrong types, shapes or ranges; scores that do not descend; results that
            depend on the batch or the run; masked or unmoved keypoints; failure on tiny or uniform
            photos.
    """
    photos = [textured_photo(seed) for seed in range(3)] if photos is None else list(photos)
    check = _ExtractorRules(extractor)
    with check.inputs_unchanged([photo.pixels for photo in photos]):
        together = check.extract(photos, "textured photos")
        for photo, features in zip(photos, together, strict=True):
            check.require(
                len(features) >= MIN_KEYPOINTS,
                f"{MIN_KEYPOINTS} keypoints or more in {photo.name!r}",
                len(features),
                "Lower its threshold, or check it with photos of your own",
            )
        again = check.extract(photos, "the same photos again")
        for first, second in zip(together, again, strict=True):
            check.same(_arrays(first), _arrays(second), "the same photo")
        for photo, batched in zip(photos, together, strict=True):
            check.single_photo(photo, batched)
        check.mask(photos[0], together[0])
        check.crop(photos[0], together[0])
        check.extract([], "no photos")
        for width, height in TINY_SIZES:
            check.extract([textured_photo(0, width, height)], f"{width} x {height} px")
        for level in (0, 130, 255):
            check.extract([uniform_photo(level)], f"a photo of uniform grey {level}")


class _ExtractorRules(Rules[FeatureExtractor]):
    def extract(self, photos: Sequence[Photo], what: str) -> list[LocalFeatures]:
        """Features whose types, shapes and ranges are right."""
        found = self.call_batch(self._model.extract, what, photos, LocalFeatures)
        dim = self._model.descriptor_dim
        for photo, features in zip(photos, found, strict=True):
            self.keypoints(features.keypoints, features.image_size, photo)
            self.require(
                features.descriptors.shape[1] == dim,
                f"descriptors of descriptor_dim = {dim} for {what}",
                features.descriptors.shape,
                "Return shape (0, descriptor_dim) where there are no keypoints",
            )
            self.unit_rows(features.descriptors, "descriptors")
            self.finite(features.scores, "scores")
            is_sorted = (np.diff(features.scores) <= 0).all()
            self.require(is_sorted, "the best score first", "another order", "Sort the keypoints")
        return found

    def single_photo(self, photo: Photo, batched: LocalFeatures) -> None:
        """A batch gives what single photos give."""
        (alone,) = self.extract([photo], "one photo")
        difference = np.inf
        if len(alone) == len(batched):
            difference = float(np.median(np.abs(alone.keypoints - batched.keypoints)))
        self.require(
            difference < BATCH_TOLERANCE_PX,
            f"{len(alone)} keypoints of {photo.name!r} in a batch as alone",
            f"{len(batched)}, {difference:.3g} px away",
            "Let no photo of a batch influence another",
        )

    def mask(self, photo: Photo, features: LocalFeatures) -> None:
        """No keypoints where the mask is False: on one half, then everywhere."""
        middle = photo.width // 2
        keep_left = bool(np.median(features.keypoints[:, 0]) < middle)
        mask = np.zeros((photo.height, photo.width), bool)
        mask[:, :middle], mask[:, middle:] = keep_left, not keep_left
        (kept,) = self.extract([Photo(photo.name, photo.pixels, mask)], "a masked photo")
        masked = int(((kept.keypoints[:, 0] < middle) != keep_left).sum())
        remedy = "Drop keypoints where Photo.mask is False before the best are chosen"
        self.require(masked == 0, "no keypoints where the mask is False", masked, remedy)
        self.require(len(kept) > 0, "keypoints where the mask is True", "none", remedy)
        nowhere = Photo(photo.name, photo.pixels, np.zeros_like(mask))
        (none,) = self.extract([nowhere], "a photo masked everywhere")
        self.require(len(none) == 0, "no keypoints if all is masked", len(none), remedy)

    def crop(self, photo: Photo, whole: LocalFeatures) -> None:
        """Keypoints move with the image, by neither more nor less than whole pixels."""
        (part,) = self.extract([cropped(photo, CROP_PX)], "a cropped photo")
        offsets = part.keypoints[None] + np.array([CROP_PX, 0]) - whole.keypoints[:, None]
        distances = np.linalg.norm(offsets, axis=2)
        rows = np.flatnonzero(distances.min(axis=1, initial=np.inf) < 1.5)
        error = np.inf
        if len(rows):
            nearest = offsets[rows, distances[rows].argmin(axis=1)]
            error = float(np.abs(np.median(nearest, axis=0)).max())
        self.require(
            error < MAX_CROP_ERROR_PX and len(rows) >= MIN_KEYPOINTS // 2,
            "keypoints that move with the image when columns are cut away",
            f"{len(rows)} of {len(whole)} found again, {error:.3g} px off",
            "Make (0.5, 0.5) the centre of the first pixel, and resize without a shift",
        )


def _arrays(features: LocalFeatures) -> list[np.ndarray]:
    return [features.keypoints, features.descriptors, features.scores]
