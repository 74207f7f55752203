"""Benchmarks and calibration scripts: their options, tables and metrics."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from pipelines.benchmarks.results import read_results
from pipelines.benchmarks.table import Table, percent

ROOT = Path(__file__).parents[2]
SCRIPTS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in (
        "benchmarks/accuracy",
        "benchmarks/speed",
        "benchmarks/robustness",
        "calibration",
    )
    for path in sorted((ROOT / "pipelines" / folder).glob("*.py"))
    if "@click.command" in path.read_text(encoding="utf-8")
] + ["pipelines.town"]


NEED_SCIKIT_LEARN = (
    "pipelines.benchmarks.accuracy.confidence",
    "pipelines.calibration.confidence",
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_explains_itself(name: str) -> None:
    if name in NEED_SCIKIT_LEARN:
        pytest.importorskip("sklearn", reason="scikit-learn is in the extra dev")
    module = import_module(name)
    main: click.Command = module.main
    assert name in (module.__doc__ or ""), "the docstring must show how to run it"
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0 and main.help


def test_benchmark_writes_a_results_file(tmp_path: Path) -> None:
    from pipelines.benchmarks.accuracy.p3p import main

    path = tmp_path / "p3p.json"
    done = CliRunner().invoke(main, ["--samples", "60", "--results", str(path)])
    assert done.exit_code == 0, done.output
    results = read_results(path)
    assert results.rows[-1][:2] == ("all", 60)
    assert "| all | 60 |" in done.output


def test_table_prints_and_stores_plain_cells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table("Times", ["what", "ms", "share"], "Median of 3.")
    table.add("a", np.float64(1.5), percent(0.25))
    table.add("b", np.nan, None)
    table.write(tmp_path / "times.json")
    assert capsys.readouterr().out.splitlines() == [
        "| what | ms | share |", "|---|---|---|", "| a | 1.5 | 25.0 % |", "| b |  |  |",
    ]  # fmt: skip
    results = read_results(tmp_path / "times.json")
    assert results.rows == (("a", 1.5, "25.0 %"), ("b", None, None))
    assert results.notes == "Median of 3."


def test_probability_metrics_have_known_values() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is in the extra dev")
    from pipelines.calibration.metrics import probability_metrics, reliability

    probability = np.array([0.05, 0.15, 0.15, 0.95, 0.95])
    correct = np.array([False, False, True, True, True])
    found = probability_metrics(probability, correct)
    # pairs (wrong, correct): 0.05 < all three; 0.15 ties once and is below twice
    assert found.auroc == pytest.approx(5.5 / 6)
    # bins: |0.05 - 0|, 2 |0.15 - 0.5|, 2 |0.95 - 1|, over 5
    assert found.ece == pytest.approx((0.05 + 0.7 + 0.1) / 5)
    assert found.brier == pytest.approx((0.05**2 + 0.15**2 + 0.85**2 + 2 * 0.05**2) / 5)
    assert [(each.low, each.num) for each in reliability(probability, correct)] == [
        (0.0, 1), (pytest.approx(0.1), 2), (pytest.approx(0.9), 2),
    ]  # fmt: skip
    assert np.isnan(probability_metrics(probability, np.ones(5, bool)).auroc)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["photo.jpg", "http://127.0.0.1:9"], "no server answers at http://127.0.0.1:9"),
        (["gone.jpg"], "photo gone.jpg does not exist"),
        ([], "Client of `hloc-lite serve`"),
    ],
)
def test_the_client_says_what_is_missing(tmp_path: Path, arguments, expected) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"not sent")
    client = Path(__file__).parents[2] / "pipelines" / "client_example.py"
    command = [sys.executable, str(client), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and expected in done.stderr and "Traceback" not in done.stderr
