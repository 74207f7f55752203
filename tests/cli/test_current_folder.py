"""Every command, run in a folder from a stranger: none of its modules, plug-ins or programs run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import pytest

import hloc_lite
from hloc_lite.cli.main import cli
from tests.docs.snippets import free_port
from tests.small_scene import copy_scene, small_scene

MODULES = (
    # installed packages
    "click", "cv2", "embreex", "faiss", "fastapi", "filelock", "h5py", "jinja2", "kornia",
    "matplotlib", "numpy", "open3d", "PIL", "pillow_heif", "pip", "platformdirs", "pooch",
    "poselib", "prometheus_client", "pycolmap", "pydantic", "pye57", "pymap3d", "python_multipart",
    "requests", "scipy", "skimage", "tomli_w", "torch", "tqdm", "transformers", "uvicorn", "viser",
    "yaml",
    # the standard library, and what Python looks for at its start
    "argparse", "base64", "concurrent", "csv", "ctypes", "difflib", "hashlib", "http", "json",
    "logging", "multiprocessing", "pickle", "platform", "queue", "random", "readline", "resource",
    "secrets", "site", "sitecustomize", "socket", "ssl", "subprocess", "tempfile", "tomllib",
    "usercustomize", "uuid", "zipfile",
    # the package itself
    "hloc_lite",
)  # fmt: skip
PROGRAMS = ("gcc", "git", "ffmpeg", "ldconfig", "latex", "lsb_release", "node", "nvidia-smi", "npm",
            "objdump", "python", "python3", "sh", "uname", "xdg-open")  # fmt: skip
HOSTILE = "import pathlib; pathlib.Path({mark!r}).touch(); raise ImportError('hostile')\n"
TIMEOUT_S = 120
POSES = ["gt_day.txt", "gt_day.txt"]
NO_SCENE: Mapping[str, Sequence[str]] = {
    "config diff": ["fast", "accurate"],
    "config get": ["pose.max_error_px"],
    "config show": [],
    "dataset check": ["town", "--root", "."],
    "dataset get": ["town", "--root", "data", "--yes"],
    "dataset info": ["town"],
    "dataset list": [],
    "doctor": ["--offline"],
    "town indoor": ["-o", "indoor", "--scans", "1", "--queries", "1", "--size", "64x64",
                    "--query-width", "64"],
    "town render": ["-o", "town", "--map", "4", "--queries", "1", "--size", "64x48", "--jobs", "2"],
    "weights check": [],
    "weights fetch": ["efficientnet-lite0"],
    "weights list": ["--json"],
}  # fmt: skip
SCENE: Mapping[str, Sequence[str]] = {
    "benchmark": ["custom", "--root", "town", "-o", "bench", "--dry-run"],
    "calibrate": ["MAP", "--seconds", "1"],
    "compare": ["A=gt_day.txt", "B=gt.txt", "--truth", "gt.txt", "--report", "compare.html"],
    "compress": ["MAP", "-o", "SMALL"],
    "demo": ["-o", "demo", "--map", "4", "--queries", "1", "--size", "64x48"],
    "evaluate": [*POSES, "--report", "report.html"],
    "export colmap": ["MAP", "-o", "colmap"],
    "export hloc": ["MAP", "-o", "hloc"],
    "export kapture": ["MAP", "-o", "kapture"],
    "export nerfstudio": ["MAP", "-o", "nerfstudio"],
    "georeference": ["MAP", "--positions", "gps.csv"],
    "info": ["MAP"],
    "localize": ["MAP", "photo.jpg", "--report", "one.html"],
    "map": ["IMAGES", "-o", "NEW", "--reference", "MODEL", "--features", "rootsift"],
    "retrieval evaluate": [
        "gt.txt",
        "--protocol",
        "covisible",
        "--truth",
        "MODEL",
        "--query-names",
        "gt.txt",
    ],
    "serve": ["MAP", "--port", "PORT", "--host", "256.0.0.1"],
    "submission check": ["gt.txt", "--dataset", "aachen"],
    "submission write": ["gt_day.txt", "--dataset", "aachen", "-o", "submission.txt"],
    "surface": ["MAP", "--points"],
    "video": ["photo.jpg", "-o", "frames"],
    "view": ["MAP", "--export", "view.html"],
}
"""Arguments of each command in the folder of the scene: they get as far as a short run can."""


def command_names(
    group: click.Command = cli, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Every command without subcommands, as its words."""
    if not isinstance(group, click.Group):
        yield path
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from command_names(command, (*path, name))


