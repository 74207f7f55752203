"""Schemas and checksums of our own JSON files, written into each and compared when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hloc_lite.config import fingerprint
from hloc_lite.errors import FormatError, NewerVersionError
from hloc_lite.io.files import read_json


def check_schema(found: object, expected: str, what: object) -> None:
    """Refuse a file of another schema; one of a newer version with its own remedy.

    Args:
        found: schema in the file.
        expected: the one that is read, ``NAME/VERSION``.
        what: the file, for messages.

    Raises:
        NewerVersionError: a later version of the same schema.
        FormatError: any other.
    """
    if found == expected:
        return
    name, _, version = expected.rpartition("/")
    text = found if isinstance(found, str) else ""
    found_name, _, found_version = text.rpartition("/")
    is_number = found_version.isascii() and found_version.isdecimal() and len(found_version) < 10
    if found_name == name and is_number and int(found_version) > int(version):
        raise NewerVersionError(
            f"{what} was made by a newer version of hloc_lite ({found}, this one reads "
            f"{expected}): update it with `pip install -U hloc_lite`"
        )
    raise FormatError(f"{what}: expected schema {expected}, got {repr(found)[:100]}")


def read_header_file(path: Path, schema: str, what: object) -> dict[str, Any]:
    """Read a JSON object that lists the files it belongs to under ``files``.

    Args:
        path: JSON file of ``with_checksum``.
        schema: the one that is read, ``NAME/VERSION``.
        what: the file, for messages.

    Raises:
        NewerVersionError: a later version of the same schema.
        FormatError: missing, damaged, or of another schema.
    """
    value = read_json(path)
    header = value if isinstance(value, dict) else {}
    check_schema(header.get("schema"), schema, what)
    check_checksum(header, what)
    if not isinstance(header.get("files"), dict):
        raise FormatError(f"{what} lists no files")
    return header


def with_checksum(value: Mapping[str, Any]) -> dict[str, Any]:
    """JSON object with the checksum of all its other entries, which ``check_checksum`` compares."""
    return {**value, "checksum": fingerprint(dict(value))}


def check_checksum(value: Mapping[str, Any], what: object, *, is_required: bool = True) -> None:
    """Compare a JSON object with its checksum.

    Args:
        value: JSON object of ``with_checksum``.
        what: the file, for messages.
        is_required: False for files that earlier versions wrote without a checksum.

    Raises:
        FormatError: an entry was changed.
    """
    if not is_required and "checksum" not in value:
        return
    rest = {key: entry for key, entry in value.items() if key != "checksum"}
    if value.get("checksum") != fingerprint(rest):
        raise FormatError(f"{what} is damaged or was changed")
