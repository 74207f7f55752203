"""A global descriptor without weights, for command lines that run in the test's own process."""

from __future__ import annotations

import pytest

from hloc_lite import registry
from hloc_lite.entries import Entry


@pytest.fixture(scope="package", autouse=True)
def thumbnail_retrieval():
    """``--retrieval thumbnail``."""
    entry = Entry("tests.robustness.stand_ins:Thumbnail")
    with registry.register("global_descriptors", "thumbnail", entry):
        yield
