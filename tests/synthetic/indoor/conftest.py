"""A small building, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from hloc_lite.synthetic.indoor.building import Building
from hloc_lite.synthetic.indoor.capture import Shot
from hloc_lite.synthetic.indoor.config import BuildingConfig
from hloc_lite.synthetic.indoor.dataset import plan_building, write_building


@pytest.fixture(scope="session")
def config() -> BuildingConfig:
    return BuildingConfig(
        num_rooms=3, num_scans=1, num_queries=6, width=80, height=60, query_width=96
    )


@pytest.fixture(scope="session")
def planned(config: BuildingConfig) -> tuple[Building, list[Shot]]:
    return plan_building(config)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, config: BuildingConfig) -> Path:
    return write_building(tmp_path_factory.mktemp("building") / "one", config, jobs=1)
