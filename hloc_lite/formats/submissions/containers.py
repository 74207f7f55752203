"""Files of a submission: one text file, or a zip file with a text file per group of queries."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hloc_lite.errors import FormatError, counted
from hloc_lite.formats.submissions.findings import Finding, FindingKind, Severity, some
from hloc_lite.formats.submissions.forms import SubmissionForm, ZipLayout
from hloc_lite.io.files import atomic_path
from hloc_lite.io.regular_files import check_regular

MAX_BYTES = 256 << 20
"""Larger submissions (256 MiB) are not read: the largest known ones have a few MB."""
MAX_FILES = 10_000
"""Zip files with more members are not read."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNZIP_ERRORS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError,
    RuntimeError, OSError, ValueError, LookupError,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SubmissionTexts:
    """Texts of a submission, and what is wrong with its files."""

    texts: tuple[tuple[str, str, str], ...] = ()
    """File name in the zip (empty without one), group of queries (empty without one), text."""
    findings: tuple[Finding, ...] = ()


def read_texts(path: Path, form: SubmissionForm) -> SubmissionTexts:
    """Read the text files of a submission; other files than expected are findings.

    Raises:
        FormatError: missing or unreadable, or larger than ``MAX_BYTES``.
    """
    if path.is_dir():
        raise FormatError(f"{path} is a folder, expected one file")
    check_regular(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FormatError(f"{path} is larger than {MAX_BYTES >> 20} MiB: it is no submission")
        is_zip = zipfile.is_zipfile(path)
        if form.zip_layout is None and not is_zip:
            return _decoded({("", ""): path.read_bytes()})
    except FileNotFoundError:
        raise FormatError(f"{path} does not exist") from None
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from None
    if form.zip_layout is None:
        return _only(FindingKind.UNEXPECTED_ZIP, f"expected one text file, got a zip: {path.name}.")
    if not is_zip:
        return _only(FindingKind.NOT_A_ZIP, f"expected a zip file, got something else: {path.name}")
    try:
        contents = _unzipped(path)
    except _UNZIP_ERRORS as error:
        return _only(FindingKind.NOT_A_ZIP, f"{path.name} cannot be unpacked: {error}.")
    return _chosen(contents, form.zip_layout)


def write_zip_atomic(path: Path, texts: Mapping[str, str]) -> None:
    """Write a zip file with these text files; equal texts give equal bytes.

    Raises:
        HlocLiteError: the folder cannot be written.
    """
    with atomic_path(path) as partial, zipfile.ZipFile(partial, "w") as file:
        for name, text in texts.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            file.writestr(info, text.encode("utf-8"))


def _unzipped(path: Path) -> dict[str, bytes]:
    """Content by name of all files in a zip; too large ones are refused before they are read."""
    with zipfile.ZipFile(path) as file:
        members = [member for member in file.infolist() if not member.is_dir()]
        if len(members) > MAX_FILES:
            raise ValueError(f"it holds {len(members)} files")
        if sum(member.file_size for member in members) > MAX_BYTES:
            raise ValueError(f"its files have more than {MAX_BYTES >> 20} MiB")
        contents = {}
        for member in members:
            with file.open(member) as stream:
                contents[member.filename] = stream.read(member.file_size)
        return contents


def _chosen(contents: Mapping[str, bytes], layout: ZipLayout) -> SubmissionTexts:
    """Texts of the files of groups; what else is there, and what is not, are findings."""
    pattern = re.compile(
        re.escape(layout.file_of_group).replace(r"\{\}", f"(?P<group>{layout.group_pattern})")
    )
    findings: list[Finding] = []
    chosen: dict[tuple[str, str], bytes] = {}
    others: list[str] = []
    has_description = not layout.description_file
    for name, content in contents.items():
        base = PurePosixPath(name).name
        match = pattern.fullmatch(base)
        is_new = match is not None and match["group"] not in {group for _, group in chosen}
        if match and is_new:
            chosen[name, match["group"]] = content
        if base == layout.description_file:
            has_description = bool(content.strip())
        if name != base or not (is_new or base == layout.description_file):
            others.append(name)
    if others:
        wanted = layout.file_name(layout.groups[0] if layout.groups else "s00525")
        findings.append(_wrong_files(
            len(others), f"expected files such as {wanted} without folders, got {some(others)}"
        ))  # fmt: skip
    findings += _missing_groups([group for _, group in chosen], layout)
    if not has_description:
        findings.append(_finding(
            FindingKind.NO_DESCRIPTION, f"{layout.description_file} is missing or empty."
        ))  # fmt: skip
    decoded = _decoded(chosen)
    return SubmissionTexts(texts=decoded.texts, findings=(*findings, *decoded.findings))


def _missing_groups(found: list[str], layout: ZipLayout) -> list[Finding]:
    missing = [group for group in layout.groups if group not in found]
    if missing:
        severity = Severity.ERROR if layout.needs_all_groups or not found else Severity.REMARK
        names = some([layout.file_name(group) for group in missing])
        return [_wrong_files(len(missing), f"files are missing: {names}", severity)]
    if layout.counts and len(found) not in layout.counts:
        wanted = " or ".join(str(count) for count in layout.counts)
        return [_wrong_files(len(found), f"expected {wanted} files of scenes, got {len(found)}")]
    return []


def _decoded(contents: Mapping[tuple[str, str], bytes]) -> SubmissionTexts:
    """Texts of UTF-8 files with line feeds alone; other texts are read, too, with findings."""
    texts, marks, ends, unreadable = [], [], [], []
    for (file, group), content in contents.items():
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            unreadable.append(file)
            continue
        if "\0" in text:
            unreadable.append(file)
            continue
        if text.startswith("\ufeff"):
            marks.append(file)
        if "\r" in text:
            ends.append(file)
        lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        texts.append((file, group, lines))
    complaints = (
        (FindingKind.NOT_TEXT, unreadable, "expected UTF-8 text, got other bytes"),
        (FindingKind.BYTE_ORDER_MARK, marks, "the text starts with a byte order mark"),
        (FindingKind.LINE_ENDS, ends, "lines end with carriage returns, as on Windows; expected "
         "line feeds alone"),
    )  # fmt: skip
    findings = [
        _finding(kind, f"{what}{_in_files(files)}.", count=len(files))
        for kind, files, what in complaints
        if files
    ]
    return SubmissionTexts(texts=tuple(texts), findings=tuple(findings))


def _in_files(files: list[str]) -> str:
    named = [file for file in files if file]
    return f" in {counted(len(named), 'file')}: {some(named)}" if named else ""


def _only(kind: FindingKind, message: str) -> SubmissionTexts:
    return SubmissionTexts(findings=(_finding(kind, message),))


def _wrong_files(count: int, message: str, severity: Severity = Severity.ERROR) -> Finding:
    return _finding(FindingKind.WRONG_FILES, f"{message}.", severity, count)


def _finding(
    kind: FindingKind, message: str, severity: Severity = Severity.ERROR, count: int = 1
) -> Finding:
    return Finding(severity=severity, kind=kind, message=message, count=count)
