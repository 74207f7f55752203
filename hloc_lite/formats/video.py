"""Frames of a video as photos, by OpenCV: of each short interval the sharpest one.

Sharpness is the variance of the Laplacian. Motion blur removes fine detail, and with it the second
derivatives. Frames of one interval show nearly the same, so that blur is what differs between them.

The camera's rotation tag is obeyed: frames are upright. The number in a name counts all frames of
the video from 0. ``frames.json`` in the folder says how far the extraction is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import FormatError
from hloc_lite.io.files import atomic_path, read_json_object, write_json_atomic
from hloc_lite.io.image_names import is_unicode
from hloc_lite.io.regular_files import check_regular

DEFAULT_FPS = 2.0
STATE_FILE = "frames.json"
MAX_MEGAPIXELS = 140.0
"""Larger frames are refused before decoding; 16K video has 133."""
JPEG_QUALITY = 95
_HEAD_BYTES = 4096
_MAX_STATED_FPS = 1000.0
_MISSING_SHARE = 0.02
"""Share of the stated frames that may be missing: containers often state a few too many."""


@dataclass(frozen=True)
class VideoFrames:
    """Result of an extraction."""

    names: tuple[str, ...]
    """Frames in the folder, in order."""
    num_read: int
    """Frames of the video that could be decoded."""
    num_stated: int
    """Frames that the video says it has; 0 if it does not say."""

    @property
    def is_cut_off(self) -> bool:
        """True if clearly fewer frames could be read than the video says it has."""
        return self.num_read < (1 - _MISSING_SHARE) * self.num_stated - 2


def extract_frames(
    video: Path,
    folder: Path,
    *,
    fps: float = DEFAULT_FPS,
    progress: Callable[[int, int], None] | None = None,
) -> VideoFrames:
    """Write the sharpest frame of each interval of ``1 / fps`` seconds into a folder.

    An interrupted extraction is continued. Every file is written atomically.

    Args:
        video: file in any format that OpenCV reads.
        folder: made if it is missing; of one video only.
        fps: frames kept of each second; all of them if the video has fewer.
        progress: called with the frames read and the frames stated.

    Raises:
        FormatError: no readable video, or the folder has frames of another video or rate.
        HlocLiteError: the folder cannot be written.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise FormatError(f"frames per second: expected a positive number, got {fps}")
    with _opened(video) as capture:
        wanted = {"video": video.name, "bytes": video.stat().st_size, "fps": fps}
        state = _check_folder(folder, wanted)
        num_stated = max(0, round(_property(capture, "FRAME_COUNT")))
        if state["is_complete"]:
            return VideoFrames(_frame_names(folder), state["next_frame"], num_stated)
        num_read = 0
        for number, next_frame, pixels in _sharpest(capture, fps, int(state["next_frame"])):
            if pixels is not None:
                _write_jpeg(folder / frame_name(number), pixels)
                state = {**wanted, "next_frame": next_frame, "is_complete": False}
                write_json_atomic(folder / STATE_FILE, state)
            num_read = next_frame
            if progress is not None:
                progress(num_read, num_stated)
        if num_read == 0:
            raise FormatError(f"{video}: no frame can be decoded")
        write_json_atomic(
            folder / STATE_FILE, {**wanted, "next_frame": num_read, "is_complete": True}
        )
    return VideoFrames(_frame_names(folder), num_read, num_stated)


def frame_name(number: int) -> str:
    """File name of a frame by its number in the video, from 0."""
    return f"frame_{number:06d}.jpg"


def video_size(video: Path) -> tuple[int, int]:
    """(width, height) of the upright frames of a video, pixels.

    Raises:
        FormatError: no readable video.
    """
    with _opened(video) as capture:
        return _size(capture)


def _frame_names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.glob("frame_*.jpg")))


