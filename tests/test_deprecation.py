"""Old names still work, and say what replaces them."""

from __future__ import annotations

from importlib import import_module

import pytest

from hloc_lite import config
from hloc_lite.deprecation import deprecated_names, renamed_argument

MOVED = [
    ("mapping.map", "Map", "maps.map"),
    ("io.colmap_model", "read_model", "formats.colmap"),
    ("io.colmap_model", "write_model", "formats.colmap"),
    ("io.poses", "parse_camera", "formats.hloc_lists"),
    ("io.poses", "read_poses", "formats.hloc_lists"),
    ("registry", "FeatureExtractor", "protocols"),
    ("registry", "PoseEstimate", "types"),
]
"""(old module, name, new module) within the package."""


@pytest.mark.parametrize(("old", "name", "new"), MOVED)
def test_moved_names_are_found_with_a_warning(old: str, name: str, new: str) -> None:
    before, after = import_module(f"hloc_lite.{old}"), import_module(f"hloc_lite.{new}")
    message = rf"{old}\.{name} is renamed to hloc_lite\.{new}\.{name}; .* hloc_lite 0\.4"
    with pytest.warns(DeprecationWarning, match=message) as caught:
        found = getattr(before, name)
    assert found is getattr(after, name)
    assert caught[0].filename == __file__


def test_computed_names_are_found_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match=r"registry\.FEATURES\[\.\.\.\]\.defaults"):
        assert config.FEATURE_DEFAULTS["rootsift"]["matching"] == {"max_ratio": 0.85}


def test_unknown_names_stay_unknown() -> None:
    with pytest.raises(AttributeError, match="module 'some' has no attribute 'other'"):
        deprecated_names("some", {"old": "new:name"})("other")


@renamed_argument("also", "extra_maps")
def opened(sfm_map: str, *, extra_maps: tuple[str, ...] = ()) -> tuple[str, tuple[str, ...]]:
    return sfm_map, extra_maps


def test_a_renamed_argument_is_accepted_with_a_warning() -> None:
    assert opened("a", extra_maps=("b",)) == ("a", ("b",))
    message = r"argument 'also' of opened\(\) is renamed to 'extra_maps'; .*0\.4"
    with pytest.warns(DeprecationWarning, match=message) as caught:
        assert opened("a", also=("b",)) == ("a", ("b",))  # type: ignore[call-arg]
    assert caught[0].filename == __file__
    with pytest.raises(TypeError, match="both 'extra_maps' and its old name 'also'"):
        opened("a", also=(), extra_maps=())  # type: ignore[call-arg]
