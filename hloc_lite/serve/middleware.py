"""ASGI middleware around all routes: access checks, error responses, access log, metrics, headers.

FastAPI's ``HTTPBearer`` is not used for the token. It is a dependency, so it runs only once a route
has matched; here unknown paths need the token too, and errors have the service's own JSON shape.
"""

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
from hloc_lite.serve.hosts import is_accepted
from hloc_lite.serve.metrics import Metrics
from hloc_lite.serve.problems import Problem

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("hloc_lite.serve.access")

PUBLIC_PATHS = frozenset({"/", "/health", "/ready", "/docs", "/openapi.json"})
"""Paths that need no token: they reveal nothing about maps or photos."""
CLIENT_CLOSED_REQUEST = 499
"""Logged status of requests whose client left before the response (nginx's convention)."""
DISCARD_BODY_S = 2.0
"""Time for which the rest of a refused body is read and discarded. A client that is still sending
when the connection closes sees a broken pipe instead of the response."""
SLOW_STATUS = 408
"""Status of clients that have had their time: nothing more of theirs is read."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SECURITY_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


@dataclass
class RequestContext:
    """State of one request; handlers find it as ``request.state.context``."""

    request_id: str
    start: float = field(default_factory=time.perf_counter)
    status: int = 0
    bytes_in: int = 0
    body_read: bool = False
    """True once the whole body was received."""
    error_code: str | None = None
    """``Problem.code`` of an error response."""
    log_fields: dict[str, object] = field(default_factory=dict)
    """Fields that handlers add to the access log; never content sent by the client."""


class ServiceMiddleware:
    """ASGI middleware around the whole application.

    Args:
        token: bearer token that requests must send; None disables the check.
    """

    def __init__(
        self, app: ASGIApp, config: ServeConfig, token: str | None, metrics: Metrics
    ) -> None:
        self._app, self._config, self._metrics = app, config, metrics
        self._hosts = config.accepted_hosts
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        context = _make_context(headers)
        scope.setdefault("state", {})["context"] = context
        counting_receive = _counting_receive(receive, context)
        wrapped_send = _wrapped_send(send, receive, context)
        try:
            _check_size(scope, self._config.max_header_bytes)
            self._check_access(scope, headers)
            await self._app(scope, counting_receive, wrapped_send)
        except Problem as problem:
            await _send_problem(problem, context, scope, wrapped_send)
        except (ClientDisconnect, asyncio.CancelledError) as error:
            context.status = CLIENT_CLOSED_REQUEST
            if isinstance(error, asyncio.CancelledError) and asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
        except Exception:
            logger.exception("request %s failed", context.request_id)
            if context.status == 0:
                reason = f"internal error; see request {context.request_id} in the server's log"
                await _send_problem(Problem(500, "bug", reason), context, scope, wrapped_send)
        finally:
            self._record(scope, context)

    def _check_access(self, scope: Scope, headers: Headers) -> None:
        method, path, host = scope["method"], scope["path"], headers.get("host", "")
        local_address = (scope.get("server") or (None,))[0]
        if not is_accepted(host, self._hosts, local_address):
            reason = f"host name {host[:80]!r} is not allowed; see --allow-host"
            raise Problem(403, "unknown_host", reason)
        origin = headers.get("origin")
        if method == "POST" and origin is not None and not self._is_allowed(origin, host):
            reason = (
                f"POST requests from web pages of {origin[:80]!r} are not accepted; see "
                f"--allow-origin"
            )
            raise Problem(403, "other_origin", reason)
        if self._token is None or path in PUBLIC_PATHS:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # constant-time comparison: its duration must not reveal how many characters are right
        right = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._token)
        if scheme.lower() != "bearer" or not right:
            reason = "send the header 'Authorization: Bearer TOKEN'"
            raise Problem(401, "bad_token", reason, {"WWW-Authenticate": "Bearer"})

    def _is_allowed(self, origin: str, host: str) -> bool:
        allowed = self._config.allowed_origins
        return origin.partition("://")[2] == host or origin in allowed or "*" in allowed

    def _record(self, scope: Scope, context: RequestContext) -> None:
        """Update the metrics and write one JSON line to the access log."""
        spent_s = time.perf_counter() - context.start
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.labels(route, str(context.status)).inc()
        self._metrics.seconds.labels(route).observe(spent_s)
        if context.error_code is not None:
            self._metrics.refused.labels(context.error_code).inc()
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "id": context.request_id,
            "client": (scope.get("client") or ("unknown",))[0],
            "method": scope["method"],
            "path": scope["path"][:200],
            "status": context.status,
            "ms": round(1000 * spent_s, 1),
            "bytes_in": context.bytes_in,
            **({} if context.error_code is None else {"code": context.error_code}),
            **context.log_fields,
        }
        access_logger.info("%s", json.dumps(line, ensure_ascii=True))


def _check_size(scope: Scope, max_bytes: int) -> None:
    """Refuse headers that are too large (431); h11 only bounds those that arrive in pieces."""
    lines = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    size = lines + len(scope.get("raw_path") or b"") + len(scope.get("query_string", b""))
    if size > max_bytes:
        reason = f"the headers have {size} bytes, the limit is {max_bytes}"
        raise Problem(431, "headers_too_large", reason)


def _make_context(headers: Headers) -> RequestContext:
    stated_id = headers.get("x-request-id", "")
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    request_id = stated_id if REQUEST_ID.fullmatch(stated_id) else secrets.token_hex(8)
    return RequestContext(request_id, body_read=not has_body)


async def _send_problem(
    problem: Problem, context: RequestContext, scope: Scope, send: Send
) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    context.error_code = problem.code
    response = JSONResponse(problem.body(), problem.status, problem.headers)
    await response(scope, receive, send)


def _counting_receive(receive: Receive, context: RequestContext) -> Receive:
    async def counting_receive() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            context.bytes_in += len(message.get("body", b""))
            context.body_read = not message.get("more_body", False)
        return message

    return counting_receive


def _wrapped_send(send: Send, receive: Receive, context: RequestContext) -> Send:
    """Wrap ``send``: add headers; discard the unread body before the response ends."""

    async def wrapped_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            context.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = context.request_id
            for name, value in SECURITY_HEADERS:
                headers.setdefault(name, value)
            if not context.body_read:
                headers["Connection"] = "close"
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if is_last and not context.body_read:
            await send({**message, "more_body": True})
            if context.status != SLOW_STATUS:
                await _discard_body(receive)
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await send(message)

    return wrapped_send


async def _discard_body(receive: Receive) -> None:
    try:
        async with asyncio.timeout(DISCARD_BODY_S):
            while True:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
