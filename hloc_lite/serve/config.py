"""Service settings: addresses, limits, timeouts and confidence thresholds."""

from __future__ import annotations

import re

from pydantic import Field, field_validator, model_validator

from hloc_lite.config import Section

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")
"""Web origins as browsers send them: lower case, without a path."""


class ServeConfig(Section):
    """Settings of one server. Requests beyond a limit are refused with the status given here."""

    host: str = "127.0.0.1"
    """Address to listen on. The default accepts connections from this machine only."""
    port: int = Field(8080, ge=0, le=65535)
    """TCP port. 0 takes a free one; the log names it."""
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Accepted Host names while listening on loopback. Other names are refused, against DNS
    rebinding: a web site may resolve its own name to 127.0.0.1. Not checked on other addresses."""
    allowed_origins: tuple[str, ...] = ()
    """Web origins (https://example.org) whose pages may send requests; * for all. None by default:
    else any web site that a user visits could use a server on that user's machine."""
    workers: int = Field(1, ge=1, le=64)
    """Photos localized at once, one thread each. One photo already uses all cores, so more workers
    make each photo slower and take more memory."""
    queue_size: int = Field(8, ge=0, le=1000)
    """Photos that may wait for a worker; further ones get 429. At 0.3 s a photo, eight wait 2.4 s,
    which an interactive user still accepts."""
    max_uploads: int = Field(32, ge=1, le=1000)
    """Request bodies received at once. Times ``max_upload_mb``, it bounds the memory of uploads."""
    max_connections: int = Field(256, ge=4, le=65536)
    """Open connections. Each takes a file descriptor and some kB."""
    max_upload_mb: float = Field(20.0, gt=0, le=1000)
    """Largest request body, MB. Larger ones get 413 unread. JPEGs of phones have 3 to 12 MB."""
    max_megapixels: float = Field(50.0, gt=0, le=1000)
    """Largest image. Larger ones get 413 before decoding. 50 megapixels take 150 MB, and up to 510
    MB while they are decoded; phones have 12, some 48."""
    header_timeout_s: float = Field(10.0, gt=0, le=600)
    """Time to receive the headers of a request, else 408."""
    upload_timeout_s: float = Field(30.0, gt=0, le=3600)
    """Time to receive the whole body, else 408. The default fits 20 MB at 6 Mbit/s."""
    job_timeout_s: float = Field(30.0, gt=0, le=3600)
    """Time from upload to answer, queueing included, else 503. A photo already being localized is
    finished anyway: threads cannot be stopped."""
    keep_alive_s: float = Field(10.0, ge=0, le=600)
    """Time after which an idle connection is closed."""
    shutdown_s: float = Field(30.0, ge=0, le=3600)
    """Time for running requests to finish after SIGTERM; then they are dropped."""
    max_maps_a_query: int = Field(8, ge=1, le=1000)
    """Maps tried for one photo. Each costs one localization."""
    plan_points: int = Field(6000, ge=0, le=200000)
    """Map points in the top-down plan drawn by the web page. 6000 points take 80 kB."""
    photo_side_px: int = Field(1024, ge=64, le=16384)
    """Longest side of map photos sent to the page, pixels; 1024 fills half a screen in 0.2 MB."""
    min_fair: float = Field(0.5, ge=0, le=1)
    """Lowest confidence of class FAIR: more likely right than wrong."""
    min_good: float = Field(0.8, ge=0, le=1)
    """Lowest confidence of class GOOD: wrong at most one time in five."""
    min_excellent: float = Field(0.95, ge=0, le=1)
    """Lowest confidence of class EXCELLENT: wrong at most one time in twenty."""

    @model_validator(mode="after")
    def _classes_ascend(self) -> ServeConfig:
        if not self.min_fair <= self.min_good <= self.min_excellent:
            raise ValueError("min_fair, min_good and min_excellent must ascend")
        return self

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError(f"expected SCHEME://HOST or SCHEME://HOST:PORT, got {origin!r}")
        return origins

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_mb * 1e6)

    @property
    def loopback(self) -> bool:
        """True if only this machine can reach the server."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")
