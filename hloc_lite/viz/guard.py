"""Protects the page from other web sites and from floods of uploads.

A web site that a user visits can open WebSockets to any address, also to that user's machine.
Browsers name the site in the Origin header. Viser does not check it, has no limit of uploads, and
offers a public link to the page, which is disabled here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import viser
from viser import _messages as messages
from viser.infra import ClientId, WebsockClientConnection

from hloc_lite.errors import MissingDependencyError
from hloc_lite.viz.config import ViewConfig

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
"""Host names of this machine. Others are refused on loopback, against DNS rebinding: a web site may
resolve its own name to 127.0.0.1."""
MAX_TRANSFERS = 8
"""Uploads that may arrive at once; with ``max_upload_mb``, it bounds their memory."""
POLICY_VIOLATION = 1008
"""WebSocket close code for connections that are refused."""


def refuse_strangers(server: viser.ViserServer, config: ViewConfig) -> None:
    """Refuse connections from pages of other origins, and disable public links.

    Raises:
        MissingDependencyError: this version of viser has other internals.
    """
    with _known_internals():
        websockets = server._websock_server
        connections = websockets._live_connections
        websockets.unregister_handler(messages.ShareUrlRequest)

    async def check_origin(client: WebsockClientConnection) -> None:
        connection = connections[client.client_id]
        headers = connection.request.headers if connection.request else {}
        if not is_own_page(headers.get("Origin"), headers.get("Host"), loopback=config.loopback):
            await connection.close(POLICY_VIOLATION, "this page takes no connections of others")

    websockets.on_client_connect(check_origin)
    websockets.disconnect_all_clients()  # those that came before the check; they come again


def limit_uploads(
    server: viser.ViserServer, config: ViewConfig, on_refused: Callable[[str], None]
) -> None:
    """Refuse uploads that are too large or too many.

    Args:
        on_refused: called with a sentence for people.

    Raises:
        MissingDependencyError: this version of viser has other internals.
    """
    with _known_internals():
        websockets = server._websock_server
        transfers = server.gui._current_file_upload_states
    limit = int(config.max_upload_mb * 1e6)

    def drop(message: messages.FileTransferStartUpload | messages.FileTransferPart) -> bool:
        """Forget a transfer, whose further parts viser then ignores; True if there was one."""
        state = transfers.pop(message.transfer_uuid, None)
        if state is not None:  # the browser waits for this before it hides its progress bar
            size = state["total_bytes"]
            source, transfer = message.source_component_uuid, message.transfer_uuid
            websockets.queue_message(messages.FileTransferPartAck(source, transfer, size, size))
        return state is not None

    def check_start(_: ClientId, message: messages.FileTransferStartUpload) -> None:
        if message.size_bytes > limit and drop(message):
            megabytes = message.size_bytes / 1e6
            on_refused(
                f"{message.filename[:80]} has {megabytes:.1f} MB; this page takes photos up to "
                f"{config.max_upload_mb:g} MB (--max-upload-mb)"
            )
        elif len(transfers) > MAX_TRANSFERS and drop(message):
            on_refused(f"{MAX_TRANSFERS} uploads are already in progress; try again later")

    def check_part(_: ClientId, message: messages.FileTransferPart) -> None:
        state = transfers.get(message.transfer_uuid)
        if state is not None and state["transferred_bytes"] > limit:
            drop(message)

    websockets.register_handler(messages.FileTransferStartUpload, check_start)
    websockets.register_handler(messages.FileTransferPart, check_part)


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


@contextmanager
def _known_internals() -> Iterator[None]:
    """Name the remedy if viser lacks an attribute that the block reads."""
    try:
        yield
    except (AttributeError, AssertionError) as error:
        raise MissingDependencyError(
            f"hloc-lite cannot guard the page with viser {viser.__version__} ({error!r}): install "
            f'the version that it was tested with: pip install "viser==1.1.1"'
        ) from None
