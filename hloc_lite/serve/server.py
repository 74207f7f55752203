"""The server process: listens, opens the maps, shuts down on signals."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import numpy as np
import uvicorn
from fastapi import FastAPI

from hloc_lite.errors import HlocLiteError
from hloc_lite.serve.allocator import share_freed_memory
from hloc_lite.serve.app import create_app
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.connections import limited_protocol
from hloc_lite.serve.map_pool import Localizes, MapPool, OpenLocalizer
from hloc_lite.types import Photo

logger = logging.getLogger(__name__)

BACKLOG = 128
"""Connections that are accepted at once, before slow ones are cut for them."""
EXIT_S = 1.0
"""Part of ``shutdown_s`` for what comes after the last request."""
WARM_UP_SIZE = (480, 640)
"""(height, width) of the warm-up photo, pixels."""


def serve(
    folders: Mapping[str, Path],
    config: ServeConfig,
    open_localizer: OpenLocalizer,
    token: str | None,
    photo_folders: Mapping[str, Path] | None = None,
) -> None:
    """Serve maps until SIGTERM or SIGINT; running requests are finished first.

    Args:
        folders: map folder by name.
        open_localizer: opens the localizer of a folder.
        token: bearer token that requests must send; None disables the check.
        photo_folders: folder of the photos of each map that are shown in the page.

    Raises:
        ConfigError: an address beyond this machine, and neither a token nor ``config.insecure``.
        HlocLiteError: a map cannot be opened at start-up, or the address cannot be listened on.
    """
    failures: list[Exception] = []

    def stop(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    config.check_token(token)
    share_freed_memory()  # before there are threads, which would have heaps of their own
    map_pool = MapPool(folders, open_localizer, config.plan_points, photo_folders)
    app = create_app(map_pool, config, token, stop)
    server = _Server(_uvicorn_config(app, config), config.shutdown_s)
    # uvicorn raises the signal again after its shutdown; ignored, so that the exit code is 0
    previous = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        server.run()
    except SystemExit:
        if not failures:
            raise HlocLiteError(
                f"cannot listen on {config.host}, port {config.port}: see above; choose another "
                f"with --port"
            ) from None
    finally:
        signal.signal(signal.SIGTERM, previous)
    if failures:
        raise failures[0]
    if app.state.is_busy():  # native code in a thread may crash while Python takes itself down
        _exit_at_once()


def _uvicorn_config(app: FastAPI, config: ServeConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        http=limited_protocol(config),
        ws="none",
        lifespan="on",
        access_log=False,  # the middleware writes one
        log_config=None,
        log_level=logging.WARNING,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=int(config.keep_alive_s),
        timeout_graceful_shutdown=max(0, int(config.shutdown_s - EXIT_S)),
        backlog=BACKLOG,
        h11_max_incomplete_event_size=config.max_header_bytes,
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which logs the addresses it listens on, and ends in time."""

    def __init__(self, config: uvicorn.Config, shutdown_s: float) -> None:
        super().__init__(config)
        self._shutdown_s = shutdown_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                url_host = f"[{host}]" if ":" in host else host
                logger.info("listening at http://%s:%d/", url_host, port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to shut down; end the process in time whatever still runs."""
        super().handle_exit(sig, frame)
        last = threading.Timer(self._shutdown_s, _exit_at_once)
        last.daemon = True
        last.start()


def _exit_at_once() -> None:
    """End the process without waiting for its threads; nothing of theirs is on disk."""
    logging.shutdown()
    os._exit(0)


def warm_up(localizer: Localizes) -> None:
    """Localize a photo of noise, so that models are loaded before the first request."""
    pixels = np.random.default_rng(0).integers(0, 255, (*WARM_UP_SIZE, 3), dtype=np.uint8)
    localizer.localize(Photo("\0warm-up", pixels))
