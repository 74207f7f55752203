"""Every command and snippet of the documentation runs, in order, on a small scene."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, PageRunner, blocks_of, has_map, pages
from tests.small_scene import copy_scene, small_scene

PAGES = [page for page in pages() if any(block.is_run for block in blocks_of(page))]
MAX_SKIPPED = 8
MIN_REASON = 15


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_scene(tmp_path_factory.mktemp("scene"))


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page, scene, tmp_path, monkeypatch) -> None:
    folder = copy_scene(scene, tmp_path / "scratch", with_map=has_map(page))
    template = (ROOT / "docs" / "templates" / "extractor_template.py").read_text(encoding="utf-8")
    package = template.replace("HarrisExtractor", "MyExtractor")
    (folder / "my_package.py").write_text(package, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    with PageRunner(folder) as runner:
        for block in blocks_of(page):
            if block.is_run or block.kind == "file":
                runner.run(block)


def test_few_blocks_are_skipped_and_each_says_why() -> None:
    skipped = [block for page in pages() for block in blocks_of(page) if block.kind == "skip"]
    assert len(skipped) <= MAX_SKIPPED
    for block in skipped:
        assert len(block.value) >= MIN_REASON, f"{block.page.name}, line {block.line}"


def test_no_marker_is_without_a_block() -> None:
    for page in pages():
        marked = sum(bool(block.kind) for block in blocks_of(page))
        text = page.read_text(encoding="utf-8")
        markers = sum(text.count(f"<!-- {kind}:") for kind in ("skip", "file", "background"))
        assert marked == markers, page.name


def test_blocks_are_of_known_languages() -> None:
    known = {"bash", "python", "text", "toml", "json"}
    assert {block.language for page in pages() for block in blocks_of(page)} <= known
