"""Names of conditions as labels of figures."""

from __future__ import annotations

import warnings

import pytest

pytest.importorskip("matplotlib", reason="needs the extra report")

from hloc_lite.evaluation.figures import add_legend, figure_svg, new_axes


@pytest.mark.parametrize(
    ("name", "shown"),
    [("\x1b[2J", "\\x1b[2J"), ("\udcff", "\\udcff"), ("a\nb", "a\\nb"), ("写真 $x^", "写真 $x^")],
)
def test_labels_may_be_any_names(name: str, shown: str) -> None:
    figure, axes = new_axes(3, 2)
    axes.plot([0, 1], [0, 1], label=name)
    add_legend(axes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = figure_svg(figure, "a figure")
    assert shown in page
    assert name == shown or name not in page
