"""Calibration of a map: outcome of localizing its own photos, stored in MAP/calibration.json.

The file is optional. One of another map, or a damaged one, is reported and ignored: then the
confidence is that of the global model.
"""

from __future__ import annotations

import json
import logging
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.io.files import read_json, write_json_atomic
from hloc_lite.io.schemas import check_checksum, check_schema, with_checksum
from hloc_lite.maps.folder import CALIBRATION
from hloc_lite.types import Bool, Float32, Float64, UInt8, freeze_field

logger = logging.getLogger(__name__)
SCHEMA = "hloc_lite.calibration/1"
MAX_FILE_BYTES = 1 << 27
"""Size limit; a map of a million landmarks has 1.4 MB."""
MAX_COEFFICIENT = 1000.0
"""Largest absolute value of a coefficient; log odds of 1000 are certainty."""
UNKNOWN_PERCENT = 255
"""Stored repeatability of a landmark where it is unknown."""


class SelfTestKind(IntEnum):
    """Images that were left out of the map while one of its photos was localized."""

    SELF_LEFT_OUT = 0
    """The photo itself: its pose should be found."""
    NEIGHBOURHOOD_LEFT_OUT = 1
    """The photo and all images that share landmarks with it: any pose is at another place."""


@dataclass(frozen=True, eq=False)
class CalibrationSet:
    """Confidence and correctness of K answers about a map's own photos."""

    confidences: Float64
    """(K,) in [0, 1] as queries get them, by coefficients that were fitted without this photo; 0
    where no pose was found."""
    is_wrong: Bool
    """(K,) True if there is a pose and it is wrong by its known error."""
    kinds: UInt8
    """(K,) ``SelfTestKind`` of each answer."""
    has_pose: Bool
    """(K,) False where no pose was found, of any confidence."""

    def __post_init__(self) -> None:
        freeze_field(self, "confidences", np.float64, None)
        count = len(self.confidences)
        freeze_field(self, "is_wrong", np.bool_, count)
        freeze_field(self, "kinds", np.uint8, count)
        freeze_field(self, "has_pose", np.bool_, count)
        in_range = (self.confidences >= 0) & (self.confidences <= 1)
        if not in_range.all() or (self.kinds > max(SelfTestKind)).any():
            raise FormatError("a calibration set has confidences or kinds out of range")

    def __len__(self) -> int:
        return len(self.confidences)

    def of_kind(self, kind: SelfTestKind) -> CalibrationSet:
        """The answers of one kind."""
        rows = self.kinds == kind
        return CalibrationSet(
            self.confidences[rows], self.is_wrong[rows], self.kinds[rows], self.has_pose[rows]
        )


@dataclass(frozen=True, eq=False)
class MapCalibration:
    """Knowledge of a map about itself."""

    answers: CalibrationSet
    """Answers about the map's own photos."""
    repeatability: Float32
    """(M,) share of the images that should see each landmark and do, NaN where unknown; (0,) in
    compact maps."""
    coefficients: Mapping[str, float] = field(default_factory=dict)
    """Corrections of the global confidence model by name."""
    confused_images: tuple[tuple[str, str, float], ...] = ()
    """Pairs of images that show different places and were confused, with the confidence in the
    wrong pose, the highest first."""
    fitted_to: str = ""
    """Fingerprint of the global confidence model that it holds for."""

    def __post_init__(self) -> None:
        freeze_field(self, "repeatability", np.float32, None)

    def without_landmarks(self) -> MapCalibration:
        """Calibration of a compact map, which has other landmarks: their repeatability is left out.

        Queries do not use it.
        """
        return replace(self, repeatability=np.zeros(0, np.float32))


def calibration_to_json(calibration: MapCalibration, fingerprint: str) -> dict[str, Any]:
    """Plain JSON values of the calibration of the map with this fingerprint.

    Confidences keep 6 digits; shares are whole percent.
    """
    answers = calibration.answers
    percent = np.nan_to_num(np.round(100 * calibration.repeatability), nan=UNKNOWN_PERCENT)
    value = {
        "schema": SCHEMA,
        "fingerprint": fingerprint,
        "confidences": [round(float(value), 6) for value in answers.confidences],
        "is_wrong": answers.is_wrong.astype(int).tolist(),
        "kinds": answers.kinds.tolist(),
        "has_pose": answers.has_pose.astype(int).tolist(),
        "coefficients": dict(calibration.coefficients),
        "confused_images": [list(each) for each in calibration.confused_images],
        "fitted_to": calibration.fitted_to,
        "repeatability": b64encode(percent.astype(np.uint8).tobytes()).decode(),
    }
    return with_checksum(value)


