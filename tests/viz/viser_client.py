"""A browser's side of viser's WebSocket, as far as tests need it."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import viser
import zstandard
from websockets.sync.client import ClientConnection, connect


def open_page(port: int, origin: str | None = None) -> ClientConnection:
    """Connect as a page of an origin does; None as a program that is no browser."""
    return connect(
        f"ws://127.0.0.1:{port}",
        subprotocols=[f"viser-v{viser.__version__}"],  # type: ignore[list-item]
        origin=origin,  # type: ignore[arg-type]
        max_size=None,
    )


def receive_until(
    connection: ClientConnection, type_name: str, timeout_s: float = 20.0
) -> list[dict[str, Any]]:
    """All messages up to the first of a type."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + timeout_s
    while not any(message["type"] == type_name for message in found):
        data = connection.recv(timeout=max(0.1, deadline - time.monotonic()))
        assert isinstance(data, bytes)
        found += decode(data)
    return found


def decode(data: bytes) -> list[dict[str, Any]]:
    """Messages of a frame; arrays are left as placeholders."""
    packed = int.from_bytes(data[8:16], "little")
    inner = zstandard.ZstdDecompressor().decompress(data[16 : 16 + packed])
    messages: list[dict[str, Any]] = msgspec.msgpack.decode(inner)["messages"]
    return messages


def send(connection: ClientConnection, type_name: str, **fields: object) -> None:
    """Send a message of a type."""
    connection.send(msgspec.msgpack.encode({"type": type_name, **fields}))


def tell_camera(connection: ClientConnection) -> None:
    """Tell the camera of the page; viser takes clicks and files from then on only."""
    send(
        connection, "ViewerCameraMessage", wxyz=(1.0, 0.0, 0.0, 0.0), position=(0.0, 0.0, 0.0),
        fov=1.0, near=0.01, far=1000.0, image_height=100, image_width=100,
        look_at=(0.0, 0.0, 1.0), up_direction=(0.0, 0.0, 1.0),
    )  # fmt: skip


def upload(
    connection: ClientConnection,
    button: str,
    content: bytes,
    name: str,
    stated: int | None = None,
    num_parts: int = 1,
) -> None:
    """Send a file as the upload button does, of which the first part holds everything.

    Args:
        button: uuid of the button.
        stated: size that is announced; None for the true one.
        num_parts: number of parts that are announced.
    """
    transfer = f"transfer of {name}"
    send(
        connection, "FileTransferStartUpload", source_component_uuid=button,
        transfer_uuid=transfer, filename=name, mime_type="image/png", part_count=num_parts,
        size_bytes=len(content) if stated is None else stated,
    )  # fmt: skip
    send(
        connection, "FileTransferPart", source_component_uuid=button, transfer_uuid=transfer,
        part_index=0, content=content,
    )  # fmt: skip
