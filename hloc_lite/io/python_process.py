"""Own Python child processes, which never import files of the current folder.

Python puts the current folder first on the module path of ``python -m``. A photo folder from
elsewhere may hold a ``torch.py``, so it must not be searched.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hloc_lite

SITE_FOLDERS = ("site-packages", "dist-packages")
"""Folders of installed packages, which every Python process searches anyway."""

SECRET_VARIABLES = ("HLOC_LITE_TOKEN",)
"""Environment variables for the service alone."""


def python_command(module: str, *arguments: object) -> list[str]:
    """Command that runs a module in a new Python process, without the current folder (-P)."""
    return [sys.executable, "-P", "-m", module, *(str(argument) for argument in arguments)]


def python_environment() -> dict[str, str]:
    """Environment in which ``python_command`` finds hloc_lite from any working folder.

    Relative entries of PYTHONPATH become absolute ones. Empty ones, which stand for the current
    folder, are left out.
    """
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    folders = [os.path.abspath(entry) for entry in entries if entry]
    root = Path(hloc_lite.__file__).absolute().parent.parent
    if root.name not in SITE_FOLDERS:  # a checkout that is not installed
        folders.append(str(root))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}


def untrusted_environment() -> dict[str, str]:
    """``python_environment`` without secrets, for a process that reads what strangers made."""
    given = python_environment()
    return {name: value for name, value in given.items() if name not in SECRET_VARIABLES}
