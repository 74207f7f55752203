"""Panel of the page: what is shown, the selected query, and the button for photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import viser

from hloc_lite.types import Status
from hloc_lite.viz.scene import Scene, counts_text, scene_legend, status_text
from hloc_lite.viz.text import legend_html, lines_html

NO_QUERY = "(none)"
UP_DIRECTIONS = {
    "+x": (1, 0, 0), "-x": (-1, 0, 0), "+y": (0, 1, 0), "-y": (0, -1, 0), "+z": (0, 0, 1),
    "-z": (0, 0, -1),
}  # fmt: skip
"""Up directions to choose from, beside that of the map."""
MAP_UP = "of the map"
IMAGE_TYPES = "image/*,.heic,.heif"


@dataclass(frozen=True, eq=False)
class Panel:
    """Handles of the panel's parts."""

    counts: Any
    legend: Any
    statuses: dict[Status, Any]
    """Check boxes, of the statuses that occur."""
    status_folder: Any
    least_confidence: Any
    point_size: Any
    frustum_size: Any
    ellipsoid_size: Any
    map_cameras: Any
    truth: Any
    up: Any
    reset_view: Any
    query: Any
    look_through: Any
    numbers: Any
    share: Any
    blended: Any
    weights: Any
    matches: Any
    upload: Any
    upload_state: Any


def make_panel(server: viser.ViserServer, scene: Scene, *, can_localize: bool) -> Panel:
    """Add the panel of a scene to a server.

    Args:
        can_localize: whether photos can be localized; without it there is no upload button.
    """
    gui = server.gui
    gui.configure_theme(
        control_width="large", show_logo=False, show_share_button=False, brand_color=(0, 110, 150)
    )
    gui.set_panel_label(scene.title)
    gui.main_panel.dock_right()
    counts = gui.add_html(lines_html(counts_text(scene)))
    with gui.add_folder("Query"):
        query = gui.add_dropdown("Name", (NO_QUERY, *query_names(scene)), initial_value=NO_QUERY)
        numbers = gui.add_html(lines_html(["Click a frustum, or choose a name."]))
        look_through = gui.add_button("Look through its camera", visible=False)
        share = _slider(gui, "View over photo", 0, 1, 0.05, 0.5, visible=False)
        blended = gui.add_html("", visible=False)
        weights = gui.add_html("", visible=False)
        matches = gui.add_html("", visible=False)
    with gui.add_folder("Localize a photo", visible=can_localize):
        upload = gui.add_upload_button("Choose or drop a photo", mime_type=IMAGE_TYPES)
        upload_state = gui.add_html(lines_html(["JPEG, PNG, WebP, HEIC or TIFF."]))
    with gui.add_folder("Show"):
        legend = gui.add_html(lines_html([]))
        status_folder = gui.add_folder("Status", visible=False)
        least_confidence = _slider(gui, "Least confidence", 0, 1, 0.01, 0)
        ellipsoid_size = _slider(
            gui, "Ellipsoids ×", 0, 100, 1, 1, hint="Half axes over those of 95 % probability"
        )
        map_cameras = gui.add_checkbox("Map cameras", initial_value=True)
        truth = gui.add_checkbox("True cameras", initial_value=True)
        point_size = _slider(gui, "Point size ×", 0.1, 10, 0.1, 1)
        frustum_size = _slider(gui, "Frustum size ×", 0.1, 10, 0.1, 1)
        up = gui.add_dropdown("Up", (MAP_UP, *UP_DIRECTIONS), initial_value=MAP_UP)
        reset_view = gui.add_button("Reset the view")
    panel = Panel(
        counts, legend, {}, status_folder, least_confidence, point_size, frustum_size,
        ellipsoid_size, map_cameras, truth, up, reset_view, query, look_through, numbers, share,
        blended, weights, matches, upload, upload_state,
    )  # fmt: skip
    if scene.points.triangles is not None:
        point_size.visible = False
    refresh_panel(server, panel, scene)
    return panel


def refresh_panel(server: viser.ViserServer, panel: Panel, scene: Scene) -> list[Any]:
    """Bring counts, legend and choices up to date; returns new check boxes of statuses."""
    panel.counts.content = lines_html(counts_text(scene))
    panel.legend.content = legend_html_framed(scene)
    has_queries = bool(scene.queries)
    for part in (panel.least_confidence, panel.ellipsoid_size):
        part.visible = has_queries
    panel.truth.visible = any(query.true_pose is not None for query in scene.queries)
    names = (NO_QUERY, *query_names(scene))
    if panel.query.options != names:
        panel.query.options = names
    return _refresh_statuses(server, panel, scene)


def query_names(scene: Scene) -> Sequence[str]:
    """Names of the queries, in order."""
    return [query.name for query in scene.queries]


def legend_html_framed(scene: Scene) -> str:
    """Legend of the colours that occur, with the margins of the panel."""
    return (
        f'<div style="padding:2px 12px 6px;font-size:0.8125rem">'
        f"{legend_html(scene_legend(scene))}</div>"
    )


def _slider(
    gui: Any, label: str, low: float, high: float, step: float, value: float, **options: Any
) -> Any:
    return gui.add_slider(label, min=low, max=high, step=step, initial_value=value, **options)


def _refresh_statuses(server: viser.ViserServer, panel: Panel, scene: Scene) -> list[Any]:
    counts = Counter(query.result.status for query in scene.queries)
    new = []
    for status in Status:
        label = f"{status_text(status)} ({counts[status]})"
        if status in panel.statuses:
            panel.statuses[status].label = label
        elif counts[status]:
            with panel.status_folder:
                panel.statuses[status] = server.gui.add_checkbox(label, initial_value=True)
            new.append(panel.statuses[status])
    panel.status_folder.visible = len(panel.statuses) > 1
    return new
