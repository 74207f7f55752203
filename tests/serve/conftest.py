"""Clients of an application around stand-ins; skipped where the extra is not installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from fastapi.testclient import TestClient

from hloc_lite.serve.app import create_app
from hloc_lite.serve.config import ServeConfig
from tests.serve.stand_ins import FakeLocalizer, shelf_of

Connect = Callable[..., TestClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """connect(*localizers, token=None, **limits): a client of a server of maps a, b, ..."""
    with ExitStack() as stack:

        def connected(
            *localizers: FakeLocalizer, token: str | None = None, **limits: object
        ) -> TestClient:
            config = ServeConfig.model_validate(limits)
            shelf = shelf_of(*(localizers or (FakeLocalizer(),)), config=config)
            app = create_app(shelf, config, token)
            client = TestClient(app, "http://localhost", raise_server_exceptions=False)
            return stack.enter_context(client)

        yield connected
