"""Thousands of hostile requests to `hloc-lite serve`, then slow readers and writers, then its end.

    python -m pipelines.benchmarks.robustness.hostile_requests MAP --photo FILE --count 5000

No request may get 500, and each refused one gets its reason. While 256 clients do not read and 256
do not write, /health answers within 1 s, and all of them are cut within 30 s. MAP should be
georeferenced, else requests of the GeoPoseProtocol end early.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import click

from hloc_lite.serve.config import ServeConfig
from pipelines.benchmarks.robustness.load import Server
from pipelines.benchmarks.robustness.request_kinds import CLOSED, HostileRequest, corpus
from pipelines.benchmarks.robustness.slow_clients import measure_slow_clients
from pipelines.benchmarks.table import Table, results_option

REPLY_TIMEOUT_S = 60.0
DEFAULTS = ("--upload-timeout", str(ServeConfig().upload_timeout_s))
"""Options of ``Server`` set back to their defaults."""
PATIENCE = 40
"""Attempts of a request that is told to come back later (429)."""


@dataclass
class Tally:
    """Outcomes of all requests; shared by the threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    statuses: Counter[int] = field(default_factory=Counter)
    by_kind: dict[str, Counter[int]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def add(self, request: HostileRequest, status: int, problem: str, spent_s: float) -> None:
        with self.lock:
            self.statuses[status] += 1
            self.by_kind.setdefault(request.kind, Counter())[status] += 1
            self.slowest_s = max(self.slowest_s, spent_s)
            if problem:
                self.wrong.append(f"{request.kind}: {problem}; {request.raw[:300]!r}")


def send(port: int, raw: bytes) -> bytes:
    """Send a request, end the sending side, and return all that is answered."""
    with socket.create_connection(("127.0.0.1", port), REPLY_TIMEOUT_S) as connection:
        with suppress(OSError):  # refused before all was sent
            connection.sendall(raw)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
                if _is_complete(answer):
                    break
        except (ConnectionResetError, TimeoutError):
            pass
        return answer


def _is_complete(answer: bytes) -> bool:
    """True if the first response has all of its stated length; interim ones do not count."""
    head, separator, body = _without_interim(answer).partition(b"\r\n\r\n")
    length = _stated_length(head)
    return bool(separator) and length is not None and len(body) >= length


def _stated_length(head: bytes) -> int | None:
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(lengths[0].split(b":")[1]) if lengths else None


def _without_interim(answer: bytes) -> bytes:
    while answer.startswith(b"HTTP/1.1 100"):
        answer = answer.partition(b"\r\n\r\n")[2]
    return answer


def check_answer(request: HostileRequest, answer: bytes) -> tuple[int, str]:
    """Status of an answer, and what is wrong with it; empty if nothing is."""
    head, _, body = _without_interim(answer).partition(b"\r\n\r\n")
    if not head:
        return CLOSED, "" if CLOSED in request.statuses else "no answer"
    body = body[: _stated_length(head)]  # a broken end of the request has an answer of its own
    words = head.split()
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else -1
    if status != 429 and status not in request.statuses:
        return status, f"status {status}, expected {sorted(request.statuses)[:6]}; {body[:300]!r}"
    if status >= 400 and not head.startswith(b"HEAD"):
        try:
            reason = json.loads(body)["error"]["reason"]
        except (ValueError, KeyError, TypeError):
            reason = ""
        if not reason:
            return status, f"status {status} without a reason: {body[:200]!r}"
    return status, ""


def run_corpus(port: int, requests: Iterator[HostileRequest], clients: int) -> Tally:
    """Send all requests from a few threads."""
    tally, lock = Tally(), threading.Lock()

    def client() -> None:
        while True:
            with lock:
                request = next(requests, None)
            if request is None:
                return
            start = time.monotonic()
            status, problem = check_answer(request, send(port, request.raw))
            for _ in range(PATIENCE):
                if status != 429:
                    break
                time.sleep(0.5)
                status, problem = check_answer(request, send(port, request.raw))
            tally.add(request, status, problem, time.monotonic() - start)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


@click.command()
@click.argument("map_folder", type=click.Path(path_type=Path, exists=True))
@click.option("--photo", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--count", default=5000, show_default=True)
@click.option("--clients", default=4, show_default=True)
@click.option("--slow", default=256, show_default=True, help="Slow readers, and slow writers.")
@click.option("--seed", default=0, show_default=True)
@results_option
@click.argument("serve_options", nargs=-1)
def main(
    map_folder: Path,
    photo: Path,
    count: int,
    clients: int,
    slow: int,
    seed: int,
    results: Path | None,
    serve_options: tuple[str, ...],
) -> None:
    """Test the service of MAP_FOLDER; SERVE_OPTIONS go to `hloc-lite serve`."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        server = Server(map_folder, log, ("--queue", "64", *serve_options))
        server.start()
        try:
            server.wait_ready()
            before_mb = server.memory_mb()
            tally = run_corpus(server.port, corpus(count, seed, photo.read_bytes()), clients)
            _print_tally(tally)
            after_mb = server.memory_mb()
        finally:
            server.kill()
        tracebacks = log.read_text(errors="replace").count("Traceback")
        slow_report = _run_slow_clients(Server(map_folder, log, (*DEFAULTS, *serve_options)), slow)
    table = Table("Hostile requests", ("what", "figure"))
    table.add("requests", sum(tally.statuses.values()))
    table.add("answered 500", tally.statuses[500])
    table.add("answers that are not as expected", len(tally.wrong))
    table.add("slowest answer, s", round(tally.slowest_s, 1))
    table.add("memory before and after, MB", f"{before_mb:.0f}, {after_mb:.0f}")
    table.add("tracebacks in the log", tracebacks)
    for key, value in slow_report.items():
        table.add(key, str(value))
    table.write(results)
    sys.exit(0 if not tally.wrong and not tracebacks and slow_report["well"] else 1)


def _run_slow_clients(server: Server, count: int) -> dict[str, object]:
    """Slow clients of a server with the timeouts that users have, and its end by SIGTERM."""
    server.start()
    try:
        server.wait_ready()
        report = measure_slow_clients(server.port, count)
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(60)
        ended_s = round(time.monotonic() - start, 2)
        return {**report, "exit status after SIGTERM": status, "seconds until then": ended_s}
    finally:
        server.kill()


def _print_tally(tally: Tally) -> None:
    for name, counts in sorted(tally.by_kind.items()):
        text = ", ".join(
            f"{count} x {status or 'closed'}" for status, count in counts.most_common()
        )
        click.echo(f"{name:<20}{text}")
    click.echo(f"statuses: {dict(sorted(tally.statuses.items()))}")
    for line in tally.wrong[:20]:
        click.echo(line)


if __name__ == "__main__":
    main()
