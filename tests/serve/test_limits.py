"""Refused requests with their status and code; limits on reading; nothing written to disk."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from hloc_lite.errors import FormatError
from hloc_lite.serve.app import create_app
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.map_pool import MapPool
from tests.serve.conftest import Connect
from tests.serve.stand_ins import FakeLocalizer, photo_bytes, pool_of

JPEG = photo_bytes()
IMAGE = {"image": ("photo.jpg", JPEG, "image/jpeg")}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["status"] == answer.status_code
    assert len(error["reason"]) > 10
    return answer.status_code, error["code"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ((JPEG[: len(JPEG) // 2], "image/jpeg"), (422, "broken_image")),
        ((b"", "image/jpeg"), (422, "no_image")),
        ((b"not an image at all", "image/jpeg"), (415, "not_an_image")),
        ((JPEG, "text/html"), (415, "not_an_image")),
        ((JPEG, "video/mp4"), (415, "not_an_image")),
        ((b"\0\0\0\x1cftypisom" + bytes(99), "image/heic"), (415, "not_an_image")),
        ((b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9", "image/eps"), (415, "not_an_image")),
        ((photo_bytes("PNG", (2000, 1100)), "image/png"), (413, "image_too_large")),
    ],
)  # fmt: skip
def test_bad_images(connect: Connect, image: tuple[bytes, str], expected: tuple[int, str]) -> None:
    localizer = FakeLocalizer()
    files = {"image": ("photo", *image)}
    answer = connect(localizer, max_megapixels=2).post("/v1/localize", files=files)
    assert refusal(answer) == expected
    assert not localizer.photos


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"camera": "SIMPLE_PINHOLE 64 48 nan 32 24"}, "bad_intrinsics"),
        ({"camera": "SIMPLE_PINHOLE 64 48 50 32"}, "bad_intrinsics"),
        ({"camera": "SIMPLE_RADIAL 64 48 50 32 24 100"}, "bad_intrinsics"),
        ({"fx": "50", "fy": "50", "distortion": "-2 0"}, "bad_intrinsics"),
        ({"camera": "NOKIA 64 48 50 32"}, "bad_intrinsics"),
        ({"camera": "SIMPLE_PINHOLE 48 64 50 24 32"}, "bad_intrinsics"),
        ({"camera": "SIMPLE_PINHOLE 64 48 50 32 24", "fx": "50"}, "bad_intrinsics"),
        ({"cx": "3", "cy": "4"}, "bad_intrinsics"),
        ({"fx": "50", "cx": "3"}, "bad_intrinsics"),
        ({"fx": "50", "distortion": "1 2 3"}, "bad_intrinsics"),
        ({"fx": "nan"}, "bad_field"),
        ({"fx": "-50"}, "bad_field"),
        ({"fx": "1e400"}, "bad_field"),
        ({"frame": "blender"}, "bad_field"),
        ({"focal": "50"}, "bad_field"),
        ({"query": '{"fx": NaN}'}, "bad_field"),
        ({"query": "[1, 2]"}, "bad_field"),
        ({"query": "[" * 3000}, "bad_field"),
        ({"query": '{"fx": 50}', "fx": "50"}, "bad_field"),
        ({"budget_ms": "0"}, "bad_field"),
        ({"prior_position": "1 2", "prior_radius": "3"}, "bad_field"),
        ({"prior_position": "1 2 1e300", "prior_radius": "3"}, "bad_field"),
        ({"prior_position": "1 2 3"}, "bad_prior"),
        ({"prior_radius": "3"}, "bad_prior"),
        ({"gravity": "0 0 0"}, "bad_prior"),
        ({"prior_heights": "3 1"}, "bad_prior"),
        ({"prior_geo": "59 18 30", "prior_radius": "3"}, "bad_prior"),
        ({"world": "enu"}, "bad_prior"),
        ({"prior_position": "1 2 3", "prior_accuracy": "3"}, "bad_prior"),
        ({"prior_geo": "59", "prior_radius": "3"}, "bad_field"),
        ({"prior_geo": "59 18", "prior_radius": "3", "prior_accuracy": "3"}, "bad_prior"),
        ({"camera": "x" * 5000}, "bad_field"),
    ],
)
def test_bad_fields(connect: Connect, fields: dict[str, str], code: str) -> None:
    assert refusal(connect().post("/v1/localize", files=IMAGE, data=fields)) == (422, code)


def test_a_prior_position_needs_a_single_map(connect: Connect) -> None:
    client = connect(FakeLocalizer(), FakeLocalizer())
    fields = {"prior_position": "1 2 3", "prior_radius": "3"}
    assert refusal(client.post("/v1/localize", files=IMAGE, data=fields)) == (422, "bad_prior")
    fields["maps"] = "b"
    assert client.post("/v1/localize", files=IMAGE, data=fields).status_code == 200


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b"{}", "application/json", (415, "not_multipart")),
        (JPEG, "image/jpeg", (415, "not_multipart")),
        (b"--x", "multipart/form-data", (400, "bad_form")),
        (b"garbage", "multipart/form-data; boundary=x", (400, "bad_form")),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n",
         "multipart/form-data; boundary=x", (400, "bad_form")),
        (b"--x--\r\n", "multipart/form-data; boundary=x", (422, "no_image")),
        (b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nhello\r\n--x--\r\n',
         "multipart/form-data; boundary=x", (422, "no_image")),
    ],
)  # fmt: skip
def test_bad_forms(connect: Connect, content: bytes, kind: str, expected: tuple[int, str]) -> None:
    answer = connect().post("/v1/localize", content=content, headers={"Content-Type": kind})
    assert refusal(answer) == expected


def test_wrong_and_superfluous_parts(connect: Connect) -> None:
    client = connect()
    wrong = {"photo": IMAGE["image"]}
    assert refusal(client.post("/v1/localize", files=wrong)) == (422, "no_image")
    two = [("image", IMAGE["image"]), ("image", IMAGE["image"])]
    assert refusal(client.post("/v1/localize", files=two)) == (422, "no_image")
    assert refusal(client.post("/v1/localize", files=two * 3)) == (400, "bad_form")
    many = {f"field{i}": "1" for i in range(100)}
    assert refusal(client.post("/v1/localize", files=IMAGE, data=many)) == (400, "bad_form")


def test_unknown_maps_paths_and_methods(connect: Connect) -> None:
    client = connect()
    answer = client.post("/v1/localize", files=IMAGE, data={"maps": "cellar"})
    assert refusal(answer) == (404, "unknown_map")
    assert refusal(client.get("/v1/maps/cellar/plan")) == (404, "unknown_map")
    assert refusal(client.get("/v2")) == (404, "unknown_path")
    assert refusal(client.get("/v1/localize")) == (405, "bad_method")


def test_a_large_content_length_is_refused_before_the_body_is_read() -> None:
    read = asyncio.run(_bytes_read({"content-length": "999999999"}))
    assert read == 0


def test_a_chunked_body_is_read_no_further_than_the_limit() -> None:
    read = asyncio.run(_bytes_read({"transfer-encoding": "chunked"}))
    assert read <= 300_000


async def _bytes_read(length: dict[str, str]) -> int:
    """Return the bytes read of an endless body when the response, 413, starts."""
    config = ServeConfig(max_upload_mb=0.2)
    app = create_app(pool_of(FakeLocalizer()), config)
    headers = {"host": "localhost", "content-type": "multipart/form-data; boundary=x", **length}
    sent, answered, started_at = 0, [], []
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'

    async def receive() -> dict:
        nonlocal sent
        if answered and sent > 600_000:
            return {"type": "http.disconnect"}
        chunk = head if sent == 0 else bytes(50_000)
        sent += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": True}

    async def send(message: dict) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])
            started_at.append(sent)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/localize", "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()], "http_version": "1.1",
        "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 1), "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send)
    assert answered == [413]
    return started_at[0]


def test_a_slow_upload_is_answered_408(connect: Connect) -> None:
    client = connect(upload_timeout_s=0.2)
    config = ServeConfig(upload_timeout_s=0.2)
    app = create_app(pool_of(FakeLocalizer()), config)

    async def slow() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        await asyncio.sleep(0.6)
        yield b"--x--"

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as each:
            headers = {"Content-Type": "multipart/form-data; boundary=x"}
            return await each.post("/v1/localize", content=slow(), headers=headers)

    assert refusal(asyncio.run(post())) == (408, "upload_too_slow")
    assert client.post("/v1/localize", files=IMAGE).status_code == 200


def post_behind(client: TestClient, count: int) -> list[threading.Thread]:
    """Post photos from other threads."""
    threads = [
        threading.Thread(target=lambda: client.post("/v1/localize", files=IMAGE))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads


def test_a_full_queue_is_answered_429_at_once(connect: Connect, held: FakeLocalizer) -> None:
    client = connect(held, workers=1, queue_size=2)
    threads = post_behind(client, 3)
    assert held.started.acquire(timeout=10)
    wait_for(lambda: "hloc_lite_waiting 2.0" in client.get("/metrics").text)
    begin = time.monotonic()
    answer = client.post("/v1/localize", files=IMAGE)
    assert refusal(answer) == (429, "queue_full")
    assert time.monotonic() - begin < 2
    assert int(answer.headers["retry-after"]) >= 1
    held.gate.set()
    for thread in threads:
        thread.join(10)
    assert client.post("/v1/localize", files=IMAGE).status_code == 200


def test_a_late_job_is_answered_503_and_keeps_its_worker(
    connect: Connect, held: FakeLocalizer
) -> None:
    client = connect(held, workers=1, queue_size=0, job_timeout_s=0.2, hung_factor=100)
    answer = client.post("/v1/localize", files=IMAGE)
    assert refusal(answer) == (503, "timed_out")
    assert int(answer.headers["retry-after"]) >= 1
    # its worker is still busy, so nothing else is accepted
    assert refusal(client.post("/v1/localize", files=IMAGE)) == (429, "queue_full")
    held.gate.set()
    wait_for(lambda: "hloc_lite_running 0.0" in client.get("/metrics").text)
    assert client.post("/v1/localize", files=IMAGE).status_code == 200


def wait_for(condition) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_token_check(connect: Connect) -> None:
    token = "a-long-enough-token"
    client = connect(token=token)
    for path in ("/", "/health", "/ready", "/docs"):
        assert client.get(path).status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {token}"},
                    {"Authorization": token}):  # fmt: skip
        answer = client.post("/v1/localize", files=IMAGE, headers=headers)
        assert refusal(answer) == (401, "bad_token")
        assert answer.headers["www-authenticate"] == "Bearer"
        for path in ("/v1/maps", "/metrics", "/v1/maps/a/plan", "/v2"):
            assert client.get(path, headers=headers).status_code == 401
    right = {"Authorization": f"Bearer {token}"}
    assert client.post("/v1/localize", files=IMAGE, headers=right).status_code == 200


def test_host_and_origin_checks_on_loopback(connect: Connect) -> None:
    client = connect()
    answer = client.get("/v1/maps", headers={"Host": "evil.example"})
    assert refusal(answer) == (403, "unknown_host")
    answer = client.post("/v1/localize", files=IMAGE, headers={"Origin": "http://evil.example"})
    assert refusal(answer) == (403, "other_origin")
    answer = client.post("/v1/localize", files=IMAGE, headers={"Origin": "http://[evil"})
    assert refusal(answer) == (403, "other_origin")
    same = {"Origin": "http://localhost"}
    assert client.post("/v1/localize", files=IMAGE, headers=same).status_code == 200


def test_request_bodies_are_never_written_to_disk(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled: list[object] = []
    original = tempfile.SpooledTemporaryFile.rollover
    monkeypatch.setattr(
        tempfile.SpooledTemporaryFile, "rollover", lambda self: rolled.append(1) or original(self)
    )
    large = photo_bytes("BMP", (1200, 1000))  # 3.6 MB
    files = {"image": ("photo.bmp", large, "image/bmp")}
    assert connect().post("/v1/localize", files=files).status_code == 200
    assert not rolled


def test_the_access_log_holds_no_content_of_requests(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "hloc_lite.serve.access")
    client = connect(token="a-long-enough-token")
    headers = {"Authorization": "Bearer a-long-enough-token", "X-Request-Id": "mine-7"}
    secret = {"image": ("holiday-with-anna.jpg", JPEG, "image/jpeg")}
    data = {"camera": "SIMPLE_PINHOLE 64 48 50 32 24"}
    client.post("/v1/localize?key=secret", files=secret, data=data, headers=headers)
    (line,) = [json.loads(r.message) for r in caplog.records if r.name == "hloc_lite.serve.access"]
    assert (line["id"], line["status"], line["map"]) == ("mine-7", 200, "a")
    assert (line["method"], line["path"], line["result"]) == ("POST", "/v1/localize", "localized")
    assert line["bytes_in"] > len(JPEG)
    for hidden in ("anna", "secret", "long-enough", "SIMPLE_PINHOLE"):
        assert hidden not in caplog.text


def test_an_exception_is_answered_500_and_the_next_request_is_served(connect: Connect) -> None:
    class Broken(FakeLocalizer):
        def localize(self, image, camera=None, **_):  # type: ignore[no-untyped-def, override]
            raise RuntimeError("private detail")

    client = connect(Broken(), FakeLocalizer())
    answer = client.post("/v1/localize", files=IMAGE, data={"maps": "a"})
    assert refusal(answer) == (500, "bug")
    assert "private" not in answer.text
    assert client.post("/v1/localize", files=IMAGE, data={"maps": "b"}).status_code == 200


def test_metrics_count_answers(connect: Connect) -> None:
    client = connect()
    client.post("/v1/localize", files=IMAGE)
    client.post("/v1/localize", files={"image": ("a", b"x", "image/png")})
    text = client.get("/metrics").text
    assert 'hloc_lite_requests_total{route="/v1/localize",status="200"} 1.0' in text
    assert 'hloc_lite_requests_total{route="/v1/localize",status="415"} 1.0' in text
    assert 'hloc_lite_refused_total{code="not_an_image"} 1.0' in text
    assert 'hloc_lite_results_total{map="a",status="localized"} 1.0' in text


def test_concurrent_reloads_of_a_map_are_refused() -> None:
    pool = pool_of(FakeLocalizer())
    pool.claim_reload("a")
    with TestClient(create_app(pool, ServeConfig()), "http://localhost") as client:
        assert refusal(client.post("/v1/maps/a/reload")) == (409, "reloading")


@pytest.mark.parametrize("error", [FormatError("the map is broken"), RuntimeError("out of memory")])
def test_failures_to_open_a_map_at_start_up_are_reported(error: Exception) -> None:
    def open_localizer(_: Path) -> FakeLocalizer:
        raise error

    failures: list[Exception] = []
    pool = MapPool({"a": Path("a")}, open_localizer, 10)
    app = create_app(pool, ServeConfig(), on_failure=failures.append)
    with TestClient(app, "http://localhost") as client:
        end = time.monotonic() + 10
        while not failures and time.monotonic() < end:
            time.sleep(0.01)
        assert client.get("/ready").status_code == 503
    assert failures == [error]


@pytest.mark.parametrize("size", [100, 200_000])
def test_images_as_text_get_the_remedy(connect: Connect, size: int) -> None:
    text = "data:image/jpeg;base64," + size * "A"
    answer = connect().post("/v1/localize", files={"image": (None, text)})
    assert refusal(answer) == (422, "no_image")
    assert "as a file" in answer.json()["error"]["reason"]
    other = connect().post("/v1/localize", files={**IMAGE, "camera": (None, 200_000 * "9")})
    assert refusal(other) == (400, "bad_form")
    assert "'camera' has more than 16384 bytes" in other.json()["error"]["reason"]


def test_videos_get_the_remedy(connect: Connect) -> None:
    for content, kind in ((JPEG, "video/mp4"), (b"\0\0\0\x1cftypisom" + bytes(99), "image/heic")):
        answer = connect().post("/v1/localize", files={"image": ("walk", content, kind)})
        assert "ffmpeg" in answer.json()["error"]["reason"]
