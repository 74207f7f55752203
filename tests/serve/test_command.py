"""The command ``serve``: its arguments, token and missing dependencies; imports of the extra."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from hloc_lite.cli.main import main
from hloc_lite.cli.serve import read_token
from hloc_lite.errors import ConfigError
from hloc_lite.maps import limited_reading
from hloc_lite.maps.map import Map
from hloc_lite.serve import map_pool, server
from hloc_lite.serve.map_pool import parse_map_arguments
from tests.exact_scene import NoWeights, mapped_scene

PACKAGE = Path(__file__).parents[2] / "hloc_lite"
EXTRA = {"fastapi", "uvicorn", "starlette", "python_multipart", "prometheus_client", "h11"}


def test_only_the_serve_package_imports_the_extra() -> None:
    importers = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if EXTRA & {name.partition(".")[0] for name in names}:
                importers.add(file.relative_to(PACKAGE).parts[0])
    assert importers == {"serve"}


def test_without_the_extra_help_works_and_the_remedy_is_named(tmp_path: Path) -> None:
    hide = f"import sys; sys.modules.update(dict.fromkeys({sorted(EXTRA)!r}));"
    code = hide + "from hloc_lite.cli.main import main; main(sys.argv[1:])"
    shown = subprocess.run(
        [sys.executable, "-c", code, "serve", "--help"], capture_output=True, text=True
    )
    assert shown.returncode == 0 and "--token-file" in shown.stdout
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert 'pip install "hloc-lite[serve]"' in done.stderr and "Traceback" not in done.stderr


def test_a_folder_without_a_map_fails_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["serve", str(tmp_path)])
    assert end.value.code == 2
    assert "holds no finished map" in capsys.readouterr().err


def test_values_out_of_range_name_the_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["serve", str(tmp_path), "--workers", "0"])
    assert end.value.code == 2
    assert "workers" in capsys.readouterr().err


def test_map_names(tmp_path: Path) -> None:
    assert parse_map_arguments(["x/town", "old=y/town"]) == {
        "town": Path("x/town"),
        "old": Path("y/town"),
    }
    (tmp_path / "a=b").mkdir()
    with pytest.raises(ConfigError, match="NAME=FOLDER"):
        parse_map_arguments([str(tmp_path / "a=b")])
    with pytest.raises(ConfigError, match="two maps are called 'town'"):
        parse_map_arguments(["x/town", "y/town"])
    with pytest.raises(ConfigError, match="NAME=FOLDER"):
        parse_map_arguments(["a b"])


def test_token_sources_and_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HLOC_LITE_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("HLOC_LITE_TOKEN", "from-the-environment")
    assert read_token(None) == "from-the-environment"
    file = tmp_path / "token"
    file.write_text("from-a-file-this-time\n")
    assert read_token(file) == "from-a-file-this-time"
    for bad in ("", "short", "ünïcödé-ünïcödé-ünïcödé", "two lines\nof a token"):
        file.write_text(bad, encoding="utf-8")
        with pytest.raises(ConfigError, match="16 or more"):
            read_token(file)
    with pytest.raises(ConfigError, match="cannot read"):
        read_token(tmp_path / "none")


@pytest.mark.parametrize(
    ("options", "max_wrong", "recalibrate"),
    [
        (["--max-wrong", "0.05"], 0.05, False),
        (["--max-wrong", "0.05", "--set", "confidence.max_wrong=0.2"], 0.2, False),
        (["--set", "localize.recalibrate=true"], None, True),
    ],
)
def test_set_comes_after_the_options(
    monkeypatch: pytest.MonkeyPatch, options: list[str], max_wrong: float, recalibrate: bool
) -> None:
    """As for every verb (``load_config``)."""
    configs = []
    with mapped_scene() as (_, sfm_map):
        monkeypatch.setattr(Map, "open", lambda folder, trust: sfm_map)
        monkeypatch.setattr(limited_reading, "check_map", lambda folder, trust: None)
        monkeypatch.setattr(map_pool, "check_map_folders", lambda folders: None)
        monkeypatch.setattr(server, "warm_up", lambda each: configs.append(each.config))
        monkeypatch.setattr(
            server, "serve", lambda folders, config, opener, *others: opener(folders["map"])
        )
        monkeypatch.setattr("hloc_lite.io.weights.WeightsStore", lambda offline: NoWeights())
        with pytest.raises(SystemExit) as end:
            main(["serve", "map=nowhere", *options])
    assert end.value.code in (0, None)
    (config,) = configs
    assert config.confidence.max_wrong == max_wrong
    assert config.localize.recalibrate is recalibrate
