"""Docstrings that list the files of a room name all of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hloc_lite"
LISTED = re.compile(r"^(\w+\.py) {2,}\S", re.MULTILINE)


def listed_files(init: Path) -> list[str]:
    return LISTED.findall(ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or "")


ROOMS = [init.parent for init in sorted(PACKAGE.glob("*/__init__.py")) if listed_files(init)]


def test_rooms_of_the_two_verbs_have_a_list() -> None:
    assert {"localize", "maps", "mapping"} <= {room.name for room in ROOMS}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_list_names_every_file_once(room: Path) -> None:
    files = {file.name for file in room.glob("*.py")} - {"__init__.py"}
    assert sorted(listed_files(room / "__init__.py")) == sorted(files)
