"""Tables as text, Markdown and LaTeX, with odd names; tables of recalls with published rows."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hloc_lite.errors import HlocLiteError
from hloc_lite.evaluation.metrics import BootstrapConfig, score, score_conditions
from hloc_lite.evaluation.recall_table import MethodRow, own_row, published_row, recall_table
from hloc_lite.evaluation.scene_means import mean_over_scenes
from hloc_lite.evaluation.table_text import (
    TextTable,
    latex_table,
    latex_text,
    markdown_table,
    markdown_text,
    plain_table,
)
from hloc_lite.evaluation.thresholds import DistanceUnit, Threshold, strict_thresholds

from .scenes import moved, random_poses

TABLE = TextTable(("method", "day"), (("a_b & c", "1.0"), ("x|y", "99.5")), "50 % of A_B", (1,))
FAST = BootstrapConfig(num_resamples=100)
LIMITS = [Threshold(0.25, 2, "0.25m,2deg"), Threshold(0.5, 5, "0.5m,5deg")]


def test_markdown() -> None:
    assert markdown_table(TABLE) == (
        "50 % of A\\_B\n\n| method | day |\n|---|---:|\n| a\\_b &amp; c | 1.0 |\n| x\\|y | 99.5 |\n"
    )


def test_latex() -> None:
    assert latex_table(TABLE, "tab:a_b") == (
        "% needs \\usepackage{booktabs}\n"
        "\\begin{table}\n"
        "\\centering\n"
        "\\caption{50 \\% of A\\_B}\n"
        "\\label{tab:a_b}\n"
        "\\begin{tabular}{lr}\n"
        "\\toprule\n"
        "method & day \\\\\n"
        "\\midrule\n"
        "a\\_b \\& c & 1.0 \\\\\n"
        "\\midrule\n"
        "x\\textbar{}y & 99.5 \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        "\\end{table}\n"
    )
    with pytest.raises(HlocLiteError, match="LaTeX label"):
        latex_table(TABLE, "a}b")


def test_plain() -> None:
    assert plain_table(TABLE).splitlines() == [
        "50 % of A_B", "method    day", "a_b & c   1.0", "x|y      99.5"
    ]  # fmt: skip
    assert plain_table(TextTable(("", "n"), (("a", "1"),))) == "   n\na  1"


def test_latex_of_special_characters() -> None:
    assert latex_text(r"\{~^}#") == (r"\textbackslash{}\{\textasciitilde{}\textasciicircum{}\}\#")
    assert latex_text("a\nb\t\x1bc") == "a b c"
    row = latex_table(TextTable(("[a]", "b"), (("[c]", "1"),)))
    assert r"{[}c] & 1 \\" in row  # \\ followed by [ would take an argument


@given(st.text())
def test_escaped_names_cannot_end_a_cell(name: str) -> None:
    table = TextTable(("method", "a"), ((name, "1"),))
    lines = markdown_table(table).split("\n")
    assert len(lines) == 4
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", lines[2])) == 3
    tex = latex_table(table).split("\n")
    assert len(tex) == 12
    body = re.sub(r"\\text[a-z]+\{\}|\{\[\}|\\[&%$#_{}]", "", tex[7].removesuffix(r" \\"))
    assert not set(body.replace("&", "", 1)) & set("\\&%$#_{}~^")
    assert "<" not in markdown_text(name)


def test_rows_need_as_many_cells_as_the_header() -> None:
    with pytest.raises(HlocLiteError, match="expected 2 cells"):
        TextTable(("a", "b"), (("x",),))


def test_published_rows_stand_above_ours_with_their_source() -> None:
    true = random_poses([f"q{i}" for i in range(4)])
    shifts = [0.1, 0.3, 0.4, 9.0]
    found = score({n: moved(p, d, 0.5) for (n, p), d in zip(true.items(), shifts, strict=True)},
                  true, LIMITS, FAST)  # fmt: skip
    rows = [own_row("ours_1", {"day": found}), published_row("hloc", "Sarlin 2019 & co",
            {"day": (89.6, 95.4), "night": (86.7, 93.9)})]  # fmt: skip
    table = recall_table(rows, LIMITS, truth="v1.1")
    assert table.header == ("method", "day", "night", "source")
    assert table.rows == (
        ("hloc", "89.6 / 95.4", "86.7 / 93.9", "Sarlin 2019 & co"),
        ("ours_1", "25.0 / 75.0", "-", "ours"),
    )
    assert table.rules == (1,)
    assert table.caption == (
        "Percent of the queries with errors of at most 0.25m,2deg / 0.5m,5deg, against v1.1"
    )
    assert r"\midrule" + "\nours" in latex_table(table)
    assert "below 0.25m" in recall_table(rows, strict_thresholds(LIMITS)).caption
    assert recall_table(rows[:1], LIMITS).header == ("method", "day")


def test_means_over_scenes_with_medians() -> None:
    true = {"a": random_poses(["a0", "a1", "a2"]), "b": random_poses(["b0"], 1)}
    estimated = {n: moved(p, 0.0268, 0.87) for poses in true.values() for n, p in poses.items()}
    scenes = score_conditions(estimated, true, [Threshold(0.05, 5, "5cm,5deg")], FAST)
    shown = {**{scene: scenes[scene] for scene in true}, "mean": mean_over_scenes(scenes)}
    unit = DistanceUnit("cm", 0.01)
    table = recall_table(
        [own_row("ours", shown, unit)], scenes["a"].thresholds, medians=True, unit=unit
    )
    assert table.header[1:3] == ("a", "a, median cm / deg")
    assert table.rows[0] == ("ours", *("100.0", "2.68 / 0.87") * 3)


def test_bad_rows_are_refused() -> None:
    with pytest.raises(HlocLiteError, match="needs a source"):
        published_row("hloc", " ", {"day": (1.0, 2.0)})
    with pytest.raises(HlocLiteError, match="expected 2 recalls"):
        recall_table([MethodRow("a", {"day": (1.0,)})], LIMITS)
    with pytest.raises(HlocLiteError, match="percents from 0 to 100"):
        MethodRow("a", {"day": (101.0, 1.0)})
    with pytest.raises(HlocLiteError, match="percents from 0 to 100"):
        MethodRow("a", {"day": (float("nan"), 1.0)})
    with pytest.raises(HlocLiteError, match="at least one row"):
        recall_table([], LIMITS)