@contextmanager
def _opened(video: Path) -> Iterator[Any]:
    """Yield an open ``cv2.VideoCapture``, which turns frames upright."""
    import cv2

    _check_content(video)
    if not is_unicode(str(video.absolute())):  # OpenCV would end the process
        raise FormatError(f"the path {str(video.absolute())!r} is not UTF-8: rename the video")
    backends = cv2.videoio_registry.getStreamBackends()
    backend = cv2.CAP_FFMPEG if cv2.CAP_FFMPEG in backends else cv2.CAP_ANY
    # an absolute path: a name such as http:x would be taken for an address
    capture = cv2.VideoCapture(str(video.absolute()), backend)
    try:
        if not capture.isOpened():
            raise FormatError(
                f"{video} cannot be decoded: it is damaged or has an unknown codec. A repair may "
                f"be 'ffmpeg -i VIDEO -c:v libx264 NEW.mp4'"
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        width, height = _size(capture)
        if not 0 < width * height <= MAX_MEGAPIXELS * 1e6:
            raise FormatError(
                f"{video} has frames of {width} x {height} pixels; at most {MAX_MEGAPIXELS:g} "
                f"megapixels are read"
            )
        yield capture
    except cv2.error as error:
        raise FormatError(f"{video} cannot be decoded: {str(error)[:200].strip()}") from None
    finally:
        capture.release()


def _check_content(video: Path) -> None:
    """Refuse what is no video file: play lists name other files and addresses."""
    check_regular(video)
    try:
        with video.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise FormatError(f"cannot read {video}: {error.strerror or error}") from None
    if b"\0" not in head:
        raise FormatError(f"{video} is no video: it is empty or text")


def _property(capture: Any, name: str) -> float:
    """Number that the container states, 0 if it states none."""
    import cv2

    value = float(capture.get(getattr(cv2, f"CAP_PROP_{name}")))
    return value if math.isfinite(value) and abs(value) < 1e12 else 0.0


def _size(capture: Any) -> tuple[int, int]:
    return int(_property(capture, "FRAME_WIDTH")), int(_property(capture, "FRAME_HEIGHT"))


def _check_folder(folder: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """State of the extraction in a folder.

    Raises:
        FormatError: the folder has frames of another video or rate.
    """
    fresh = {**wanted, "next_frame": 0, "is_complete": False}
    has_frames = next(folder.glob("frame_*.jpg"), None) is not None
    state = read_json_object(folder / STATE_FILE)
    if not has_frames:
        return fresh
    is_same = all(state.get(key) == value for key, value in wanted.items())
    if not is_same or not isinstance(state.get("next_frame"), int) or "is_complete" not in state:
        made = f"of {state['video']} at {state.get('fps')} a second" if "video" in state else ""
        raise FormatError(
            f"{folder} already has other frames {made}".rstrip()
            + ": choose another folder, or remove them"
        )
    return state


def _sharpest(
    capture: Any, fps: float, start: int
) -> Iterator[tuple[int, int, np.ndarray[Any, Any] | None]]:
    """Yield the sharpest frame of each interval as soon as the interval is over.

    Args:
        capture: open video.
        fps: intervals of a second.
        start: frames before it are passed over; an interval begins there.

    Yields:
        Number of the frame, number of frames read so far, and BGR pixels; None for intervals
        without a frame, and for those passed over.
    """
    rate = _property(capture, "FPS")
    rate = rate if 0 < rate <= _MAX_STATED_FPS else 30.0
    best: tuple[float, int, np.ndarray[Any, Any]] | None = None
    interval, seconds, number = -1, -1.0, 0
    while capture.grab():
        stated = _property(capture, "POS_MSEC") / 1000
        # some containers have no times
        seconds = stated if stated > seconds else max(number / rate, seconds)
        current = math.floor(seconds * fps + 1e-6)
        if current != interval and number >= start:
            yield (best[1], number, best[2]) if best is not None else (number, number, None)
            best = None
        interval = current
        if number >= start:
            is_read, pixels = capture.retrieve()
            if is_read and pixels is not None and pixels.size:
                sharpness = _sharpness(pixels)
                if best is None or sharpness > best[0]:
                    best = sharpness, number, pixels
        number += 1
    if number:
        yield (best[1], number, best[2]) if best is not None else (number, number, None)


def _sharpness(pixels: np.ndarray[Any, Any]) -> float:
    """Variance of the Laplacian of the grey values."""
    import cv2

    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY) if pixels.ndim == 3 else pixels
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def _write_jpeg(path: Path, pixels: np.ndarray[Any, Any]) -> None:
    import cv2

    is_written, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not is_written:
        raise FormatError(f"{path.name} cannot be written as JPEG")
    with atomic_path(path) as partial:
        partial.write_bytes(data.tobytes())
