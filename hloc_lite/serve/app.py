"""The FastAPI application: its routes, and what runs at start-up and shutdown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

import hloc_lite
from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.frames import FRAMES
from hloc_lite.serve.answers import Answer
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.daemon_threads import DaemonThreads
from hloc_lite.serve.decoding import PhotoDecoder, decode_limits
from hloc_lite.serve.geopose_messages import GeoPoseResponse
from hloc_lite.serve.geopose_protocol import answer_geopose
from hloc_lite.serve.map_photos import photo_jpeg
from hloc_lite.serve.map_pool import MapPool
from hloc_lite.serve.metrics import Metrics
from hloc_lite.serve.middleware import ServiceMiddleware
from hloc_lite.serve.openapi import (
    GEOPOSE_BODY,
    GEOPOSE_ERRORS,
    GEOPOSE_PARAMETERS,
    LOCALIZE_BODY,
    LOCALIZE_ERRORS,
)
from hloc_lite.serve.pages import Page, docs_page, main_page
from hloc_lite.serve.problems import Problem
from hloc_lite.serve.service import Service
from hloc_lite.serve.uploads import UploadReceiver
from hloc_lite.serve.workers import WorkerPool

logger = logging.getLogger(__name__)

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def create_app(
    map_pool: MapPool,
    config: ServeConfig,
    token: str | None = None,
    on_failure: Callable[[Exception], None] | None = None,
    decoder: PhotoDecoder | None = None,
) -> FastAPI:
    """Create the application; it opens the maps that are not open yet once it runs.

    Args:
        token: bearer token that requests must send; None disables the check.
        on_failure: called if a map cannot be opened at start-up.
        decoder: decodes uploads; None for one that ends with the application. ``state.is_busy`` of
            the application tells whether a thread of it is still at work.
    """
    workers = WorkerPool(
        config.workers,
        config.queue_size,
        config.job_timeout_s,
        config.hung_factor * config.job_timeout_s,
        config.max_hung,
    )
    photo_decoder = decoder or PhotoDecoder(decode_limits(config), config.workers)
    metrics = Metrics(workers, map_pool)
    # a single thread: the memory that a thread's allocator keeps is never given back
    map_opener = DaemonThreads("open", 1)
    service = Service(config, map_pool, workers, photo_decoder, UploadReceiver(config), metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if decoder is None:
            map_opener.submit(photo_decoder.start)
        opening = asyncio.create_task(_open_all(map_pool, map_opener, on_failure))
        watching = asyncio.create_task(workers.watch())
        try:
            yield
        finally:
            opening.cancel()
            watching.cancel()
            map_opener.shutdown()
            workers.close()
            if decoder is None:
                photo_decoder.close()

    app = FastAPI(
        title="hloc-lite",
        version=hloc_lite.__version__,
        summary="Visual localization: the 6-DoF camera pose of a photo in a map built from photos.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads external scripts
        redoc_url=None,
        redirect_slashes=False,  # an address that is wrong is told so
    )
    app.state.is_busy = lambda: bool(workers.running or workers.hung or map_opener.running_s())
    app.add_middleware(ServiceMiddleware, config=config, token=token, metrics=metrics)
    if config.allowed_origins:  # added last, so outermost: errors need its headers too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=config.allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "X-Request-Id"],
            expose_headers=["X-Request-Id", "Retry-After"],
        )
    app.add_exception_handler(HTTPException, _raise_problem)
    _add_localize(app, service)
    _add_geopose(app, service)
    _add_maps(app, map_pool, map_opener)
    _add_photos(app, map_pool, config)
    _add_system(app, service)
    _add_pages(app)
    return app


async def _open_all(
    map_pool: MapPool, map_opener: Executor, on_failure: Callable[[Exception], None] | None
) -> None:
    try:
        await asyncio.get_running_loop().run_in_executor(map_opener, map_pool.open_all)
    except Exception as error:  # bugs too: a server that can never become ready must stop
        logger.error("%s", error)
        if on_failure is not None:
            on_failure(error)


def _add_localize(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/localize",
        response_model=Answer,
        responses=LOCALIZE_ERRORS,
        openapi_extra={"requestBody": LOCALIZE_BODY},
        tags=["localize"],
        summary="Localize a photo.",
    )
    async def localize(request: Request) -> Response:
        """A photo that cannot be localized is answered with 200 too: ``found`` is false, and
        ``status`` and ``reason`` say why. Errors are for invalid or refused requests."""
        answer = await service.localize(request)
        return Response(answer.model_dump_json(), media_type="application/json")

    @app.get("/v1/frames", tags=["localize"], summary="List the frames that poses can be given in.")
    async def frames() -> dict[str, str]:
        return dict(FRAMES)


def _add_geopose(app: FastAPI, service: Service) -> None:
    @app.post(
        "/geopose",
        response_model=GeoPoseResponse,
        responses=GEOPOSE_ERRORS,
        openapi_extra={"requestBody": GEOPOSE_BODY, "parameters": GEOPOSE_PARAMETERS},
        tags=["localize"],
        summary="Localize a photo by Open AR Cloud's GeoPoseProtocol, version 1 or 2.",
    )
    async def geopose(request: Request) -> Response:
        """Needs a georeferenced map. A photo that cannot be localized is answered with 404, since
        the protocol has no response without a pose."""
        return await answer_geopose(service, request)


def _add_maps(app: FastAPI, map_pool: MapPool, map_opener: Executor) -> None:
    @app.get("/v1/maps", tags=["maps"], summary="List the open maps.")
    async def maps() -> dict[str, list[dict[str, Any]]]:
        return {"maps": [served_map.describe() for served_map in map_pool.opened_maps()]}

    @app.get("/v1/maps/{name}/plan", tags=["maps"], summary="Get the top-down plan of a map.")
    async def plan(name: str) -> Response:
        return Response(map_pool.select([name])[0].plan_json, media_type="application/json")

    @app.post(
        "/v1/maps/{name}/reload",
        tags=["maps"],
        summary="Open a map again from its folder; the old one serves until the new one is ready.",
    )
    async def reload(name: str) -> dict[str, Any]:
        map_pool.claim_reload(name)
        loop = asyncio.get_running_loop()
        try:
            return (await loop.run_in_executor(map_opener, map_pool.reload, name)).describe()
        except HlocLiteError as error:
            reason = f"the map cannot be opened, the old one stays in use: {error}"
            raise Problem(409, "cannot_open", reason) from None


def _add_photos(app: FastAPI, map_pool: MapPool, config: ServeConfig) -> None:
    @app.get(
        "/v1/maps/{name}/photos/{image:path}",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}, "description": "The photo, reduced."}},
        tags=["maps"],
        summary="Get the photo of a map image, if the server has them (--photos).",
    )
    async def photo(name: str, image: str) -> Response:
        source = map_pool.select([name])[0].photos
        data = await asyncio.to_thread(photo_jpeg, source, image, config.photo_side_px)
        return Response(data, media_type="image/jpeg")


def _add_system(app: FastAPI, service: Service) -> None:
    @app.head("/health", include_in_schema=False)
    @app.get("/health", tags=["system"], summary="Check that the process is alive.")
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    @app.head("/ready", include_in_schema=False)
    @app.get("/ready", tags=["system"], summary="Check that photos can be answered (else 503).")
    async def ready() -> JSONResponse:
        """Status 503 while maps are being opened, or every worker is busy with an overdue photo."""
        opened = [served_map.name for served_map in service.map_pool.opened_maps()]
        missing = [name for name in service.map_pool.names if name not in opened]
        overdue = service.workers.all_overdue
        status = "opening" if missing else "overdue" if overdue else "ready"
        body = {"status": status, "maps": opened, "missing": missing}
        return JSONResponse(body, 503 if missing or overdue else 200)

    @app.get("/metrics", tags=["system"], summary="Get metrics in the Prometheus format.")
    async def metrics() -> Response:
        return Response(service.metrics.render(), media_type=METRICS_TYPE)


def _add_pages(app: FastAPI) -> None:
    localize_page, reference_page = main_page(), docs_page(app.openapi())

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return _html_response(localize_page)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return _html_response(reference_page)


def _html_response(page: Page) -> HTMLResponse:
    return HTMLResponse(page.html, headers={"Content-Security-Policy": page.policy})


async def _raise_problem(request: Request, error: Exception) -> NoReturn:
    """Turn Starlette's errors, such as unknown paths, into Problems for the middleware."""
    assert isinstance(error, HTTPException)
    code, reason = "http", str(error.detail)
    if error.status_code in (404, 405):
        code = "unknown_path" if error.status_code == 404 else "bad_method"
        reason = f"no route {request.method} {request.url.path[:200]}; GET /docs lists all routes"
    raise Problem(error.status_code, code, reason, error.headers) from None
