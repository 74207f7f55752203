"""``hloc-lite dataset``: list, info, check, get."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hloc_lite.cli.dataset import command
from hloc_lite.datasets import download as downloads
from hloc_lite.datasets.cards import card_names, read_card
from hloc_lite.errors import UnknownNameError


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(command, list(arguments), input=answer)


def test_list() -> None:
    result = run("list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == list(card_names())


@pytest.mark.parametrize("name", card_names())
def test_info(name: str) -> None:
    result = run("info", name)
    assert result.exit_code == 0
    card = read_card(name)
    assert "licence:" in result.output
    assert ("thresholds:" in result.output) == bool(card.thresholds)
    assert ("protocols:" in result.output) == bool(card.protocols)
    as_json = run("info", name, "--json")
    assert json.loads(as_json.output)["name"] == name


def test_info_of_a_benchmark() -> None:
    shown = run("info", "aachen-v1.1").output
    assert "824 day, 191 night" in shown
    assert "up to 0.25m,2deg; 0.5m,5deg; 5m,10deg" in shown
    assert "89.8/96.1/99.4  hloc: SuperPoint, SuperGlue [SFD2 paper, table 3]" in shown
    assert "below 0.1m,1deg" in run("info", "lamar").output


def test_unknown_name() -> None:
    for arguments in (["info", "x"], ["check", "x", "--root", "."], ["get", "x", "--root", "."]):
        assert isinstance(run(*arguments).exception, UnknownNameError)


def test_check(tmp_path: Path) -> None:
    result = run("check", "town", "--root", str(tmp_path))
    assert result.exit_code == 1
    assert "MISSING: map images and queries" in result.output
    for name in ("images/a.jpg", "model/images.bin", "map_images.txt", "queries.txt", "gt.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    result = run("check", "town", "--root", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "complete (town)" in result.output


def test_get_asks_about_the_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls: list[str] = []

    def fetch_file(url: str, target: Path, **options: object) -> Path:
        urls.append(url)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("x")
        return target

    monkeypatch.setattr(downloads, "fetch_file", fetch_file)
    monkeypatch.setattr(downloads, "unpack", lambda archive, folder: 0)
    result = run("get", "aachen", "--root", str(tmp_path / "a"), answer="n\n")
    assert result.exit_code == 1 and not urls and not (tmp_path / "a").exists()
    assert "CC BY-NC-SA 4.0" in result.output
    result = run("get", "aachen", "--root", str(tmp_path / "a"), "--yes")
    assert result.exit_code == 0, result.output
    assert len(urls) == 6 and "6 files downloaded" in result.output
    assert (tmp_path / "a/3D-models/database_intrinsics.txt").is_file()


def test_get_what_only_people_can_get(tmp_path: Path) -> None:
    result = run("get", "lamar", "--root", str(tmp_path))
    assert result.exit_code == 0
    assert "not downloaded: the three scenes: ask at https://lamar.ethz.ch/lamar/" in result.output
    assert "nothing can be downloaded" in run("get", "town", "--root", str(tmp_path)).output
