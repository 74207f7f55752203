"""COLMAP's files of rigs and frames (since 3.12), .bin and .txt, beside those of a model."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.formats.colmap.byte_cursor import ByteCursor
from hloc_lite.formats.colmap.rigs import (
    CAMERA_SENSOR,
    ColmapRigs,
    RawData,
    RawFrame,
    RawRig,
    RawSensor,
    check_rigs,
)
from hloc_lite.formats.colmap.text import CountedLines, parse_words
from hloc_lite.geometry.rotations import quat_wxyz_from_rotation
from hloc_lite.types import Float64, Rigid3

RIG_PARTS = ("rigs", "frames")
_CAMERA_WORD = "CAMERA"


def rig_paths(folder: Path, suffix: str) -> tuple[Path, Path] | None:
    """Files of rigs and frames of the model in a folder; None if it has neither.

    Args:
        suffix: that of the other files of the model, ``.bin`` or ``.txt``.

    Raises:
        FormatError: one of them is missing beside the other.
    """
    rigs, frames = (folder / f"{part}{suffix}" for part in RIG_PARTS)
    if rigs.is_file() and frames.is_file():
        return rigs, frames
    if rigs.is_file() or frames.is_file():
        there, missing = (rigs, frames) if rigs.is_file() else (frames, rigs)
        raise FormatError(
            f"{missing} is missing beside {there.name}: put it there, or remove {there.name} to "
            f"read the images without rigs"
        )
    return None


def read_rig_files(rigs_file: Path, frames_file: Path) -> ColmapRigs:
    """Read the rigs and frames of a model.

    Raises:
        FormatError: a truncated or damaged file, or ids that do not fit each other.
    """
    is_binary = rigs_file.suffix == ".bin"
    rigs = _binary_rigs(rigs_file) if is_binary else _text_rigs(rigs_file)
    frames = _binary_frames(frames_file) if is_binary else _text_frames(frames_file)
    return check_rigs(rigs, frames, rigs_file, frames_file)


def rigs_bytes(rigs: ColmapRigs) -> Iterator[bytes]:
    """Yield the content of rigs.bin; the first camera of each rig is its reference."""
    yield struct.pack("<Q", len(rigs.rigs))
    for rig_id, cameras in sorted(rigs.rigs.items()):
        reference, *others = cameras
        yield struct.pack("<IIiI", rig_id, len(cameras), CAMERA_SENSOR, reference)
        for camera_id in others:
            pose = cameras[camera_id]
            yield struct.pack("<iIB", CAMERA_SENSOR, camera_id, pose is not None)
            yield b"" if pose is None else _pose_bytes(pose)


def frames_bytes(rigs: ColmapRigs) -> Iterator[bytes]:
    """Yield the content of frames.bin, of frames that have poses."""
    posed = [
        (frame_id, frame, frame.rig_from_world)
        for frame_id, frame in sorted(rigs.frames.items())
        if frame.rig_from_world is not None
    ]
    yield struct.pack("<Q", len(posed))
    for frame_id, frame, pose in posed:
        yield struct.pack("<II", frame_id, frame.rig_id) + _pose_bytes(pose)
        yield struct.pack("<I", len(frame.image_ids))
        for camera_id, image_id in sorted(frame.image_ids.items()):
            yield struct.pack("<iIQ", CAMERA_SENSOR, camera_id, image_id)


def _pose_bytes(pose: Rigid3) -> bytes:
    return struct.pack("<7d", *quat_wxyz_from_rotation(pose.rotation), *pose.translation)


def _binary_rigs(path: Path) -> Iterator[RawRig]:
    cursor = ByteCursor(path)
    (count,) = cursor.unpack("Q")
    for _ in range(count):  # a count that is too large ends at the end of the file
        rig_id, num_sensors = cursor.unpack("II")
        reference = None
        if num_sensors:
            kind, sensor_id = cursor.unpack("iI")
            reference = RawSensor(kind == CAMERA_SENSOR, sensor_id, None)
        yield RawRig(rig_id, reference, tuple(_binary_sensors(cursor, num_sensors - 1)))
    cursor.require_end()


def _binary_sensors(cursor: ByteCursor, count: int) -> Iterator[RawSensor]:
    for _ in range(count):
        kind, sensor_id, has_pose = cursor.unpack("iIB")
        pose = cursor.array("<f8", 7) if has_pose else None
        yield RawSensor(kind == CAMERA_SENSOR, sensor_id, pose)


def _binary_frames(path: Path) -> Iterator[RawFrame]:
    cursor = ByteCursor(path)
    (count,) = cursor.unpack("Q")
    for _ in range(count):
        frame_id, rig_id = cursor.unpack("II")
        pose = cursor.array("<f8", 7)
        (num_data,) = cursor.unpack("I")
        rows = (cursor.unpack("iIQ") for _ in range(num_data))
        data = tuple(RawData(kind == CAMERA_SENSOR, *ids) for kind, *ids in rows)
        yield RawFrame(frame_id, rig_id, pose, data)
    cursor.require_end()


def _text_rigs(path: Path) -> list[RawRig]:
    lines = CountedLines(path)
    rigs = [_parse_rig(where, line) for where, line in lines.content_lines() if line]
    lines.check_count(len(rigs))
    return rigs


def _text_frames(path: Path) -> list[RawFrame]:
    lines = CountedLines(path)
    frames = [_parse_frame(where, line) for where, line in lines.content_lines() if line]
    lines.check_count(len(frames))
    return frames


def _parse_rig(where: str, line: str) -> RawRig:
    words = line.split()
    expected = (
        "expected 'RIG_ID NUM_SENSORS REF_SENSOR_TYPE REF_SENSOR_ID' and for each other sensor "
        "'SENSOR_TYPE SENSOR_ID 0' or 'SENSOR_TYPE SENSOR_ID 1 QW QX QY QZ TX TY TZ'"
    )
    if len(words) == 2 and words[1] == "0":
        return RawRig(parse_words(int, words[:1], where)[0], None, ())
    if len(words) < 4:
        raise FormatError(f"{where}: {expected}")
    rig_id, num_sensors, reference_id = parse_words(int, [*words[:2], words[3]], where)
    sensors: list[RawSensor] = []
    at = 4
    while at < len(words):
        has_pose = words[at + 2 : at + 3] == ["1"]
        end = at + (10 if has_pose else 3)
        if end > len(words) or words[at + 2] not in ("0", "1"):
            raise FormatError(f"{where}: {expected}")
        (sensor_id,) = parse_words(int, words[at + 1 : at + 2], where)
        pose = _parse_pose(words[at + 3 : end], where) if has_pose else None
        sensors.append(RawSensor(words[at] == _CAMERA_WORD, sensor_id, pose))
        at = end
    if len(sensors) + 1 != num_sensors:
        raise FormatError(f"{where}: {num_sensors} sensors are stated; {expected}")
    return RawRig(rig_id, RawSensor(words[2] == _CAMERA_WORD, reference_id, None), tuple(sensors))


def _parse_frame(where: str, line: str) -> RawFrame:
    words = line.split()
    if len(words) < 10 or (len(words) - 10) % 3:
        raise FormatError(
            f"{where}: expected 'FRAME_ID RIG_ID QW QX QY QZ TX TY TZ NUM_DATA' and for each "
            f"'SENSOR_TYPE SENSOR_ID DATA_ID'"
        )
    frame_id, rig_id, num_data = parse_words(int, [*words[:2], words[9]], where)
    if num_data != (len(words) - 10) // 3:
        raise FormatError(f"{where}: {num_data} data are stated, not {(len(words) - 10) // 3}")
    kinds, ids = words[10::3], parse_words(int, [*words[11::3], *words[12::3]], where)
    data = tuple(
        RawData(kind == _CAMERA_WORD, sensor_id, data_id)
        for kind, sensor_id, data_id in zip(kinds, ids[:num_data], ids[num_data:], strict=True)
    )
    return RawFrame(frame_id, rig_id, _parse_pose(words[2:9], where), data)


def _parse_pose(words: list[str], where: str) -> Float64:
    return np.array(parse_words(float, words, where))
