"""Photos of an opened map, from the folder that it records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from hloc_lite.errors import ImageError
from hloc_lite.io.image_sources import FolderSource, ImageSource
from hloc_lite.types import Photo


@dataclass(frozen=True)
class RecordedPhotos:
    """Photos of a folder that a map names, each only if it is the one that the map was made of.

    A map from a stranger may name any folder and any file in it. Only who has had a photo knows
    the hash of its file, so that no other photo gets into a report.
    """

    folder: FolderSource
    hashes: Mapping[str, str]
    """Name -> fingerprint of its file (``io.image_sources.photo_hashes``)."""

    @property
    def names(self) -> tuple[str, ...]:
        """Map images whose file is known."""
        return tuple(name for name in self.folder.names if name in self.hashes)

    def load(self, name: str) -> Photo:
        """Return the decoded photo. Raises ImageError if it is not the recorded one."""
        self.fingerprint(name)
        return self.folder.load(name)

    def fingerprint(self, name: str) -> str:
        """Return the hash of the photo's file. Raises ImageError if it is not the recorded one."""
        if name not in self.hashes:
            raise ImageError(f"the map records no photo {name!r}")
        found = self.folder.fingerprint(name)
        if found != self.hashes[name]:
            raise ImageError(f"{name!r} in {self.folder.root} is not the photo of the map")
        return found


def recorded_photos(fields: Mapping[str, Any], *, trust: bool) -> ImageSource | None:
    """Photos in the folder that a map was made from; None if it is gone or nothing proves them.

    Args:
        fields: fields of a ``Map``.
        trust: any file under the names of the map's images may be read.
    """
    report, model = fields["report"], fields["model"]
    recorded = report.get("images_folder")
    if not isinstance(recorded, str) or "\0" in recorded:
        return None
    if not trust and PureWindowsPath(recorded).drive.startswith("\\\\"):
        return None  # Windows would log in at any server that a path names
    if not Path(recorded).is_dir():
        return None
    names = tuple(image.name for image in model.images)
    folder = FolderSource(Path(recorded), names, fields["config"].images)
    if trust:
        return folder
    entries = report.get("images")
    outcomes = entries if isinstance(entries, dict) else {}
    recorded_of = {name: outcomes[name] for name in names if isinstance(outcomes.get(name), dict)}
    hashes = {name: entry["photo"] for name, entry in recorded_of.items() if "photo" in entry}
    return RecordedPhotos(folder, hashes) if hashes else None
