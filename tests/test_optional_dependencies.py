"""Extras: what runs without them, and what names the missing one."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pytest

from hloc_lite.errors import MissingDependencyError
from hloc_lite.optional_dependencies import EXTRAS, require_extra
from hloc_lite.synthetic.planes import make_planes

DRAWING = ("embreex", "matplotlib", "skimage")
"""Modules of the extras ``town`` and ``report``."""
RUN_WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({modules!r}))
from hloc_lite.cli.main import main
from tests.robustness import stand_ins
stand_ins.register()
main(sys.argv[1:])
"""


def run_without(modules: Sequence[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``hloc-lite`` in a process in which some modules cannot be imported."""
    command = [sys.executable, "-c", RUN_WITHOUT.format(modules=list(modules))]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def requirement_names(requirements: Sequence[str]) -> set[str]:
    names = (requirement.split(">")[0].split("[")[0] for requirement in requirements)
    return {name.lower().replace("_", "-") for name in names}


def test_modules_of_the_extras_are_those_of_pyproject() -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    required = requirement_names(project["dependencies"])
    distributions = metadata.packages_distributions()
    for extra, modules in EXTRAS.items():
        installed = {
            name.lower().replace("_", "-")
            for module in modules
            for name in distributions.get(module.split(".")[0], [module])
        }
        listed = requirement_names(project["optional-dependencies"][extra])
        assert listed - required == installed, extra


@pytest.mark.parametrize("extra", EXTRAS)
def test_missing_extra_is_named(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = EXTRAS[extra][0]
    monkeypatch.setitem(sys.modules, module, None)
    message = rf'a test needs {module}, which is not installed: pip install "hloc-lite\[{extra}\]"'
    with pytest.raises(MissingDependencyError, match=message):
        require_extra(extra, "a test")
    monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, module.split(".")[0], None)  # the whole package
    with pytest.raises(MissingDependencyError, match=message):
        require_extra(extra, "a test")


def test_broken_package_is_told_from_a_missing_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "embreex.py").write_text("import libembree_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "embreex", raising=False)
    with pytest.raises(MissingDependencyError, match=r"cannot be imported .*libembree"):
        require_extra("town", "a test")


def test_mapping_localization_and_service_need_neither_town_nor_report(tmp_path: Path) -> None:
    scene = make_planes(11)
    scene.write_images(tmp_path / "images", {f"{i}.jpg": i for i in (0, 2, 4, 6, 8, 10)})
    scene.write_images(tmp_path / "queries", {"q.jpg": 5})
    options = ("--features", "rootsift", "--retrieval", "thumbnail", "--offline")
    mapped = run_without(
        DRAWING, "map", tmp_path / "images", "-o", tmp_path / "map", *options,
        "--set", "features.max_keypoints=300",
    )  # fmt: skip
    assert mapped.returncode == 0, mapped.stderr
    localize = ("localize", tmp_path / "map", "--images", tmp_path / "queries", "--offline")
    done = run_without(DRAWING, *localize, "-o", tmp_path / "poses.txt")
    assert "Error" not in done.stderr
    assert (tmp_path / "poses.txt").is_file(), done.stderr
    refused = run_without(
        DRAWING, *localize, "-o", tmp_path / "again.txt", "--report", tmp_path / "report"
    )
    assert refused.returncode == 2
    assert 'pip install "hloc-lite[report]"' in refused.stderr
    assert not (tmp_path / "again.txt").exists()  # refused before any query is localized
    code = f"import sys; sys.modules.update(dict.fromkeys({DRAWING!r}))\n"
    code += "import importlib, pkgutil, hloc_lite.serve, hloc_lite.cli.serve\n"
    code += "for each in pkgutil.iter_modules(hloc_lite.serve.__path__, 'hloc_lite.serve.'):\n"
    code += "    importlib.import_module(each.name)\n"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_evaluation_needs_matplotlib_for_a_report_only(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("a.jpg 1 0 0 0 0 0 0\n")
    arguments = ("evaluate", tmp_path / "gt.txt", tmp_path / "gt.txt")
    scored = run_without(DRAWING, *arguments)
    assert scored.returncode == 0, scored.stderr
    refused = run_without(DRAWING, *arguments, "--report", tmp_path / "report")
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert 'pip install "hloc-lite[report]"' in refused.stderr


@pytest.mark.parametrize("module", DRAWING)
def test_demo_checks_its_extras_before_it_renders(module: str, tmp_path: Path) -> None:
    refused = run_without([module], "demo", "-o", tmp_path / "demo")
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert 'pip install "hloc-lite[town]"' in refused.stderr
    assert not (tmp_path / "demo").exists()


def test_town_without_its_extra_leaves_no_folder(tmp_path: Path) -> None:
    refused = run_without(["embreex"], "town", "render", "-o", tmp_path / "town")
    assert refused.returncode == 2
    assert "a rendered town needs embreex" in refused.stderr
    assert not (tmp_path / "town").exists()
