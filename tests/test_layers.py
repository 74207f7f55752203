"""The house stands: imports go down the layers only, and importing the package is silent."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hloc_lite"
LAYERS = (
    {
        "errors",
        "types",
        "config",
        "config_stages",
        "config_evidence",
        "registry",
        "clock",
        "optional_dependencies",
        "__init__",
    },
    {"geometry"},
    {"io"},
    {"formats"},
    {"features", "retrieval", "matching", "consistency", "pose"},
    {"contracts"},
    {"mapping"},
    {"localize"},
    {"evaluation", "synthetic"},
    {"serve"},
    {"cli"},
    {"__main__"},
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
FREE_AMONG_THEMSELVES = LAYERS[0]
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    parts = [name.split(".") for name in names if name.startswith("hloc_lite.")]
    return {part[1] for part in parts if part[1] in LEVEL}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_go_down(file: Path) -> None:
    room = room_of(file)
    if room == "__init__":
        return  # re-exports lazily
    for other in imported_rooms(file):
        same = other == room or {other, room} <= FREE_AMONG_THEMSELVES
        assert same or LEVEL[other] < LEVEL[room], f"{room} imports {other}"


def test_every_room_has_a_layer() -> None:
    assert {room_of(file) for file in FILES} <= set(LEVEL)


def test_pycolmap_is_imported_in_one_file_only() -> None:
    importers = {
        file.name
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(a.name == "pycolmap" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "pycolmap")
    }
    assert importers == {"pycolmap_adapter.py"}


@pytest.mark.parametrize("module", ["hloc_lite", "hloc_lite.cli.main", "hloc_lite.config"])
def test_import_is_silent_and_light(module: str) -> None:
    heavy = ["torch", "pycolmap", "cv2", "faiss", "kornia", "matplotlib", "poselib"]
    code = (
        f"import sys, {module}\n"
        f"heavy = [name for name in {heavy!r} if name in sys.modules]\n"
        f"assert not heavy, heavy"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_public_names_resolve() -> None:
    import hloc_lite

    assert all(getattr(hloc_lite, name) is not None for name in hloc_lite.__all__)
