"""Records of kapture: ``sensors/records_TYPE.txt`` tables, and depth maps.

Records of custom types (``records_pressure.txt``) are read as texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.kapture.tables import (
    finite_number,
    read_rows,
    relative_name,
    whole_number,
    write_rows,
)
from hloc_lite.io.files import atomic_path
from hloc_lite.types import Float32

Value = str | int | float
FILE_COLUMNS: Mapping[str, str] = {
    "camera": "image_path",
    "depth": "depth_map_path",
    "lidar": "point_cloud_path",
}
"""Record type -> column of a file name, relative to the data folder."""
VALUE_COLUMNS: Mapping[str, Mapping[str, type]] = {
    "gnss": {"x": float, "y": float, "z": float, "utc": int, "dop": float},
    "wifi": {
        "BSSID": str, "frequency": int, "RSSI": float, "SSID": str, "scan_time_start": int,
        "scan_time_end": int,
    },
    "bluetooth": {"address": str, "RSSI": float, "name": str},
    "accelerometer": {"x_acc": float, "y_acc": float, "z_acc": float},
    "gyroscope": {"x_speed": float, "y_speed": float, "z_speed": float},
    "magnetic": {"x_strength": float, "y_strength": float, "z_strength": float},
}  # fmt: skip
"""Record type -> its columns after timestamp and device. Integers may be written as floats.
The specification gives Wi-Fi frequencies in Hz; its examples are in MHz, capture sessions in kHz.
"""
_TYPE_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
MAX_DEPTH_BYTES = 1 << 30
"""Larger depth maps (1 GiB) are not read."""


@dataclass(frozen=True)
class Record:
    """Measurement of a device at a time, or the file of one."""

    timestamp: int
    device_id: str
    values: tuple[Value, ...]
    """Values in the order of the columns; for cameras, depth and lidar only the file's name."""

    @property
    def file_name(self) -> str:
        """Name of the image, depth map or point cloud."""
        return str(self.values[0])


def record_columns(kind: str) -> str:
    """Column header of a record type."""
    if kind in FILE_COLUMNS:
        names = [FILE_COLUMNS[kind]]
    else:
        names = list(VALUE_COLUMNS.get(kind, ["data"]))
    return ", ".join(["timestamp", "device_id", *names])


def read_records(path: Path, kind: str) -> tuple[Record, ...]:
    """Records of one type, in the order of the file.

    Raises:
        FormatError: a bad line (with its number); two files of one device at one time; or a file
            listed twice.
    """
    least, most = _numbers_of_values(kind)
    records: list[Record] = []
    seen: set[object] = set()
    for (time, device, *texts), where in read_rows(path, record_columns(kind), least, most):
        timestamp = whole_number(time, "timestamp", where)
        if not device:
            raise FormatError(f"{where}: the device id is empty")
        record = Record(timestamp, device, _values(kind, texts, where))
        if kind in FILE_COLUMNS:
            for key in ((timestamp, device), record.file_name):
                if key in seen:
                    raise FormatError(f"{where}: {key!r} is listed twice")
                seen.add(key)
        records.append(record)
    return tuple(records)


def write_records(
    path: Path, kind: str, records: Sequence[Record], *, version_line: bool = True
) -> None:
    """Write records of one type; raises as ``write_rows``."""
    rows = ((record.timestamp, record.device_id, *record.values) for record in records)
    write_rows(path, record_columns(kind), rows, version_line=version_line)


def is_record_type(kind: str) -> bool:
    """True if the name of a record type is fit for a file name."""
    return _TYPE_NAME.fullmatch(kind) is not None


def read_depth_map(path: Path, size: tuple[int, int]) -> Float32:
    """Read a ``.depth`` file.

    Args:
        path: raw little-endian float32 values, row by row.
        size: width and height in pixels, of the depth sensor (``sensor_size``).

    Returns:
        (height, width) metres along the optical axis: 0 or NaN where unknown. Negative and
        infinite values become NaN.

    Raises:
        FormatError: unreadable, or not width x height values.
    """
    width, height = size
    if width <= 0 or height <= 0:
        raise FormatError(f"{path}: a depth map needs a positive size, got {width} x {height}")
    expected = 4 * width * height
    try:
        found = path.stat().st_size
        if found != expected or found > MAX_DEPTH_BYTES:
            raise FormatError(
                f"{path}: expected {expected} bytes, float32 of {width} x {height} pixels, and at "
                f"most {MAX_DEPTH_BYTES >> 30} GiB; got {found}"
            )
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from None
    if len(data) != expected:
        raise FormatError(f"{path}: changed while it was read")
    depths = np.frombuffer(data, "<f4").reshape(height, width)
    return np.where((depths >= 0) & (depths < np.inf), depths, np.float32(np.nan))


def write_depth_map(path: Path, depth_m: Float32) -> None:
    """Write an (H, W) depth map in metres as a ``.depth`` file."""
    with atomic_path(path) as partial:
        partial.write_bytes(np.ascontiguousarray(depth_m, "<f4").tobytes())


def _numbers_of_values(kind: str) -> tuple[int, int | None]:
    """Least and largest number of values in a line, with timestamp and device."""
    if kind in FILE_COLUMNS:
        return 3, 3
    if kind in VALUE_COLUMNS:
        count = 2 + len(VALUE_COLUMNS[kind])
        return count, count
    return 2, None


def _values(kind: str, texts: Sequence[str], where: str) -> tuple[Value, ...]:
    if kind in FILE_COLUMNS:
        return (relative_name(texts[0], where),)
    if kind not in VALUE_COLUMNS:
        return tuple(texts)
    columns = VALUE_COLUMNS[kind].items()
    return tuple(_value(text, *column, where) for text, column in zip(texts, columns, strict=True))


def _value(text: str, name: str, wanted: type, where: str) -> Value:
    if wanted is str:
        return text
    number = finite_number(text, name, where)
    is_whole = wanted is int and re.fullmatch("[+-]?[0-9]+", text) is not None
    return whole_number(text, name, where) if is_whole else number
