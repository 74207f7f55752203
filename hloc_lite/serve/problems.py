"""What is answered to a request that cannot be served: a status, a word for programs, a reason."""

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
    408: "request too slow",
    409: "conflict",
    413: "too large",
    415: "unsupported type",
    422: "values make no sense",
    429: "too busy",
    500: "internal error",
    503: "not available",
}


class Problem(HlocLiteError):
    """A request that is answered with an error status.

    Attributes:
        status: of HTTP.
        code: one of few words that programs may compare.
        reason: one sentence for people.
        headers: to be sent along.
    """

    def __init__(
        self, status: int, code: str, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.status, self.code, self.reason = status, code, reason
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The JSON that is sent."""
        return problem_body(self.status, self.code, self.reason)


def problem_body(status: int, code: str, reason: str) -> dict[str, Any]:
    """The JSON of an error, of the same shape everywhere."""
    title = TITLES.get(status, "error")
    return {"error": {"status": status, "title": title, "code": code, "reason": reason}}


def busy(code: str, reason: str, retry_after_s: int) -> Problem:
    """429, with the seconds after which there is likely room."""
    reason = f"{reason}; try again in {retry_after_s} s"
    return Problem(429, code, reason, {"Retry-After": str(retry_after_s)})
