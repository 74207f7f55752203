"""Test clients of an application with stand-in localizers; skipped without the extra serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from fastapi.testclient import TestClient

from hloc_lite.serve.app import create_app
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.decoding import PhotoDecoder, decode_limits
from tests.serve.stand_ins import FakeLocalizer, pool_of

Connect = Callable[..., TestClient]


@pytest.fixture(scope="session")
def decoder() -> Iterator[PhotoDecoder]:
    """One process for all tests with the default limits: each start takes half a second."""
    started = PhotoDecoder(decode_limits(ServeConfig()))
    yield started
    started.close()


@pytest.fixture
def connect(decoder: PhotoDecoder) -> Iterator[Connect]:
    """connect(*localizers, token=None, **limits): client of a server with maps a, b, ..."""
    with ExitStack() as stack:

        def start_client(
            *localizers: FakeLocalizer, token: str | None = None, **limits: object
        ) -> TestClient:
            config = ServeConfig.model_validate(limits)
            pool = pool_of(*(localizers or (FakeLocalizer(),)), config=config)
            shared = decoder if decode_limits(config) == decoder.limits else None
            app = create_app(pool, config, token, decoder=shared)
            client = TestClient(app, "http://localhost", raise_server_exceptions=False)
            return stack.enter_context(client)

        yield start_client


@pytest.fixture
def held() -> Iterator[FakeLocalizer]:
    """A localizer that blocks until its gate is set."""
    localizer = FakeLocalizer()
    localizer.gate.clear()
    yield localizer
    localizer.gate.set()
