"""Where this process looks for modules and programs: never in the current folder.

The current folder may hold photos or a map from elsewhere, and beside them a
``torch.py`` or a program called ``git``.
"""

from __future__ import annotations

import os
import sys

NO_CURRENT_FOLDER = "NoDefaultCurrentDirectoryInExePath"
"""Variable by which Windows looks for programs in PATH only, not in the current folder first."""
LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Folders of shared libraries. For this process the system has read them already."""


def leave_out_current_folder() -> None:
    """Take the current folder out of the search paths of this process and its children.

    An empty entry of PYTHONPATH or PATH stands for it, such as the one that ``PATH=$PATH:`` leaves.
    A folder that PYTHONPATH names is searched, even where it is the current one.
    """
    module_path = os.environ.get("PYTHONPATH", "")
    entries = module_path.split(os.pathsep)
    named = [entry for entry in entries if entry]
    if module_path and len(named) < len(entries):  # Python ignores an empty PYTHONPATH
        current = _current_folder()
        kept = {os.path.abspath(entry) for entry in named}
        sys.path[:] = [path for path in sys.path if path and (path != current or path in kept)]
        _set("PYTHONPATH", named)
    for variable in ("PATH", *LIBRARY_PATHS):
        folders = os.environ.get(variable, "").split(os.pathsep)
        _set(variable, [folder for folder in folders if os.path.isabs(folder)])
    os.environ.setdefault(NO_CURRENT_FOLDER, "1")


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted, and holds nothing
        return ""


def _set(variable: str, entries: list[str]) -> None:
    if entries:
        os.environ[variable] = os.pathsep.join(entries)
    else:
        os.environ.pop(variable, None)
