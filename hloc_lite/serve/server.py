"""The server: opens the maps, listens, ends in good order when told to."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import numpy as np
import uvicorn

from hloc_lite.errors import HlocLiteError
from hloc_lite.serve.app import create_app
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.header_timeout import protocol_with
from hloc_lite.serve.localization import Locates
from hloc_lite.serve.map_pool import Opener, Shelf
from hloc_lite.types import Photo

logger = logging.getLogger(__name__)

MAX_HEADER_BYTES = 16384
WARM_UP_SIZE = (480, 640)


def serve(
    folders: Mapping[str, Path], config: ServeConfig, opener: Opener, token: str | None
) -> None:
    """Serve maps until SIGTERM or SIGINT; what has begun is finished first.

    Args:
        folders: name -> map folder.
        opener: of a folder's localizer.
        token: that requests must bear; None: none is asked for.

    Raises:
        HlocLiteError: a map cannot be opened at the start, or the address cannot be listened at.
    """
    failures: list[Exception] = []

    def fail(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    if not config.loopback and token is None:
        logger.warning(
            "listening at %s without a token: everyone who can reach this address may use it. Set "
            "HLOC_LITE_TOKEN or --token-file", config.host,
        )  # fmt: skip
    shelf = Shelf(folders, opener, config.plan_points)
    server = _Server(
        uvicorn.Config(
            create_app(shelf, config, token, fail),
            host=config.host,
            port=config.port,
            http=protocol_with(config.header_timeout_s),
            ws="none",
            lifespan="on",
            access_log=False,  # ours has what operators ask for
            log_config=None,
            log_level=logging.WARNING,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(config.keep_alive_s),
            timeout_graceful_shutdown=int(config.shutdown_s),
            limit_concurrency=config.max_connections,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
    )
    # uvicorn repeats the signal once all is done; ending on SIGTERM as asked is exit code 0
    before = signal.signal(signal.SIGTERM, _ignore)
    try:
        server.run()
    except SystemExit:
        if not failures:
            raise HlocLiteError(
                f"cannot listen at {config.host}, port {config.port}: see above; choose another "
                f"with --port"
            ) from None
    finally:
        signal.signal(signal.SIGTERM, before)
    if failures:
        raise failures[0]


class _Server(uvicorn.Server):
    """uvicorn's, that says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for each in server.sockets:
                host, port = each.getsockname()[:2]
                where = f"[{host}]" if ":" in host else host
                logger.info("listening at http://%s:%d/", where, port)


def warm_up(localizer: Locates) -> None:
    """One query of noise: what is loaded and compiled at the first one is so now."""
    pixels = np.random.default_rng(0).integers(0, 255, (*WARM_UP_SIZE, 3), dtype=np.uint8)
    localizer.localize(Photo("\0warm-up", pixels))


def _ignore(_: int, __: FrameType | None) -> None:
    pass
