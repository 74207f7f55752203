"""Load on `hloc-lite serve`: good, broken, huge and slow requests; answers, times, memory, a kill.

python -m pipelines.benchmarks.robustness.load MAP --images DIR --queries FILE --clients 4 --minutes 30

Starts the server itself, on a free port of this machine. Each bad request must get its 4xx and a
reason; memory must be flat after the first fifth of the time (5 minutes of 30), within 5 %. Then
the server is killed (SIGKILL) in mid-request and started again.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

from hloc_lite.formats.hloc_lists import read_queries
from hloc_lite.types import Camera
from pipelines.benchmarks.robustness.load_requests import (
    REQUESTS,
    Kind,
    Reply,
    Target,
    good_parts,
    talk,
)

MAX_GROWTH = 0.05
"""Of memory, after the first fifth of the time."""
SAMPLE_S = 2.0
UPLOAD_TIMEOUT_S = 4.0
PORT_LINE = re.compile(r"listening at http://127\.0\.0\.1:(\d+)/")


@dataclass
class Server:
    """The process, and where it listens."""

    process: subprocess.Popen[bytes]
    port: int

    @classmethod
    def start(cls, folder: Path, log: Path, port: int, further: tuple[str, ...]) -> Server:
        command = [
            sys.executable, "-m", "hloc_lite", "serve", f"map={folder}", "--port", str(port),
            "--upload-timeout", str(UPLOAD_TIMEOUT_S), *further,
        ]  # fmt: skip
        with log.open("wb") as file:
            process = subprocess.Popen(command, stderr=file)
        while (found := PORT_LINE.search(log.read_text())) is None:
            if process.poll() is not None:
                raise click.ClickException(log.read_text()[-500:])
            time.sleep(0.05)
        return cls(process, int(found[1]))

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def wait_ready(self) -> None:
        while True:
            try:
                self.get("/ready")
                return
            except OSError:  # also 503
                time.sleep(0.05)

    def memory_mb(self) -> float:
        line = re.search(r"^process_resident_memory_bytes (\S+)", self.get("/metrics"), re.M)
        return float(line[1]) / 1e6 if line else float("nan")


@dataclass
class Seen:
    """What came of all requests; written to by all clients."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    statuses: Counter[int] = field(default_factory=Counter)
    of_kind: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    good_ms: list[float] = field(default_factory=list)
    found: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)
    """(seconds since the start, MB)."""

    def add(self, kind: Kind, reply: Reply) -> None:
        busy = reply.status == 429 and reply.retry_after is not None
        with self.lock:
            self.statuses[reply.status] += 1
            outcome = f"{reply.status} {reply.code}".strip()
            self.of_kind.setdefault(kind.name, Counter())[outcome] += 1
            if not busy and (reply.status, reply.code) not in kind.expected:
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
@click.option("--bad-share", default=0.3, show_default=True, help="Of requests that are bad.")
@click.option("--seed", default=0, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="All figures, as JSON.")
@click.argument("further", nargs=-1)
def main(
    map_folder: Path,
    images: Path,
    queries: Path,
    clients: int,
    minutes: float,
    bad_share: float,
    seed: int,
    output: Path | None,
    further: tuple[str, ...],
) -> None:
    """Load on the service of MAP_FOLDER; FURTHER options go to `hloc-lite serve`."""
    cameras = read_queries(queries)
    seen = Seen()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        server = Server.start(map_folder, log, 0, further)
        try:
            server.wait_ready()
            _load(server, images, cameras, clients, 60 * minutes, bad_share, seed, seen)
            report = _report(seen, 60 * minutes)
            _print(seen, report)
            report["restart_s"] = _kill(server, map_folder, log, images, cameras, further)
        finally:
            server.process.kill()
            server.process.wait()
    click.echo(f"restart_s: {report['restart_s']}")
    if output is not None:
        output.write_text(json.dumps({**report, "memory_mb": seen.memory}, indent=1))
    sys.exit(0 if report["well"] else 1)


def _load(
    server: Server,
    images: Path,
    cameras: dict[str, Camera],
    clients: int,
    seconds: float,
    bad_share: float,
    seed: int,
    seen: Seen,
) -> None:
    start = time.monotonic()
    end = start + seconds

    def client(number: int) -> None:
        rng = random.Random(1000 * seed + number)
        names = sorted(cameras)
        while time.monotonic() < end:
            name = rng.choice(names)
            target = Target(server.port, (images / name).read_bytes(), cameras[name])
            bad = rng.random() < bad_share
            kind = rng.choice(REQUESTS[1:]) if bad else REQUESTS[0]
            reply = talk(target, kind.parts(target))
            seen.add(kind, reply)
            if reply.retry_after is not None:
                time.sleep(min(reply.retry_after, max(0.0, end - time.monotonic())))

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.memory.append((round(time.monotonic() - start, 1), server.memory_mb()))
        time.sleep(SAMPLE_S)
    if server.process.poll() is not None:
        seen.wrong.append(f"the server ended with {server.process.returncode}")


def _kill(
    server: Server,
    map_folder: Path,
    log: Path,
    images: Path,
    cameras: dict[str, Camera],
    further: tuple[str, ...],
) -> float:
    """Seconds from a new start to the first pose, after a SIGKILL in mid-request."""
    name = min(cameras)
    target = Target(server.port, (images / name).read_bytes(), cameras[name])
    dropped = threading.Thread(target=talk, args=(target, good_parts(target)))
    dropped.start()
    while "hloc_lite_running 1.0" not in server.get("/metrics"):
        time.sleep(0.01)
    server.process.kill()
    server.process.wait()
    dropped.join()
    start = time.monotonic()
    again = Server.start(map_folder, log, server.port, further)
    server.process = again.process
    again.wait_ready()
    reply = talk(target, good_parts(target))
    if reply.status != 200:
        raise click.ClickException(f"after the restart: {reply.status} {reply.reason}")
    return round(time.monotonic() - start, 2)


def _report(seen: Seen, seconds: float) -> dict[str, object]:
    early = [mb for at, mb in seen.memory if at <= seconds / 5]
    late = [mb for at, mb in seen.memory if at >= 0.8 * seconds]
    middle = [mb for at, mb in seen.memory if seconds / 5 < at <= 0.4 * seconds]
    growth = float(np.median(late) / np.median(middle) - 1) if late and middle else 0.0
    p50, p95 = np.percentile(seen.good_ms, [50, 95]).round(1) if seen.good_ms else (None, None)
    return {
        "requests": sum(seen.statuses.values()),
        "statuses": {str(key): count for key, count in sorted(seen.statuses.items())},
        "good_p50_ms": p50,
        "good_p95_ms": p95,
        "good_answered": len(seen.good_ms),
        "good_found": seen.found,
        "memory_start_mb": round(early[0], 1) if early else None,
        "memory_end_mb": round(float(np.median(late)), 1) if late else None,
        "memory_growth": round(growth, 4),
        "wrong": seen.wrong,
        "well": not seen.wrong and growth <= MAX_GROWTH and bool(seen.good_ms),
    }


def _print(seen: Seen, report: dict[str, object]) -> None:
    for name, outcomes in sorted(seen.of_kind.items()):
        told = ", ".join(f"{count} x {what}" for what, count in outcomes.most_common())
        click.echo(f"{name:<24}{told}")
    every = max(1, len(seen.memory) // 12)
    trace = " ".join(f"{at:.0f}s:{mb:.0f}" for at, mb in seen.memory[::every])
    click.echo(f"memory, MB: {trace}")
    for key, value in report.items():
        click.echo(f"{key}: {value}")


if __name__ == "__main__":
    main()
