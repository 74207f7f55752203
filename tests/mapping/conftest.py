"""Exact scene whose stand-in extractor and global descriptor are registered."""

from __future__ import annotations

import pytest

from hloc_lite.config import Config
from tests.exact_scene import ExactScene, make_scene, use_scene


@pytest.fixture
def exact_scene(monkeypatch: pytest.MonkeyPatch) -> tuple[ExactScene, Config]:
    """Scene, and a config that uses its stand-ins."""
    scene = make_scene()
    return scene, use_scene(monkeypatch, scene)
