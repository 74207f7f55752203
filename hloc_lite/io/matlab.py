"""MATLAB files of version 5: arrays, cells and structs, read without running code.

Sizes in their headers are checked before the arrays are read.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from hloc_lite.errors import FormatError
from hloc_lite.io.regular_files import check_regular

MAX_FILE_BYTES = 1 << 32
MAX_VALUES = 300_000_000
"""Largest number of values of an array: a scan of 40 million points has them in each cell."""


def read_variable(path: Path, name: str) -> Any:
    """Read a variable of a MATLAB file.

    Raises:
        FormatError: missing, damaged, too large, or without this variable.
    """
    from scipy.io import loadmat, whosmat

    check_regular(path)

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FormatError(f"{path} is larger than {MAX_FILE_BYTES >> 30} GiB")
        shapes = {key: shape for key, shape, _ in whosmat(path, appendmat=False)}
        if name not in shapes:
            known = ", ".join(shapes) or "nothing"
            raise FormatError(f"{path}: expected the variable {name!r}, got {known[:200]}")
        if math.prod(shapes[name]) > MAX_VALUES:
            raise FormatError(f"{path}: {name} of {shapes[name]} is too large")
        return loadmat(path, appendmat=False, variable_names=[name])[name]
    except FormatError:
        raise
    except NotImplementedError:
        raise FormatError(
            f"{path} is a MATLAB file of version 7.3: save it again with '-v7'"
        ) from None
    except OSError as error:
        reason = error.strerror or str(error)[:200]
        raise FormatError(f"cannot read {path}: {reason}") from None
    except Exception as error:  # SciPy does not document what it raises on damaged files
        reason = str(error)[:200] or type(error).__name__
        raise FormatError(f"{path} is no MATLAB file, or damaged: {reason}") from None
