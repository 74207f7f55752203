"""The maps being served: opened, reloaded without a gap, found by name."""

from __future__ import annotations

import gc
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.mapping.georeference import Georeference
from hloc_lite.serve.localization import Locates
from hloc_lite.serve.plan import plan_of
from hloc_lite.serve.problems import Problem

logger = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Of a map: it stands in addresses and in lists."""
Opener = Callable[[Path], Locates]
"""Opens the localizer of a map folder, warm; raises HlocLiteError."""


@dataclass(frozen=True, eq=False)
class ServedMap:
    """One map at one time; a reload makes another one."""

    name: str
    localizer: Locates
    plan: bytes
    """JSON of ``plan_of``."""
    opened_at: datetime
    generation: int
    """Times it was opened, from 1."""

    @property
    def georeference(self) -> Georeference | None:
        """The map's own, or that of the map which a compact one was made of."""
        return self.localizer.map.georeference

    def describe(self) -> dict[str, Any]:
        """What GET /v1/maps says of it."""
        place = self.localizer.map
        return {
            "name": self.name,
            "images": len(place.model.images),
            "points": int(place.model.num_points),
            "features": place.config.features.name,
            "fingerprint": place.fingerprint,
            "georeferenced": self.georeference is not None,
            "opened_at": self.opened_at.isoformat(timespec="seconds"),
            "generation": self.generation,
        }


class Shelf:
    """Maps by name. Whoever holds a ``ServedMap`` may use it to the end, whatever is reloaded.

    Args:
        folders: name -> folder, of ``folders_of``.
        opener: opens one.
        plan_points: of each map's plan.
    """

    def __init__(self, folders: Mapping[str, Path], opener: Opener, plan_points: int) -> None:
        self._folders, self._opener, self._plan_points = dict(folders), opener, plan_points
        self._maps: dict[str, ServedMap] = {}
        self._claimed: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """All maps, open or not."""
        return tuple(self._folders)

    def open_all(self) -> None:
        """Open what is not open yet. Raises HlocLiteError."""
        for name in self._folders:
            if name not in self._maps:
                self.reload(name)

    def claim(self, name: str) -> None:
        """To be called before ``reload``. Raises Problem: no such map (404), or claimed (409)."""
        self._check_known([name])
        if name in self._claimed:
            raise Problem(409, "reloading", f"map {name!r} is being reloaded already")
        self._claimed.add(name)

    def reload(self, name: str) -> ServedMap:
        """Open a map again from its folder; the old one serves until the new one can.

        Raises:
            HlocLiteError: it cannot be opened; the old one stays.
        """
        try:
            localizer = self._opener(self._folders[name])
            opened = ServedMap(
                name,
                localizer,
                plan_of(name, localizer.map.model, self._plan_points),
                datetime.now(UTC),
                self._maps[name].generation + 1 if name in self._maps else 1,
            )
        finally:
            self._claimed.discard(name)
        self._maps[name] = opened
        gc.collect()  # networks hold themselves in cycles: the old ones' memory is wanted now
        logger.info("map %r is open (generation %d)", name, opened.generation)
        return opened

    def opened(self) -> list[ServedMap]:
        """All open maps."""
        maps = self._maps  # a reload replaces values, never removes a key
        return [maps[name] for name in self._folders if name in maps]

    def chosen(self, names: Sequence[str]) -> list[ServedMap]:
        """The named maps, or all; each once.

        Raises:
            Problem: an unknown name (404), or maps that are not open yet (503).
        """
        self._check_known(names)
        wanted = dict.fromkeys(names or self._folders)
        missing = [name for name in wanted if name not in self._maps]
        if missing:
            raise Problem(
                503, "not_ready", f"still being opened: {', '.join(missing)}", {"Retry-After": "2"}
            )
        return [self._maps[name] for name in wanted]

    def _check_known(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self._folders:
                known = ", ".join(self._folders)
                raise Problem(404, "unknown_map", f"no map {name[:80]!r}; there are {known}")


def folders_of(arguments: Sequence[str]) -> dict[str, Path]:
    """Name -> folder, of ``FOLDER`` (named as its last part) or ``NAME=FOLDER``.

    Raises:
        ConfigError: a name twice, or one that addresses cannot hold.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        name, separator, path = argument.partition("=")
        if not separator or Path(argument).exists():
            path = argument
            name = Path(argument).resolve().name
        if not NAME.fullmatch(name):
            raise ConfigError(
                f"{argument}: a served map needs a name of letters, digits, '.', '_' and '-': give "
                f"NAME=FOLDER"
            )
        if name in found:
            raise ConfigError(
                f"two maps are called {name!r}: {found[name]} and {path}; give NAME=FOLDER"
            )
        found[name] = Path(path)
    return found


def check_folders(folders: Mapping[str, Path]) -> None:
    """Refuse at once what is no map; whether it is a whole one shows when it is opened.

    Raises:
        HlocLiteError: no map in a folder.
    """
    for folder in folders.values():
        if not (folder / "map.json").is_file():
            raise HlocLiteError(f"{folder} holds no finished map: build one with `hloc-lite map`")
