"""The two web pages, a photo form and the API reference; neither loads external resources."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@dataclass(frozen=True)
class Page:
    """An HTML page with its Content-Security-Policy."""

    html: str
    policy: str


def main_page() -> Page:
    """Return the page at ``/``, which localizes a photo and draws the result."""
    html = _read("page.html")
    for name in ("page.css", "plan.js", "page.js"):
        html = html.replace(f"/* {name} */", _read(name))
    return _with_policy(html)


def docs_page(openapi: Mapping[str, Any]) -> Page:
    """Return the page at ``/docs``, rendered from the OpenAPI description."""
    # autoescape: descriptions and examples are text, not HTML
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=1, ensure_ascii=False)
    template = environment.from_string(_read("docs.html.j2"))
    return _with_policy(template.render(api=openapi, style=_read("page.css")))


def _with_policy(html: str) -> Page:
    """Allow only the page's own inline scripts and styles, identified by their hashes."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(html):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    policy = (
        "default-src 'none'; connect-src 'self'; img-src 'self' blob: data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; "
        f"script-src {' '.join(hashes['script']) or chr(39) + 'none' + chr(39)}; "
        f"style-src {' '.join(hashes['style']) or chr(39) + 'none' + chr(39)}"
    )
    return Page(html, policy)


def _read(name: str) -> str:
    return files("hloc_lite.serve").joinpath(name).read_text(encoding="utf-8")