def write_calibration(folder: Path, calibration: MapCalibration, fingerprint: str) -> None:
    """Write the calibration into the folder of a map.

    Args:
        folder: no other process writes into it.
        fingerprint: that of the map.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    for left in folder.glob(f".{CALIBRATION}.*.partial"):  # by a process that was killed
        left.unlink(missing_ok=True)
    write_json_atomic(folder / CALIBRATION, calibration_to_json(calibration, fingerprint))


def calibration_bytes(calibration: MapCalibration | None, fingerprint: str) -> int:
    """Bytes of the file that ``write_calibration`` writes; 0 without a calibration."""
    if calibration is None:
        return 0
    value = calibration_to_json(calibration, fingerprint)
    return len(json.dumps(value, indent=1, ensure_ascii=False).encode()) + 1


def replace_calibration(folder: Path, calibration: MapCalibration | None, fingerprint: str) -> None:
    """Write the calibration of a map that has just been written; None deletes that of the old map.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    if calibration is None:
        (folder / CALIBRATION).unlink(missing_ok=True)
    else:
        write_calibration(folder, calibration, fingerprint)


def read_calibration(folder: Path, fingerprint: str, num_points: int) -> MapCalibration | None:
    """Read the calibration in the folder of a map; None without one that belongs to the map.

    Args:
        fingerprint: that of the map.
        num_points: number of its landmarks.
    """
    path = folder / CALIBRATION
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FormatError(f"it is larger than {MAX_FILE_BYTES >> 20} MiB")
        found, belongs_to = _read(path)
    except (
        HlocLiteError, OSError, AttributeError, KeyError, OverflowError, TypeError, ValueError
    ) as error:  # fmt: skip
        logger.warning("%s is ignored: %s; `hloc-lite calibrate` writes it anew", path, error)
        return None
    if belongs_to == fingerprint and len(found.repeatability) in (0, num_points):
        return found
    logger.warning("%s belongs to another map: ignored; run `hloc-lite calibrate`", path)
    return None


def _read(path: Path) -> tuple[MapCalibration, str]:
    """Calibration in a file, and the fingerprint of its map."""
    value = read_json(path)
    value = value if isinstance(value, dict) else {}
    check_schema(value.get("schema"), SCHEMA, "the file")
    check_checksum(value, "the file", is_required=False)
    percent = np.frombuffer(b64decode(value["repeatability"], validate=True), np.uint8)
    shares = np.where(percent == UNKNOWN_PERCENT, np.nan, percent / 100)
    calibration = MapCalibration(
        CalibrationSet(
            np.array(value["confidences"], np.float64),
            _whole_numbers(value, "is_wrong", 1).astype(np.bool_),
            _whole_numbers(value, "kinds", max(SelfTestKind)).astype(np.uint8),
            _whole_numbers(value, "has_pose", 1).astype(np.bool_),
        ),
        shares.astype(np.float32),
        dict(_coefficient(*each) for each in value["coefficients"].items()),
        tuple(_confused(*each) for each in value["confused_images"]),
        str(value["fitted_to"]),
    )
    return calibration, str(value["fingerprint"])


def _whole_numbers(value: Mapping[str, Any], key: str, largest: int) -> Float64:
    """Whole numbers from 0 to ``largest``: NaN and the like must not count as right answers."""
    found = np.array(value[key], np.float64)
    if not ((found >= 0) & (found <= largest) & (found == np.floor(found))).all():
        raise FormatError(f"{key!r} has values other than whole numbers from 0 to {largest}")
    return found


def _coefficient(name: str, number: object) -> tuple[str, float]:
    name.encode()  # a lone surrogate could not be written again
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    if not is_number or not abs(float(number)) <= MAX_COEFFICIENT:  # type: ignore[arg-type]
        raise FormatError(
            f"coefficient {name!r}: expected a number up to {MAX_COEFFICIENT:g}, got {number!r}"
        )
    return name, float(number)  # type: ignore[arg-type]


def _confused(first: str, second: str, confidence: float) -> tuple[str, str, float]:
    """Names of two images, and the confidence in the wrong pose."""
    if not 0 <= confidence <= 1:
        raise FormatError(f"confidence of two confused images: got {confidence!r}")
    for name in (first, second):
        name.encode()  # a lone surrogate could not be written again
    return first, second, float(confidence)
