"""What the service allows: every number with its unit, range and reason."""

from __future__ import annotations

from pydantic import Field, model_validator

from hloc_lite.config import Section


class ServeConfig(Section):
    host: str = "127.0.0.1"
    """Address to listen at; the default is reached from this machine only."""
    port: int = Field(8080, ge=0, le=65535)
    """0: any free one, which the log names."""
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Names that requests may call the server by while it listens on loopback: a web site whose
    name was bent to 127.0.0.1 must not reach it. Elsewhere every name is answered."""
    workers: int = Field(1, ge=1, le=64)
    """Photos localized at once, in threads. The networks already use all cores for one photo: more
    workers make each slower, and memory grows with them."""
    queue_size: int = Field(8, ge=0, le=1000)
    """Photos that may wait for a worker; the next one is answered 429. At 0.3 s a photo eight wait
    2.4 s, what a person still takes for an answer."""
    max_uploads: int = Field(32, ge=1, le=1000)
    """Bodies received at once: with ``max_upload_mb`` the most memory that uploads can take."""
    max_connections: int = Field(256, ge=4, le=65536)
    """Open connections; each costs a file descriptor and some kB."""
    max_upload_mb: float = Field(20.0, gt=0, le=1000)
    """Larger bodies are answered 413 before they are read; phones' JPEGs have 3 to 12 MB."""
    max_megapixels: float = Field(50.0, gt=0, le=1000)
    """Larger images are answered 413 before decoding; 50 take 150 MB decoded. Phones have 12, some
    48."""
    header_timeout_s: float = Field(10.0, gt=0, le=600)
    """Until a request's headers are in; longer ones are cut off (408)."""
    upload_timeout_s: float = Field(30.0, gt=0, le=3600)
    """Until the whole body is in (408): 20 MB at 6 Mbit/s."""
    job_timeout_s: float = Field(30.0, gt=0, le=3600)
    """Until there is an answer, waiting included (503). A photo that is being localized is finished
    all the same: threads cannot be stopped."""
    keep_alive_s: float = Field(10.0, ge=0, le=600)
    """That an idle connection stays open."""
    shutdown_s: float = Field(30.0, ge=0, le=3600)
    """That requests have to finish after SIGTERM, before they are dropped."""
    max_maps_a_query: int = Field(8, ge=1, le=1000)
    """Maps tried for one photo; each costs a localization."""
    plan_points: int = Field(6000, ge=0, le=200000)
    """Map points in the plan that the page draws; 6000 are 80 kB."""
    min_fair: float = Field(0.5, ge=0, le=1)
    """Confidence from which the class is FAIR: more likely right than wrong."""
    min_good: float = Field(0.8, ge=0, le=1)
    """Confidence from which the class is GOOD: wrong one time in five at most."""
    min_excellent: float = Field(0.95, ge=0, le=1)
    """Confidence from which the class is EXCELLENT: wrong one time in twenty at most."""

    @model_validator(mode="after")
    def _classes_ascend(self) -> ServeConfig:
        if not self.min_fair <= self.min_good <= self.min_excellent:
            raise ValueError("min_fair, min_good and min_excellent must ascend")
        return self

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_mb * 1e6)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")
