"""EXIF tags of photos: orientation, camera, focal length, GPS position.

EXIF is optional and often broken, and Pillow raises many kinds of errors on it. Tags that cannot be
read count as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from hloc_lite.errors import FormatError
from hloc_lite.geometry.geodesy import Geodetic

_DIAGONAL_35MM = float(np.hypot(36.0, 24.0))


def read_orientation(image: Image.Image) -> int:
    """Return EXIF's orientation (1 to 8); 1, which is upright, if there is none."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        return 1
    return found if isinstance(found, int) else 1


def read_exif(image: Image.Image) -> dict[str, float | str]:
    """Return the tags that tell the camera and its focal length, by the names of ``Photo.exif``."""
    try:
        exif = image.getexif()
        detail = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:
        return {}
    found: dict[str, float | str] = {}
    for key, tag in (("make", ExifTags.Base.Make), ("model", ExifTags.Base.Model)):
        if exif.get(tag):
            found[key] = str(exif[tag]).strip("\0 ")
    numbers = {
        "focal_mm": detail.get(ExifTags.Base.FocalLength),
        "focal_35mm": detail.get(ExifTags.Base.FocalLengthIn35mmFilm),
        "plane_x_resolution": detail.get(ExifTags.Base.FocalPlaneXResolution),
        "plane_unit": detail.get(ExifTags.Base.FocalPlaneResolutionUnit),
        "plane_width": detail.get(ExifTags.Base.ExifImageWidth),
        "plane_height": detail.get(ExifTags.Base.ExifImageHeight),
    }
    for key, value in numbers.items():
        try:
            number = float(value) if value is not None else 0.0
        except (TypeError, ValueError, ZeroDivisionError):
            continue
        if np.isfinite(number) and number > 0:
            found[key] = number
    return found


def focal_length_px(exif: Mapping[str, float | str], width: int, height: int) -> float | None:
    """Return the focal length in pixels of an image of that size; None if EXIF does not tell it.

    Args:
        exif: result of ``read_exif``; the 35 mm equivalent is preferred to the sensor's resolution.
        width: image width, pixels.
        height: image height, pixels.
    """
    side = max(width, height)
    focal = None
    if "focal_35mm" in exif:
        focal = float(exif["focal_35mm"]) * float(np.hypot(width, height)) / _DIAGONAL_35MM
    elif "focal_mm" in exif and "plane_x_resolution" in exif:
        mm_per_unit = {2.0: 25.4, 3.0: 10.0, 4.0: 1.0}.get(float(exif.get("plane_unit", 2.0)))
        if mm_per_unit is not None:
            focal = float(exif["focal_mm"]) * float(exif["plane_x_resolution"]) / mm_per_unit
            # the resolution holds at the size that the camera wrote, not after later resizing
            written = [float(exif[key]) for key in ("plane_width", "plane_height") if key in exif]
            focal *= side / max(written, default=side)
    plausible = focal is not None and 0.2 * side < focal < 30 * side
    return focal if plausible else None


def gps_position(gps: Mapping[int, Any]) -> Geodetic | None:
    """Return the position in EXIF's GPS tags; None if it is absent, broken, or without altitude."""
    try:
        latitude = _degrees(gps[ExifTags.GPS.GPSLatitude])
        longitude = _degrees(gps[ExifTags.GPS.GPSLongitude])
        height = float(gps[ExifTags.GPS.GPSAltitude])
        if _hemisphere(gps[ExifTags.GPS.GPSLatitudeRef]) == "S":
            latitude = -latitude
        if _hemisphere(gps[ExifTags.GPS.GPSLongitudeRef]) == "W":
            longitude = -longitude
        if gps.get(ExifTags.GPS.GPSAltitudeRef, b"\0") in (b"\x01", 1):
            height = -height
        is_void = latitude == 0 and longitude == 0  # written by cameras without reception
        return None if is_void else Geodetic(latitude, longitude, height)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, FormatError):
        return None


def _degrees(value: Any) -> float:
    """Convert degrees, minutes and seconds to degrees."""
    degrees, minutes, seconds = (float(part) for part in value)
    return degrees + minutes / 60 + seconds / 3600


def _hemisphere(value: Any) -> str:
    text = value.decode("ascii") if isinstance(value, bytes) else str(value)
    return text.strip("\0 ").upper()
