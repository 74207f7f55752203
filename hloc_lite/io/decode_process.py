"""A child process that decodes photos of strangers (``decode_child``), seen from its parent.

All that comes back is checked: an image may have taken the child over.
"""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from hloc_lite.errors import HlocLiteError, ImageError
from hloc_lite.io.decode_messages import (
    BYTES_PER_PIXEL,
    LENGTH,
    READY,
    DecodeLimits,
    read_reply,
    write_message,
)
from hloc_lite.io.images import ImageTooLargeError, UnknownFormatError
from hloc_lite.io.python_process import python_command, untrusted_environment
from hloc_lite.io.watchdog import Watchdog
from hloc_lite.types import Photo

START_TIMEOUT_S = 60.0
"""Time for the child to import what it needs; tens of seconds from a slow disk."""
EXIT_TIMEOUT_S = 5.0
"""Time for a killed process to disappear."""
KEPT_BYTES = 64_000_000
"""Shared memory that stays with a child between photos: 12 megapixels need 36 MB, and pages
that are there already save 10 ms. What larger photos needed is given back."""
CHILD_VARIABLES = {
    # fewer threads and arenas reserve less address space, which is limited
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    # blocks above 16 MB go back to the system, else their remains take 200 MB of what is allowed;
    # smaller ones stay, which saves 8 ms of page faults for a 2-megapixel JPEG
    "MALLOC_MMAP_THRESHOLD_": "16000000",
    "MALLOC_TRIM_THRESHOLD_": "67108864",
    # Pillow keeps 4 blocks of 16 MB: that saves 19 ms of page faults for a 12-megapixel JPEG, more
    # than handing its pixels over takes
    "PILLOW_BLOCKS_MAX": "4",
}
EXIF_NUMBERS = ("focal_px", "focal_mm", "focal_35mm", "orientation")
EXIF_TEXTS = ("make", "model")


class DecodeTimeError(ImageError):
    """Decoding an image took longer than allowed."""


class DecoderError(HlocLiteError):
    """The child process cannot be started."""


