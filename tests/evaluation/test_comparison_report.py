"""Report of a comparison: which queries flipped, and which matches agree with each pose."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hloc_lite.cli.compare import command
from hloc_lite.config import PoseConfig
from hloc_lite.errors import ConfigError
from hloc_lite.evaluation.flip_cards import with_pose
from hloc_lite.formats.hloc_lists import write_poses
from hloc_lite.types import Rigid3
from tests.exact_scene import make_scene, use_scene
from tests.localize.exact_maps import build_on_disk

from .scenes import CAMERA, failed_result, level_camera, localized_result, moved, ring_model

QUERIES = {"day/3.png": 3, "day/5.png": 5, "day/7.png": 7}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with an exact map, photos of three queries, their poses, and two results."""
    root = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        scene = make_scene()
        use_scene(patch, scene)
        build_on_disk(scene, root / "map")
    lines = []
    for name, index in QUERIES.items():
        (root / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.image(index)).save(root / "photos" / name)
        params = " ".join(map(str, scene.camera.params))
        lines.append(f"{name} {scene.camera.model} 320 240 {params}\n")
    (root / "queries.txt").write_text("".join(lines), encoding="utf-8")
    true = {name: scene.poses[index] for name, index in QUERIES.items()}
    write_poses(root / "gt.txt", true)
    write_poses(root / "right.txt", true)
    off = {"day/3.png": moved(true["day/3.png"], 1, 30), "day/5.png": true["day/5.png"]}
    write_poses(root / "off.txt", off)
    return root


@pytest.fixture
def run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    use_scene(monkeypatch, make_scene())
    monkeypatch.chdir(folder)

    def call(*arguments: str) -> str:
        files = ["right.txt", "off.txt", "--truth", "gt.txt", "--report", str(tmp_path)]
        command.main([*files, *arguments], standalone_mode=False)
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return call


def captions(html: str) -> list[str]:
    found = re.findall(r"<figcaption>(.*?)</figcaption>", html, re.DOTALL)
    return [" ".join(re.sub("<[^>]*>", "", each).split()) for each in found]


def test_flipped_queries_have_pictures_of_the_matches_of_both(run: Any) -> None:
    html = run("--images", "photos", "--queries", "queries.txt", "--map", "map")
    assert html.count('<section class="flip">') == 2
    assert html.count('src="data:image/webp') == 4
    assert "day/3.png" in html and "day/7.png" in html and "day/5.png" not in html
    shown = captions(html)
    agreeing = [re.search(r"(\d+) of (\d+) matches agree", each) for each in shown]
    for caption, found in zip(shown, agreeing, strict=True):
        assert ("no pose" in caption) == (found is None)
        if found is not None:  # nearly all matches are right
            share = int(found[1]) / int(found[2])
            assert share > 0.95 if caption.startswith("right") else share < 0.1
    assert sum("no pose" in each for each in shown) == 1


def test_without_map_and_photos_the_page_says_so(run: Any) -> None:
    html = run()
    assert "give --images (the query photos) and --map MAP" in html
    assert html.count('<section class="flip">') == 2 and "<img" not in html


def test_one_result_has_a_map(run: Any) -> None:
    html = run("--images", "photos", "--queries", "queries.txt", "--map", "right=map")
    assert "no pictures of off: no --map was given for them" in html
    assert html.count("<img") == 2


def test_flips_bounds_the_pictures(run: Any) -> None:
    options = ("--images", "photos", "--queries", "queries.txt", "--map", "map", "--flips")
    assert run(*options, "1", "--thresholds", "0.25m,2deg").count("<img") == 2
    assert "<img" not in run(*options, "0")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--map", "map"], "need both --images DIR"),
        (["--images", "photos"], "need both --images DIR"),
        (["--images", "photos", "--map", "other=map"], "no results are called 'other'"),
        (["--images", "photos", "--map", "map", "--map", "map"], "2 times without a name"),
    ],
)
def test_misuse_is_reported(options: list[str], message: str, run: Any) -> None:
    with pytest.raises(ConfigError, match=message):
        run(*options)


def test_pictures_without_a_report_are_refused(folder: Path) -> None:
    files = ["right.txt", "off.txt", "--truth", "gt.txt", "--map", "map", "--images", "photos"]
    with pytest.raises(ConfigError, match="for the pictures of --report DIR"):
        command.main(files, standalone_mode=False)


def test_inliers_are_the_matches_that_agree_with_the_given_pose() -> None:
    model = ring_model()
    true = level_camera((7.0, 1.0, 1.5), np.pi, 0.0)
    result = localized_result("q", model, true, true)
    right = with_pose(result, true, CAMERA, PoseConfig())
    assert right.pose is not None and right.pose.inlier_mask.all()
    behind = Rigid3(np.diag([-1.0, 1, -1]) @ true.rotation, -true.translation)
    wrong = with_pose(result, behind, CAMERA, PoseConfig())
    assert wrong.pose is not None and not wrong.pose.inlier_mask.any()
    assert with_pose(result, None, CAMERA, PoseConfig()).pose is None
    assert with_pose(failed_result("q"), true, CAMERA, PoseConfig()).pose is None
