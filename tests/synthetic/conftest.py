"""A small town, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.synthetic.config import TownConfig
from hloc_lite.synthetic.dataset import plan_dataset, write_dataset
from hloc_lite.synthetic.raycasting import RaycastScene
from hloc_lite.synthetic.town import Town
from hloc_lite.synthetic.visibility import View


@pytest.fixture(scope="module")
def config() -> TownConfig:
    return TownConfig(num_map=8, num_queries=2, width=160, height=120)


@pytest.fixture(scope="module")
def planned(config: TownConfig) -> tuple[Town, list[View]]:
    return plan_dataset(config)


@pytest.fixture(scope="module")
def scenes(planned: tuple[Town, list[View]]) -> dict[str, RaycastScene]:
    return {
        name: RaycastScene(planned[0], name) for name in ("map0", "map1", "day", "night", "changed")
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, config: TownConfig) -> Path:
    return write_dataset(tmp_path_factory.mktemp("town") / "one", config, jobs=1)
