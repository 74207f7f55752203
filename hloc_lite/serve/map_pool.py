"""Maps being served: opened by name, and reloaded without interrupting requests."""

from __future__ import annotations

import gc
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.io.image_sources import FolderSource
from hloc_lite.io.staging import HEADER, current_file
from hloc_lite.maps.georeference import Georeference
from hloc_lite.serve.map_photos import map_photo_source
from hloc_lite.serve.plan import map_plan_json
from hloc_lite.serve.problems import Problem
from hloc_lite.types import Camera, LocalizationResult, Photo, Prior

if TYPE_CHECKING:
    from hloc_lite.maps.map import Map

logger = logging.getLogger(__name__)

MAP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Allowed names of maps: they appear in URLs and in comma-separated lists."""


class Localizes(Protocol):
    """The interface of ``localize.localizer.Localizer`` that the service uses."""

    @property
    def map(self) -> Map: ...

    def localize(
        self,
        image: Photo,
        camera: Camera | None = None,
        *,
        prior: Prior | None = None,
        budget_ms: float | None = None,
        max_wrong: float | None = None,
        recalibrate: bool | None = None,
    ) -> LocalizationResult: ...


OpenLocalizer = Callable[[Path], Localizes]
"""Opens the localizer of a map folder, warmed up; raises HlocLiteError."""


@dataclass(frozen=True, eq=False)
class ServedMap:
    """One opened map. A reload makes a new one and leaves this one usable."""

    name: str
    localizer: Localizes
    plan_json: bytes
    """Result of ``map_plan_json``."""
    opened_at: datetime
    generation: int
    """Number of times this map was opened, from 1."""
    photos: FolderSource | None = None
    """Photos of the map's images; None if they are not served."""

    @property
    def georeference(self) -> Georeference | None:
        """The map's georeference; compact maps keep that of their source map."""
        return self.localizer.map.georeference

    @property
    def metres_per_unit(self) -> float | None:
        """Metres per map unit; None if the map has no known scale."""
        return self.localizer.map.metres_per_unit

    def describe(self) -> dict[str, Any]:
        """Return the map's entry in the answer of GET /v1/maps."""
        sfm_map = self.localizer.map
        return {
            "name": self.name,
            "images": len(sfm_map.model.images),
            "points": int(sfm_map.model.num_points),
            "features": sfm_map.config.features.name,
            "fingerprint": sfm_map.fingerprint,
            "georeferenced": self.georeference is not None,
            "metres_per_unit": self.metres_per_unit,
            "photos": self.photos is not None,
            "opened_at": self.opened_at.isoformat(timespec="seconds"),
            "generation": self.generation,
        }


class MapPool:
    """Maps by name. A ``ServedMap`` in use stays valid when its map is reloaded.

    Args:
        folders: map folder by name, see ``parse_map_arguments``.
        open_localizer: opens the localizer of a folder.
        plan_points: number of points in each map's plan.
        photo_folders: folder of the photos of each map that are shown in the page.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        open_localizer: OpenLocalizer,
        plan_points: int,
        photo_folders: Mapping[str, Path] | None = None,
    ) -> None:
        self._folders, self._open_localizer = dict(folders), open_localizer
        self._plan_points, self._photo_folders = plan_points, dict(photo_folders or {})
        self._maps: dict[str, ServedMap] = {}
        self._reloading: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all maps, open or not."""
        return tuple(self._folders)

    def open_all(self) -> None:
        """Open the maps that are not open yet. Raises HlocLiteError."""
        for name in self._folders:
            if name not in self._maps:
                self.reload(name)

    def claim_reload(self, name: str) -> None:
        """Reserve a map for ``reload``. Raises Problem: unknown map (404), reload running (409)."""
        self._check_known([name])
        if name in self._reloading:
            raise Problem(409, "reloading", f"map {name!r} is already being reloaded")
        self._reloading.add(name)

    def reload(self, name: str) -> ServedMap:
        """Open a map again from its folder; the old one serves until the new one is ready.

        Raises:
            HlocLiteError: the map cannot be opened; the old one stays.
        """
        try:
            localizer = self._open_localizer(self._folders[name])
            served_map = ServedMap(
                name,
                localizer,
                map_plan_json(name, localizer.map.model, self._plan_points),
                datetime.now(UTC),
                self._maps[name].generation + 1 if name in self._maps else 1,
                self._photos(name, localizer.map),
            )
        finally:
            self._reloading.discard(name)
        self._maps[name] = served_map
        gc.collect()  # networks form reference cycles: free the memory of the old ones now
        logger.info("map %r is open (generation %d)", name, served_map.generation)
        return served_map

    def opened_maps(self) -> list[ServedMap]:
        """Return all open maps, in the order of ``names``."""
        maps = self._maps  # a reload replaces values, never removes a key
        return [maps[name] for name in self._folders if name in maps]

    def select(self, names: Sequence[str]) -> list[ServedMap]:
        """Return the named maps, or all maps if none is named, without duplicates.

        Raises:
            Problem: an unknown name (404), or maps that are not open yet (503).
        """
        self._check_known(names)
        wanted = dict.fromkeys(names or self._folders)
        missing = [name for name in wanted if name not in self._maps]
        if missing:
            reason = f"maps still being opened: {', '.join(missing)}"
            raise Problem(503, "not_ready", reason, {"Retry-After": "2"})
        return [self._maps[name] for name in wanted]

    def _photos(self, name: str, sfm_map: Map) -> FolderSource | None:
        folder = self._photo_folders.get(name)
        if folder is None:
            return None
        return map_photo_source(folder, sfm_map.model, sfm_map.config.images)

    def _check_known(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self._folders:
                known = ", ".join(self._folders)
                raise Problem(404, "unknown_map", f"no map {name[:80]!r}; available maps: {known}")


def parse_map_arguments(arguments: Sequence[str]) -> dict[str, Path]:
    """Return name -> folder from ``NAME=FOLDER`` or ``FOLDER``, which is named as its last part.

    Raises:
        ConfigError: a name given twice, or one that does not fit in a URL.
    """
    folders: dict[str, Path] = {}
    for argument in arguments:
        name, separator, path = argument.partition("=")
        if not separator or os.path.exists(argument):
            path = argument
            name = Path(argument).resolve().name
        if not MAP_NAME.fullmatch(name):
            raise ConfigError(
                f"{argument}: a served map needs a name of letters, digits, '.', '_' and '-': give "
                f"NAME=FOLDER"
            )
        if name in folders:
            raise ConfigError(
                f"two maps are called {name!r}: {folders[name]} and {path}; give NAME=FOLDER"
            )
        folders[name] = Path(path)
    return folders


def check_map_folders(folders: Mapping[str, Path]) -> None:
    """Fail early on folders without a map; opening checks whether a map is complete.

    Raises:
        HlocLiteError: no map in a folder.
    """
    for folder in folders.values():
        if not current_file(folder, HEADER).is_file():
            raise HlocLiteError(f"{folder} holds no finished map: build one with `hloc-lite map`")
