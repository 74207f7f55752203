"""The two pages: one to drop a photo on, one of the interface; nothing is loaded from elsewhere."""

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
    """A page and its Content-Security-Policy."""

    html: str
    policy: str


def main_page() -> Page:
    """The page at ``/``."""
    return _page(_file("page.html"))


def docs_page(openapi: Mapping[str, Any]) -> Page:
    """The interface, for people, of its OpenAPI description."""
    # autoescape: reasons and examples are text
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=1, ensure_ascii=False)
    template = environment.from_string(_file("docs.html.j2"))
    return _page(template.render(api=openapi, style=_style_of(_file("page.html"))))


def _page(html: str) -> Page:
    """Only the scripts and styles that stand in the page run, known by their hashes."""
    sources: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(html):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        sources[kind].append(f"'sha256-{digest}'")
    policy = (
        "default-src 'none'; connect-src 'self'; img-src 'self' blob: data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; "
        f"script-src {' '.join(sources['script']) or chr(39) + 'none' + chr(39)}; "
        f"style-src {' '.join(sources['style']) or chr(39) + 'none' + chr(39)}"
    )
    return Page(html, policy)


def _style_of(html: str) -> str:
    return next(text for kind, text in _INLINE.findall(html) if kind == "style")


def _file(name: str) -> str:
    return files("hloc_lite.serve").joinpath(name).read_text(encoding="utf-8")
