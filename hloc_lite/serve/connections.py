"""uvicorn's HTTP/1.1 protocol with limits on slow clients, and JSON errors for broken HTTP.

* The headers of a request must arrive in time (408), and be no larger than 16 kB (431).
* A client that does not read its answer in time is cut.
* Where too many connections are open, the slowest client makes room for a new one.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.problems import problem_body

CHECK_S = 1.0
"""Time between two checks of a connection."""
CODES = {400: "bad_http", 431: "headers_too_large", 501: "unsupported_http"}
LINGER_S = 1.0
"""Time for which a refused client may still send; what it sends is discarded."""
SEND_BUFFER_BYTES = 131072
"""Size of the system's buffer for what is sent; at 0.1 s to the client and back, 2 MB/s pass."""
FAST_BYTES_PER_S = 10_000
"""Rate from which a body's sender is not slow: below it, a photo of 300 kB takes 30 s."""


class Phase(Enum):
    """Phases of a connection: each waits for the client or for the server."""

    HEADERS = "the client's next request"
    BODY = "the client's body"
    READING = "the client, to read the answer"
    WORK = "the server"


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of each connection, and their number."""

    header_timeout_s: float
    write_timeout_s: float
    max_connections: int


def limited_protocol(config: ServeConfig) -> type[H11Protocol]:
    """Return a protocol class for ``uvicorn.Config(http=...)``."""
    limits = ConnectionLimits(
        config.header_timeout_s, config.write_timeout_s, config.max_connections
    )

    class Limited(LimitedProtocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.limits = limits

    return Limited


class LimitedProtocol(H11Protocol):
    """Connection of one client."""

    limits: ConnectionLimits
    _header_timer: asyncio.TimerHandle | None = None
    _check_timer: asyncio.TimerHandle | None = None
    _phase = Phase.HEADERS
    _since_s = 0.0
    """Time at which the phase began, on the loop's clock."""
    _received = 0
    """Bytes received in this phase."""
    _is_refused = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # else the system takes up to 4 MB that nobody reads, of each client
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES
        )
        self._since_s = self.loop.time()
        if len(self.connections) > self.limits.max_connections and not self._make_room():
            self._refuse(503, "too_many_connections", "all connections are in use; try again soon")
            return
        self._update_timer()
        self._check_reading()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._received += len(data)
        super().data_received(data)
        self._update_timer()
        self._note_phase()

    def on_response_complete(self) -> None:
        self._note_phase()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        if self._check_timer is not None:
            self._check_timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self._is_refused:
            self.transport.close()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer broken HTTP; uvicorn calls this while it handles h11's error."""
        error = sys.exc_info()[1]
        status = getattr(error, "error_status_hint", 400)
        self._refuse(status, CODES.get(status, "bad_http"), f"invalid HTTP request: {error}")

    @property
    def is_slow(self) -> bool:
        """True if the client is waited for, and sends no body at a useful rate."""
        self._note_phase()
        if self._phase is Phase.BODY:
            spent_s = max(self.loop.time() - self._since_s, 0.5 * CHECK_S)
            return self._received < FAST_BYTES_PER_S * spent_s
        return self._phase is not Phase.WORK

    def _current_phase(self) -> Phase:
        if self.transport.get_write_buffer_size() > 0:
            return Phase.READING
        if self.conn.their_state is h11.SEND_BODY:
            return Phase.BODY
        return Phase.HEADERS if self.conn.their_state is h11.IDLE else Phase.WORK

    def _note_phase(self) -> None:
        phase = self._current_phase()
        if phase is not self._phase:
            self._phase, self._since_s, self._received = phase, self.loop.time(), 0

    def _check_reading(self) -> None:
        """Cut the client if it has not read what was written in time; check again later."""
        self._note_phase()
        waited_s = self.loop.time() - self._since_s
        if self._phase is Phase.READING and waited_s > self.limits.write_timeout_s:
            self.transport.abort()
            return
        again_s = min(CHECK_S, self.limits.write_timeout_s / 4)
        self._check_timer = self.loop.call_later(again_s, self._check_reading)

    def _make_room(self) -> bool:
        """Cut one slow client: of the address with most of them, the one waited for longest.

        So one client with many connections does not push out those of others.
        """
        slow = [
            each
            for each in self.connections
            if isinstance(each, LimitedProtocol)
            and each is not self
            and not each.transport.is_closing()
            and each.is_slow
        ]
        if not slow:
            return False
        counts = Counter(each.address for each in slow)
        busiest = max(counts.values())
        victims = [each for each in slow if counts[each.address] == busiest]
        min(victims, key=lambda each: each._since_s).transport.abort()
        return True

    @property
    def address(self) -> str:
        """Address of the client, without its port."""
        return self.client[0] if self.client else ""

    def _update_timer(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._cancel_timer()  # headers complete; the body has a timeout of its own
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(self.limits.header_timeout_s, self._time_out)

    def _cancel_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _time_out(self) -> None:
        self._header_timer = None
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            return
        reason = f"the headers did not arrive within {self.limits.header_timeout_s:g} s"
        self._refuse(408, "headers_too_slow", reason)

    def _refuse(self, status: int, code: str, reason: str) -> None:
        """Send an error, unless an answer has begun, and close the connection."""
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps(problem_body(status, code, reason[:300])).encode()
            phrase = STATUS_PHRASES.get(status, b"").decode()
            head = (
                f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self._is_refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # nothing of its handler is sent any more
            self.cycle.message_event.set()
        # closed at once, while the client still sends, the connection would drop the answer
        with suppress(OSError):
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)
