"""``hloc-lite view``: served, exported, and errors for people."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from hloc_lite.cli.main import main
from hloc_lite.formats.hloc_lists import write_poses
from hloc_lite.io.results import write_results_jsonl
from tests.viz.scenes import localized_scene, result_at


@dataclass(frozen=True)
class Files:
    map: Path
    results: Path
    truth: Path
    images: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    folder = tmp_path_factory.mktemp("view")
    made = Files(folder / "map", folder / "r.jsonl", folder / "gt.txt", folder / "images")
    with localized_scene() as localized:
        localized.map.save(made.map)
        write_results_jsonl(made.results, localized.results)
        write_poses(made.truth, localized.truth)
        localized.scene.write_images(made.images, {"query 3.png": 3, "query 5.png": 5})
        yield made


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit code, and what was printed."""
    with pytest.raises(SystemExit) as exit_info:
        main(["view", *map(str, arguments)])
    printed = capsys.readouterr()
    return int(exit_info.value.code or 0), printed.out + printed.err


def test_the_scene_is_exported(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    code, printed = run(
        capsys, files.map, "--results", files.results, "--truth", files.truth, "--export", page
    )
    assert code == 0, printed
    assert "2 with truth: median error " in printed and "viser" not in printed
    assert f"{page.stat().st_size:,} bytes" in printed


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to whole consoles only")
def test_the_page_is_served_until_ctrl_c(files: Files) -> None:
    command = [sys.executable, "-m", "hloc_lite", "view", files.map, "--port", "0"]
    with subprocess.Popen(
        [*map(str, command), "--results", str(files.results)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            address = next(
                found[1] for line in lines if (found := re.match(r"open (http://\S+) in", line))
            )
            with urllib.request.urlopen(address, timeout=20) as answer:
                assert answer.status == 200
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=90)  # also beside other jobs
        finally:
            process.kill()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--truth", "{truth}"], "--results FILE"),
        (["--images", "{images}"], "--results FILE"),
        (["--results", "{results}", "--queries", "{truth}"], "--images"),
        (["--export", "page.pdf"], "expected a name .html"),
        (["--port", "70000"], "port: "),
        (["--max-points", "0"], "max_points: "),
        (["--results", "none.jsonl"], "none.jsonl"),
        (["--results", "{results}", "--images", "none", "--port", "0"], "none"),
        (["--map-images", "none", "--port", "0"], "none"),
        (["--host", "192.0.2.1", "--port", "0"], "cannot listen on 192.0.2.1"),
    ],
)
def test_options_that_do_not_fit_are_named(
    files: Files, options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = run(capsys, files.map, *(text.format(**vars(files)) for text in options))
    assert code == 2 and sentence in printed
    assert len([line for line in printed.splitlines() if line.startswith("error: ")]) == 1


def test_results_of_another_map_are_told(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "foreign.jsonl"
    write_results_jsonl(foreign, [result_at("q", None, retrieved=("castle.jpg",))])
    code, printed = run(capsys, files.map, "--results", foreign, "--export", tmp_path / "p.html")
    assert code == 2 and "the results are of another map" in printed


def test_a_truth_of_other_photos_is_told(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("elsewhere.jpg 1 0 0 0 0 0 0\n", encoding="utf-8")
    code, printed = run(capsys, files.map, "--results", files.results, "--truth", other)
    assert code == 2 and "'elsewhere.jpg'" in printed and "'query 3.png'" in printed


def test_without_viser_it_says_how_to_install_it(
    files: Files, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    code, printed = run(capsys, files.map)
    assert code == 2 and 'pip install "hloc-lite[viz]"' in printed


def test_help_needs_no_viser(monkeypatch: pytest.MonkeyPatch) -> None:
    from hloc_lite.cli.main import cli

    monkeypatch.setitem(sys.modules, "viser", None)
    shown = CliRunner().invoke(cli, ["view", "--help"])
    assert shown.exit_code == 0 and "--export" in shown.output
