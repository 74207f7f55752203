"""Decoding in a child process: the same photos as in this one; costs and crashes are refusals."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import ImageError
from hloc_lite.io import decode_process
from hloc_lite.io.decode_messages import DecodeLimits
from hloc_lite.io.decode_process import DecodeProcess, DecoderError, DecodeTimeError
from hloc_lite.io.images import ImageTooLargeError, UnknownFormatError, photo_from_bytes
from pipelines.benchmarks.robustness.request_bodies import many_scans

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
LIMITS = DecodeLimits(max_megapixels=50, max_file_mb=5, memory_mb=512, cpu_s=1)


@pytest.fixture(scope="module", params=[True, False], ids=["shared memory", "pipe"])
def child(request: pytest.FixtureRequest) -> Iterator[DecodeProcess]:
    process = DecodeProcess(LIMITS, shared_memory=request.param)
    yield process
    process.close()


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (60, 40), **options) -> bytes:  # type: ignore[no-untyped-def]
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], channels) if channels > 1 else (size[1], size[0])
    pixels = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, kind, **options)
    return buffer.getvalue()


def turned_jpeg() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110] = 6, "Maker", "Phone 3"
    exif.get_ifd(0x8769)[0xA405] = 28
    return encoded("JPEG", exif=exif.tobytes())


@pytest.mark.parametrize(
    "data",
    [encoded("JPEG"), encoded("JPEG", "L"), encoded("PNG", "RGBA"), turned_jpeg()],
    ids=["RGB", "grey", "transparent", "turned, with EXIF"],
)
def test_photos_are_those_of_decoding_here(child: DecodeProcess, data: bytes) -> None:
    here = photo_from_bytes(data, "x", ImagesConfig())
    there = child.decode(data, "x", 20)
    assert np.array_equal(there.pixels, here.pixels)
    assert (there.mask is None) == (here.mask is None)
    assert there.mask is None or np.array_equal(there.mask, here.mask)
    assert dict(there.exif) == dict(here.exif)
    assert not there.pixels.flags.writeable


def test_refusals_are_those_of_decoding_here(child: DecodeProcess) -> None:
    jpeg = encoded("JPEG")
    for data, kind in (
        (b"text", UnknownFormatError),
        (jpeg[:400], ImageError),
        (encoded("PNG", "L", (8000, 6300)), ImageTooLargeError),
        (bytes(5_000_001), ImageTooLargeError),
    ):
        with pytest.raises(kind):
            child.decode(data, "x", 20)
    assert child.decode(jpeg, "x", 20).width == 60


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_memory_is_limited_and_the_child_goes_on() -> None:
    child = DecodeProcess(DecodeLimits(50, 5, 64, 5))
    buffer = io.BytesIO()
    Image.new("L", (7000, 7000)).save(buffer, "PNG")
    with pytest.raises(ImageTooLargeError, match="more than 64 MB of memory"):
        child.decode(buffer.getvalue(), "x", 20)
    assert child.is_alive
    assert child.decode(encoded("JPEG"), "x", 20).width == 60
    child.close()


def test_cpu_time_is_limited() -> None:
    # as many scans as are read, and seconds of decoding
    child = DecodeProcess(replace(LIMITS, max_megapixels=200, memory_mb=2000, cpu_s=0.01))
    child.decode(encoded("JPEG"), "x", 20)
    start = time.monotonic()
    with pytest.raises(DecodeTimeError, match=r"more than 0\.01 s of computing"):
        child.decode(many_scans(side=14000, scans=97), "x", 60)
    assert time.monotonic() - start < 30
    assert not child.is_alive


def test_a_child_that_hangs_is_ended_in_time() -> None:
    child = DecodeProcess(LIMITS)
    child.decode(encoded("JPEG"), "x", 20)
    os.kill(child.pid, signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(DecodeTimeError, match=r"more than 0\.3 s"):
        child.decode(encoded("JPEG"), "x", 0.3)
    assert time.monotonic() - start < 5
    assert not child.is_alive


def test_a_crash_is_a_broken_image() -> None:
    child = DecodeProcess(LIMITS)
    child.decode(encoded("JPEG"), "x", 20)
    os.kill(child.pid, signal.SIGSEGV)
    with pytest.raises(ImageError, match="crashed"):
        child.decode(encoded("JPEG"), "x", 20)


IMPOSSIBLE = [
    json.dumps({"width": 10**6, "height": 10**6, "mask": False, "exif": {}}),
    json.dumps({"width": -5, "height": -5, "mask": False, "exif": {}}),
    json.dumps({"width": 2.5, "height": "3", "mask": None}),
    json.dumps({"ready": True}),
    "[" * 5000,
    "no JSON",
]


@pytest.mark.parametrize("reply", IMPOSSIBLE)
def test_impossible_replies_are_not_believed(monkeypatch: pytest.MonkeyPatch, reply: str) -> None:
    """As of a child that an image has taken over."""
    code = (
        "import sys, struct\n"
        "for text in ('{\"ready\": true}', sys.argv[1]):\n"
        "    sys.stdout.buffer.write(struct.pack('>I', len(text)) + text.encode())\n"
        "sys.stdout.flush(); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, reply]
    monkeypatch.setattr(decode_process, "python_command", lambda *_: command)
    child = DecodeProcess(LIMITS)
    with pytest.raises(ImageError):
        child.decode(encoded("JPEG"), "x", 5)
    assert not child.is_alive


def test_a_child_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", "raise SystemExit(7)"]
    monkeypatch.setattr(decode_process, "python_command", lambda *_: command)
    with pytest.raises(DecoderError, match="did not start"):
        DecodeProcess(LIMITS).decode(encoded("JPEG"), "x", 5)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_child_sees_no_token_and_may_write_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HLOC_LITE_TOKEN", "a-long-enough-token")
    child = DecodeProcess(LIMITS)
    child.decode(encoded("JPEG"), "x", 20)
    assert b"long-enough" not in Path(f"/proc/{child.pid}/environ").read_bytes()
    limits = Path(f"/proc/{child.pid}/limits").read_text().splitlines()
    values = {line[:25].strip(): line[25:].split()[0] for line in limits}
    assert values["Max file size"] == "0" and values["Max core file size"] == "0"
    assert int(values["Max open files"]) <= 64
    child.close()


def test_the_child_imports_no_torch() -> None:
    code = "import sys, hloc_lite.io.decode_child; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