NAMES = [" ".join(path) for path in command_names()]


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program ``hloc-lite`` as pip installs it: Python searches its folder, not the current."""
    path = tmp_path_factory.mktemp("bin") / "hloc-lite"
    path.write_text("from hloc_lite.cli.main import main\nmain()\n", encoding="utf-8")
    return path


def make_hostile(folder: Path, marks: Path) -> None:
    """Put modules, a plug-in, programs and settings into a folder that leave marks when used."""
    marks.mkdir()
    for name in MODULES:
        text = HOSTILE.format(mark=str(marks / name))
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "__init__.py").write_text(text, encoding="utf-8")
    for name in PROGRAMS:
        program = folder / name
        program.write_text(f'#!/bin/sh\n: > "{marks}/program {name}"\nexit 1\n', encoding="utf-8")
        program.chmod(0o755)
    plugin = folder / "plugin-1.0.dist-info"
    plugin.mkdir()
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    groups = ("features", "matchers", "global_descriptors", "estimators")
    entries = "".join(f"[hloc_lite.{group}]\nevil = hloc_lite_evil:X\n" for group in groups)
    (plugin / "entry_points.txt").write_text(entries, encoding="utf-8")
    hostile = HOSTILE.format(mark=str(marks / "plug-in"))
    (folder / "hloc_lite_evil.py").write_text(hostile, encoding="utf-8")
    for module in ("plugin.pth", "pip.conf", "pip.ini", "pyvenv.cfg", ".env", "pyproject.toml"):
        (folder / module).write_text("import hloc_lite_evil\n", encoding="utf-8")
    (folder / "matplotlibrc").write_text("text.usetex: True\n", encoding="utf-8")


def run(
    start: Sequence[str], name: str, arguments: Sequence[str], folder: Path, **more: str
) -> str:
    """Run a command there; returns what it printed to stderr."""
    given = [str(free_port()) if each == "PORT" else each for each in arguments]
    root = str(Path(hloc_lite.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "HLOC_LITE_OFFLINE": "1", "PIP_NO_INDEX": "1"}
    environment["HLOC_LITE_TOKEN"] = "t" * 32  # serve gets as far as the address, which is none
    # an empty entry of PATH stands for the current folder
    environment["PATH"] = os.pathsep + os.environ.get("PATH", "")
    done = subprocess.run(
        [*start, *name.split(), *given], cwd=folder, env={**environment, **more},
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1, 2), done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


def hostile_scene(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the scene that is hostile."""
    scene = small_scene(tmp_path_factory.getbasetemp() / "scene-of-current-folder")
    folder = copy_scene(scene, tmp_path / "work")
    make_hostile(folder, tmp_path / "ran")
    return folder


def check(
    start: Sequence[str], name: str, arguments: Sequence[str], folder: Path, marks: Path
) -> None:
    printed = run(start, name, arguments, folder)
    assert "No such option" not in printed and "Usage:" not in printed, printed
    assert sorted(path.name for path in marks.iterdir()) == []


def test_every_command_has_a_case() -> None:
    assert sorted(NAMES) == sorted([*NO_SCENE, *SCENE])


@pytest.mark.parametrize("name", NO_SCENE)
def test_commands_run_nothing_of_the_current_folder(name: str, script: Path, tmp_path) -> None:
    work, marks = tmp_path / "work", tmp_path / "ran"
    work.mkdir()
    make_hostile(work, marks)
    check([sys.executable, str(script)], name, NO_SCENE[name], work, marks)


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("name", SCENE)
def test_commands_on_a_scene_run_nothing_of_the_current_folder(
    name: str, script: Path, tmp_path, tmp_path_factory
) -> None:
    folder = hostile_scene(tmp_path, tmp_path_factory)
    check([sys.executable, str(script)], name, SCENE[name], folder, tmp_path / "ran")


STARTS = {
    "module": ("-m", "hloc_lite"),
    "module, safe path": ("-P", "-m", "hloc_lite"),
    "program": (),
}
PYTHON_STARTS_WITH = set(sys.stdlib_module_names) | {"site", "sitecustomize", "usercustomize"}
"""Modules that Python itself may look for before the first line of hloc_lite runs."""


@pytest.mark.parametrize("start", STARTS)
def test_an_empty_entry_of_the_module_path_is_left_out(start: str, script: Path, tmp_path) -> None:
    """What Python itself runs before hloc_lite is its own; that is why the test leaves it out."""
    work, marks = tmp_path / "work", tmp_path / "ran"
    work.mkdir()
    make_hostile(work, marks)
    for name in PYTHON_STARTS_WITH & set(MODULES) | {"hloc_lite", "click"}:
        (work / f"{name}.py").unlink()
        (work / name / "__init__.py").unlink()
        (work / name).rmdir()
    root = str(Path(hloc_lite.__file__).parents[1])
    options = STARTS[start] or (str(script),)
    path = os.pathsep.join(["", root, ""])
    run([sys.executable, *options], "doctor", ["--offline"], work, PYTHONPATH=path)
    assert sorted(path.name for path in marks.iterdir()) == []


@pytest.mark.weights
@pytest.mark.slow
def test_examples_run_nothing_of_the_current_folder(tmp_path, tmp_path_factory) -> None:
    folder = hostile_scene(tmp_path, tmp_path_factory)
    example = Path(__file__).parents[2] / "examples" / "01_localize_one_photo.py"
    # an empty entry of PATH is for the calling script to avoid: a library does not change it
    run([sys.executable, str(example)], "", [], folder, PATH=os.environ.get("PATH", ""))
    assert sorted(path.name for path in (tmp_path / "ran").iterdir()) == []
