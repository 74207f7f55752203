"""Schemas and checksums of our own JSON files, written into each and compared when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hloc_lite.config import fingerprint
from hloc_lite.errors import FormatError, NewerVersionError


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
