"""The server process over real connections: slow and huge requests, signals, reloads."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from hloc_lite.synthetic.planes import make_planes
from tests.serve.stand_ins import photo_bytes

ROOT = Path(__file__).parents[2]
IMAGE = {"image": ("photo.jpg", photo_bytes(), "image/jpeg")}
FORM = (
    b"POST /v1/localize HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n"
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of Unix")


class Running:
    """A server process with its URL and log file."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.log = folder / "log"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(command, cwd=folder, stderr=file, env=environment)
        found = self.wait(lambda: re.search(r"http://127.0.0.1:(\d+)/", self.log.read_text()))
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def ready(self) -> Running:
        self.wait(lambda: httpx.get(self.url + "/ready").status_code == 200)
        return self

    def wait(self, condition: Callable[[], object]):  # type: ignore[no-untyped-def]
        end = time.monotonic() + 60
        while not (found := condition()):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.03)
        return found

    def post(self, **options) -> httpx.Response:  # type: ignore[no-untyped-def]
        return httpx.post(self.url + "/v1/localize", files=IMAGE, timeout=60, **options)

    def talk(self, *parts: bytes) -> bytes:
        """Send parts one after the other; return all bytes received until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            for part in parts:
                connection.sendall(part)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(pause_s, **config): a server process with a stand-in localizer."""
    running: list[Running] = []

    def started(pause_s: float = 0.0, **config: object) -> Running:
        given = json.dumps({"port": 0, **config})
        command = [sys.executable, "-m", "tests.serve.server", str(pause_s), given]
        running.append(Running(command, tmp_path))
        return running[-1]

    yield started
    for each in running:
        each.process.kill()
        each.process.wait(10)


def test_slow_and_huge_requests_are_refused_with_a_reason(start: Start) -> None:
    server = start(header_timeout_s=0.5, upload_timeout_s=0.6, max_upload_mb=0.5).ready()
    # incomplete headers, and nothing at all
    assert b" 408 " in server.talk(b"POST /v1/localize HTT").split(b"\r\n")[0]
    assert b" 408 " in server.talk().split(b"\r\n")[0]
    # a body that never arrives
    answer = server.talk(FORM + b"Content-Length: 5000\r\n\r\n--x\r\n")
    assert b" 408 " in answer.split(b"\r\n")[0] and b"upload_too_slow" in answer
    # a body too large by its Content-Length
    answer = server.talk(FORM + b"Content-Length: 900000000\r\n\r\n", bytes(3_000_000))
    assert b" 413 " in answer.split(b"\r\n")[0] and b"body_too_large" in answer
    # a body too large without a Content-Length
    chunk = b"%x\r\n" % 100_000 + bytes(100_000) + b"\r\n"
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    first = b"%x\r\n" % len(head) + head + b"\r\n"
    answer = server.talk(FORM + b"Transfer-Encoding: chunked\r\n\r\n", first, *[chunk] * 30)
    assert b" 413 " in answer.split(b"\r\n")[0] and b"body_too_large" in answer
    assert b" 400 " in server.talk(b"nonsense\r\n\r\n").split(b"\r\n")[0]
    assert server.post().status_code == 200


def test_a_connection_serves_many_requests(start: Start) -> None:
    server = start(header_timeout_s=5).ready()
    with httpx.Client() as client:
        ports = set()
        for _ in range(3):
            answer = client.post(server.url + "/v1/localize", files=IMAGE)
            assert answer.status_code == 200
            stream = answer.extensions["network_stream"]
            ports.add(stream.get_extra_info("client_addr"))
            assert client.get(server.url + "/health").status_code == 200
    assert len(ports) == 1


def test_sigterm_finishes_running_requests_and_exits_with_0(start: Start) -> None:
    server = start(pause_s=1.0).ready()
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(server.post().status_code))
    thread.start()
    server.wait(lambda: "hloc_lite_running 1.0" in httpx.get(server.url + "/metrics").text)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    thread.join(10)
    assert answers == [200]
    with pytest.raises(httpx.ConnectError):
        server.post()


def test_after_a_kill_during_a_request_it_can_start_again_at_once(
    start: Start, tmp_path: Path
) -> None:
    server = start(pause_s=5.0).ready()
    dropped: list[bool] = []

    def post() -> None:
        with pytest.raises(httpx.HTTPError):
            server.post()
        dropped.append(True)

    thread = threading.Thread(target=post)
    thread.start()
    server.wait(lambda: "hloc_lite_running 1.0" in httpx.get(server.url + "/metrics").text)
    server.process.kill()
    server.process.wait(10)
    thread.join(10)
    assert dropped == [True]
    again = start(port=server.port).ready()
    assert again.port == server.port
    assert again.post().status_code == 200


def test_a_reload_does_not_interrupt_requests(start: Start, tmp_path: Path) -> None:
    server = start(pause_s=0.5).ready()
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(server.post().status_code))
    thread.start()
    reloaded = httpx.post(server.url + "/v1/maps/a/reload")
    assert (reloaded.status_code, reloaded.json()["generation"]) == (200, 2)
    thread.join(10)
    assert answers == [200]
    (tmp_path / "FAIL").touch()
    refused = httpx.post(server.url + "/v1/maps/a/reload")
    assert refused.status_code == 409 and "the map is broken" in refused.text
    assert httpx.get(server.url + "/v1/maps").json()["maps"][0]["generation"] == 2
    assert server.post().status_code == 200
    assert httpx.post(server.url + "/v1/maps/b/reload").status_code == 404


def test_an_address_in_use_is_explained(start: Start) -> None:
    server = start().ready()
    command = [sys.executable, "-m", "tests.serve.server", "0", json.dumps({"port": server.port})]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "choose another with --port" in done.stderr


@pytest.fixture(scope="module")
def planes_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a small real map in ``map`` and its photos in ``images``."""
    folder = tmp_path_factory.mktemp("served")
    make_planes(8).write_images(folder / "images", {f"{i}.jpg": i for i in range(8)})
    command = [*PROGRAM, "map", str(folder / "images"), "-o", str(folder / "map"), *OPTIONS]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=120)
    return folder


PROGRAM = [sys.executable, "-m", "tests.robustness.stand_ins"]
OPTIONS = [
    "--features", "rootsift", "--retrieval", "thumbnail", "--offline",
    "--set", "features.max_keypoints=300", "--set", "mapping.threads=1",
]  # fmt: skip


def test_serving_a_real_map_from_the_command_line(planes_map: Path, tmp_path: Path) -> None:
    command = [*PROGRAM, "serve", f"planes={planes_map / 'map'}", "--port", "0", "--offline"]
    server = Running(command, tmp_path).ready()
    try:
        photo = (planes_map / "images/3.jpg").read_bytes()
        files = {"image": ("3.jpg", photo, "image/jpeg")}
        with httpx.Client(base_url=server.url, timeout=60) as client:
            body = client.post("/v1/localize", files=files).json()
            assert (body["found"], body["map"]) == (True, "planes")
            assert body["counts"]["inliers"] > 50
            (described,) = client.get("/v1/maps").json()["maps"]
            assert described["images"] == 8
            reloaded = client.post("/v1/maps/planes/reload")
            assert reloaded.json()["generation"] == 2
            again = client.post("/v1/localize", files=files).json()
            assert again["pose"] == body["pose"]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
    finally:
        server.process.kill()
        server.process.wait(10)
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line[0] == "{"]
    assert {"status": 200, "result": "localized"}.items() <= lines[-1].items()
