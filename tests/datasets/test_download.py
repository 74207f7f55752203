"""Downloads from a local server: resumed, checked, atomic; archives never leave their folder."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hloc_lite.datasets import transfer, unpacking
from hloc_lite.datasets.card_parts import Source
from hloc_lite.datasets.cards import Card
from hloc_lite.datasets.download import DOWNLOADS, download
from hloc_lite.datasets.transfer import fetch_file
from hloc_lite.datasets.unpacking import unpack
from hloc_lite.errors import FormatError, HlocLiteError

CONTENT = bytes(range(256)) * 2000


class Server(ThreadingHTTPServer):
    """Server of files from memory, with the faults that tests ask for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.versions: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.break_after: list[int] = []
        """Bytes after which the next answers break off."""
        self.codes: list[int] = []
        """Codes that the next requests are answered with."""
        self.requests: list[tuple[str, str]] = []
        """Paths and ranges that were asked for."""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        asked = self.headers.get("Range", "")
        self.server.requests.append((name, asked))
        if self.server.codes:
            return self._empty(self.server.codes.pop(0))
        if name not in self.server.files:
            return self._empty(404)
        content = self.server.files[name]
        version = self.server.versions.get(name, '"1"')
        same = self.headers.get("If-Range", version) == version
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and same else 0
        if start >= len(content) > 0:
            return self._empty(416, {"Content-Range": f"bytes */{len(content)}"})
        self.send_response(206 if start else 200)
        if version:
            self.send_header("ETag", version)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Type", self.server.kinds.get(name, "application/zip"))
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        rest = content[start:]
        if self.server.break_after:
            self.wfile.write(rest[: self.server.break_after.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(1)
            return None
        self.wfile.write(rest)
        return None

    def _empty(self, code: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(transfer, "RETRY_PAUSE_S", 0.0)
    monkeypatch.setattr(transfer, "_CHUNK_BYTES", 1000)
    for key in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(key, raising=False)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_fetched_whole(server: Server, tmp_path: Path) -> None:
    server.files["a.bin"] = CONTENT
    seen: list[tuple[str, int, int | None]] = []
    target = fetch_file(
        server.url("a.bin"),
        tmp_path / "in" / "a.bin",
        sha256=sha(CONTENT),
        size=len(CONTENT),
        progress=lambda *state: seen.append(state),
    )
    assert target.read_bytes() == CONTENT
    assert seen[-1] == ("a.bin", len(CONTENT), len(CONTENT))
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]


def test_a_transfer_that_breaks_off_is_taken_up_in_the_same_call(
    server: Server, tmp_path: Path
) -> None:
    server.files["a.bin"] = CONTENT
    server.break_after = [100_000, 50_000]
    target = fetch_file(server.url("a.bin"), tmp_path / "a.bin", sha256=sha(CONTENT))
    assert target.read_bytes() == CONTENT
    ranges = [asked for _, asked in server.requests]
    assert ranges == ["", "bytes=100000-", "bytes=150000-"]


def test_the_next_call_goes_on(server: Server, tmp_path: Path) -> None:
    server.files["a.bin"] = CONTENT
    server.break_after = [1000] * transfer.MAX_TRIES
    with pytest.raises(HlocLiteError, match="The 4000 bytes had so far are kept"):
        fetch_file(server.url("a.bin"), tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()
    assert (tmp_path / ".a.bin.part").stat().st_size == 4000
    assert fetch_file(server.url("a.bin"), tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests[-1] == ("a.bin", "bytes=4000-")


def test_parts_of_two_versions_are_not_joined(server: Server, tmp_path: Path) -> None:
    server.files["a.bin"] = CONTENT
    server.break_after = [1000] * transfer.MAX_TRIES
    with pytest.raises(HlocLiteError):
        fetch_file(server.url("a.bin"), tmp_path / "a.bin")
    changed = CONTENT[::-1]
    server.files["a.bin"], server.versions["a.bin"] = changed, '"2"'
    assert fetch_file(server.url("a.bin"), tmp_path / "a.bin").read_bytes() == changed


def test_without_a_version_only_a_checksum_lets_it_go_on(server: Server, tmp_path: Path) -> None:
    server.files["a.bin"], server.versions["a.bin"] = CONTENT, ""
    server.break_after = [1000]
    assert fetch_file(server.url("a.bin"), tmp_path / "a.bin").read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == ["", ""]
    server.break_after = [1000]
    target = fetch_file(server.url("a.bin"), tmp_path / "b.bin", sha256=sha(CONTENT))
    assert target.read_bytes() == CONTENT
    assert server.requests[-1] == ("a.bin", "bytes=1000-")


def test_a_part_that_is_whole_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    server.files["a.bin"] = CONTENT
    (tmp_path / ".a.bin.part").write_bytes(CONTENT)
    target = fetch_file(server.url("a.bin"), tmp_path / "a.bin", sha256=sha(CONTENT))
    assert target.read_bytes() == CONTENT and len(server.requests) == 1


def test_a_part_that_is_too_long_is_fetched_again(server: Server, tmp_path: Path) -> None:
    server.files["a.bin"] = CONTENT
    (tmp_path / ".a.bin.part").write_bytes(CONTENT + b"more")
    target = fetch_file(server.url("a.bin"), tmp_path / "a.bin", sha256=sha(CONTENT))
    assert target.read_bytes() == CONTENT


def test_another_checksum(server: Server, tmp_path: Path) -> None:
    server.files["a.bin"] = CONTENT
    with pytest.raises(HlocLiteError, match="another checksum"):
        fetch_file(server.url("a.bin"), tmp_path / "a.bin", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_another_size(server: Server, tmp_path: Path) -> None:
    server.files["a.bin"] = CONTENT
    with pytest.raises(HlocLiteError, match="has 512000 bytes, the card of the data set says 5"):
        fetch_file(server.url("a.bin"), tmp_path / "a.bin", size=5)
    assert not (tmp_path / "a.bin").exists()


def test_a_full_disk_is_noticed_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["a.bin"] = CONTENT
    usage = transfer.shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(HlocLiteError, match="has only 10 left"):
        fetch_file(server.url("a.bin"), tmp_path / "a.bin")


def test_a_web_page_is_no_archive(server: Server, tmp_path: Path) -> None:
    server.files["a.zip"] = b"<html>please log in</html>"
    server.kinds["a.zip"] = "text/html; charset=utf-8"
    with pytest.raises(HlocLiteError, match=r"gave a web page instead of a\.zip"):
        fetch_file(server.url("a.zip"), tmp_path / "a.zip")
    assert list(tmp_path.iterdir()) == []


def test_missing_files_and_passing_faults(server: Server, tmp_path: Path) -> None:
    with pytest.raises(HlocLiteError, match="answered 404 Not Found: the address may have changed"):
        fetch_file(server.url("none"), tmp_path / "none")
    server.files["a.bin"] = CONTENT
    server.codes = [503, 429]
    assert fetch_file(server.url("a.bin"), tmp_path / "a.bin").read_bytes() == CONTENT
    server.codes = [503] * transfer.MAX_TRIES
    with pytest.raises(HlocLiteError, match="answered 503"):
        fetch_file(server.url("a.bin"), tmp_path / "b.bin")


def test_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "RETRY_PAUSE_S", 0.0)
    with pytest.raises(HlocLiteError, match=r"cannot download http://127\.0\.0\.1:1/a"):
        fetch_file("http://127.0.0.1:1/a", tmp_path / "a")


# archives


def zip_of(members: dict[str, bytes], mode: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def tar_of(members: dict[str, bytes], mode: str = "w:gz", kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content) if kind == tarfile.REGTYPE else 0
            info.linkname = "" if kind == tarfile.REGTYPE else content.decode()
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def unpacked(archive: bytes, tmp_path: Path) -> dict[str, bytes]:
    path, folder = tmp_path / "archive", tmp_path / "folder"
    path.write_bytes(archive)
    unpack(path, folder)
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


MEMBERS = {"a/b 1.txt": b"1", "c.txt": b"2" * 5000, "é/ü.jpg": b""}


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_archives_are_unpacked(mode: str, tmp_path: Path) -> None:
    archive = zip_of(MEMBERS) if mode == "zip" else tar_of(MEMBERS, mode)
    assert unpacked(archive, tmp_path) == MEMBERS


@pytest.mark.parametrize("make", [zip_of, tar_of])
@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/tmp/out.txt", "..\\out.txt"])
def test_members_that_lead_out(make, name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="leads out of the folder"):
        unpacked(make({"good.txt": b"1", name: b"2"}), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "folder"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_of_tar_archives_are_left_out(kind: bytes, tmp_path: Path, caplog) -> None:
    assert unpacked(tar_of({"link": b"../../etc/passwd"}, kind=kind), tmp_path) == {}
    assert "1 links or special files were left out" in caplog.text


def test_links_of_zip_archives_are_left_out(tmp_path: Path) -> None:
    assert unpacked(zip_of({"link": b"/etc/passwd"}, stat.S_IFLNK | 0o777), tmp_path) == {}


def test_files_are_not_written_through_links(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "precious.txt").write_text("mine")
    (tmp_path / "folder" / "c.txt").symlink_to(tmp_path / "precious.txt")
    unpacked(zip_of({"c.txt": b"theirs"}), tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_archives_that_fill_the_disk(make, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(unpacking, "MIN_LIMIT_BYTES", 1000)
    with pytest.raises(FormatError, match="more than 200 times its size"):
        unpacked(make({"zeros": bytes(5_000_000)}), tmp_path)


def test_archives_with_too_many_files(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 2)
    with pytest.raises(FormatError, match="has more than 2 files"):
        unpacked(zip_of(MEMBERS), tmp_path)


@pytest.mark.parametrize("archive", [b"", b"no archive", b"PK\x05\x06", b"\x1f\x8b\x08"])
def test_files_that_are_no_archives(archive: bytes, tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        unpacked(archive, tmp_path)
    with pytest.raises(FormatError, match="cannot read"):
        unpack(tmp_path / "none", tmp_path)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    data=st.data(),
    archive=st.sampled_from([zip_of(MEMBERS), tar_of(MEMBERS, "w"), tar_of(MEMBERS, "w:xz")]),
)
def test_damaged_archives_give_format_errors(data, archive: bytes, tmp_path: Path) -> None:
    damaged = bytearray(archive)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    path = tmp_path / "archive"
    path.write_bytes(damaged[: cut or None])
    try:
        unpack(path, tmp_path / "folder")
    except HlocLiteError:
        return


# whole data sets


def card(*sources: Source) -> Card:
    return Card(
        name="mine",
        source="us",
        licence="none",
        units="metres",
        layout="images/",
        thresholds=("1m,5deg",),
        url="https://example.org",
        sources=sources,
    )


def test_a_data_set_is_fetched_unpacked_and_not_fetched_again(
    server: Server, tmp_path: Path
) -> None:
    images = tar_of({"images/a.jpg": b"a"})
    server.files |= {"images.tar.gz": images, "list.txt": b"a.jpg\n"}
    mine = card(
        Source(url=server.url("images.tar.gz"), what="images", unpack="sub", sha256=sha(images)),
        Source(url=server.url("list.txt"), what="list", file="queries/list.txt"),
        Source(url="https://example.org/form", what="poses", login=True),
    )
    root = tmp_path / "root"
    report = download(mine, root)
    assert (root / "sub/images/a.jpg").read_bytes() == b"a"
    assert (root / "queries/list.txt").read_bytes() == b"a.jpg\n"
    assert not (root / DOWNLOADS / "images.tar.gz").exists()
    text = "\n".join(report.lines())
    assert "2 files downloaded" in text
    assert "no checksum is published for 1 file" in text
    assert "not downloaded: poses: ask at https://example.org/form" in text
    before = len(server.requests)
    again = download(mine, root)
    assert len(server.requests) == before and len(again.present) == 2
    assert "0 files downloaded, 2 files were there" in "\n".join(again.lines())


def test_archives_in_archives(server: Server, tmp_path: Path) -> None:
    inner = zip_of({"seq-01/frame.txt": b"1"})
    server.files["chess.zip"] = zip_of({"chess/seq-01.zip": inner, "chess/Split.txt": b"2"})
    source = Source(url=server.url("chess.zip"), what="chess", unpack=".", inner="chess/*.zip")
    download(card(source), tmp_path)
    assert (tmp_path / "chess/seq-01/frame.txt").read_bytes() == b"1"
    assert not (tmp_path / "chess/seq-01.zip").exists()
    other = source.model_copy(update={"inner": "none/*.zip", "url": server.url("chess.zip?2")})
    server.files["chess.zip?2"] = server.files["chess.zip"]
    with pytest.raises(HlocLiteError, match="holds no none"):
        download(card(other), tmp_path / "other")


def test_archives_may_be_kept(server: Server, tmp_path: Path) -> None:
    server.files["a.zip"] = zip_of(MEMBERS)
    source = Source(url=server.url("a.zip"), what="a", unpack=".")
    download(card(source), tmp_path, keep_archives=True)
    assert (tmp_path / DOWNLOADS / "a.zip").is_file()


def test_an_archive_that_cannot_be_unpacked_is_not_taken_as_there(
    server: Server, tmp_path: Path
) -> None:
    server.files["a.zip"] = zip_of({"../out": b"1"})
    source = Source(url=server.url("a.zip"), what="a", unpack=".")
    for _ in range(2):
        with pytest.raises(FormatError, match="leads out"):
            download(card(source), tmp_path / "root")
    assert not (tmp_path / "out").exists()


def test_nothing_to_download(tmp_path: Path) -> None:
    lines = list(download(card(), tmp_path).lines())
    assert lines == ["nothing can be downloaded; see https://example.org"]
