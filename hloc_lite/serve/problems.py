"""Error responses: an HTTP status, a code for programs and a reason for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hloc_lite.errors import HlocLiteError

TITLES: Mapping[int, str] = {
    400: "malformed request",
    401: "token missing or wrong",
    403: "refused",
    404: "not found",
    405: "method not allowed",
    406: "not acceptable",
    408: "request too slow",
    409: "conflict",
    413: "too large",
    415: "unsupported type",
    422: "values make no sense",
    429: "too busy",
    431: "headers too large",
    500: "internal error",
    501: "not supported",
    503: "not available",
}


class Problem(HlocLiteError):
    """A request that is answered with an error.

    Attributes:
        status: HTTP status.
        code: a fixed word that programs may compare.
        reason: one sentence for people.
        headers: sent with the response.
    """

    def __init__(
        self, status: int, code: str, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.status, self.code, self.reason = status, code, reason
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the response."""
        return problem_body(self.status, self.code, self.reason)


def problem_body(status: int, code: str, reason: str) -> dict[str, Any]:
    """Return the JSON body that all errors share."""
    title = TITLES.get(status, "error")
    return {"error": {"status": status, "title": title, "code": code, "reason": reason}}


def too_busy(code: str, reason: str, retry_after_s: int) -> Problem:
    """Make a 429 that tells the client when to retry."""
    reason = f"{reason}; try again in {retry_after_s} s"
    return Problem(429, code, reason, {"Retry-After": str(retry_after_s)})
