"""``hloc-lite compress`` and ``hloc-lite info``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hloc_lite.cli.compress import parse_bytes
from hloc_lite.cli.main import main
from hloc_lite.errors import ConfigError
from tests.exact_scene import MAP_NAMES, mapped_scene


@pytest.mark.parametrize(
    ("text", "size"),
    [("50MB", 50_000_000), ("1.5 GiB", 3 << 29), ("800000", 800_000), ("3 kb", 3000), ("7B", 7)],
)
def test_budgets(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "much", "-5MB", "5 TB", "0", "0.1", "nan", "5 MB MB", "9" * 400]
)
def test_text_that_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--budget takes bytes"):
        parse_bytes(text)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> str:
    """Folder of a full map."""
    folder = tmp_path_factory.mktemp("maps") / "full"
    with mapped_scene() as (_, sfm_map):
        report = {**sfm_map.report, "assessment": {"doubtful": False, "cameras": {}}}
        replace(sfm_map, report=report).save(folder)
        yield str(folder)


def test_compress_and_info(full: str, tmp_path: Path, capsys) -> None:
    small = str(tmp_path / "small")
    assert run("compress", full, "-o", small, "--budget", "30kB") == 0
    assert "landmarks/descriptors.npy" in capsys.readouterr().out
    for folder, kind in ((full, "full map"), (small, "compact map")):
        assert run("info", folder) == 0
        shown = capsys.readouterr().out
        assert kind in shown and "no doubt about any of 0 cameras" in shown
        assert run("info", folder, "--json") == 0
        summary = json.loads(capsys.readouterr().out)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        assert summary["total_bytes"] == size == sum(summary["bytes_of"].values())
        assert summary["num_images"] == len(MAP_NAMES) and summary["labelled_share"] is None
    assert summary["num_landmarks"] < summary["of_landmarks"]
    assert summary["total_bytes"] <= 30000
    assert run("compress", full, "-o", small, "--descriptors", "pq", "--overwrite") == 0
    assert "64 dimensions, pq" in capsys.readouterr().out


def test_outputs_that_are_refused(full: str, tmp_path: Path, capsys) -> None:
    small = str(tmp_path / "small")
    assert run("compress", full, "-o", small) == 0
    assert run("compress", full, "-o", small) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run("compress", full, "-o", f"{full}/../full", "--overwrite") == 2
    assert "another folder" in capsys.readouterr().err
    assert run("compress", full, "-o", f"{full}/work") == 2
    assert "not in MAP" in capsys.readouterr().err and not Path(full, "work").exists()
