"""Names and docstrings use the field's terms, and make sense alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hloc_lite.config import Config
from tests.docs.snippets import pages

ROOT = Path(__file__).parents[1]
CODE = [ROOT / "hloc_lite", ROOT / "pipelines", ROOT / "examples"]
FILES = sorted(file for folder in CODE for file in folder.rglob("*.py"))
PAGES = [page for page in pages() if page.name != "CHANGELOG.md"]  # which lists old names
FORBIDDEN_STARTS = {"Of", "What", "Whether", "By", "Who", "That"}
"""A docstring that begins like this says nothing on hover."""
OLD_WORDS = {
    "witness", "witnesses", "testify", "testifies", "testimony", "testimonies", "evidences",
    "attempt", "attempts", "rival", "rivals", "gains", "judge", "judges", "judging", "judgement",
    "judgements", "verdict", "verdicts", "doubts", "trait", "traits", "sightings", "heard",
    "pooled", "vicinity", "slack", "hopeless", "credence", "votes", "shelf", "locates",
    "patience", "lonely", "place", "places",
}  # fmt: skip
"""Words of earlier versions, anywhere in a name. See "Names" in docs/architecture.md."""
OLD_NAMES = {
    "Evidence", "Attempt", "Choice", "Layer", "Seen", "Door", "Visit", "PatientFile", "evidence",
    "choice", "support", "layer", "also", "further_layer", "seen", "look", "enough",
    "first_images", "cheap_first", "noise_of", "door", "visit", "bodies", "content", "matched",
    "stages", "layers",
}  # fmt: skip
"""Earlier names as a whole; as part of another name these words are ordinary English."""
ALLOWED_NAMES = {
    "renamed_keys",  # the one table of old config keys
}
OLD_TERMS = re.compile(
    r"\b(witness(es)?|testimon(y|ies)|rival|credence|hopeless|lonely|verdict|judgement|sightings|"
    r"vicinity|PatientFile|cheap_first|first_images|from cheap to dear|"
    r"what is known beforehand)\b",
    re.IGNORECASE,
)


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Docstrings of modules, classes and functions, and strings that follow an attribute."""
    for node in ast.walk(tree):
        for _, body in ast.iter_fields(node):
            if not isinstance(body, list):
                continue
            for before, statement in zip([None, *body], body, strict=False):
                is_string = isinstance(statement, ast.Expr) and isinstance(
                    statement.value, ast.Constant
                )
                documents = before is None or isinstance(before, ast.Assign | ast.AnnAssign)
                if is_string and documents and isinstance(statement.value.value, str):
                    yield statement.lineno, statement.value.value


def defined_names(file: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Names of the module, its classes, functions and arguments."""
    yield 1, file.stem if file.stem != "__init__" else file.parent.name
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            yield from ((each.lineno, each.arg) for each in arguments)


def words(name: str) -> set[str]:
    """Words of a snake_case or CamelCase name, in lower case."""
    return set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()))


def is_old(name: str) -> bool:
    return name not in ALLOWED_NAMES and (
        name.strip("_") in OLD_NAMES or bool(words(name) & OLD_WORDS)
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_docstrings_make_sense_alone(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    bad = [
        f"{file.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for line, text in docstrings(tree)
        if text.split() and text.split()[0].strip(",:") in FORBIDDEN_STARTS
    ]
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_names_are_the_fields(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    bad = [f"{line}: {name}" for line, name in defined_names(file, tree) if is_old(name)]
    assert not bad, f"{file.relative_to(ROOT)}: {bad}"


def test_config_keys_are_the_fields() -> None:
    keys = [
        f"{section}.{key}"
        for section, field in Config.model_fields.items()
        for key in field.default.model_fields_set | set(type(field.default).model_fields)
    ]
    assert len(keys) > 100
    assert not [key for key in keys if any(is_old(part) for part in key.split("."))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_the_fields_terms(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = [line for line in text.splitlines() if OLD_TERMS.search(line)]
    assert not found


def test_bad_examples_are_found() -> None:
    tree = ast.parse('"""Of the pose."""\nX = 1\n"""What it is."""\ndef same_place(also): ...\n')
    assert [text for _, text in docstrings(tree)] == ["Of the pose.", "What it is."]
    assert [name for _, name in defined_names(Path("m.py"), tree) if is_old(name)] == [
        "same_place",
        "also",
    ]
