"""Settings of the interactive 3D page: address, limits, and how much of a map is shown."""

from __future__ import annotations

from pydantic import Field

from hloc_lite.config import Section


class ViewConfig(Section):
    """Settings of one page."""

    host: str = "127.0.0.1"
    """Address to listen on. The default accepts connections from this machine only: the page has no
    password, and everyone who reaches it sees the map and the photos, and can send some."""
    port: int = Field(8090, ge=0, le=65535)
    """TCP port; 0 takes a free one. The default is not that of the HTTP service, so that both run
    side by side."""
    max_points: int = Field(1_000_000, ge=1, le=20_000_000)
    """Most points or triangles shown; of more, an even share. A million take 9 to 15 MB to send,
    and 1 to 2 s to prepare."""
    seed: int = Field(0, ge=0)
    """Seed of the choice of points."""
    max_upload_mb: float = Field(20.0, gt=0, le=1000)
    """Largest photo that the page accepts, MB. JPEGs of phones have 3 to 12 MB."""
    max_megapixels: float = Field(50.0, gt=0, le=1000)
    """Largest photo that the page accepts. 50 megapixels take 150 MB when decoded."""
    picture_px: int = Field(800, ge=64, le=4096)
    """Longer side of the photo and the view in the panel, pixels: twice the panel's width, for
    screens with small pixels."""

    @property
    def loopback(self) -> bool:
        """True if only this machine can reach the page."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")
