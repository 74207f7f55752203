"""Static form of the page: one HTML file that shows the scene offline, without a server."""

from __future__ import annotations

from html import escape
from pathlib import Path

from hloc_lite.io.files import write_text_atomic
from hloc_lite.viz.config import ViewConfig
from hloc_lite.viz.drawing import DrawnScene
from hloc_lite.viz.scene import Scene, counts_text, scene_legend
from hloc_lite.viz.server import running_server
from hloc_lite.viz.text import legend_html

_STYLE = """
#hloc-lite-legend { position: fixed; left: 12px; bottom: 12px; z-index: 10; max-width: 340px;
  padding: 8px 12px; border-radius: 6px; background: rgba(255, 255, 255, 0.86); color: #1c2430;
  font: 13px/1.45 system-ui, sans-serif; pointer-events: none; }
#hloc-lite-legend h1 { margin: 0 0 2px; font-size: 14px; }
#hloc-lite-legend p { margin: 0; }
@media (max-width: 500px) { #hloc-lite-legend { font-size: 11px; max-width: 240px; } }
"""


def export_page(path: Path, scene: Scene) -> int:
    """Write the scene into one HTML file; returns its bytes.

    It holds the viewer, the points and the cameras, but no photos, panel or matches.

    Raises:
        HlocLiteError: the file cannot be written.
    """
    with running_server(ViewConfig(port=0)) as server:
        drawn = DrawnScene(server, scene)
        drawn.draw_queries(scene, range(len(scene.queries)))
        page = server.get_scene_serializer().as_html()
    head, end, rest = page.partition("</head>")
    title = f"<title>{escape(scene.title)}</title><style>{_STYLE}</style>"
    body, tail, last = rest.rpartition("</body>")
    whole = head + title + end + body + _legend(scene) + tail + last
    write_text_atomic(path, whole)
    return len(whole.encode())


def _legend(scene: Scene) -> str:
    lines = "".join(f"<p>{escape(line)}</p>" for line in counts_text(scene))
    colours = legend_html(scene_legend(scene))
    return f'<div id="hloc-lite-legend"><h1>{escape(scene.title)}</h1>{lines}{colours}</div>'
