"""Weights stores for models that need no real weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from hloc_lite.protocols import WeightsFile


class NoWeights:
    """A weights store for models that need none."""

    def path(self, name: str) -> Path:
        raise AssertionError(f"weights {name!r} were asked for")

    def read(self, name: str) -> WeightsFile:
        raise AssertionError(f"weights {name!r} were asked for")


@dataclass(frozen=True)
class OneFile:
    """A weights store that has one file for every name."""

    file: Path

    def path(self, name: str) -> Path:
        return self.file

    def read(self, name: str) -> WeightsFile:
        content = self.file.read_bytes()
        return WeightsFile(self.file, content, hashlib.sha256(content).hexdigest())
