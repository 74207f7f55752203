"""Output folder of a map: its owner's files are never deleted, overwritten or mixed in."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.cli.main import main
from hloc_lite.errors import HlocLiteError, MappingError
from hloc_lite.io.sharded_store import ShardedStore
from hloc_lite.mapping.build import build_map
from hloc_lite.mapping.run import MapInputs
from hloc_lite.maps.map import Map
from tests.exact_scene import NoWeights, make_scene, use_scene

NAMES = {f"{letter}.png": 2 * index for index, letter in enumerate("abcde")}


@pytest.fixture
def build(monkeypatch, tmp_path: Path):
    """Function that builds a map of tmp_path/images into a folder."""
    scene = make_scene()
    config = use_scene(monkeypatch, scene)
    scene.write_images(tmp_path / "images", NAMES)
    inputs = MapInputs(reference=scene.reference(NAMES))

    def build(output: Path | str, images: Path = tmp_path / "images", **options) -> Map:
        return build_map(
            images, config, inputs=inputs, output=output, weights=NoWeights(), **options
        )

    return build


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "name", ["work/thesis.txt", "report.json", "sfm/cameras.bin", ".new/notes", "map.json"]
)
def test_folder_with_other_files_is_refused_and_unchanged(build, tmp_path, name, overwrite) -> None:
    path = tmp_path / "project" / name
    path.parent.mkdir(parents=True)
    path.write_text('{"schema": "mine"}')
    with pytest.raises(MappingError, match=f"project is not empty and holds no map.*{name}"):
        build(tmp_path / "project", overwrite=overwrite)
    assert contents(tmp_path / "project") == {name: b'{"schema": "mine"}'}


@pytest.mark.parametrize("parent", ["", "deeper"])
def test_photos_must_not_lie_in_the_map_folder(build, tmp_path: Path, parent: str) -> None:
    images = tmp_path / "self" / parent / "work"
    images.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "images").rename(images)
    before = contents(tmp_path / "self")
    for folder in {images, images.parent}:
        with pytest.raises(MappingError, match="must not be mixed"):
            build(folder, images=folder)
    with pytest.raises(MappingError, match="must not be mixed"):
        build(tmp_path / "self", images=images)
    with pytest.raises(MappingError, match="holds images"):
        build(images, images=images.parent)
    assert contents(tmp_path / "self") == before
    assert len(build(images / "map", images=images).model.images) == 5  # holds no photos


def test_folder_without_a_name_is_refused(build, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MappingError, match="no name"):
        build("")
    with pytest.raises(SystemExit) as stop:
        main(["map", "images", "-o", "", "--features", "rootsift", "--offline"])
    assert stop.value.code == 2 and "output folder has no name" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]


def test_only_stores_are_deleted(build, tmp_path: Path) -> None:
    build(tmp_path / "map")
    assert not (tmp_path / "map/work").exists()
    others = {"work/thesis.txt", "work/mine/store.json", "work/features/shard-0x.h5", ".new/notes"}
    for name in others:
        (tmp_path / "map" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "map" / name).write_text("{}")
    build(tmp_path / "map", overwrite=True)
    assert {name for name in others if (tmp_path / "map" / name).is_file()} == others
    left = set(contents(tmp_path / "map/work"))
    assert left == {name[5:] for name in others if name.startswith("work")}


def test_folder_of_a_killed_run_is_accepted(build, tmp_path: Path) -> None:
    folder = tmp_path / "begun"
    (folder / "work/features").mkdir(parents=True)
    (folder / ".lock").touch()
    (folder / "work/features/.store.json.01234567.partial").write_bytes(b"{")
    (folder / ".DS_Store").write_bytes(b"Finder")
    assert len(build(folder).model.images) == 5
    stale = tmp_path / "stale"
    with closing(ShardedStore(stale / "work/features", "another", "features")) as store:
        store.add("a.png", {"x": np.zeros(1)})
    (stale / "run.log").touch()
    with pytest.raises(HlocLiteError, match="Use --overwrite"):
        build(stale)
    assert len(build(stale, overwrite=True).model.images) == 5
    assert (stale / "run.log").exists()


@pytest.mark.parametrize("text", ["not JSON", "{}"])
def test_damaged_map_may_be_replaced(build, tmp_path: Path, text: str) -> None:
    build(tmp_path / "map")
    (tmp_path / "map/map.json").write_text(text)
    with pytest.raises(HlocLiteError, match="--overwrite"):
        build(tmp_path / "map")
    assert len(build(tmp_path / "map", overwrite=True).model.images) == 5
