"""Reads a map in a child process first, so that one that crashes or explodes its reader is refused.

``python -P -m hloc_lite.maps.limited_reading FOLDER TRUST LIMITS...`` opens the map and reads what
queries read: the model, the features of all images, the descriptors. Its limits follow from the
bytes on disk. Tiles of a surface are not read: each is compared with its checksum when it is first
used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hloc_lite.errors import DamagedMapError, FormatError, HlocLiteError
from hloc_lite.io.process_limits import limit_cpu, limit_files, limit_memory
from hloc_lite.io.python_process import python_command, untrusted_environment
from hloc_lite.maps.folder import REMEDY

MEMORY_STATUS = 3
"""Exit status of the child if it ran out of memory."""
OPEN_FILES = 256
"""HDF5 files, arrays and the files of a rig; a few dozen are open at a time."""
WALL_PER_CPU = 3.0
"""Time in relation to CPU time, on a busy machine and a slow disk."""


@dataclass(frozen=True)
class CheckLimits:
    """Bounds on the cost of reading a map."""

    memory_mb: float
    cpu_s: float

    @classmethod
    def of_size(cls, size_mb: float) -> CheckLimits:
        """Limits of a map with so many MB on disk.

        Descriptors are stored in 2 bytes a number and read into 4. Each limit is several times what
        a sound map needs.
        """
        return cls(memory_mb=512 + 8 * size_mb, cpu_s=30 + 0.2 * size_mb)


def check_map(folder: Path, *, trust: bool = False, limits: CheckLimits | None = None) -> None:
    """Read a map in a child process.

    Args:
        trust: as in ``Map.open``.
        limits: what reading may cost; None to derive it from the size on disk.

    Raises:
        FormatError: the map is refused, as ``Map.open`` would refuse it.
        DamagedMapError: reading it crashed, or took more than the limits.
    """
    given = limits or CheckLimits.of_size(_size_mb(folder))
    arguments = (folder.absolute(), int(trust), given.memory_mb, given.cpu_s)
    run_check(folder, python_command("hloc_lite.maps.limited_reading", *arguments), given)


def run_check(folder: Path, command: Sequence[str], limits: CheckLimits) -> None:
    """Run the child process, and turn its end into an error. Raises as ``check_map``."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=WALL_PER_CPU * limits.cpu_s, env=untrusted_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise DamagedMapError(f"{folder}: reading it takes too long: {REMEDY}") from None
    reason = _reason(done.stdout)
    if reason:
        raise FormatError(reason)
    if reason is None or done.returncode != 0:
        raise DamagedMapError(f"{folder}: {_cause(done.returncode, limits)}: {REMEDY}")


def _cause(returncode: int, limits: CheckLimits) -> str:
    if returncode == -24:  # SIGXCPU
        return f"reading it takes more than {limits.cpu_s:.0f} s of computing"
    if returncode == MEMORY_STATUS:
        return f"reading it takes more than {limits.memory_mb:.0f} MB of memory"
    ended = f"signal {-returncode}" if returncode < 0 else f"exit status {returncode}"
    return f"reading it crashes ({ended})"


def _reason(output: bytes) -> str | None:
    """Reason of a refusal; empty if the map is well, None without an answer."""
    try:
        value = json.loads(output[:65536])
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def _size_mb(folder: Path) -> float:
    """Size on disk; the holes of a sparse file do not count."""
    files = (os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)
    states = [os.lstat(file) for file in files]
    return (
        sum(min(each.st_size, 512 * getattr(each, "st_blocks", 1 << 40)) for each in states) / 1e6
    )


def main(arguments: Sequence[str]) -> None:
    """Read a map within limits, and print a JSON text: the reason of a refusal, or nothing."""
    from hloc_lite.maps.map import Map

    folder, trust, memory_mb, cpu_s = arguments
    limit_files(OPEN_FILES)
    limit_memory(float(memory_mb))
    limit_cpu(float(cpu_s))
    try:
        sfm_map = Map.open(folder, trust=trust == "1")
        for name in sfm_map.features:
            sfm_map.features[name]
        if sfm_map.landmark_descriptors is not None:
            sfm_map.landmark_descriptors.values[:]
    except MemoryError:
        sys.exit(MEMORY_STATUS)
    except HlocLiteError as error:
        print(json.dumps(str(error)[:4000]))
        return
    print(json.dumps(""))


if __name__ == "__main__":
    main(sys.argv[1:])
