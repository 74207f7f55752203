"""uvicorn's HTTP protocol with an end to its patience: headers that trickle in are cut off."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

TOO_SLOW = b"the request's headers did not come in time"


def protocol_with(header_timeout_s: float) -> type[H11Protocol]:
    """The protocol, for ``uvicorn.Config(http=...)``."""

    class TimedProtocol(H11Protocol):
        """Answers 408 to a connection whose next request is begun but not whole in time."""

        _header_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._unwatch()
            super().connection_lost(exc)

        def _watch(self) -> None:
            if self.conn.their_state is not h11.IDLE:
                self._unwatch()  # the headers are in, the body has a time of its own
            elif self._header_timer is None:
                self._header_timer = self.loop.call_later(header_timeout_s, self._cut_off)

        def _unwatch(self) -> None:
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None

        def _cut_off(self) -> None:
            self._header_timer = None
            if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
                return
            if self.conn.our_state is h11.IDLE:
                head = (
                    f"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain\r\n"
                    f"Content-Length: {len(TOO_SLOW)}\r\nConnection: close\r\n\r\n"
                )
                self.transport.write(head.encode() + TOO_SLOW)
            self.transport.close()

    return TimedProtocol
