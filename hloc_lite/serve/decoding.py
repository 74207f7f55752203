"""Child processes that decode uploaded photos; a dead one is replaced, and its photo refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hloc_lite.errors import ImageError
from hloc_lite.io.decode_messages import DecodeLimits
from hloc_lite.io.decode_process import DecodeProcess, DecoderError, DecodeTimeError
from hloc_lite.io.images import ImageTooLargeError, UnknownFormatError
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.problems import Problem
from hloc_lite.types import Photo

MAX_PHOTOS = 1000
"""Photos that one process decodes: what libraries leak is bounded, at 0.5 ms a photo."""
WALL_PER_CPU = 2.0
"""Time that a photo may take in relation to its CPU time, on a machine that others use too."""


class PhotoDecoder:
    """Decodes photos for several threads, each in a process of its own.

    Args:
        limits: what one photo may cost.
        spares: processes kept idle. Others are started when asked for.
    """

    def __init__(self, limits: DecodeLimits, spares: int = 1) -> None:
        self.limits, self._spares = limits, spares
        self._lock = threading.Lock()
        self._idle: list[DecodeProcess] = []
        self._all: set[DecodeProcess] = set()
        self._is_closed = False

    def start(self) -> None:
        """Start the spare processes, so that the first photo need not wait for one."""
        while len(self._idle) < self._spares and not self._is_closed:
            self._idle.append(self._new())

    @contextmanager
    def photo(self, data: bytes, name: str, timeout_s: float) -> Iterator[Photo]:
        """Decode an image file; the photo is valid within the block only.

        Args:
            timeout_s: time that is left for the request.

        Raises:
            Problem: no image (415), too large or too much memory (413), broken, or too much time
                (422), no process (503).
        """
        process = self._take()
        try:
            yield self._decode(process, data, name, timeout_s)
        finally:
            self._give_back(process)

    def close(self) -> None:
        """End all processes, busy ones too."""
        with self._lock:
            self._is_closed = True
            processes = list(self._all)
        for process in processes:
            process.close()

    def _decode(self, process: DecodeProcess, data: bytes, name: str, timeout_s: float) -> Photo:
        limit_s = min(timeout_s, WALL_PER_CPU * self.limits.cpu_s)
        try:
            return process.decode(data, name, limit_s)
        except UnknownFormatError as error:
            raise Problem(415, "not_an_image", str(error)) from None
        except ImageTooLargeError as error:
            raise Problem(413, "image_too_large", str(error)) from None
        except DecodeTimeError as error:
            raise Problem(422, "image_too_slow", str(error)) from None
        except ImageError as error:
            raise Problem(422, "broken_image", str(error)) from None
        except DecoderError as error:
            raise _unavailable(str(error)) from None

    def _take(self) -> DecodeProcess:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.is_alive:
                    return process
                self._all.discard(process)
        try:
            return self._new()
        except DecoderError as error:
            raise _unavailable(str(error)) from None

    def _give_back(self, process: DecodeProcess) -> None:
        if process.is_alive and process.photos < MAX_PHOTOS:
            process.release_memory()
            with self._lock:
                if len(self._idle) < self._spares and not self._is_closed:
                    self._idle.append(process)
                    return
        process.close()
        self._all.discard(process)
        with self._lock, suppress(DecoderError):  # the next photo tells
            if len(self._idle) < self._spares and not self._is_closed:
                self._idle.append(self._new())

    def _new(self) -> DecodeProcess:
        process = DecodeProcess(self.limits)
        self._all.add(process)
        if self._is_closed:  # closed while the process was being started
            self._all.discard(process)
            process.close()
        return process


def decode_limits(config: ServeConfig) -> DecodeLimits:
    """Limits of the photos of a server."""
    return DecodeLimits(
        config.max_megapixels, config.max_upload_mb, config.decode_memory_mb, config.decode_cpu_s
    )


def _unavailable(reason: str) -> Problem:
    return Problem(503, "no_decoder", reason, {"Retry-After": "5"})
