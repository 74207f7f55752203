"""Fuzz targets: every reader of files, requests, settings and names, each fed with bytes.

A target is a sample of a format (``pipelines.benchmarks.robustness``). The input replaces one of
the sample's files: its first byte chooses which. A reader may refuse with one of our errors only.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hloc_lite.errors import HlocLiteError
from pipelines.benchmarks.robustness.mutated_files import SAMPLES, write_sample
from pipelines.benchmarks.robustness.sample_model import FormatSample

TARGETS: Mapping[str, FormatSample] = {sample.name: sample for sample in SAMPLES}
"""Name -> sample. ``tests/fuzz`` checks that no module with a reader is missing."""
NOT_FUZZED: Mapping[str, str] = {
    "io/error_deferring_file.py": "read by h5py while a file is written",
    "formats/e57.py": "read by libE57 of the extra depth, which cannot be loaded everywhere",
    "io/decode_messages.py": "messages of the own child process; tests/io/test_decode_process.py",
    "io/torch_checkpoints.py": "weights are read after their checksum was compared",
    "io/weights.py": "as above",
    "io/weights_recording.py": "as above",
}
"""Module with a function that is named like a reader -> why it has no target."""


@dataclass(frozen=True)
class Target:
    """A sample in memory, whose files are replaced one at a time."""

    sample: FormatSample
    files: Mapping[str, bytes]
    """Name, relative to the folder -> content."""
    folder: Path
    """Scratch folder, which is deleted before each input."""

    @staticmethod
    def make(name: str, folder: Path) -> Target:
        """The target of that name, which works in a scratch folder."""
        sample = TARGETS[name]
        write_sample(sample, folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        return Target(sample, files, folder)

    def seeds(self) -> list[bytes]:
        """Inputs that leave the sample as it is."""
        return [bytes([number % 256]) + data for number, data in enumerate(self.files.values())]

    def read(self, data: bytes) -> bool:
        """Read the sample with one file replaced; returns False if it was refused.

        Raises:
            Exception: any error that is not ours is a fault of the reader.
        """
        chosen = list(self.files)[data[0] % len(self.files)] if data else ""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name, content in self.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data[1:] if name == chosen else content)
        try:
            self.sample.read(self.folder)
        except HlocLiteError:
            return False
        return True
