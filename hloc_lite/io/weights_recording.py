"""Records which weights a run uses, for the fingerprints of its results."""

from __future__ import annotations

from pathlib import Path

from hloc_lite.io.files import cached_sha256
from hloc_lite.protocols import Weights


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
            self.used[name] = cached_sha256(path)
        return path
