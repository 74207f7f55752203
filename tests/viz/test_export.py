"""The exported page: one file with the whole scene, which a browser draws offline."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("viser")
import msgspec
import zstandard

from hloc_lite.viz.export import export_page
from hloc_lite.viz.scene import build_scene
from tests.viz.scenes import localized_scene

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
SOFTWARE_RENDERING = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "page.html"
    with localized_scene() as made:
        scene = build_scene(made.map, made.results, made.truth, title="wall <1>")
        assert export_page(path, scene) == path.stat().st_size
    return path


def test_the_file_holds_the_scene_and_its_legend(exported: Path) -> None:
    page = exported.read_text(encoding="utf-8")
    assert "<title>wall &lt;1&gt;</title>" in page and "wall <1>" not in page
    assert "2 queries: 2 localized" in page and "from estimate to truth" in page
    embedded = re.search(r'__VISER_EMBED_DATA__="([^"]+)"', page)
    assert embedded is not None
    data = base64.b64decode(embedded[1])
    inner = zstandard.ZstdDecompressor().decompress(data[8:])
    packed = inner[8 : 8 + int.from_bytes(inner[:8], "little")]
    messages = [message for _, message in msgspec.msgpack.decode(packed)["messages"]]
    nodes = {message.get("name") for message in messages}
    assert {"/points/0", "/map_cameras", "/queries/edges", "/truth/errors"} <= nodes
    assert not any(message["type"].startswith("Gui") for message in messages)


def test_the_file_loads_nothing_from_elsewhere(exported: Path) -> None:
    page = exported.read_text(encoding="utf-8")
    assert not re.search(r"<(script|img|iframe)[^>]+src=[\"']?(https?:)?//", page)
    assert not re.search(r"<link[^>]+href=[\"']?(https?:)?//", page)
    assert not re.search(r"@import|url\([\"']?https?:", page)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")
@pytest.mark.parametrize("width", [1000, 420])
def test_a_browser_draws_it_offline(exported: Path, tmp_path: Path, width: int) -> None:
    picture = tmp_path / "page.png"
    command = [
        str(BROWSER), "--headless", "--no-sandbox", *SOFTWARE_RENDERING, "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},600",
        "--proxy-server=127.0.0.1:9", "--virtual-time-budget=20000", f"--screenshot={picture}",
        exported.as_uri(),
    ]  # fmt: skip
    # nothing may leave the machine: the proxy does not exist
    subprocess.run(command, check=True, capture_output=True, timeout=300, env={**os.environ})
    drawn = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    # the middle, where neither the legend nor a hint of the browser lies
    middle = drawn[150:400, width // 3 : -60]
    is_blue = (middle[..., 2] > 200) & (middle[..., 0] < 120)
    assert is_blue.sum() > 20, "no frustum of a localized query was drawn"
    is_drawn = np.abs(middle - 255).max(axis=-1) > 30
    assert is_drawn.mean() > 0.005
