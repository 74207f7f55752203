"""Maps with composed global descriptors: trusted where both parts are this package's."""

from __future__ import annotations

import pytest

from hloc_lite.config import Config
from hloc_lite.maps import outside_names


@pytest.mark.parametrize(
    ("name", "is_safe"),
    [
        ("netvlad-lite0", True),
        ("pooled:bow+lite0", True),
        ("local:fisher+rootsift", True),
        ("pooled:bow+evil", False),
        ("pooled:evil+lite0", False),
        ("pooled:bow+rootsift", False),
        ("pooled:", False),
        ("pooled:bow", False),
        ("local:", False),
        ("hf:someone/model", False),
        ("files:/etc", False),
    ],
)
def test_composed_names_of_this_package_need_no_trust(name: str, is_safe: bool) -> None:
    config = Config()
    retrieval = config.retrieval.model_copy(update={"name": name})
    changed = config.model_copy(update={"retrieval": retrieval})
    assert outside_names._is_safe(changed, "retrieval.name") is is_safe
