import pytest

from hloc_lite.io.weights import WeightsStore
from hloc_lite.registry import Runtime


@pytest.fixture(scope="session")
def runtime():
    return Runtime(WeightsStore(offline=True))
