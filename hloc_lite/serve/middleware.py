"""What every request passes: names of hosts, the token, the log, counters, safe headers."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import secrets
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.metrics import Metrics
from hloc_lite.serve.problems import Problem

logger = logging.getLogger(__name__)
access = logging.getLogger("hloc_lite.serve.access")

OPEN_PATHS = frozenset({"/", "/health", "/ready", "/docs", "/openapi.json"})
"""What needs no token: nothing of a map or of a photo."""
CLIENT_GONE = 499
"""In the log, of a request whose client did not wait for an answer."""
LINGER_S = 2.0
"""That the rest of a refused body is read and dropped: a client that is still sending when the
connection ends sees a broken pipe, and not the answer."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SAFE_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


@dataclass
class Visit:
    """One request on its way; handlers find it in ``scope["state"]["visit"]``."""

    request_id: str
    start: float = field(default_factory=time.perf_counter)
    status: int = 0
    bytes_in: int = 0
    body_read: bool = False
    """Whether all of the body was received."""
    code: str | None = None
    """Of a refusal."""
    notes: dict[str, object] = field(default_factory=dict)
    """What handlers add to the log: never a client's bytes."""


class Door:
    """ASGI middleware around the whole application.

    Args:
        token: that requests must bear; None: none is asked for.
    """

    def __init__(
        self, app: ASGIApp, config: ServeConfig, token: str | None, metrics: Metrics
    ) -> None:
        self._app, self._config, self._metrics = app, config, metrics
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        stated = headers.get("x-request-id", "")
        named = REQUEST_ID.fullmatch(stated) is not None
        has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        visit = Visit(stated if named else secrets.token_hex(8), body_read=not has_body)
        scope.setdefault("state", {})["visit"] = visit
        counted, answered = _counting(receive, visit), _answering(send, receive, visit)
        try:
            self._check(scope["method"], scope["path"], headers)
            await self._app(scope, counted, answered)
        except Problem as problem:
            await _refuse(problem, visit, scope, answered)
        except (ClientDisconnect, asyncio.CancelledError) as end:
            visit.status = CLIENT_GONE
            if isinstance(end, asyncio.CancelledError) and asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
        except Exception:
            logger.exception("request %s failed", visit.request_id)
            if visit.status == 0:
                reason = f"a bug; the log has it under {visit.request_id}"
                await _refuse(Problem(500, "bug", reason), visit, scope, answered)
        finally:
            self._write_down(scope, visit)

    def _check(self, method: str, path: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if self._config.loopback and _name(host) not in self._config.allowed_hosts:
            raise Problem(403, "unknown_host", f"this server is not called {_name(host)[:80]!r}")
        origin = headers.get("origin")
        if method == "POST" and origin is not None and origin.partition("://")[2] != host:
            raise Problem(403, "other_origin", "pages of other sites may not send photos here")
        if self._token is None or path in OPEN_PATHS:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # compared as bytes, in a time that tells nothing of how much was right
        right = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._token)
        if scheme.lower() != "bearer" or not right:
            raise Problem(
                401,
                "bad_token",
                "send the header 'Authorization: Bearer TOKEN'",
                {"WWW-Authenticate": "Bearer"},
            )

    def _write_down(self, scope: Scope, visit: Visit) -> None:
        spent = time.perf_counter() - visit.start
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.labels(route, str(visit.status)).inc()
        self._metrics.seconds.labels(route).observe(spent)
        if visit.code is not None:
            self._metrics.refused.labels(visit.code).inc()
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "id": visit.request_id,
            "client": (scope.get("client") or ("unknown",))[0],
            "method": scope["method"],
            "path": scope["path"][:200],
            "status": visit.status,
            "ms": round(1000 * spent, 1),
            "bytes_in": visit.bytes_in,
            **({} if visit.code is None else {"code": visit.code}),
            **visit.notes,
        }
        access.info("%s", json.dumps(line, ensure_ascii=True))


async def _refuse(problem: Problem, visit: Visit, scope: Scope, send: Send) -> None:
    visit.code = problem.code
    response = JSONResponse(problem.body(), problem.status, problem.headers)
    await response(scope, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _counting(receive: Receive, visit: Visit) -> Receive:
    async def counted() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            visit.bytes_in += len(message.get("body", b""))
            visit.body_read = not message.get("more_body", False)
        return message

    return counted


def _answering(send: Send, receive: Receive, visit: Visit) -> Send:
    """``send`` that adds headers, and lets a client that still sends come to its end."""

    async def answered(message: Message) -> None:
        if message["type"] == "http.response.start":
            visit.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = visit.request_id
            for name, value in SAFE_HEADERS:
                headers.setdefault(name, value)
            if not visit.body_read:
                headers["Connection"] = "close"
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if last and not visit.body_read:
            await send({**message, "more_body": True})
            await _drop_rest(receive)
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await send(message)

    return answered


async def _drop_rest(receive: Receive) -> None:
    try:
        async with asyncio.timeout(LINGER_S):
            while True:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _name(host: str) -> str:
    """Without the port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
