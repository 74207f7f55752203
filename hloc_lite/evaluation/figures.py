"""Matplotlib figures as inline SVG that adapts to a light or dark page."""

from __future__ import annotations

import base64
import io
import re
import warnings
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from hloc_lite.display import printable

INK = "#010203"
"""Placeholder for the page's text colour; ``figure_svg`` replaces it by ``currentColor``."""

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
"""Okabe and Ito 2008: distinct for colour-blind readers, legible on light and dark pages."""

DASHES = ("-", "--", ":", "-.")


def new_axes(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    """Create a transparent figure with one pair of axes in the page's text colour."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for spine in axes.spines.values():
        spine.set(color=INK, alpha=0.45)
    axes.tick_params(which="both", colors=INK, labelsize=9, width=0.6)
    axes.grid(which="major", color=INK, alpha=0.12, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Set axis labels in the page's text colour."""
    axes.set_xlabel(x, color=INK, fontsize=9.5)
    axes.set_ylabel(y, color=INK, fontsize=9.5)


def add_legend(axes: Axes, **placement: Any) -> None:
    """Add a frameless legend in the page's text colour."""
    legend = axes.legend(fontsize=9, frameon=False, labelcolor=INK, **placement)
    for text in legend.get_texts():
        text.set_parse_math(False)  # labels are file names: '$' does not start a formula
        text.set_text(printable(text.get_text()))  # no page and no font has control characters


def figure_svg(figure: Figure, description: str) -> str:
    """Render an inline ``<svg>`` that scales with the page; ``description`` is its aria-label."""
    buffer = io.StringIO()
    # keep text as text: small, searchable, in the page's font; the salt makes ids reproducible
    options: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": description,
        "font.family": "sans-serif",
    }
    with matplotlib.rc_context(options), warnings.catch_warnings():
        # the font of the page has the characters that this one lacks
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        figure.savefig(buffer, format="svg", dpi=150, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace(INK, "currentColor")
    for i, color in enumerate(PALETTE):  # the style sheet has lighter ones for dark pages
        text = text.replace(color.lower(), f"var(--series-{i}, {color})")
    width, height = figure.get_size_inches() * 72
    opening = (
        f'<svg class="figure" role="img" aria-label="{_attribute(description)}" '
        f'viewBox="0 0 {width:g} {height:g}" xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)


def data_uri(data: bytes, media_type: str) -> str:
    """Encode bytes as a ``data:`` URI."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def log_limits(values: np.ndarray, floor: float = 1e-9) -> tuple[float, float]:
    """Limits of a log axis around the finite values; smaller values count as ``floor``."""
    finite = values[np.isfinite(values)]
    finite = np.maximum(finite, floor)
    if not len(finite):
        return 1e-3, 1.0
    low, high = np.quantile(finite, [0.0, 1.0])
    return float(low) / 1.5, float(high) * 1.5


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
