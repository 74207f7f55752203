"""Clients that do not read their answers, or send their requests a byte at a time."""

from __future__ import annotations

import socket
import time

RECEIVE_BUFFER = 2048
PIPELINED = 60
"""Requests of a slow reader; their answers together do not fit in the system's buffers."""
CUT_WITHIN_S = 30.0
HEALTH_WITHIN_S = 1.0
STEP_S = 0.5
FORM = (
    b"POST /v1/localize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
)


def slow_reader(port: int) -> socket.socket:
    """Connection that asks for much and reads nothing."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    connection.connect(("127.0.0.1", port))
    connection.sendall(PIPELINED * b"GET /docs HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return connection


def slow_writer(port: int, *, body: bool) -> socket.socket:
    """Connection that has sent the beginning of a body, or of headers."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(FORM if body else b"GET / HTTP/1.1\r\n")
    return connection


def is_cut(connection: socket.socket) -> bool:
    """True if the server has ended the connection: it resets what is sent now, or has sent its end.

    A slow reader never reads, so an end that waits behind unread data shows by the reset.
    """
    try:
        connection.setblocking(False)
        connection.send(b"x")
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False


def measure_slow_clients(port: int, count: int) -> dict[str, object]:
    """Open ``count`` slow readers and writers each, and ask for /health until all are cut."""
    clients: dict[socket.socket, float] = {}
    for number in range(count):
        clients[slow_reader(port)] = time.monotonic()
        clients[slow_writer(port, body=number % 2 == 0)] = time.monotonic()
    start = time.monotonic()
    health_s: list[float] = []
    longest_s = 0.0
    while clients and time.monotonic() - start < 2 * CUT_WITHIN_S:
        health_s.append(_health_s(port))
        for each in [each for each in clients if is_cut(each)]:
            longest_s = max(longest_s, time.monotonic() - clients.pop(each))
        time.sleep(STEP_S)
    well = not clients and longest_s <= CUT_WITHIN_S and max(health_s) < HEALTH_WITHIN_S
    return {
        "slow readers and writers": 2 * count,
        "still open": len(clients),
        "longest time until cut, s": round(longest_s, 1),
        "slowest /health of them, s": round(max(health_s), 3),
        "asked for /health": len(health_s),
        "well": well,
    }


def _health_s(port: int) -> float:
    """Seconds until /health answered; infinity if it did not answer 200."""
    start = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(
                b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            answer = connection.recv(65536)
    except OSError:
        return float("inf")
    return time.monotonic() - start if b" 200 " in answer[:20] else float("inf")
