"""Pictures of the selected query in the panel: blended view, matches by weight, map image."""

from __future__ import annotations

import base64
import io
from html import escape

from PIL import Image

from hloc_lite.evaluation.cue_picture import weight_gradient
from hloc_lite.types import UInt8
from hloc_lite.viz.inspection import QueryPictures, blend
from hloc_lite.viz.panel import Panel
from hloc_lite.viz.text import lines_html


def hide_pictures(panel: Panel) -> None:
    """Hide all pictures."""
    for part in (panel.share, panel.blended, panel.weights, panel.matches):
        part.visible = False


def show_pictures(panel: Panel, pictures: QueryPictures) -> None:
    """Show the pictures of a query, and what is missing."""
    panel.share.visible = pictures.view is not None
    show_view(panel, pictures)
    notes = lines_html(pictures.notes)
    panel.weights.visible = True
    if pictures.weights_uri is None:
        panel.weights.content = lines_html(["No matches.", *pictures.notes])
    else:
        panel.weights.content = _image_html(pictures.weights_uri, _weight_scale()) + notes
    panel.matches.visible = pictures.matches_uri is not None
    if pictures.matches_uri is not None:
        caption = f"inliers shared with map image {escape(str(pictures.map_name))}"
        panel.matches.content = _image_html(pictures.matches_uri, f"<div>{caption}</div>")


def show_view(panel: Panel, pictures: QueryPictures) -> None:
    """Show the photo, with the share of the view that the slider states."""
    view, share = pictures.view, float(panel.share.value)
    pixels = pictures.photo if view is None else blend(view, share)
    caption = "photo" if view is None else f"photo with {share:.0%} of the view of the surface"
    panel.blended.content = _image_html(_jpeg_uri(pixels), f"<div>{caption}</div>")
    panel.blended.visible = True


def _image_html(uri: str, caption_html: str) -> str:
    """Picture as wide as the panel, with a caption."""
    return (
        f'<div style="padding:4px 12px 6px;font-size:0.8125rem;line-height:1.4">'
        f'<img src="{uri}" style="width:100%;display:block;border-radius:3px">{caption_html}</div>'
    )


def _weight_scale() -> str:
    return (
        f'<div style="display:flex;gap:8px;align-items:center">matches by weight: small '
        f'<span style="flex:1;height:8px;border-radius:2px;background:{weight_gradient()}"></span>'
        f"large</div>"
    )


def _jpeg_uri(pixels: UInt8) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
