"""Hooks of the site: pages of the API reference, and pages that are files of the repository."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hloc_lite"
PICTURE = "datasets/town/result.jpg"
TOP_LEVEL = "top-level"
"""Page of the modules that are in no room."""
API = "API reference"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages into the navigation, below ``api/index.md``."""
    names = [{name: f"api/{name}.md"} for name in public_names()]
    rooms = [{title_of(room): f"api/rooms/{room}.md"} for room in api_rooms()]
    pages = ["api/index.md", {"Public names": names}, {"Rooms": rooms}]
    config.nav = [_with_api(item, pages) for item in config.nav or []]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Make a page for each public name and for each room."""
    for name in public_names():
        content = f"# {name}\n\n::: hloc_lite.{name}\n    options:\n      heading_level: 2\n"
        files.append(File.generated(config, f"api/{name}.md", content=content))
    for room, modules in api_rooms().items():
        content = room_page(room, modules)
        files.append(File.generated(config, f"api/rooms/{room}.md", content=content))
    files.append(File.generated(config, "images/result.jpg", abs_src_path=str(ROOT / PICTURE)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Include files of the repository, and turn their links into links of the site."""
    found = re.fullmatch(r'\s*--8<-- "(\w+\.md)"\s*', markdown)
    if found:
        markdown = site_links((ROOT / found[1]).read_text(encoding="utf-8"))
    return markdown.replace(f"](../{PICTURE})", "](images/result.jpg)")


def public_names() -> list[str]:
    """Names that ``hloc_lite`` exports, read without importing it."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            names: list[str] = sorted(ast.literal_eval(node.value))
            return [name for name in names if not name.startswith("__")]
    raise ValueError(f"{PACKAGE / '__init__.py'} has no __all__")


def api_rooms() -> dict[str, list[str]]:
    """Room -> its public modules by full name; modules in no room are on the page ``TOP_LEVEL``."""
    rooms: dict[str, list[str]] = {TOP_LEVEL: []}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if any(part.startswith("__main") for part in parts) or parts == ("hloc_lite", "__init__"):
            continue
        room = TOP_LEVEL if len(parts) == 2 else parts[1]
        module = ".".join(part for part in parts if part != "__init__")
        rooms.setdefault(room, []).append(module)
    return rooms


def room_page(room: str, modules: list[str]) -> str:
    """Markdown of the page of a room."""
    lines = [f"# {title_of(room)}", ""]
    for module in modules:
        lines += [f"::: {module}", "    options:", "      heading_level: 2"]
        lines += ["      show_root_full_path: true", ""]
    return "\n".join(lines)


def title_of(room: str) -> str:
    """Title of the page of a room."""
    return "Top-level modules" if room == TOP_LEVEL else room


def site_links(text: str) -> str:
    """Links of a file in the root of the repository -> links of a page of the site."""
    text = re.sub(r"\]\(docs/([^)]+\.md[^)]*)\)", r"](\1)", text)
    text = text.replace("](CHANGELOG.md)", "](changelog.md)")
    # other files of the repository are no part of the site: their path remains as text
    return re.sub(r"\[([^\]]+)\]\(((?:docs/|examples/)?[\w./-]+\.(?:py|md|cff))\)", _as_path, text)


def _as_path(found: re.Match[str]) -> str:
    text, target = found[1], found[2]
    on_site = target.endswith(".md") and (ROOT / "docs" / target).is_file()
    return found[0] if on_site else f"{text} (`{target}`)" if text != target else f"`{target}`"


def _with_api(item: object, pages: list[object]) -> object:
    if isinstance(item, dict):
        return {
            title: pages if title == API else _with_api(value, pages)
            for title, value in item.items()
        }
    if isinstance(item, list):
        return [_with_api(each, pages) for each in item]
    return item
