"""Global descriptor without weights, for commands that run in the process of the tests."""

from __future__ import annotations

import pytest

from tests.robustness.stand_ins import register


@pytest.fixture(scope="package", autouse=True)
def thumbnail_retrieval():
    """Registers ``--retrieval thumbnail``."""
    with register():
        yield
