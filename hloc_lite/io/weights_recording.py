"""Records which weights a run uses, for the fingerprints of its results."""

from __future__ import annotations

from pathlib import Path

from hloc_lite.io.files import file_sha256
from hloc_lite.protocols import Weights, WeightsFile


class RecordingWeights:
    """Wraps a weights store and records the sha256 of each file it returns in ``used``."""

    def __init__(self, store: Weights) -> None:
        self._store = store
        self.used: dict[str, str] = {}
        self.offline = bool(getattr(store, "offline", False))
        """The store's own; models that get their files elsewhere (Hugging Face) obey it, too."""

    def path(self, name: str) -> Path:
        """Return the path of a file, as ``Weights.path``."""
        path = self._store.path(name)
        if name not in self.used:
            self.used[name] = file_sha256(path)
        return path

    def read(self, name: str) -> WeightsFile:
        """Return the content of a file, as ``Weights.read``."""
        file = self._store.read(name)
        self.used[name] = file.sha256
        return file
