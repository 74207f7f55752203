"""Text and JSON files: atomic writes, and errors of unreadable ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hloc_lite.errors import FormatError, HlocLiteError
from hloc_lite.io.files import (
    atomic_path,
    read_json,
    read_text,
    text_lines,
    write_json_atomic,
    write_text_atomic,
)


def test_text_and_json_round_trip_in_new_folders(tmp_path: Path) -> None:
    write_text_atomic(tmp_path / "a" / "b ä.txt", "Grüße\n")
    assert read_text(tmp_path / "a" / "b ä.txt") == "Grüße\n"
    write_json_atomic(tmp_path / "c.json", {"ä": [1, 2.5, None]})
    assert read_json(tmp_path / "c.json") == {"ä": [1, 2.5, None]}


def test_an_error_while_writing_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_never_holds_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json_atomic(path, {"x": float("nan")})
    assert not path.exists()


def test_an_unwritable_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HlocLiteError, match=r"cannot write .*file/a\.txt"):
        write_text_atomic(tmp_path / "file" / "a.txt", "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), (b"\xff\xfe\x00a", r"is not UTF-8 text \(byte 0\)")],
)
def test_unreadable_text_is_a_format_error(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_text(path)


def test_a_folder_is_not_read_as_text(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot read"):
        read_text(tmp_path)


@pytest.mark.parametrize("text", ["[" * 200_000, "1" * 5000])
def test_json_that_exceeds_parser_limits_is_a_format_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError, match=r"a\.json is not JSON"):
        read_json(tmp_path / "a.json")


def test_broken_json_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1,\n}')
    with pytest.raises(FormatError, match=r"a\.json is not JSON: .*line 2"):
        read_json(tmp_path / "a.json")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("aä\n\r\u2028\x1c\ufeff "), max_size=12))
def test_lines_one_by_one_are_those_of_the_whole_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode())
    whole = read_text(path)
    assert "".join(text_lines(path, keep_ends=True)) == whole
    assert list(text_lines(path)) == whole.removesuffix("\n").split("\n") * bool(whole)


def test_bytes_that_are_no_text_are_found_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a line\n" * 100_000 + b"\xff\n")
    with pytest.raises(FormatError, match=r"not UTF-8 text .byte 700000"):
        list(text_lines(path))
    with pytest.raises(FormatError, match="does not exist"):
        next(text_lines(tmp_path / "b.txt"))
