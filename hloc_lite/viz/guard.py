"""Protects the page from other web sites and from floods of uploads.

A web site that a user visits can open WebSockets to any address, also to that user's machine.
Browsers name the site in the Origin header. Viser does not check it, has no limit of uploads, and
offers a public link to the page, which is disabled here.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import viser
from viser import _messages as messages
from viser.infra import WebsockClientConnection

from hloc_lite.errors import MissingDependencyError
from hloc_lite.viz.config import ViewConfig

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
"""Host names of this machine. Others are refused on loopback, against DNS rebinding: a web site may
resolve its own name to 127.0.0.1."""
MAX_TRANSFERS = 8
"""Uploads that may arrive at once; with ``max_upload_mb``, it bounds their memory."""
POLICY_VIOLATION = 1008
"""WebSocket close code for connections that are refused."""


def guard(server: viser.ViserServer, config: ViewConfig) -> None:
    """Refuse connections from other origins and uploads above the limit; disable public links.

    Raises:
        MissingDependencyError: this version of viser has other internals.
    """
    try:
        websockets = server._websock_server
        connections = websockets._live_connections
        transfers = server.gui._current_file_upload_states
        started, part = messages.FileTransferStartUpload, messages.FileTransferPart
        websockets.unregister_handler(messages.ShareUrlRequest)
    except AttributeError as error:
        raise MissingDependencyError(
            f"hloc-lite cannot guard the page with viser {viser.__version__} ({error}): install "
            f'the version that it was tested with: pip install "viser==1.1.1"'
        ) from None
    limit = int(config.max_upload_mb * 1e6)

    async def check_origin(client: WebsockClientConnection) -> None:
        connection = connections[client.client_id]
        headers = connection.request.headers if connection.request else {}
        if not is_own_page(headers.get("Origin"), headers.get("Host"), loopback=config.loopback):
            await connection.close(POLICY_VIOLATION, "this page takes no connections of others")

    def check_start(_: int, message: messages.FileTransferStartUpload) -> None:
        if message.size_bytes > limit or len(transfers) > MAX_TRANSFERS:
            transfers.pop(message.transfer_uuid, None)

    def check_part(_: int, message: messages.FileTransferPart) -> None:
        state = transfers.get(message.transfer_uuid)
        if state is not None and state["transferred_bytes"] > limit:
            transfers.pop(message.transfer_uuid, None)

    websockets.on_client_connect(check_origin)
    websockets.register_handler(started, check_start)
    websockets.register_handler(part, check_part)
    websockets.disconnect_all_clients()  # those that came before the checks; they come again


def is_own_page(origin: str | None, host: str | None, *, loopback: bool) -> bool:
    """True for connections of the page itself, and of programs that are no browsers.

    Args:
        origin: Origin header; browsers always send it.
        host: Host header, the name that the browser knows this server by.
        loopback: True if only this machine can reach the server.
    """
    if origin is None:
        return True
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or parts.netloc != host:
        return False
    return not loopback or parts.hostname in LOOPBACK_NAMES or (parts.hostname or "")[:4] == "127."
