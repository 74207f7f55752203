"""Sharded store: a folder of small banks that survives a kill.

Each shard is written under a temporary name and renamed. What was committed before a kill is there
afterwards, complete.
"""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import numpy as np

from hloc_lite.errors import FormatError, StaleArtefactError
from hloc_lite.io.bank import BANK_SCHEMA, Arrays, Bank, write_bank
from hloc_lite.io.files import read_json, read_json_object, write_json_atomic

logger = logging.getLogger(__name__)
MAX_OPEN_SHARDS = 32
"""Well below the usual limit of 1024 open files per process."""
MAX_REASON = 200
"""Characters kept of the reason of a failure."""
_SHARD = re.compile(r"shard-([0-9]{6,})\.(?:h5|broken)")
_OWN_FILE = re.compile(rf"{_SHARD.pattern}|store\.json|\..+\.partial")


class ShardedStore(Mapping[str, dict[str, np.ndarray]]):
    """Mapping from key to arrays on disk, filled during a long computation.

    Items are committed when ``flush_mb`` megabytes or ``flush_s`` seconds have gathered: that much
    is lost if the process is killed.

    Args:
        folder: store folder; made if it is missing.
        fingerprint: identifies everything that the items depend on.
        what: the items' plural name, for messages.
        settings: setting -> plain value, kept beside the fingerprint for messages.
        flush_s: seconds.
        flush_mb: megabytes.

    Raises:
        StaleArtefactError: the folder was made with another fingerprint.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        what: str,
        *,
        settings: Mapping[str, object] = MappingProxyType({}),
        flush_s: float = 10.0,
        flush_mb: float = 64,
    ) -> None:
        self._folder, self._flush_s, self._flush_mb = folder, flush_s, flush_mb
        _check_fingerprint(folder / "store.json", fingerprint, what, settings)
        self._shard_of: dict[str, Path] = {}
        self._open: OrderedDict[Path, Bank] = OrderedDict()
        self._pending: dict[str, Arrays] = {}
        self._pending_bytes = 0
        self._last_flush = time.monotonic()
        for path in sorted(folder.glob("*.h5")):
            if _SHARD.fullmatch(path.name):
                self._adopt(path)
        for path in folder.glob(".*.partial"):
            path.unlink(missing_ok=True)

    def _adopt(self, path: Path) -> None:
        try:
            bank = Bank(path)
        except FormatError as error:
            logger.warning("%s; its items are computed again", error)
            path.replace(path.with_suffix(".broken"))
            return
        self._shard_of.update(dict.fromkeys(bank, path))
        self._keep_open(path, bank)

    def _bank(self, path: Path) -> Bank:
        bank = self._open.pop(path) if path in self._open else Bank(path)
        return self._keep_open(path, bank)

    def _keep_open(self, path: Path, bank: Bank) -> Bank:
        self._open[path] = bank
        if len(self._open) > MAX_OPEN_SHARDS:
            self._open.popitem(last=False)[1].close()
        return bank

    def add(self, key: str, arrays: Arrays) -> None:
        """Add an item; it is on disk after the next ``flush`` at the latest."""
        self._pending[key] = arrays
        self._pending_bytes += sum(array.nbytes for array in arrays.values())
        if (
            self._pending_bytes > 1e6 * self._flush_mb
            or time.monotonic() - self._last_flush > self._flush_s
        ):
            self.flush()

    def flush(self) -> None:
        """Commit the items that were added since the last flush."""
        self._last_flush = time.monotonic()
        if not self._pending:
            return
        found = (_SHARD.fullmatch(path.name) for path in self._folder.iterdir())
        last = max((int(match[1]) for match in found if match), default=-1)
        path = self._folder / f"shard-{last + 1:06d}.h5"
        write_bank(path, self._pending.items(), {})
        bank = Bank(path)  # reports at once a disk that does not return what was written
        self._shard_of.update(dict.fromkeys(bank, path))
        self._keep_open(path, bank)
        self._pending, self._pending_bytes = {}, 0

    def read(self, key: str, fields: Iterable[str]) -> dict[str, np.ndarray]:
        """Return some of an item's arrays."""
        if key in self._pending:
            return {field: self._pending[key][field] for field in fields}
        return self._read(key, fields)

    def __getitem__(self, key: str) -> dict[str, np.ndarray]:
        if key in self._pending:
            return dict(self._pending[key])
        return self._read(key, None)

    def _read(self, key: str, fields: Iterable[str] | None) -> dict[str, np.ndarray]:
        path = self._shard_of[key]
        try:
            return self._bank(path).read(key, fields)
        except FormatError as error:
            if path.is_file():  # so that it is not read again
                path.replace(path.with_suffix(".broken"))
            raise FormatError(f"{error}. Run again: its items are computed anew") from None

    def __iter__(self) -> Iterator[str]:
        return iter({**self._shard_of, **self._pending})

    def __len__(self) -> int:
        return len({**self._shard_of, **self._pending})

    def __contains__(self, key: object) -> bool:
        return key in self._pending or key in self._shard_of

    def clear(self) -> None:
        """Delete all items."""
        self._pending, self._pending_bytes = {}, 0
        self._close_shards()
        self._shard_of.clear()
        for path in list(self._folder.iterdir()):
            if _SHARD.fullmatch(path.name):
                path.unlink()

    def close(self) -> None:
        """Commit and close all files."""
        self.flush()
        self._close_shards()

    def _close_shards(self) -> None:
        for bank in self._open.values():
            bank.close()
        self._open.clear()


def is_store(folder: Path) -> bool:
    """Return True if the folder is a ``ShardedStore``."""
    return read_json_object(folder / "store.json").get("schema") == BANK_SCHEMA


def delete_store(folder: Path) -> None:
    """Delete the files of a closed store, and its folder unless it holds other files."""
    for path in list(folder.iterdir()):
        if _OWN_FILE.fullmatch(path.name) and path.is_file():
            path.unlink()
    with suppress(OSError):
        folder.rmdir()


def is_empty(folder: Path) -> bool:
    """Return True if no item of the store in a folder was committed."""
    return not any(_SHARD.fullmatch(path.name) for path in folder.iterdir())


def mark_failed(folder: Path, reason: str) -> None:
    """Note in a closed store that the computation it belongs to has failed."""
    path = folder / "store.json"
    write_json_atomic(path, {**read_json_object(path), "failed": reason[:MAX_REASON]})


def failure_of(folder: Path) -> str | None:
    """Reason of the last run of a store if it failed; None if it ended otherwise."""
    reason = read_json_object(folder / "store.json").get("failed")
    return reason if isinstance(reason, str) else None


def _check_fingerprint(
    path: Path, fingerprint: str, what: str, settings: Mapping[str, object]
) -> None:
    """Record ``fingerprint`` in a JSON file, or compare it with the recorded one.

    Raises:
        StaleArtefactError: they differ; names both.
    """
    if path.is_file():
        header = read_json(path)
        found = header.get("fingerprint") if isinstance(header, dict) else None
        if found != fingerprint:
            raise StaleArtefactError(
                f"{what} in {path.parent} were made with other settings, weights or images: "
                f"fingerprint {found} there, {fingerprint} asked for. Use --overwrite to compute "
                f"them again, or another output folder"
            )
        if isinstance(header, dict) and "failed" not in header:
            return
    header = {"schema": BANK_SCHEMA, "what": what, "fingerprint": fingerprint}
    write_json_atomic(path, {**header, "settings": dict(settings)})
