"""Maps that name models, files and folders outside hloc_lite."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hloc_lite.config import load_config
from hloc_lite.errors import ConfigError, ImageError
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.map import Map
from hloc_lite.maps.outside_names import recorded_config
from hloc_lite.maps.summary import summarize_map
from hloc_lite.types import Photo
from tests.exact_scene import NoWeights

OUTSIDE = {
    "semantics.source": "hf:stranger/model",
    "semantics.table": "/etc/table.toml",
    "semantics.revision": "refs/pr/1",
    "depth.source": "files:/home",
    "depth.revision": "refs/pr/2",
    "matching.name": "their-matcher",
    "pose.estimator": "their-estimator",
    "confidence.file": "/etc/confidence.toml",
}


def with_settings(sfm_map: Map, names: dict[str, str]) -> Map:
    settings = [f"{key}={json.dumps(name)}" for key, name in names.items()]
    return replace(sfm_map, config=load_config(base=sfm_map.config, settings=settings))


@pytest.fixture(params=["full", "compact"])
def stored(request, labelled_map: Map, tmp_path: Path) -> Path:
    """Folder of a map that names all of ``OUTSIDE``."""
    named = with_settings(labelled_map, OUTSIDE)
    if request.param == "full":
        named.save(tmp_path / "map")
    else:
        compress_map(named, tmp_path / "map")
    return tmp_path / "map"


def test_an_opened_map_names_nothing_outside(stored: Path, labelled_map: Map) -> None:
    opened = Map.open(stored)
    assert opened.outside_names == OUTSIDE
    assert opened.config == labelled_map.config
    assert summarize_map(stored).labelled_share is not None


def test_queries_load_nothing_that_only_the_map_names(stored: Path, monkeypatch, caplog) -> None:
    def loaded(*_: object, **__: object) -> None:
        raise AssertionError("loaded what the map names")

    for name in ("entries.metadata.EntryPoint.load", "localize.confidence.read_calibration"):
        monkeypatch.setattr(f"hloc_lite.{name}", loaded)
    for name in ("segmentation_hf:_load", "segmentation_files:LabelFolder", "depth_models:_load"):
        module, _, function = name.partition(":")
        monkeypatch.setattr(f"hloc_lite.consistency.{module}.{function}", loaded)
    Localizer.open(stored, weights=NoWeights())
    assert "semantics.source='hf:stranger/model'" in caplog.text and "--trust-map" in caplog.text
    for name in OUTSIDE.values():
        assert caplog.text.count(repr(name)) == 1


def test_what_the_user_chooses_is_used(stored: Path, tmp_path: Path, caplog) -> None:
    (tmp_path / "labels").mkdir()
    Image.fromarray(np.full((6, 8), 2, np.uint8)).save(tmp_path / "labels/a.png")
    settings = [f"semantics.source=files:{tmp_path / 'labels'}"]
    config = load_config(base=Map.open(stored).config, settings=settings)
    localizer = Localizer.open(stored, config, weights=NoWeights())
    labels = localizer.predict_labels(Photo("a.png", np.zeros((6, 8, 3), np.uint8)))
    assert (labels.labels == 2).all()
    assert "semantics.source" not in caplog.text and "depth.source" in caplog.text


def test_a_trusted_map_keeps_all_names(stored: Path) -> None:
    trusted = Map.open(stored, trust=True)
    assert trusted.outside_names == {}
    assert trusted.config.semantics.source == "hf:stranger/model"
    assert recorded_config(Map.open(stored).config, OUTSIDE) == trusted.config


def test_copies_keep_the_names(labelled_map: Map, tmp_path: Path) -> None:
    with_settings(labelled_map, OUTSIDE).save(tmp_path / "map")
    Map.open(tmp_path / "map").save(tmp_path / "copy")
    compress_map(Map.open(tmp_path / "map"), tmp_path / "small")
    compress_map(Map.open(tmp_path / "small"), tmp_path / "smaller", max_bytes=40_000)
    for copy in ("copy", "small", "smaller"):
        config = Map.open(tmp_path / copy, trust=True).config
        assert config == Map.open(tmp_path / "map", trust=True).config


@pytest.mark.parametrize("key", ["features.name", "retrieval.name"])
def test_models_of_other_packages_need_trust(labelled_map, tmp_path: Path, key: str) -> None:
    section, _, field = key.partition(".")
    part = getattr(labelled_map.config, section).model_copy(update={field: "theirs"})
    config = labelled_map.config.model_copy(update={section: part})
    replace(labelled_map, config=config).save(tmp_path / "map")
    with pytest.raises(ConfigError, match=f"{key}='theirs'.*--trust-map"):
        Localizer.open(tmp_path / "map", weights=NoWeights())
    assert Map.open(tmp_path / "map", trust=True).config == config


def test_models_registered_in_this_process_are_trusted(exact_map, tmp_path: Path) -> None:
    exact_map[1].save(tmp_path / "map")
    opened = Map.open(tmp_path / "map")
    assert opened.config.features.name == "exact" and not opened.outside_names


def test_only_photos_that_the_map_was_made_of_are_read(exact_map, tmp_path: Path) -> None:
    scene, sfm_map = exact_map
    names = [image.name for image in sfm_map.model.images]
    private = tmp_path / "private"
    scene.write_images(private, {names[0]: 4, names[1]: 5, names[2]: 6})
    report = {**sfm_map.report, "images_folder": str(private), "images": {}}
    replace(sfm_map, report=report).save(tmp_path / "map")
    assert Map.open(tmp_path / "map").photos is None
    assert Map.open(tmp_path / "map", trust=True).photos.load(names[0])
    right = Map.open(tmp_path / "map", trust=True).photos.fingerprint(names[0])
    report["images"] = {names[0]: {"photo": right}, names[1]: {"photo": right}, names[2]: 7}
    replace(sfm_map, report=report).save(tmp_path / "map")
    photos = Map.open(tmp_path / "map").photos
    assert np.array_equal(photos.load(names[0]).pixels, scene.image(4))
    with pytest.raises(ImageError, match="is not the photo of the map"):
        photos.load(names[1])
    for name in (names[2], "../other.png", str(private / names[0])):
        with pytest.raises(ImageError, match="records no photo"):
            photos.load(name)


def test_no_server_is_asked_for_photos(exact_map, tmp_path: Path, monkeypatch) -> None:
    def touched(self: Path) -> bool:
        raise AssertionError(f"{self} was looked at")

    _, sfm_map = exact_map
    share = r"\\server\share"
    replace(sfm_map, report={**sfm_map.report, "images_folder": share}).save(tmp_path / "map")
    is_dir = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda p: touched(p) if "share" in str(p) else is_dir(p))
    assert Map.open(tmp_path / "map").photos is None
