"""The server process and clients that do not read or write; large headers; the end by SIGTERM."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

import httpx
import pytest

from pipelines.benchmarks.robustness.slow_clients import is_cut, slow_reader, slow_writer
from tests.serve.test_server import FORM, Start, start

__all__ = ["start"]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of Unix")


def wait_cut(connections: list[socket.socket], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not all([is_cut(each) for each in connections]):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_clients_that_do_not_read_are_cut(start: Start) -> None:
    server = start(write_timeout_s=1).ready()
    wait_cut([slow_reader(server.port) for _ in range(8)], 10)


def test_a_client_that_reads_slowly_but_in_time_gets_its_answer(start: Start) -> None:
    server = start(write_timeout_s=3, keep_alive_s=1).ready()
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(b"GET /docs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.5)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
            time.sleep(0.001)
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"</html>")


def test_slow_clients_make_room_for_others(start: Start) -> None:
    server = start(max_connections=16, max_uploads=4, queue_size=8).ready()
    slow = [slow_reader(server.port) for _ in range(16)]
    slow += [slow_writer(server.port, body=number % 2 == 0) for number in range(24)]
    time.sleep(1.2)  # an upload counts as slow after a second
    for _ in range(20):
        begin = time.monotonic()
        assert httpx.get(server.url + "/health", timeout=5).status_code == 200
        assert time.monotonic() - begin < 1
    assert server.post().status_code == 200
    end = time.monotonic() + 10
    while sum(map(is_cut, slow)) < 24 and time.monotonic() < end:
        time.sleep(0.1)  # a busy system tells the clients late
    assert sum(map(is_cut, slow)) >= 24


def test_fast_uploads_are_not_cut_for_others(start: Start) -> None:
    server = start(max_connections=4).ready()
    with socket.create_connection(("127.0.0.1", server.port), 10) as upload:
        upload.sendall(FORM + b"Content-Length: 10000000\r\n\r\n--x\r\n")
        for _ in range(10):
            upload.sendall(bytes(300_000))
            with socket.create_connection(("127.0.0.1", server.port), 10):
                time.sleep(0.05)
            slow_writer(server.port, body=False).close()
        assert not is_cut(upload)


def test_headers_beyond_16_kb_are_refused(start: Start) -> None:
    server = start().ready()
    with httpx.Client(base_url=server.url) as client:
        assert client.get("/health", headers={"X-A": "a" * 15000}).status_code == 200
    head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    many = b"".join(b"X-%d: %b\r\n" % (i, b"a" * 1000) for i in range(60))
    for rest in (b"X-A: " + b"a" * 60000 + b"\r\n", many, b"X-A: " + b"a" * 17000 + b"\r\n"):
        for parts in ((head + rest + b"\r\n",), (head, rest[:9000], rest[9000:], b"\r\n")):
            answer = server.talk(*parts)
            assert b" 431 " in answer.split(b"\r\n")[0] and b"headers_too_large" in answer
    answer = server.talk(b"GET /?" + b"a" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 431 " in answer.split(b"\r\n")[0]


@pytest.mark.parametrize("content", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                                     b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"])  # fmt: skip
def test_broken_http_gets_its_reason(start: Start, content: bytes) -> None:
    answer = start().ready().talk(content)
    assert answer.startswith(b"HTTP/1.1 400") and b'"reason": "invalid HTTP' in answer


def test_sigterm_ends_a_busy_process_in_time(start: Start) -> None:
    server = start(pause_s=60, shutdown_s=3).ready()

    def post() -> None:
        with pytest.raises(httpx.HTTPError):
            server.post()

    thread = threading.Thread(target=post)
    thread.start()
    server.wait(lambda: "hloc_lite_running 1.0" in httpx.get(server.url + "/metrics").text)
    begin = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    assert time.monotonic() - begin < 3.5
    thread.join(10)
