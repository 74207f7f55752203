"""Old names still work, and say what replaces them."""

from __future__ import annotations

from importlib import import_module

import pytest

from hloc_lite import config
from hloc_lite.deprecation import deprecated_names, renamed_argument

MOVED = [
    ("hloc_lite.maps.map", "Map", "hloc_lite.maps.map"),
    ("hloc_lite.formats.colmap", "read_model", "hloc_lite.formats.colmap"),
    ("hloc_lite.formats.colmap", "write_model", "hloc_lite.formats.colmap"),
    ("hloc_lite.formats.hloc_lists", "parse_camera", "hloc_lite.formats.hloc_lists"),
    ("hloc_lite.formats.hloc_lists", "read_poses", "hloc_lite.formats.hloc_lists"),
    ("hloc_lite.registry", "FeatureExtractor", "hloc_lite.protocols"),
    ("hloc_lite.registry", "RigEstimator", "hloc_lite.protocols"),
]


@pytest.mark.parametrize(("old", "name", "new"), MOVED)
def test_moved_names_are_found_with_a_warning(old: str, name: str, new: str) -> None:
    message = rf"{old}\.{name} is renamed to {new}\.{name}; .* removed in hloc_lite 0\.4"
    with pytest.warns(DeprecationWarning, match=message) as caught:
        found = getattr(import_module(old), name)
    assert found is getattr(import_module(new), name)
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
