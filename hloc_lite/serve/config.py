"""Service settings: addresses, limits, timeouts and confidence thresholds."""

from __future__ import annotations

import re

from pydantic import Field, field_validator, model_validator

from hloc_lite.config import Section
from hloc_lite.errors import ConfigError
from hloc_lite.serve.hosts import accepted_hosts, check_host_name, is_loopback

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")
"""Web origins as browsers send them: lower case, without a path."""


class ServeConfig(Section):
    """Settings of one server. Requests beyond a limit are refused with the status given here."""

    host: str = "127.0.0.1"
    """Address to listen on. The default accepts connections from this machine only."""
    port: int = Field(8080, ge=0, le=65535)
    """TCP port. 0 takes a free one; the log names it."""
    insecure: bool = False
    """Without a token, listen beyond this machine too: then everyone who can reach the address may
    use the service. Off, as that is seldom meant."""
    allowed_hosts: tuple[str, ...] = ()
    """Accepted Host names, besides the address itself and, while listening on loopback, localhost,
    127.0.0.1 and [::1]. Other names are refused, against DNS rebinding: a web site may resolve its
    own name to the address of a server in its visitor's network."""
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
    """Open connections. Each takes a file descriptor and some kB. Beyond, the slowest client is cut
    for a new one."""
    max_header_bytes: int = Field(16384, ge=1024, le=1048576)
    """Bytes of a request's headers and address, else 431. Browsers send below 2 kB, cookies of
    proxies take some more; most servers have limits of 8 to 16 kB."""
    max_upload_mb: float = Field(20.0, gt=0, le=1000)
    """Largest request body, MB. Larger ones get 413 unread. JPEGs of phones have 3 to 12 MB."""
    max_megapixels: float = Field(50.0, gt=0, le=1000)
    """Largest image. Larger ones get 413 before decoding. 50 megapixels take 150 MB, and up to 510
    MB while they are decoded; phones have 12, some 48."""
    header_timeout_s: float = Field(10.0, gt=0, le=600)
    """Time to receive the headers of a request, else 408."""
    upload_timeout_s: float = Field(25.0, gt=0, le=3600)
    """Time to receive the whole body, else 408. The default fits 20 MB at 6.4 Mbit/s, and ends
    slow clients within half a minute, all told."""
    write_timeout_s: float = Field(20.0, gt=0, le=3600)
    """Time for a client to read an answer, then it is cut. Answers have up to 0.5 MB, which the
    default fits at 0.2 Mbit/s."""
    decode_cpu_s: float = Field(5.0, ge=1, le=600)
    """CPU time to decode a photo, seconds, else 422. 50 megapixels take 1 s, HEIF ones 3 s."""
    decode_memory_mb: float = Field(512.0, ge=64, le=65536)
    """Memory to decode a photo, MB, else 413. JPEGs of 50 megapixels fit; those that must be turned
    upright, with transparency or in WebP fit up to 36, 36 and 25 megapixels."""
    job_timeout_s: float = Field(30.0, gt=0, le=3600)
    """Time from upload to answer, queueing included, else 503. A photo already being localized is
    finished anyway: threads cannot be stopped."""
    hung_factor: float = Field(2.0, ge=1, le=1000)
    """Multiple of ``job_timeout_s`` after which a photo still being localized counts as hung, and
    another thread takes the place of its own. Twice: on a busy machine late ones still end."""
    max_hung: int = Field(2, ge=0, le=64)
    """Hung threads that may be replaced at a time. Each holds the memory of a photo, and perhaps a
    core. Beyond, /ready tells that a restart is due."""
    keep_alive_s: float = Field(10.0, ge=0, le=600)
    """Time after which an idle connection is closed."""
    shutdown_s: float = Field(30.0, ge=0, le=3600)
    """Time from SIGTERM to the end of the process: running requests may finish, then they are
    dropped. 30 s is what Kubernetes waits before it kills."""
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

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_host_name(name) for name in names)

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_mb * 1e6)

    @property
    def loopback(self) -> bool:
        """True if only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def accepted_hosts(self) -> frozenset[str]:
        """Names that requests may have as Host."""
        return accepted_hosts(self.host, self.allowed_hosts)

    def check_token(self, token: str | None) -> None:
        """Raise ConfigError if everyone who can reach the address could use the service."""
        if token is None and not (self.loopback or self.insecure):
            raise ConfigError(
                f"to listen on {self.host}, beyond this machine, the service needs a token: set "
                f"HLOC_LITE_TOKEN or --token-file (make one with: openssl rand -hex 32), or give "
                f"--insecure to let everyone use it who can reach that address"
            )
