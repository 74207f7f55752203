"""Starts and stops the viser server of the page: quietly, on the port asked for, guarded."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import viser

from hloc_lite.errors import HlocLiteError
from hloc_lite.viz.config import ViewConfig
from hloc_lite.viz.guard import refuse_strangers


@contextmanager
def running_server(config: ViewConfig) -> Iterator[viser.ViserServer]:
    """Viser server that listens while the block runs.

    Raises:
        HlocLiteError: the address cannot be listened on.
    """
    port = _free_port(config.host, config.port)
    with redirect_stdout(io.StringIO()):  # viser prints a banner, which would mix with our output
        server = viser.ViserServer(host=config.host, port=port, label="hloc-lite", verbose=False)
    try:
        if server.get_port() != port:  # taken since: viser has silently gone to another one
            raise _cannot_listen(config.host, config.port, "the address is in use")
        refuse_strangers(server, config)
        yield server
    finally:
        with redirect_stdout(io.StringIO()):
            server.stop()


def page_address(server: viser.ViserServer, config: ViewConfig) -> str:
    """Address to open in a browser."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{server.get_port()}"


def _free_port(host: str, port: int) -> int:
    """The port if it can be listened on; a free one for 0.

    Viser tries a thousand ports after one in use, and waits for ever on an address that is none.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        raise _cannot_listen(host, port, error.strerror or str(error)) from None


def _cannot_listen(host: str, port: int, reason: str) -> HlocLiteError:
    return HlocLiteError(
        f"cannot listen on {host}, port {port}: {reason}; choose an address of this machine with "
        f"--host, and a free port with --port (0 takes any)"
    )
