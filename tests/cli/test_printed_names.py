"""Names with control characters and long names, through the command line."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hloc_lite.cli.main import main
from hloc_lite.cli.options import say, say_block, say_json

CLI = Path(__file__).parents[2] / "hloc_lite" / "cli"
PRINTERS = {"main.py", "options.py"}
FORGED = "a\nerror: forged\x1b[2J\u202e"


def outputs(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    printed = capsys.readouterr()
    return int(end.value.code or 0), printed.out + printed.err


def test_verbs_print_by_functions_that_escape_names() -> None:
    """Only styled headings, which hold no names, and empty lines are printed otherwise."""
    for file in sorted(CLI.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "click.echo":
                assert file.name in PRINTERS | {"config.py", "doctor.py"}, (file, node.lineno)
            if isinstance(node, ast.Name) and node.id == "print":
                raise AssertionError((file, node.lineno))


def test_a_line_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    say(Path(FORGED))
    say_block(f"first {FORGED}")
    printed = capsys.readouterr().out
    assert printed == ("a\\nerror: forged\\x1b[2J\\u202e\nfirst a\nerror: forged\\x1b[2J\\u202e\n")


@pytest.mark.parametrize("name", ["ü", FORGED, "\udcff", "\x9b2J"])
def test_json_can_be_read_back(capsys: pytest.CaptureFixture[str], name: str) -> None:
    import json

    say_json({"name": name})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"name": name}
    assert printed.replace("\n", "").isprintable()
    assert ("ü" in printed) == (name == "ü")


@pytest.mark.parametrize(
    "arguments",
    [
        ("info", FORGED),
        (FORGED,),
        ("config", "show", FORGED),
        ("evaluate", "missing.txt", FORGED),
        ("evaluate", "missing.txt", "truth.txt", "--seed", FORGED),
        ("info", f"--{FORGED}"),
    ],
)
def test_errors_quote_no_control_characters(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, printed = outputs(capsys, *arguments)
    assert code == 2
    assert "\nerror: forged" not in printed
    assert printed.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "arguments",
    [
        ("info", "{}"), ("calibrate", "{}"), ("config", "show", "--of", "{}"),
        ("benchmark", "custom", "--root", "{}"), ("video", "{}", "-o", "out"),
    ],
)  # fmt: skip
def test_paths_that_are_too_long_are_errors(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, printed = outputs(capsys, *(each.replace("{}", 300 * "n") for each in arguments))
    assert code == 2
    assert "Traceback" not in printed


def test_long_names_before_a_file_are_names(tmp_path: Path, capsys) -> None:
    for file in ("a.txt", "b.txt"):
        (tmp_path / file).write_text("x.png 1 0 0 0 0 0 0\ny.png 1 0 0 0 0 0 1\n")
    code, printed = outputs(
        capsys, "compare", f"{300 * 'n'}={tmp_path / 'a.txt'}", f"b={tmp_path / 'b.txt'}",
        "--truth", f"{300 * 'm'}={tmp_path / 'a.txt'}",
    )  # fmt: skip
    assert code == 0
    assert 300 * "n" in printed and 300 * "m" in printed
