"""A small run of pipelines/benchmarks/robustness/hostile_requests.py, with a stand-in localizer."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from pipelines.benchmarks.robustness.hostile_requests import check_answer, run_corpus
from pipelines.benchmarks.robustness.request_kinds import KINDS, HostileRequest, corpus
from tests.serve.stand_ins import photo_bytes
from tests.serve.test_server import Start, start

__all__ = ["start"]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
COUNT = 300


def test_hostile_requests_are_refused_with_a_reason(start: Start) -> None:
    server = start(upload_timeout_s=0.5, queue_size=64, decode_cpu_s=1).ready()
    tally = run_corpus(server.port, corpus(COUNT, 7, photo_bytes()), 4)
    assert tally.wrong == []
    assert sum(tally.statuses.values()) == COUNT and tally.statuses[500] == 0
    assert len(tally.by_kind) >= len(KINDS) - 1  # the costly kind is rare
    assert "Traceback" not in server.log.read_text()
    assert server.post().status_code == 200


def test_answers_without_a_reason_count_as_wrong() -> None:
    request = HostileRequest("any", b"", frozenset({200, 400}))
    good = (
        b'HTTP/1.1 400 Bad Request\r\nContent-Length: 31\r\n\r\n{"error": {"reason": "too long"}}'
    )
    assert check_answer(request, good.replace(b"31", b"33")) == (400, "")
    for answer in (
        b"",
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
        b'HTTP/1.1 400 Bad Request\r\n\r\n{"error": {"reason": ""}}',
        b"HTTP/1.1 400 Bad Request\r\n\r\nnonsense",
        b"HTTP/1.1 404 Not Found\r\n\r\n",
    ):
        assert check_answer(request, answer)[1]
