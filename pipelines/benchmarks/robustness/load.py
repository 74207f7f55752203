"""Load test of `hloc-lite serve` with good, broken, huge and slow requests, and a kill.

    python -m pipelines.benchmarks.robustness.load MAP --images DIR --queries FILE --minutes 30

Starts the server on a free port of this machine. Every bad request must get its 4xx status and a
reason. Memory may grow by 5 % at most after the first fifth of the time. Finally the server is
killed (SIGKILL) during a request and started again.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

from hloc_lite.formats.hloc_lists import read_queries
from hloc_lite.io.python_process import python_command, python_environment
from hloc_lite.io.temporary_folders import temporary_folder
from hloc_lite.types import Camera
from pipelines.benchmarks.robustness.load_requests import (
    REQUEST_KINDS,
    Reply,
    RequestKind,
    Target,
    good_parts,
    send_request,
)

MAX_GROWTH = 0.05
"""Largest relative growth of memory after the first fifth of the time."""
SAMPLE_S = 2.0
UPLOAD_TIMEOUT_S = 4.0
PORT_LINE = re.compile(r"listening at http://127\.0\.0\.1:(\d+)/")


class Server:
    """A server process on this machine, writing to ``log``."""

    def __init__(self, map_folder: Path, log: Path, options: tuple[str, ...]) -> None:
        self._map_folder, self._log, self._options = map_folder, log, options
        self.port = 0

    def start(self) -> None:
        """Start the server, on the same port as before if it was started before."""
        command = [
            *python_command("hloc_lite", "serve", f"map={self._map_folder}"),
            "--port", str(self.port), "--upload-timeout", str(UPLOAD_TIMEOUT_S), *self._options,
        ]  # fmt: skip
        with self._log.open("wb") as file:
            self.process = subprocess.Popen(command, stderr=file, env=python_environment())
        while (found := PORT_LINE.search(self._log.read_text())) is None:
            if self.process.poll() is not None:
                raise click.ClickException(self._log.read_text()[-500:])
            time.sleep(0.05)
        self.port = int(found[1])

    def kill(self) -> None:
        """Send SIGKILL and wait for the end of the process."""
        self.process.kill()
        self.process.wait()

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as response:
            return str(response.read().decode())

    def wait_ready(self) -> None:
        while True:
            try:
                self.get("/ready")
                return
            except OSError:  # includes HTTP errors such as 503
                time.sleep(0.05)

    def memory_mb(self) -> float:
        line = re.search(r"^process_resident_memory_bytes (\S+)", self.get("/metrics"), re.M)
        return float(line[1]) / 1e6 if line else float("nan")


@dataclass
class Outcomes:
    """Outcomes of all requests; shared by the client threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    statuses: Counter[int] = field(default_factory=Counter)
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    good_ms: list[float] = field(default_factory=list)
    found: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Samples (seconds since the start, MB)."""

    def add(self, kind: RequestKind, reply: Reply) -> None:
        busy = reply.status == 429 and reply.retry_after is not None
        with self.lock:
            self.statuses[reply.status] += 1
            outcome = f"{reply.status} {reply.code}".strip()
            self.by_kind.setdefault(kind.name, Counter())[outcome] += 1
            if not busy and (reply.status, reply.code) != (kind.status, kind.code):
                self.wrong.append(f"{kind.name}: {outcome} {reply.reason[:200]}")
            elif reply.status >= 400 and not reply.reason:
                self.wrong.append(f"{kind.name}: {outcome} without a reason")
            if kind.name == "good" and reply.status == 200:
                self.good_ms.append(reply.ms)
                self.found += reply.found


@click.command()
@click.argument("map_folder", type=click.Path(path_type=Path, exists=True))
@click.option("--images", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--queries", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--clients", default=4, show_default=True)
@click.option("--minutes", default=2.0, show_default=True)
@click.option("--bad-share", default=0.3, show_default=True, help="Share of bad requests.")
@click.option("--seed", default=0, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File for all figures, JSON.")
@click.argument("serve_options", nargs=-1)
def main(
    map_folder: Path,
    images: Path,
    queries: Path,
    clients: int,
    minutes: float,
    bad_share: float,
    seed: int,
    output: Path | None,
    serve_options: tuple[str, ...],
) -> None:
    """Test the service of MAP_FOLDER under load; SERVE_OPTIONS go to `hloc-lite serve`."""
    cameras = read_queries(queries)
    photos = [(images / name, cameras[name]) for name in sorted(cameras)]
    outcomes = Outcomes()
    with temporary_folder() as folder:
        server = Server(map_folder, folder / "log", serve_options)
        server.start()
        try:
            server.wait_ready()
            _run_clients(server, photos, clients, 60 * minutes, bad_share, seed, outcomes)
            report = _make_report(outcomes, 60 * minutes)
            _print_report(outcomes, report)
            report["restart_s"] = _kill_and_restart(server, *photos[0])
        finally:
            server.kill()
    click.echo(f"restart_s: {report['restart_s']}")
    if output is not None:
        output.write_text(json.dumps({**report, "memory_mb": outcomes.memory}, indent=1))
    sys.exit(0 if report["well"] else 1)


def _run_clients(
    server: Server,
    photos: Sequence[tuple[Path, Camera]],
    clients: int,
    seconds: float,
    bad_share: float,
    seed: int,
    outcomes: Outcomes,
) -> None:
    start = time.monotonic()
    end = start + seconds

    def client(number: int) -> None:
        rng = random.Random(1000 * seed + number)
        while time.monotonic() < end:
            path, camera = rng.choice(photos)
            target = Target(server.port, path.read_bytes(), camera)
            bad = rng.random() < bad_share
            kind = rng.choice(REQUEST_KINDS[1:]) if bad else REQUEST_KINDS[0]
            reply = send_request(target, kind.parts(target))
            outcomes.add(kind, reply)
            if reply.retry_after is not None:
                time.sleep(min(reply.retry_after, max(0.0, end - time.monotonic())))

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        outcomes.memory.append((round(time.monotonic() - start, 1), server.memory_mb()))
        time.sleep(SAMPLE_S)
    if server.process.poll() is not None:
        outcomes.wrong.append(f"the server ended with {server.process.returncode}")


def _kill_and_restart(server: Server, path: Path, camera: Camera) -> float:
    """Kill the server during a request, restart it; return the seconds to the first answer."""
    target = Target(server.port, path.read_bytes(), camera)
    dropped_request = threading.Thread(target=send_request, args=(target, good_parts(target)))
    dropped_request.start()
    while "hloc_lite_running 1.0" not in server.get("/metrics"):
        time.sleep(0.01)
    server.kill()
    dropped_request.join()
    start = time.monotonic()
    server.start()
    server.wait_ready()
    reply = send_request(target, good_parts(target))
    if reply.status != 200:
        raise click.ClickException(f"after the restart: {reply.status} {reply.reason}")
    return round(time.monotonic() - start, 2)


def _make_report(outcomes: Outcomes, seconds: float) -> dict[str, object]:
    early = [mb for at, mb in outcomes.memory if at <= seconds / 5]
    late = [mb for at, mb in outcomes.memory if at >= 0.8 * seconds]
    middle = [mb for at, mb in outcomes.memory if seconds / 5 < at <= 0.4 * seconds]
    growth = float(np.median(late) / np.median(middle) - 1) if late and middle else 0.0
    good_ms = outcomes.good_ms
    p50, p95 = np.percentile(good_ms, [50, 95]).round(1) if good_ms else (None, None)
    return {
        "requests": sum(outcomes.statuses.values()),
        "statuses": {str(key): count for key, count in sorted(outcomes.statuses.items())},
        "good_p50_ms": p50,
        "good_p95_ms": p95,
        "good_answered": len(good_ms),
        "good_found": outcomes.found,
        "memory_start_mb": round(early[0], 1) if early else None,
        "memory_end_mb": round(float(np.median(late)), 1) if late else None,
        "memory_growth": round(growth, 4),
        "wrong": outcomes.wrong,
        "well": not outcomes.wrong and growth <= MAX_GROWTH and bool(good_ms),
    }


def _print_report(outcomes: Outcomes, report: dict[str, object]) -> None:
    for name, counts in sorted(outcomes.by_kind.items()):
        text = ", ".join(f"{count} x {outcome}" for outcome, count in counts.most_common())
        click.echo(f"{name:<24}{text}")
    every = max(1, len(outcomes.memory) // 12)
    trace = " ".join(f"{at:.0f}s:{mb:.0f}" for at, mb in outcomes.memory[::every])
    click.echo(f"memory, MB: {trace}")
    for key, value in report.items():
        click.echo(f"{key}: {value}")


if __name__ == "__main__":
    main()
