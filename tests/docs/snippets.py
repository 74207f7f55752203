"""Commands and Python snippets of the documentation, and how they are run.

A page is run from top to bottom in one scratch folder, which holds the small scene of
``tests/small_scene.py``. Its Python blocks share their variables. Comments before a block say what
is special:

<!-- skip: REASON -->      the block is not run
<!-- file: NAME -->        the block is the content of a file
<!-- background: URL -->   the command runs until the end of the page; the next block waits for URL

<!-- scratch: MAP -->      once per page: the scratch folder has a map from the start
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COMMANDS, PYTHON = "bash", "python"
PORT = "8080"
"""Port of the service in the documentation; a free one takes its place."""
_FENCE = re.compile(
    r"(?:^[ ]*<!-- (?P<kind>skip|file|background): (?P<value>[^>]+) -->\n)?"
    r"^(?P<indent>[ ]*)```(?P<language>\w+)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_SHELL = re.compile(r"[|;<>&$`]")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    """Number of its first line of code, from 1."""
    language: str
    code: str
    kind: str
    """skip, file, background, or empty."""
    value: str
    """Text of the comment before the block."""

    @property
    def is_run(self) -> bool:
        """True if the block is neither skipped nor of another language."""
        return self.language in (COMMANDS, PYTHON) and self.kind != "skip"


def pages() -> list[Path]:
    """All pages of the documentation, the README first."""
    names = ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")
    start = [ROOT / f"{name}.md" for name in names]
    more = ["datasets/town", "third_party_weights", "pipelines"]
    folders = [ROOT / folder / "README.md" for folder in more]
    return [*start, *sorted((ROOT / "docs").rglob("*.md")), *folders]


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        indent = match["indent"]
        code = re.sub(rf"^{indent}", "", match["code"], flags=re.MULTILINE)
        line = text.count("\n", 0, match.start("code")) + 1
        kind, value = match["kind"] or "", (match["value"] or "").strip()
        found.append(Block(page, line, match["language"], code, kind, value))
    return found


def has_map(page: Path) -> bool:
    """True if the page begins with a map in the scratch folder."""
    return "<!-- scratch: MAP -->" in page.read_text(encoding="utf-8")


class PageRunner:
    """Runs the blocks of one page in a folder, which is the current one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._variables: dict[str, Any] = {"__name__": "__main__"}
        self._port = str(free_port())
        path = os.pathsep.join([str(_programs(folder)), os.environ.get("PATH", "")])
        self._environment = {**os.environ, "PATH": path}
        self._stack = ExitStack()

    def __enter__(self) -> PageRunner:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self, block: Block) -> None:
        """Run a block.

        Raises:
            Exception: of the block itself, with its page and line in the traceback.
            AssertionError: a command did not succeed.
        """
        code = block.code.replace(PORT, self._port)
        where = f"{block.page.relative_to(ROOT)}, line {block.line}"
        if block.kind == "file":
            (self.folder / block.value).write_text(code, encoding="utf-8")
        elif block.kind == "background":
            self._start(code, block.value.replace(PORT, self._port), where)
        elif block.language == PYTHON:
            # lines in tracebacks are those of the page
            padded = "\n" * (block.line - 1) + code
            exec(compile(padded, str(block.page), "exec"), self._variables)
        else:
            self._run_commands(code, where)

    def _run_commands(self, code: str, where: str) -> None:
        commands = list(command_lines(code))
        if all(words[0] == "hloc-lite" and not _SHELL.search(line) for line, words in commands):
            for line, words in commands:
                code = _hloc_lite(words[1:])
                assert code == 0, f"{where}: exit code {code}: {line}"
            return
        shell = shutil.which("bash")
        assert shell, "bash is needed for these commands"
        done = subprocess.run(
            [shell, "-euo", "pipefail", "-c", code], cwd=self.folder, env=self._environment
        )
        assert done.returncode == 0, f"{where}: exit code {done.returncode}"

    def _start(self, code: str, url: str, where: str) -> None:
        ((_, words),) = command_lines(code)
        command = [sys.executable, "-m", "hloc_lite", *words[1:], "--port", self._port]
        server = subprocess.Popen(command, cwd=self.folder, env=self._environment)
        self._stack.callback(server.wait)
        self._stack.callback(server.terminate)
        deadline = time.monotonic() + 120
        while not _answers(url):
            assert server.poll() is None, f"{where}: exit code {server.returncode}"
            assert time.monotonic() < deadline, f"{where}: {url} does not answer"
            time.sleep(0.2)


def command_lines(code: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a block, continued lines joined, with its words; comments are left out."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            # quoted words hold no shell syntax
            plain = " ".join(word for word in line.partition(" #")[0].split() if '"' not in word)
            yield plain, words


def _hloc_lite(arguments: list[str]) -> int:
    """Run the command line in this process: starting another one takes seconds."""
    from hloc_lite.cli.main import main

    logger = logging.getLogger("hloc_lite")
    level = logger.level
    try:
        main(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    finally:
        logger.setLevel(level)
    return 0


def _programs(folder: Path) -> Path:
    """A folder with ``hloc-lite`` and ``python`` of this environment."""
    programs = folder.parent / f"{folder.name}-programs"
    programs.mkdir(exist_ok=True)
    for name, module in (("hloc-lite", "-m hloc_lite "), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n', encoding="utf-8")
        program.chmod(0o755)
    return programs


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
