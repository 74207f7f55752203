"""What models may use: checked where it is named, for the command line and for Python."""

from __future__ import annotations

import pytest

from hloc_lite.errors import ConfigError
from hloc_lite.registry import Runtime
from tests.exact_scene import NoWeights


def test_a_runtime_of_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="'garbage' cannot be used here: expected cpu, cuda"):
        Runtime(NoWeights(), "garbage")
