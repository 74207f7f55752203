"""COLMAP's mappers on a full disk: an error, not a crash."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("resource")
PROGRAM = """
import resource, signal, sys
import numpy as np
from hloc_lite.config import MappingConfig
from hloc_lite.errors import MappingError
from hloc_lite.formats.colmap.mappers import reconstruct
from hloc_lite.io.pycolmap_adapter import TwoView
from hloc_lite.types import Camera
import pycolmap

names = [f"{number}.jpg" for number in range(12)]
camera = Camera("SIMPLE_PINHOLE", 640, 480, np.array([500.0, 320, 240]))
rng = np.random.default_rng(0)
keypoints = {name: rng.uniform(0, 480, (500, 2)) for name in names}
view = TwoView(np.repeat(np.arange(500, dtype=np.int32)[:, None], 2, 1), "CALIBRATED")
pairs = [((a, b), view) for a in names for b in names if a < b]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]) << 10, resource.RLIM_INFINITY))
try:
    reconstruct({1: camera}, dict.fromkeys(names, 1), keypoints, pairs, MappingConfig())
except MappingError as error:
    print(error)
"""


@pytest.mark.parametrize("limit_kb", [50, 300])
def test_a_full_temporary_folder_is_a_mapping_error(limit_kb: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(limit_kb)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "COLMAP failed in" in done.stdout and "TMPDIR" in done.stdout
