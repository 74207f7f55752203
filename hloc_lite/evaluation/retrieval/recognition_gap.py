"""Global average precision (GAP, or muAP) of landmark recognition.

All predictions are sorted by their score. Each right one adds the precision up to it, and the sum
is divided by the number of images that show a landmark. Images without one stay in the sorted list,
so that a prediction for them costs precision (Perronnin et al., CVPR 2009; Google Landmarks v2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hloc_lite.errors import HlocLiteError
from hloc_lite.formats.google_landmarks import LandmarkPrediction


def recognition_gap(
    predictions: Mapping[str, LandmarkPrediction | None],
    landmarks: Mapping[str, Collection[str]],
) -> float:
    """GAP from 0 to 1; equal scores are taken in the order of the predictions.

    Args:
        predictions: image -> landmark with its score, or None. Images without an entry in
            ``landmarks`` are in no score.
        landmarks: image -> landmarks that it shows, possibly none.

    Raises:
        HlocLiteError: no image shows a landmark, or none of the images has a prediction.
    """
    num_landmark_images = sum(bool(shown) for shown in landmarks.values())
    if not num_landmark_images:
        raise HlocLiteError("no image of the truth shows a landmark")
    if predictions.keys().isdisjoint(landmarks):
        raise HlocLiteError("none of the predictions is for an image of the truth")
    given = [
        (prediction.score, prediction.landmark in landmarks[image])
        for image, prediction in predictions.items()
        if prediction is not None and image in landmarks
    ]
    total, right = 0.0, 0
    ordered = sorted(given, key=lambda pair: -pair[0])  # stable
    for number, (_, is_right) in enumerate(ordered, start=1):
        right += is_right
        total += is_right * right / number
    return total / num_landmark_images
