"""The public names of the package; a name that is missing here breaks its users."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import hloc_lite

PUBLIC_NAMES = [
    "Camera",
    "Config",
    "Frame",
    "HlocLiteError",
    "LocalizationResult",
    "Localizer",
    "Map",
    "MapInputs",
    "Photo",
    "Prior",
    "Rig",
    "RigCamera",
    "Rigid3",
    "Status",
    "build_map",
    "load_config",
    "result_to_json",
]


def test_public_names_are_these() -> None:
    assert hloc_lite.__all__ == PUBLIC_NAMES
    assert set(PUBLIC_NAMES) <= set(dir(hloc_lite))


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_every_public_name_resolves_and_is_documented(name: str) -> None:
    assert getattr(hloc_lite, name).__doc__


def test_other_names_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = hloc_lite.nothing


def test_the_version_is_stated_once_in_each_place() -> None:
    file = Path(__file__).parents[1] / "pyproject.toml"
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    assert hloc_lite.__version__ == project["version"]
