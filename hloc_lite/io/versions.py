"""Versions of the software and hardware that made a result."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hloc_lite import __version__

PACKAGES = ("torch", "pycolmap", "numpy", "opencv-python-headless", "poselib", "faiss-cpu")


def software_versions() -> dict[str, str]:
    """Version of hloc_lite, Python and the packages that results depend on; system; processor."""
    found = {"hloc_lite": __version__, "Python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return {
        **found,
        "system": platform.platform(),
        "processor": f"{processor()}, {os.cpu_count()} cores",
    }


def processor() -> str:
    """Name of the processor as the system tells it; ``unknown`` if it does not."""
    with suppress(OSError):  # only Linux has the file
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine() or "unknown"
