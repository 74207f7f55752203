"""Inputs and outputs of one run in one version, behind names that all versions share."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation
from tables import COMMANDS, MAPS

import hloc_lite

CONDITIONS = ("day", "night", "changed")
HOMES = {"Frame": "hloc_lite.localize.sequence"}
"""Modules of public classes in versions that do not export them; all others: hloc_lite.types."""


class Query(NamedTuple):
    """A photo with its intrinsics and true pose."""

    name: str
    path: Path
    camera: Any
    cam_from_world: Any


def public(name: str) -> Any:
    """A public class of the version at hand."""
    if name in hloc_lite.__all__:
        return getattr(hloc_lite, name)
    return getattr(import_module(HOMES.get(name, "hloc_lite.types")), name)


class Session:
    """Maps, commands, queries and localizers; a map is made when a scenario first needs it.

    Args:
        case: real photos with known poses.
        town: rendered photos.
        stored: ``out`` of the older version's first run, for its maps.
        out: the folder of all results.
    """

    def __init__(self, case: Path, town: Path, stored: Path, out: Path) -> None:
        self.case, self.town, self.stored, self.out = case, town, stored, out
        self._log = (out / "log.txt").open("a", encoding="utf-8")

    def map(self, name: str) -> Path:
        """Folder of a map of ``MAPS``; a failed command leaves its exit code there."""
        folder = self.out / "maps" / name
        if not folder.exists():
            code = self._run([*MAPS[name], "-o", str(folder)], folder)
            if code != 0:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "exit_code.json").write_text(json.dumps(code), encoding="utf-8")
        return folder

    def commands(self, name: str) -> None:
        """Run ``COMMANDS[name]`` and keep the exit codes beside the outputs."""
        folder = self.out / "cli" / name
        folder.mkdir(parents=True)
        if name == "georeference":
            self._write_positions(folder / "positions.csv")
        codes = [self._run(command, folder) for command in COMMANDS[name]]
        (folder / "exit_code.json").write_text(json.dumps(codes), encoding="utf-8")

    def _run(self, arguments: Iterable[str], folder: Path) -> int:
        """Exit code of ``hloc-lite ARGUMENTS``."""
        given = [self._argument(each, folder) for each in arguments]
        self.log("$ hloc-lite " + " ".join(given))
        command = [sys.executable, "-P", "-m", "hloc_lite", *given]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        self.log(done.stdout)
        return done.returncode

    def _argument(self, text: str, folder: Path) -> str:
        sign, name = text[:1], text[1:].removesuffix("!")
        if sign == "@":
            return str(self.map(name))
        if sign in ("+", "<"):
            target = folder / "map"
            if not target.exists():
                shutil.copytree(self.map(name) if sign == "+" else self._stored(name), target)
                if text.endswith("!"):
                    (target / "map.json").unlink()
            return str(target)
        if "{near}" in text:
            center = self.queries("day")[0].cam_from_world.center
            return ",".join(map(str, center)) + ",30"
        photo = self.queries("case")[0].path
        return text.format(case=self.case, town=self.town, out=folder, photo=photo)

    def _stored(self, name: str) -> Path:
        return self.stored / "maps" / name

    def _write_positions(self, path: Path) -> None:
        """Positions on Earth of all map images of the town, accurate to a centimetre."""
        lines = []
        for image in hloc_lite.Map.open(self.map("town/rootsift")).model.images:
            x, y, z = image.cam_from_world.center
            lines.append(f"{image.name},{55.7 + y / 111412:.7f},{13.2 + x / 62898:.7f},{z:.2f}\n")
        path.write_text("name,latitude,longitude,height\n" + "".join(lines), encoding="utf-8")

    def queries(self, condition: str, count: int | None = None) -> list[Query]:
        """The first queries of the ``case``, or of the town's day, night or changed."""
        root = self.case if condition == "case" else self.town
        suffix = "" if condition == "case" else f"_{condition}"
        poses = {}
        for name, *numbers in _words(root / f"gt{suffix}.txt"):
            values = np.array(numbers, np.float64)
            rotation = Rotation.from_quat(values[[1, 2, 3, 0]]).as_matrix()
            poses[name] = hloc_lite.Rigid3(rotation, values[4:])
        found = []
        for name, model, width, height, *params in _words(root / f"queries{suffix}.txt"):
            values = np.array(params, np.float64)
            camera = hloc_lite.Camera(model, int(width), int(height), values)
            found.append(Query(name, root / "images" / name, camera, poses[name]))
        return found[:count]

    def all_queries(self, count: int | None = None) -> list[Query]:
        """The first queries of each condition of the town."""
        return [query for each in CONDITIONS for query in self.queries(each, count)]

    def localizer(
        self,
        maps: Sequence[str],
        settings: Sequence[str] = (),
        *,
        profile: str | None = None,
        stored: bool = False,
    ) -> Any:
        """A localizer of maps of ``MAPS``, or of those that the older version stored."""
        folders = [self._stored(name) if stored else self.map(name) for name in maps]
        base = hloc_lite.Map.open(folders[0]).config
        given = [setting.format(town=self.town) for setting in settings]
        config = hloc_lite.load_config(base=base, settings=given) if given else None
        options: dict[str, Any] = {}
        if len(folders) > 1:
            known = inspect.signature(hloc_lite.Localizer.__init__).parameters
            keyword = "extra_maps" if "extra_maps" in known else "also"
            options[keyword] = [hloc_lite.Map.open(folder) for folder in folders[1:]]
        return hloc_lite.Localizer.open(folders[0], config, profile=profile, **options)

    def log(self, text: str) -> None:
        """Append to OUT/log.txt."""
        self._log.write(text.rstrip() + "\n")
        self._log.flush()


def _words(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
