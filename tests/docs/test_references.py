"""Names in the documentation exist: options, config keys, files, examples, figures."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import click
import pytest

import hloc_lite
from docs.make_figures import PAGE, figures_page
from hloc_lite.cli.main import VERBS, cli
from hloc_lite.config import Config, Section
from hloc_lite.config.renamed_keys import OLD_TO_NEW
from pipelines.benchmarks.results import read_results
from tests.docs.snippets import ROOT, pages

TEXTS = {page: page.read_text(encoding="utf-8") for page in pages()}
by_page = pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
OF_SCRIPTS = ROOT / "pipelines" / "README.md"
"""A page about scripts, whose options are not those of hloc-lite."""


def config_keys() -> set[str]:
    """All keys as section.key."""
    return {
        f"{section}.{key}"
        for section, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        for key in field.annotation.model_fields
    }


def options_of(command: click.Command) -> set[str]:
    names = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            sub = command.get_command(click.Context(command), name)
            names |= options_of(sub) if sub else set()
    return names | {"--help", "--version"}


OPTIONS = {verb: options_of(cli.get_command(click.Context(cli), verb)) for verb in VERBS}
ALL_OPTIONS = set().union(*OPTIONS.values())


@by_page
def test_verbs_exist(page: Path) -> None:
    verbs = re.findall(r"hloc-lite (?:-[vq] )?([a-z]+)", TEXTS[page])
    assert set(verbs) <= set(VERBS)


@by_page
def test_options_exist(page: Path) -> None:
    """An option that follows ``hloc-lite VERB`` is one of that verb; others are of some verb."""
    text = TEXTS[page].replace("\\\n", " ")
    option = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
    for verb, rest in re.findall(r"hloc-lite ([a-z]+)([^`;&#\n]*)", text):
        for name in option.findall(rest):
            assert name in OPTIONS[verb], f"hloc-lite {verb} {name}"
    if page != OF_SCRIPTS:
        ours = re.sub(r"(?:python|pytest|mkdocs|ruff|pip) [^`;&#\n]*", "", text)
        assert set(option.findall(ours)) <= ALL_OPTIONS


@by_page
def test_config_keys_exist(page: Path) -> None:
    text = TEXTS[page]
    sections = "|".join(Config.model_fields)
    mentioned = set(re.findall(rf"(?:--set |`)((?:{sections})\.[a-z_0-9]+)(?=[=`\s,)])", text))
    mentioned |= set(re.findall(rf'"((?:{sections})\.[a-z_0-9]+)=', text))
    others = {"retrieval.h5", "features.h5", "pose.covariance"}
    old = set(OLD_TO_NEW) if page.name == "CHANGELOG.md" else set()
    assert mentioned - others - old <= config_keys()


def test_changelog_lists_all_renamed_keys() -> None:
    text = TEXTS[ROOT / "CHANGELOG.md"]
    table = dict(re.findall(r"^\| `([a-z_.]+)` \| `([a-z_.]+)` \|$", text, re.MULTILINE))
    assert table == dict(OLD_TO_NEW)


@by_page
def test_paths_of_the_repository_exist(page: Path) -> None:
    text = TEXTS[page]
    roots = "docs|examples|pipelines|tests|hloc_lite|third_party_weights|datasets"
    paths = set(re.findall(rf"(?<![\w/.])((?:{roots})/[\w./-]+\.(?:py|md|json|toml|jpg))", text))
    placeholders = {path for path in paths if "NAME" in path}
    assert [path for path in sorted(paths - placeholders) if not (ROOT / path).is_file()] == []
    modules = re.findall(r"python -m ((?:pipelines|docs)[\w.]+)", text)
    for module in modules:
        assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), module


@pytest.mark.parametrize(
    "module", sorted(set(re.findall(r"python -m (pipelines[\w.]+)", TEXTS[OF_SCRIPTS])))
)
def test_scripts_can_be_imported(module: str) -> None:
    import_module(module)


@by_page
def test_relative_links_lead_to_files(page: Path) -> None:
    """Also where the page is read in the repository; the site's links are checked by mkdocs."""
    generated = re.compile(r"(?:api/)?rooms/")
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        path = target.partition("#")[0]
        if "://" in target or not path or generated.match(path):
            continue
        assert (page.parent / path).exists(), f"{page.name}: {target}"


@by_page
def test_imported_names_exist(page: Path) -> None:
    """Names that snippets import from hloc_lite, also in blocks that are not run."""
    for line in re.findall(r"^\s*(from hloc_lite[\w.]* import [\w, ]+)$", TEXTS[page], re.M):
        exec(line, {})


def test_public_names_are_all_documented() -> None:
    text = TEXTS[ROOT / "docs" / "api" / "index.md"]
    named = set(re.findall(r"`(\w+)`", text))
    assert {name for name in hloc_lite.__all__ if not name.startswith("__")} <= named


def test_every_example_is_shown() -> None:
    text = TEXTS[ROOT / "docs" / "examples.md"]
    shown = re.findall(r'^--8<-- "examples/([^"]+)"$', text, re.MULTILINE)
    assert shown == sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def test_figures_are_made_from_the_results_files() -> None:
    assert PAGE.read_text(encoding="utf-8") == figures_page()


def test_headline_figures_of_the_readme_are_in_the_results_files() -> None:
    results = [read_results(path) for path in sorted((ROOT / "docs" / "results").glob("*.json"))]
    cells = " ".join(
        f"{cell} {results.notes}" for results in results for row in results.rows for cell in row
    )
    known = set(re.findall(r"\d+(?:\.\d+)?", cells)) | set(re.findall(r"\d+", " ".join(
        column for each in results for column in each.columns
    )))  # fmt: skip
    section = TEXTS[ROOT / "README.md"].partition("## Figures")[2].partition("## ")[0]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    table = table.replace("n16", "").replace("0.25 m and 2°", "").replace("95th", "")
    unknown = [number for number in re.findall(r"\d+(?:\.\d+)?", table) if number not in known]
    assert unknown == []


def test_the_readme_is_short() -> None:
    assert len(TEXTS[ROOT / "README.md"].split()) <= 1300


def test_python_blocks_of_the_template_are_valid() -> None:
    for path in (ROOT / "docs" / "templates").glob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"))
