"""Imports keep the contracts of pyproject.toml, and importing the package is silent and light."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run lint-imports on the package and the pyproject.toml in a folder."""
    command = [sys.executable, "-c", LINT, "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, to plant mistakes in."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "hloc_lite", folder / "hloc_lite", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_imports_keep_the_contracts() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("geometry/rotations.py", "import hloc_lite.io.files", "geometry is not allowed to import"),
        ("pose/sampling.py", "import hloc_lite.matching.nearest", "pose is not allowed to import"),
        ("pose/sampling.py", "import hloc_lite.pose.weighted_ransac", "No cycles are allowed in"),
        ("errors.py", "import hloc_lite.registry", "errors is not allowed to import"),
        ("maps/folder.py", "import pycolmap", "not allowed to import pycolmap"),
        ("loose.py", "", "must be declared as a layer"),
    ],
)
def test_a_planted_mistake_is_found(copy: Path, file: str, line: str, message: str) -> None:
    path = copy / "hloc_lite" / file
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n", encoding="utf-8")
    try:
        done = lint_imports(copy)
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before, encoding="utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert message in " ".join(done.stdout.split())


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
