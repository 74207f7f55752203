"""uvicorn's HTTP/1.1 protocol with a timeout for request headers, against slow-header attacks."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

TIMEOUT_TEXT = b"the request headers did not arrive in time"


def protocol_with_header_timeout(header_timeout_s: float) -> type[H11Protocol]:
    """Return a protocol class for ``uvicorn.Config(http=...)``."""

    class TimedProtocol(H11Protocol):
        """Answers 408 and closes the connection if the next request's headers are late."""

        _header_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._update_timer()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._update_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._cancel_timer()
            super().connection_lost(exc)

        def _update_timer(self) -> None:
            if self.conn.their_state is not h11.IDLE:
                self._cancel_timer()  # headers complete; the body has a timeout of its own
            elif self._header_timer is None:
                self._header_timer = self.loop.call_later(header_timeout_s, self._time_out)

        def _cancel_timer(self) -> None:
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None

        def _time_out(self) -> None:
            self._header_timer = None
            if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
                return
            if self.conn.our_state is h11.IDLE:
                head = (
                    f"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain\r\n"
                    f"Content-Length: {len(TIMEOUT_TEXT)}\r\nConnection: close\r\n\r\n"
                )
                self.transport.write(head.encode() + TIMEOUT_TEXT)
            self.transport.close()

    return TimedProtocol
