"""Pipes, sockets and devices in place of files are refused, and not waited for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no pipes in folders", allow_module_level=True)

from hloc_lite.config import ImagesConfig, load_config
from hloc_lite.datasets.unpacking import unpack
from hloc_lite.errors import ConfigError, FormatError, ImageError
from hloc_lite.io.images import open_image, read_photo
from hloc_lite.localize.confidence import read_calibration
from pipelines.benchmarks.robustness.mutated_files import SAMPLES
from pipelines.benchmarks.robustness.special_files import run

CHECKED = ("JPEG", "COLMAP database", "hloc features", "hloc log", "submission, zip", "video")
"""Formats that are not read as text; the benchmark takes all."""


def test_special_files_are_refused(tmp_path: Path) -> None:
    samples = [sample for sample in SAMPLES if sample.name in CHECKED]
    assert len(samples) == len(CHECKED)
    seen = 0
    for name, file, kind, outcome in run(tmp_path / "files", samples):
        assert outcome.kind == "refused", (name, file, kind, outcome)
        seen += 1
    assert seen >= 4 * len(CHECKED)


def test_pipes_as_other_inputs_are_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="no file"):
        load_config(file=pipe)
    with pytest.raises(ImageError, match="no file"):
        read_photo(pipe, "a", ImagesConfig())
    with pytest.raises(ImageError, match="no file"), open_image(pipe, with_pixels=False):
        pass
    with pytest.raises(FormatError, match="a pipe"):
        unpack(pipe, tmp_path / "out")
    with pytest.raises(FormatError, match="a pipe"):
        read_calibration(pipe)
