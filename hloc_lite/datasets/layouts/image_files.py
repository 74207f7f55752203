"""Copies of photos under the names of another layout."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from PIL import Image

from hloc_lite.config import ImagesConfig
from hloc_lite.io.images import read_photo

_JPEG = frozenset({".jpg", ".jpeg"})
JPEG_QUALITY = 95
"""Quality of re-encoded photos, at which keypoints hardly move."""


def copy_photo(source: Path, target: Path) -> None:
    """Put a photo at ``target``: as a hard link or copy, or re-encoded if the suffix differs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    suffixes = {source.suffix.lower(), target.suffix.lower()}
    if len(suffixes) == 1 or suffixes <= _JPEG:
        with suppress(OSError):
            os.link(source, target)
            return
        shutil.copyfile(source, target)
        return
    photo = read_photo(source, source.name, ImagesConfig(exif_rotation=False))
    Image.fromarray(photo.pixels).save(target, quality=JPEG_QUALITY)
