"""Worker threads that hang or die are replaced, within a bound; /ready tells of overdue ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.daemon_threads import DaemonThreads
from hloc_lite.serve.decoding import PhotoDecoder, decode_limits
from tests.serve.conftest import Connect
from tests.serve.stand_ins import FakeLocalizer, photo_bytes

IMAGE = {"image": ("photo.jpg", photo_bytes(), "image/jpeg")}


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def status(client: TestClient) -> str:
    answer = client.get("/ready")
    assert (answer.status_code == 200) == (answer.json()["status"] == "ready")
    return str(answer.json()["status"])


def test_ready_tells_that_all_workers_are_overdue(connect: Connect, held: FakeLocalizer) -> None:
    client = connect(held, job_timeout_s=1, hung_factor=1000)
    assert status(client) == "ready"
    assert client.post("/v1/localize", files=IMAGE).status_code == 503
    wait_for(lambda: status(client) == "overdue")
    held.gate.set()
    wait_for(lambda: status(client) == "ready")
    assert client.post("/v1/localize", files=IMAGE).status_code == 200


def test_a_hung_worker_is_replaced_and_the_next_photo_answered(
    connect: Connect, held: FakeLocalizer
) -> None:
    client = connect(held, FakeLocalizer(), job_timeout_s=1, hung_factor=1.5, max_hung=1)
    hang, good = {"maps": "a"}, {"maps": "b"}
    assert client.post("/v1/localize", files=IMAGE, data=hang).status_code == 503
    wait_for(lambda: "hloc_lite_hung 1.0" in client.get("/metrics").text)
    assert status(client) == "ready"
    assert client.post("/v1/localize", files=IMAGE, data=good).status_code == 200
    # the bound: another one that hangs keeps its place
    assert client.post("/v1/localize", files=IMAGE, data=hang).status_code == 503
    time.sleep(2.0)
    assert "hloc_lite_hung 1.0" in client.get("/metrics").text
    assert status(client) == "overdue"
    held.gate.set()
    wait_for(lambda: "hloc_lite_hung 0.0" in client.get("/metrics").text)
    assert client.post("/v1/localize", files=IMAGE, data=good).status_code == 200


def test_a_job_that_ends_its_thread_does_not_end_the_pool() -> None:
    threads = DaemonThreads("test", 1)

    def leave() -> None:
        raise SystemExit

    assert isinstance(threads.submit(leave).exception(5), SystemExit)
    assert threads.submit(lambda: 3).result(5) == 3
    threads.shutdown()
    with pytest.raises(RuntimeError):
        threads.submit(lambda: 3)


def test_waiting_jobs_are_dropped_at_the_end() -> None:
    threads, gate = DaemonThreads("test", 1), threading.Event()
    running, waiting = threads.submit(gate.wait, 10), threads.submit(lambda: 3)
    wait_for(threads.running_s)
    assert threads.num_waiting == 1
    threads.shutdown()
    assert waiting.cancelled()
    gate.set()
    assert running.result(5)


def test_a_costly_photo_is_refused_and_the_next_one_answered(connect: Connect) -> None:
    from pipelines.benchmarks.robustness.request_bodies import many_scans

    client = connect(workers=1, decode_cpu_s=1, max_megapixels=200, decode_memory_mb=2000)
    # as many scans as are read, and seconds of decoding
    bomb = {"image": ("photo.jpg", many_scans(side=14000, scans=97), "image/jpeg")}
    refusals: list[tuple[int, str]] = []

    def post_bomb() -> None:
        answer = client.post("/v1/localize", files=bomb)
        refusals.append((answer.status_code, answer.json()["error"]["code"]))

    thread = threading.Thread(target=post_bomb)
    thread.start()
    wait_for(lambda: "hloc_lite_running 1.0" in client.get("/metrics").text)
    assert client.post("/v1/localize", files=IMAGE).status_code == 200
    thread.join(20)
    assert refusals == [(422, "image_too_slow")]


def test_a_process_started_while_the_decoder_is_closed_ends_too() -> None:
    decoder = PhotoDecoder(decode_limits(ServeConfig()))
    decoder.close()
    assert not decoder._new().is_alive