class DecodeProcess:
    """One child process. ``decode`` is called by one thread at a time.

    Its photos lie in memory that the next call overwrites.
    """

    def __init__(self, limits: DecodeLimits, *, shared_memory: bool = True) -> None:
        self._limits = limits
        fd = _memory_fd(limits.buffer_bytes) if shared_memory else -1
        command = python_command("hloc_lite.io.decode_child", *limits.arguments(), fd)
        try:
            self._memory = None if fd < 0 else mmap.mmap(fd, limits.buffer_bytes)
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libraries print what they dislike in an image
                env={**untrusted_environment(), **CHILD_VARIABLES},
                pass_fds=() if fd < 0 else (fd,),
                start_new_session=os.name == "posix",  # Ctrl+C is for the parent
            )
        except OSError as error:
            raise DecoderError(f"cannot start the process that decodes photos: {error}") from None
        finally:
            if fd >= 0:
                os.close(fd)
        self._watchdog = Watchdog(self._process.kill)
        self._is_ready = False
        self.photos = 0
        """Photos decoded or refused so far."""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def decode(self, data: bytes, name: str, timeout_s: float) -> Photo:
        """Decode an image file.

        Raises:
            UnknownFormatError, ImageTooLargeError, ImageError: as ``photo_from_bytes``.
            ImageTooLargeError: more memory than allowed.
            DecodeTimeError: more time than allowed. The process is dead then.
            ImageError: the process crashed. It is dead then.
            DecoderError: the process did not start.
        """
        if len(data) > self._limits.max_file_bytes:
            megabytes = f"{len(data) / 1e6:.1f} MB, the limit is {self._limits.max_file_mb:g}"
            raise ImageTooLargeError(f"the image has {megabytes}")
        self._wait_ready()
        self.photos += 1
        with self._watchdog.limit(timeout_s):
            reply = self._ask(data)
            photo = None if reply is None else self._photo(name, reply)
        if reply is None or (photo is None and "error" not in reply):
            self.close()
            raise self._reason_of_death(timeout_s)
        if photo is None:
            raise self._refusal(reply)
        return photo

    def close(self) -> None:
        """End the process, whatever it does."""
        self._watchdog.close()
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_TIMEOUT_S)
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # bytes that nobody reads any more
                stream.close()  # type: ignore[union-attr]

    def release_memory(self) -> None:
        """Give the memory of a large photo back; the photo must not be used any more."""
        if self._memory is not None and hasattr(mmap, "MADV_REMOVE"):
            with suppress(OSError):
                start = KEPT_BYTES // mmap.PAGESIZE * mmap.PAGESIZE
                length = self._limits.image_bytes // mmap.PAGESIZE * mmap.PAGESIZE - start
                if length > 0:
                    self._memory.madvise(mmap.MADV_REMOVE, start, length)

    def _wait_ready(self) -> None:
        if self._is_ready:
            return
        with self._watchdog.limit(START_TIMEOUT_S):
            reply = read_reply(self._process.stdout)  # type: ignore[arg-type]
        if reply is None or READY not in reply:
            self.close()
            raise DecoderError(
                f"the process that decodes photos did not start (exit status "
                f"{self._process.returncode}); `python -m hloc_lite doctor` checks the packages"
            )
        self._is_ready = True

    def _ask(self, data: bytes) -> dict[str, Any] | None:
        """Reply of the child; None if it is dead, or does not keep to the protocol."""
        try:
            if self._memory is not None:
                start = self._limits.image_bytes
                self._memory[start : start + len(data)] = data
                data = LENGTH.pack(len(data))
            write_message(self._process.stdin, data)  # type: ignore[arg-type]
            return read_reply(self._process.stdout)  # type: ignore[arg-type]
        except (OSError, ValueError):  # ValueError: the stream is closed
            return None

    def _photo(self, name: str, reply: Mapping[str, Any]) -> Photo | None:
        """Photo of a reply; None if it tells of none, or of an impossible one."""
        width, height, has_mask = (reply.get(key) for key in ("width", "height", "mask"))
        if not (isinstance(width, int) and isinstance(height, int) and min(width, height) > 0):
            return None
        count = width * height
        if count * BYTES_PER_PIXEL > self._limits.image_bytes:
            return None
        values = self._image_bytes(count * (4 if has_mask is True else 3))
        if values is None:
            return None
        pixels = values[: 3 * count].reshape(height, width, 3)
        mask = values[3 * count :].reshape(height, width) != 0 if has_mask is True else None
        return Photo(name, pixels, mask, _checked_exif(reply.get("exif")))

    def _image_bytes(self, num_bytes: int) -> npt.NDArray[np.uint8] | None:
        if self._memory is not None:
            return np.frombuffer(self._memory, np.uint8, num_bytes)
        received = self._process.stdout.read(num_bytes)  # type: ignore[union-attr]
        return np.frombuffer(received, np.uint8) if len(received) == num_bytes else None

    def _refusal(self, reply: Mapping[str, Any]) -> ImageError:
        reason = str(reply.get("reason", ""))[:1000] or "cannot read the image"
        if reply["error"] == "memory":
            return self._memory_error()
        kinds = {"format": UnknownFormatError, "size": ImageTooLargeError}
        return kinds.get(str(reply["error"]), ImageError)(reason)

    def _reason_of_death(self, timeout_s: float) -> ImageError:
        signal_number = -(self._process.returncode or 0)
        was_slow = signal_number == getattr(signal, "SIGXCPU", 24)
        if self._watchdog.has_killed or was_slow:
            cpu_limit = f"{self._limits.cpu_s:g} s of computing"
            limit = f"{timeout_s:.3g} s" if self._watchdog.has_killed else cpu_limit
            return DecodeTimeError(
                f"decoding the image takes more than {limit}: save it again as an ordinary JPEG"
            )
        if signal_number == getattr(signal, "SIGKILL", 9):  # by the system, short of memory
            return self._memory_error()
        return ImageError("cannot read the image: the decoder crashed on it")

    def _memory_error(self) -> ImageError:
        return ImageTooLargeError(
            f"decoding the image takes more than {self._limits.memory_mb:g} MB of memory: send it "
            f"smaller, or as a baseline JPEG"
        )


def _memory_fd(num_bytes: int) -> int:
    """File descriptor of anonymous memory of fixed size; -1 where the system has none.

    Sealed: a child that shortened it would crash its parent (SIGBUS).
    """
    if not hasattr(os, "memfd_create"):
        return -1
    import fcntl

    fd = os.memfd_create("hloc_lite_photo", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, num_bytes)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def _checked_exif(exif: object) -> dict[str, float | str]:
    """The known EXIF values of the right type."""
    if not isinstance(exif, dict):
        return {}
    numbers = {key: exif[key] for key in EXIF_NUMBERS if type(exif.get(key)) in (int, float)}
    texts = {key: exif[key] for key in EXIF_TEXTS if isinstance(exif.get(key), str)}
    return {**texts, **numbers}
