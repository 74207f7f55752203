"""A global descriptor without weights, for command lines that run in the test's own process."""

from __future__ import annotations

import pytest

from hloc_lite import registry


@pytest.fixture(scope="package", autouse=True)
def thumbnail_retrieval():
    """``--retrieval thumbnail``."""
    with pytest.MonkeyPatch.context() as patch:
        target = "tests.robustness.stand_ins:Thumbnail"
        patch.setitem(registry.GLOBAL_DESCRIPTORS, "thumbnail", target)  # type: ignore[arg-type]
        yield
