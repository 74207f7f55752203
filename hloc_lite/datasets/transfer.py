"""Download of one file over HTTP, which goes on where an earlier one stopped."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hloc_lite.errors import HlocLiteError
from hloc_lite.io.files import file_sha256, write_text_atomic

if TYPE_CHECKING:
    from requests import Response, Session

Progress = Callable[[str, int, int | None], None]
"""Function of the file's name, the bytes had so far, and all bytes if their number is known."""
TIMEOUT_S = 30
"""For connecting, and between two packets."""
MAX_TRIES = 4
"""Transfers that break off are taken up again within one call, so many times in all."""
RETRY_PAUSE_S = 2.0
"""Pause after a try that brought nothing."""
MAX_BYTES = 1 << 40
"""Largest file (1 TiB) of those whose size the card does not state."""
_CHUNK_BYTES = 1 << 16
"""Bytes of a transfer that may be lost when it breaks off."""
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _BrokenOffError(Exception):
    """The transfer stopped early; what came is on disk."""


def fetch_file(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    size: int | None = None,
    progress: Progress | None = None,
    session: Session | None = None,
) -> Path:
    """Download a file to ``target``, which appears only when it is complete.

    An incomplete file stays beside it as ``.NAME.part``; the next call asks the server for the
    rest. The server is told the version of the first part, so that parts of two versions are never
    joined.

    Args:
        url: address, http or https.
        target: path of the file.
        sha256: expected checksum; empty if none is known.
        size: expected number of bytes; None if it is not known.
        progress: called after every piece.
        session: connection to use; None for a new one.

    Raises:
        HlocLiteError: no connection, no such file, a web page instead of the file, more bytes than
            expected, not enough space, or another checksum.
    """
    import requests

    part = target.with_name(f".{target.name}.part")
    own = requests.Session() if session is None else session
    passing = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
        _BrokenOffError,
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, MAX_TRIES + 1):
            before = _size(part)
            try:
                _take_up(own, url, part, target.name, size, bool(sha256), progress)
                break
            except passing as error:
                if attempt == MAX_TRIES:
                    raise HlocLiteError(_gave_up(url, part, error)) from None
            if _size(part) == before:
                time.sleep(RETRY_PAUSE_S)
        if sha256 and file_sha256(part) != sha256:
            _discard(part)
            raise HlocLiteError(
                f"{url} has another checksum than the card of the data set: the file was changed "
                f"or damaged on its way. It was removed; try again, or fetch it by hand"
            )
        part.replace(target)
        _version_file(part).unlink(missing_ok=True)
    except requests.RequestException as error:
        raise HlocLiteError(f"cannot download {url}: {error}") from None
    except OSError as error:
        raise HlocLiteError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        if session is None:
            own.close()
    return target


def _take_up(
    session: Session,
    url: str,
    part: Path,
    name: str,
    size: int | None,
    has_checksum: bool,
    progress: Progress | None,
) -> None:
    """Ask for what is missing of ``part`` and append it.

    Without a mark of the version, only a checksum can tell that both parts belong together.
    """
    start = _size(part)
    version = _read_version(part)
    headers = {"User-Agent": "hloc-lite", "Accept-Encoding": "identity"}
    if start and (version or has_checksum):
        headers["Range"] = f"bytes={start}-"
        headers |= {"If-Range": version} if version else {}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        if answer.status_code == 416:
            if answer.headers.get("Content-Range", "") == f"bytes */{start}":
                return  # all bytes were there already
            _discard(part)
            raise _BrokenOffError("the server has fewer bytes than were had")
        if answer.status_code >= 500 or answer.status_code == 429:
            raise _BrokenOffError(f"the server answered {answer.status_code} {answer.reason}")
        if answer.status_code not in (200, 206):
            raise HlocLiteError(
                f"{url} answered {answer.status_code} {answer.reason}: the address may have "
                f"changed; see the home page of the data set"
            )
        _check_kind(answer, url, name)
        start, total = _extent(answer, start, url)
        _check_size(total, size, start, part, url)
        if not start:
            _write_version(part, answer)
        limit = size if size is not None else MAX_BYTES if total is None else total
        with part.open("ab" if start else "wb") as file:
            had = start
            for chunk in answer.iter_content(_CHUNK_BYTES):
                had += len(chunk)
                if had > limit:
                    raise HlocLiteError(f"{url} gives more than the {limit} bytes expected")
                file.write(chunk)
                if progress is not None:
                    progress(name, had, total)
    expected = total if total is not None else size
    if expected is not None and had < expected:
        raise _BrokenOffError(f"{had} of {expected} bytes came")


def _extent(answer: Response, start: int, url: str) -> tuple[int, int | None]:
    """The first byte that the answer holds, and the size of the whole file."""
    length = answer.headers.get("Content-Length", "")
    if answer.status_code == 200:
        return 0, int(length) if length.isdecimal() else None
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != start:
        raise HlocLiteError(f"{url} answered with another part of the file than was asked for")
    return start, None if found[2] == "*" else int(found[2])


def _check_kind(answer: Response, url: str, name: str) -> None:
    """Refuse web pages (of a login, or of a warning) and packed answers."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "text/html" and not name.lower().endswith((".html", ".htm")):
        raise HlocLiteError(
            f"{url} gave a web page instead of {name}: open it in a browser, and fetch the file "
            f"by hand"
        )
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise HlocLiteError(f"{url} is packed on its way, which was not asked for")


def _check_size(total: int | None, size: int | None, start: int, part: Path, url: str) -> None:
    if total is not None and size is not None and total != size:
        raise HlocLiteError(
            f"{url} has {total} bytes, the card of the data set says {size}: the file was changed. "
            f"See the home page of the data set"
        )
    if total is not None and total > MAX_BYTES:
        raise HlocLiteError(f"{url} has {total} bytes, more than the {MAX_BYTES} allowed")
    needed = total if total is not None else size
    free = shutil.disk_usage(part.parent).free
    if needed is not None and needed - start > free:
        raise HlocLiteError(
            f"{url} needs {needed - start} more bytes, but {part.parent} has only {free} left"
        )


def _gave_up(url: str, part: Path, reason: object) -> str:
    kept = f" The {_size(part)} bytes had so far are kept:" if _size(part) else ""
    return f"cannot download {url}: {reason}.{kept} run the same command again to go on"


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _version_file(part: Path) -> Path:
    return part.with_name(part.name + ".version")


def _read_version(part: Path) -> str:
    """The mark of the version that the part belongs to; empty if there is none."""
    try:
        text = _version_file(part).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return text if text.isprintable() else ""


def _write_version(part: Path, answer: Response) -> None:
    """Keep the mark of the version. Weak ones do not promise equal bytes, so they do not count."""
    tag = answer.headers.get("ETag", "")
    strong = tag if tag.startswith('"') else ""
    write_text_atomic(_version_file(part), strong or answer.headers.get("Last-Modified", ""))


def _discard(part: Path) -> None:
    for path in (part, _version_file(part)):
        with suppress(FileNotFoundError):
            path.unlink()
