"""Config of an opened map: its own mapping settings, this version's query defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hloc_lite.config import (
    Config,
    fingerprint,
    load_config,
    query_settings,
    without_query_keys,
)
from hloc_lite.errors import FormatError
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from tests.exact_scene import NoWeights, make_scene, use_scene

NAMES = {f"{letter}.png": 2 * index for index, letter in enumerate("abcde")}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Function that builds a map of an exact scene with some settings into a new folder."""
    with pytest.MonkeyPatch.context() as patch:
        scene = make_scene()
        config = use_scene(patch, scene)
        images = {name: scene.image(index) for name, index in NAMES.items()}
        inputs = MapInputs(reference=scene.reference(NAMES))

        def build(*settings: str) -> Path:
            folder = tmp_path_factory.mktemp("map") / "map"
            chosen = load_config(base=config, settings=settings)
            build_map(images, chosen, inputs=inputs, weights=NoWeights(), output=folder)
            return folder

        yield build


def rewrite(folder: Path, change) -> None:
    """Change the header of a map, as if another version had written it."""
    header = json.loads((folder / "map.json").read_text())
    del header["checksum"]
    change(header)
    header["checksum"] = fingerprint(header)
    (folder / "map.json").write_text(json.dumps(header))


def test_query_defaults_of_an_older_version_are_not_kept(build) -> None:
    folder = build()
    before = Map.open(folder).config

    def older(header) -> None:
        header["config"]["pose"]["max_error_px"] = 99.0
        header["config"]["weighting"]["score"] = 0.123
        header["config"]["semantics"]["mode"] = "hard"
        header["config"]["confidence"]["gone"] = 1
        header["config"]["features"]["max_keypoints"] = 77

    rewrite(folder, older)
    after = Map.open(folder).config
    assert after.pose == before.pose and after.pose.max_error_px != 99
    assert after.weighting == before.weighting
    assert after.semantics == before.semantics
    assert after.features.max_keypoints == 77  # its images have no more


def test_unknown_settings_are_ignored_with_a_warning(build, caplog) -> None:
    folder = build()
    before = Map.open(folder).config
    rewrite(folder, lambda header: header["config"]["features"].update(gone=1))
    assert Map.open(folder).config == before
    assert "map was made by another version; ignored: features.gone" in caplog.text


def test_chosen_query_settings_are_kept(build, tmp_path: Path) -> None:
    settings = ("localize.num_retrieved=10", "semantics.mode=hard", "pose.max_error_px=5")
    opened = Map.open(build(*settings))
    assert opened.config.localize.num_retrieved == 10
    assert opened.config.semantics.mode == "hard"
    assert opened.config.pose.max_error_px == 5
    opened.save(tmp_path / "copy")
    assert Map.open(tmp_path / "copy").config == opened.config


@pytest.mark.parametrize("profile", ["fast", "balanced", "accurate"])
def test_all_settings_of_a_profile_are_kept(profile: str) -> None:
    config = load_config(profile)
    kept = {**without_query_keys(config.model_dump()), **query_settings(config)}
    assert load_config(overrides=kept) == config


def test_maps_without_chosen_settings_keep_those_of_profiles(build) -> None:
    folder = build("localize.num_retrieved=30", "pose.max_error_px=5")
    rewrite(folder, lambda header: header.pop("chosen"))
    config = Map.open(folder).config
    assert config.localize.num_retrieved == 30
    assert config.pose.max_error_px == Config().pose.max_error_px


def test_label_settings_stay_with_the_map() -> None:
    semantics = {"source": "files:labels", "table": "ade20k", "window_px": 7.0, "mode": "hard"}
    config = load_config(overrides={"semantics": semantics})
    assert query_settings(config) == {"semantics": {"mode": "hard"}}
    made = without_query_keys(config.model_dump())["semantics"]
    assert (made["source"], made["table"], made["window_px"]) == ("files:labels", "ade20k", 7.0)


def test_value_that_is_not_allowed_is_reported_with_the_map(build) -> None:
    folder = build()
    rewrite(folder, lambda header: header["chosen"].update(pose={"max_error_px": -1.0}))
    with pytest.raises(FormatError, match=r"map was made by another version.*max_error_px.*-1"):
        Map.open(folder)


@pytest.mark.parametrize(
    "part",
    [{"chosen": [1]}, {"chosen": {"pose": "x"}}, {"config": None}, {"config": {"semantics": 1}}],
    ids=str,
)
def test_header_of_another_structure_is_refused(build, part) -> None:
    folder = build()
    rewrite(folder, lambda header: header.update(part))
    with pytest.raises(FormatError, match=r"is not a complete map.*--overwrite"):
        Map.open(folder)
