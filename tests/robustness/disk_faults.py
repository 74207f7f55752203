"""Disk that fails: each write, sync, rename, deletion or new folder of a process may be its last.

``DiskFault.install`` replaces Python's functions for files, so it must run in a process of its own
(``in_child``). Libraries that write through Python file objects, such as h5py and NumPy here, are
counted, too.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CALLS = ("fsync", "link", "mkdir", "remove", "rename", "replace", "rmdir", "truncate", "unlink")
"""Functions of ``os`` that change a disk."""
NO_SPACE_CALLS = ("mkdir", "link")
"""Of these, those for which a full disk has no space; deleting and renaming still work."""
REFUSED = 3
TRACEBACK = 4
KINDS = ("kill", "torn", "EIO", "EIO for ever", "ENOSPC for ever")
"""Killed before a call; killed in the middle of a write; one call fails; all from there on fail."""


@dataclass
class DiskFault:
    """Counts the calls of a process, and lets one of them fail, or all from there on."""

    kind: str
    at: int
    """Number of the call that fails, from 0; negative for none."""
    calls: list[str] = field(default_factory=list)

    def install(self) -> None:
        """Replace the functions of this process."""
        for name in CALLS:
            setattr(os, name, self._counted(name, getattr(os, name)))
        opened = io.open

        def opens(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            found = opened(file, mode, *args, **options)
            is_path = isinstance(file, str | bytes | os.PathLike)
            return _CountedFile(found, self) if is_path and set(mode) & set("wax+") else found

        builtins.open = io.open = opens

    def before(self, call: str) -> bool:
        """Count a call; fail, or return True if a write shall be torn."""
        number = len(self.calls)
        self.calls.append(call)
        is_lasting = self.kind.endswith("for ever")
        if self.at < 0 or not (number == self.at or (is_lasting and number > self.at)):
            return False
        if self.kind == "torn" and call == "write":
            return True
        if self.kind in ("kill", "torn"):
            os.kill(os.getpid(), signal.SIGKILL)
        code = errno.ENOSPC if self.kind.startswith("ENOSPC") else errno.EIO
        if code == errno.ENOSPC and call not in ("write", "flush", "fsync", *NO_SPACE_CALLS):
            return False
        raise OSError(code, os.strerror(code))

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.before(name)
            return function(*args, **options)

        return call


class _CountedFile:
    """File whose writes are counted."""

    def __init__(self, file: Any, fault: DiskFault) -> None:
        self._file, self._fault = file, fault

    def write(self, data: Any) -> Any:
        if self._fault.before("write"):
            self._file.write(data[: len(data) // 2])
            self._file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return self._file.write(data)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def truncate(self, *args: Any) -> Any:
        self._fault.before("truncate")
        return self._file.truncate(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _CountedFile:
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._file.__exit__(*error)

    def __iter__(self) -> Any:
        return iter(self._file)


def in_child(work: Callable[[], object], fault: DiskFault, log: Path) -> tuple[int, list[str]]:
    """Exit code of a process that does some work on a failing disk, and its calls if it ended.

    Codes are 0, ``REFUSED`` for an error with a remedy, ``TRACEBACK`` for any other (its text is
    in ``log``), and minus the signal that ended it.
    """
    from hloc_lite.errors import HlocLiteError

    calls = log.with_suffix(".calls")
    calls.unlink(missing_ok=True)
    written = io.open
    pid = os.fork()
    if pid == 0:
        code = 0
        sys.stdout = sys.stderr = written(log, "w")
        try:
            fault.install()
            work()
        except HlocLiteError:
            code = REFUSED
        except SystemExit as stop:
            code = {0: 0, 2: REFUSED}.get(int(stop.code or 0), TRACEBACK)
        except BaseException:
            with written(log, "w") as file:
                traceback.print_exc(file=file)
            code = TRACEBACK
        finally:
            with written(calls, "w") as file:
                file.write("\n".join(fault.calls))
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, calls.read_text().split("\n") if calls.exists() else []
