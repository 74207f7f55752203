"""Unusual file names through the commands map, localize and evaluate."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hloc_lite.cli.main import main
from hloc_lite.formats.colmap import write_model
from hloc_lite.formats.hloc_lists import read_poses, write_poses, write_queries
from hloc_lite.io.results import read_results_jsonl
from hloc_lite.maps.map import Map
from hloc_lite.synthetic.planes import make_planes

OPTIONS = (
    "--features", "rootsift", "--retrieval", "thumbnail", "--offline",
    "--set", "features.max_keypoints=300",
)  # fmt: skip
MAP_NAMES = {
    "x.jpg": 0, "a/x.jpg": 1, "b/x.jpg": 2, "straße 1/bild (2).jpg": 4, "😀 — 写真.jpg": 6,
    "a-b/c d.jpg": 8, "a/b-c d.jpg": 9, "1 2 3 4 5 6 7 8.jpg": 10,
}  # fmt: skip
QUERY_NAMES = {"x.jpg": 3, "a/x.jpg": 5, "PINHOLE 640 480 ü.jpg": 7, "写 真/😀 #1.jpg": 5}


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Folder with images/ and their map, queries/, their list and their true poses."""
    root = tmp_path_factory.mktemp("odd names ü")
    scene = make_planes(11)
    scene.write_images(root / "images", MAP_NAMES)
    scene.write_images(root / "queries", QUERY_NAMES)
    write_queries(root / "cameras.txt", dict.fromkeys(MAP_NAMES, scene.camera))
    write_queries(root / "queries.txt", dict.fromkeys(QUERY_NAMES, scene.camera))
    (root / "list.txt").write_text("\n".join(MAP_NAMES), encoding="utf-8")
    write_model(root / "model", scene.reference(MAP_NAMES))
    write_poses(root / "gt.txt", {n: scene.cams_from_world[i] for n, i in QUERY_NAMES.items()})
    given = ("--reference", root / "model", "--image-list", root / "list.txt")
    assert run("map", root / "images", "-o", root / "map", *given, *OPTIONS) == 0
    return root


def test_all_names_are_mapped_localized_and_scored(folder: Path, tmp_path: Path, capsys) -> None:
    assert {image.name for image in Map.open(folder / "map").model.images} == set(MAP_NAMES)
    code = run(
        "localize", folder / "map", "--images", folder / "queries", "--queries",
        folder / "queries.txt", "-o", tmp_path / "poses.txt", "--jsonl", tmp_path / "all.jsonl",
    )  # fmt: skip
    assert code == 0
    assert set(read_poses(tmp_path / "poses.txt")) == set(QUERY_NAMES)
    assert {r.query_name for r in read_results_jsonl(tmp_path / "all.jsonl")} == set(QUERY_NAMES)
    capsys.readouterr()
    thresholds = ("--thresholds", "0.02m,0.2deg")
    assert run("evaluate", tmp_path / "poses.txt", folder / "gt.txt", *thresholds) == 0
    assert "100.0" in capsys.readouterr().out


def test_ambiguous_base_names_are_refused(folder: Path, tmp_path: Path, capsys) -> None:
    code = run(
        "localize", folder / "map", "--images", folder / "queries", "-o", tmp_path / "poses.txt",
        "--names", "basename",
    )  # fmt: skip
    assert code == 2 and "'x.jpg'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["#1.jpg", " space.jpg", "line\nbreak.jpg"])
def test_names_that_do_not_fit_into_a_text_line_are_left_out(
    folder: Path, tmp_path: Path, capsys, name: str
) -> None:
    make_planes(11).write_images(tmp_path / "queries", {name: 3, "good.jpg": 5})
    command = ("localize", folder / "map", "--images", tmp_path / "queries")
    assert run(*command, "-o", tmp_path / "poses.txt") == 0
    error = capsys.readouterr().err
    assert repr(name) in error and "Rename the image" in error and "Traceback" not in error
    assert set(read_poses(tmp_path / "poses.txt")) == {"good.jpg"}


def test_a_map_may_have_any_image_name(folder: Path, tmp_path: Path) -> None:
    names = {"#1.jpg": 0, " 2.jpg": 2, "3.jpg": 4, "# 4/x.jpg": 6, "5.jpg": 8}
    make_planes(11).write_images(tmp_path / "images", names)
    assert run("map", tmp_path / "images", "-o", tmp_path / "map", *OPTIONS) == 0
    assert {image.name for image in Map.open(tmp_path / "map").model.images} == set(names)


@pytest.mark.parametrize("verb", ["map", "localize"])
def test_names_that_are_not_utf8_are_refused(folder: Path, tmp_path: Path, capsys, verb) -> None:
    (tmp_path / "images").mkdir()
    try:
        with open(os.fsencode(tmp_path / "images") + b"/\xff.jpg", "wb"):
            pass
    except OSError:
        pytest.skip("this file system has Unicode names only")
    images = tmp_path / "images"
    commands = {
        "map": ("map", images, "-o", tmp_path / "map", *OPTIONS),
        "localize": ("localize", folder / "map", "--images", images, "-o", tmp_path / "p.txt"),
    }
    assert run(*commands[verb]) == 2
    assert "not UTF-8" in capsys.readouterr().err
    if verb == "localize":
        photo = os.fsdecode(os.fsencode(images) + b"/\xff.jpg")
        assert run("localize", folder / "map", photo) == 2
        assert "not UTF-8" in capsys.readouterr().err
