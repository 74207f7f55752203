"""Label maps read from files, as a segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hloc_lite.config import SemanticsConfig
from hloc_lite.errors import ConfigError
from hloc_lite.formats.label_images import CITYSCAPES_TRAIN_IDS, LabelFolder, read_label_table
from hloc_lite.registry import Runtime
from hloc_lite.types import LabelMap, Photo

PREFIX = "files:"


class LabelFiles:
    """``files:FOLDER``: PNG files named after the photo, with class ids as in ``semantics.table``.

    Raises:
        FormatError: no such folder, or no such table.
        ConfigError: the name holds no folder.
    """

    def __init__(self, name: str, config: SemanticsConfig, runtime: Runtime) -> None:
        folder = name.removeprefix(PREFIX)
        if not folder:
            raise ConfigError("semantics.source=files: needs a folder, as in files:labels")
        table = read_label_table(config.table) if config.table else CITYSCAPES_TRAIN_IDS
        self._folder = LabelFolder(Path(folder), table)

    def segment(self, photos: Sequence[Photo]) -> list[LabelMap | None]:
        """Label maps of the photos, in order; None where the folder has no file for a photo.

        Raises:
            FormatError: a broken file, or one of another shape than its photo.
            ImageError: a file beyond the size limits.
        """
        return [self._folder.load(photo.name, (photo.width, photo.height)) for photo in photos]
