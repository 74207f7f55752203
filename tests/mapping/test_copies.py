"""The same photo twice, and folders of smaller versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hloc_lite.config import ImagesConfig
from hloc_lite.io.image_sources import FolderSource, folder_source
from hloc_lite.mapping.copies import find_copies


def written(root: Path, sizes: dict[str, tuple[int, int]]) -> FolderSource:
    for number, (name, size) in enumerate(sizes.items()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((size[1], size[0], 3), number, np.uint8)).save(root / name)
    return folder_source(root, ImagesConfig())


def hashes(source: FolderSource) -> dict[str, str]:
    return {name: source.fingerprint(name) for name in source.names}


def test_smaller_versions_are_copies(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        {
            "images/a.jpg": (101, 60), "images_2/a.png": (50, 30), "images_4/a.png": (25, 15),
            "images_2/b.png": (50, 30),
        },
    )  # fmt: skip
    assert find_copies(hashes(source), source) == {
        "images_2/a.png": "a smaller copy of 'images/a.jpg'",
        "images_4/a.png": "a smaller copy of 'images/a.jpg'",
    }


def test_numbered_folders_of_other_photos_are_kept(tmp_path: Path) -> None:
    sizes = {"cam/1.png": (80, 60), "cam_2/1.png": (80, 60), "cam_1/1.png": (80, 60)}
    source = written(tmp_path, sizes)
    assert find_copies(hashes(source), source) == {}


def test_the_same_file_counts_once(tmp_path: Path) -> None:
    source = written(tmp_path, {"a.png": (8, 8), "c.png": (8, 8)})
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    source = folder_source(tmp_path, ImagesConfig())
    assert find_copies(hashes(source), source) == {"b.png": "the same file as 'a.png'"}
