"""Random poses and damaged files for the tests of pose formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from hloc_lite.errors import FormatError
from hloc_lite.formats.posed_images import PosedImages
from hloc_lite.geometry.rotations import exp_so3
from hloc_lite.types import Rigid3

finite = st.floats(-1e4, 1e4)
rigids = st.builds(
    lambda r, t: Rigid3(exp_so3(r), np.array(t)),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(finite, finite, finite),
)


def assert_same_pose(found: Rigid3, wanted: Rigid3) -> None:
    """Poses that were inverted on the way may differ by rounding."""
    np.testing.assert_allclose(found.rotation, wanted.rotation, atol=1e-14)
    np.testing.assert_allclose(found.translation, wanted.translation, rtol=1e-12, atol=1e-10)


def poses_of(posed: PosedImages) -> dict[str, Rigid3]:
    return {image.name: image.cam_from_world for image in posed.model.images}


def check_damaged(path: Path, read: Callable[[], object], count: int = 150) -> None:
    """Read a file with random changes of its bytes: only FormatError may be raised.

    At least one of the changes must be refused, and the file itself must be readable.
    """
    read()
    data = path.read_bytes()
    rng = np.random.default_rng(7)
    refused = 0
    for _ in range(count):
        damaged = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(damaged)))
            kind = int(rng.integers(4))
            if kind == 0:
                damaged[at] = int(rng.integers(256))
            elif kind == 1:
                del damaged[at : at + int(rng.integers(1, 40))]
            elif kind == 2:
                damaged[at:at] = bytes(damaged[: int(rng.integers(60))])
            else:
                damaged[at:at] = rng.choice([b"9" * 400, b"e999", b"nan ", b"-", b"\0", b"\n"])
            damaged = damaged or bytearray(b" ")
        path.write_bytes(bytes(damaged))
        try:
            read()
        except FormatError:
            refused += 1
    path.write_bytes(data)
    assert refused > 0
    path.write_bytes(b"")
    with pytest.raises(FormatError):
        read()
        raise FormatError("an empty list is a value")
    path.unlink()
    with pytest.raises(FormatError):
        read()
    path.write_bytes(data)
