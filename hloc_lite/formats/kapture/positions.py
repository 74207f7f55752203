"""GNSS positions of a kapture, by record and by image."""

from __future__ import annotations

from hloc_lite.errors import FormatError
from hloc_lite.formats.kapture.kapture import Kapture
from hloc_lite.geometry.geodesy import Geodetic

WGS84 = ("", "EPSG:4326", "4326")
"""Coordinate systems that are read: x is the longitude, y the latitude, z the height in metres."""


def gnss_positions(kapture: Kapture) -> dict[tuple[int, str], Geodetic]:
    """Positions by timestamp and GNSS device; of repeated ones the last counts.

    Raises:
        FormatError: another coordinate system than WGS-84, or an impossible position.
    """
    found: dict[tuple[int, str], Geodetic] = {}
    for record in kapture.records.get("gnss", ()):
        sensor = kapture.sensors.get(record.device_id)
        system = sensor.params[0] if sensor is not None and sensor.params else ""
        where = f"GNSS record {record.timestamp}, {record.device_id}"
        if system.upper() not in WGS84:
            raise FormatError(f"{where}: only EPSG:4326 is read, got {system[:40]!r}")
        longitude, latitude, height = (float(value) for value in record.values[:3])
        try:
            found[record.timestamp, record.device_id] = Geodetic(latitude, longitude, height)
        except FormatError as error:
            raise FormatError(f"{where}: {error}") from None
    return found


def image_positions(kapture: Kapture) -> dict[str, Geodetic]:
    """Positions of images, from GNSS records of the same time.

    Of several GNSS devices, those on a rig with the camera count; images with none or several left
    have no position.

    Raises:
        FormatError: see ``gnss_positions``.
    """
    by_time: dict[int, dict[str, Geodetic]] = {}
    for (timestamp, device), position in gnss_positions(kapture).items():
        by_time.setdefault(timestamp, {})[device] = position
    found: dict[str, Geodetic] = {}
    for record in kapture.records.get("camera", ()):
        here = by_time.get(record.timestamp, {})
        if len(here) > 1:
            rigs = [members for members in kapture.rigs.values() if record.device_id in members]
            here = {key: each for key, each in here.items() if any(key in rig for rig in rigs)}
        if len(here) == 1:
            found[record.file_name] = next(iter(here.values()))
    return found
