"""Which weights a run used: names and checksums, for the fingerprints of what it makes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hloc_lite.registry import Weights


class RecordingWeights:
    """Hands out another store's files and remembers their sha256 in ``used``."""

    def __init__(self, store: Weights) -> None:
        self._store = store
        self.used: dict[str, str] = {}
        self.offline = bool(getattr(store, "offline", False))
        """The other store's: models that have their files from elsewhere look at it."""

    def path(self, name: str) -> Path:
        """As ``Weights.path``."""
        path = self._store.path(name)
        if name not in self.used:
            with path.open("rb") as file:
                self.used[name] = hashlib.file_digest(file, "sha256").hexdigest()
        return path
