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
    return {**found, "system": platform.platform(), "processor": processor()}


def processor() -> str:
    """Name of the processor as the system tells it, and the number of its cores."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):  # only Linux has the file
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = names[0] if names else name
    return f"{name}, {os.cpu_count()} cores"
