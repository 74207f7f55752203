"""Refusal of pipes, sockets and devices where a file is expected.

Opening a pipe waits for its writer, for ever if there is none. Devices such as /dev/zero never end.
"""

from __future__ import annotations

import stat
from pathlib import Path

from hloc_lite.errors import FormatError

_SHELL_PIPES = ("/dev/fd", "/proc/self/fd")


def check_regular(path: Path) -> None:
    """Refuse a path that is neither a file nor a folder; what is not there passes.

    Folders pass, because opening one fails at once, with a reason.

    Raises:
        FormatError: it is a pipe, a socket or a device.
    """
    if is_special(path):
        raise FormatError(f"{path} is a pipe, a socket or a device: expected a file")


def is_special(path: Path) -> bool:
    """Return True for a pipe, a socket or a device, and for links to them.

    The shell's own pipes, as of ``<(command)``, are the user's, and pass.
    """
    if path.as_posix() == "/dev/stdin" or path.parent.as_posix() in _SHELL_PIPES:
        return False
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # opening it says what is wrong
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_file(path: Path) -> bool:
    """Return True for a file; False also for paths that the system cannot hold."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
