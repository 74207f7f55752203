"""The application: routes, how errors are answered, what happens at start and end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

import hloc_lite
from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.frames import FRAMES
from hloc_lite.serve.answers import Answer
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.map_pool import Shelf
from hloc_lite.serve.metrics import Metrics
from hloc_lite.serve.middleware import Door
from hloc_lite.serve.openapi import ERRORS, LOCALIZE_BODY
from hloc_lite.serve.pages import Page, docs_page, main_page
from hloc_lite.serve.problems import Problem, problem_body
from hloc_lite.serve.service import Service
from hloc_lite.serve.uploads import Uploads
from hloc_lite.serve.workers import Workers

logger = logging.getLogger(__name__)

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def create_app(
    shelf: Shelf,
    config: ServeConfig,
    token: str | None = None,
    on_failure: Callable[[Exception], None] | None = None,
) -> FastAPI:
    """The application; maps of the shelf that are not open are opened once it runs.

    Args:
        token: that requests must bear; None: none is asked for.
        on_failure: told when a map cannot be opened at the start.
    """
    workers = Workers(config.workers, config.queue_size)
    metrics = Metrics(workers, shelf)
    # one thread: each has memory of its own, which is not given back
    opening = ThreadPoolExecutor(1, thread_name_prefix="open")
    service = Service(config, shelf, workers, Uploads(config), metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        first = asyncio.create_task(_open_all(shelf, opening, on_failure))
        try:
            yield
        finally:
            first.cancel()
            opening.shutdown(wait=False, cancel_futures=True)
            await asyncio.to_thread(workers.close)

    app = FastAPI(
        title="hloc-lite",
        version=hloc_lite.__version__,
        summary="Where was this photo taken? Camera poses (6 DoF) in maps made of photos.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's loads its scripts from elsewhere
        redoc_url=None,
    )
    app.state.shelf = shelf
    app.add_middleware(Door, config=config, token=token, metrics=metrics)
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http)
    _add_localize(app, service)
    _add_maps(app, service, opening)
    _add_system(app, service)
    _add_pages(app)
    return app


async def _open_all(
    shelf: Shelf, opening: Executor, on_failure: Callable[[Exception], None] | None
) -> None:
    try:
        await asyncio.get_running_loop().run_in_executor(opening, shelf.open_all)
    except Exception as error:  # a bug, too: a server that never gets ready must not stay
        logger.error("%s", error)
        if on_failure is not None:
            on_failure(error)


def _add_localize(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/localize",
        response_model=Answer,
        responses=ERRORS,
        openapi_extra={"requestBody": LOCALIZE_BODY},
        tags=["localize"],
        summary="Where was a photo taken?",
    )
    async def localize(request: Request) -> Response:
        """A photo that cannot be localized is answered 200 too, with ``found`` false and the reason
        in ``status`` and ``reason``; errors are of requests that make no sense."""
        answer = await service.localize(request)
        return Response(answer.model_dump_json(), media_type="application/json")

    @app.get("/v1/frames", tags=["localize"], summary="Frames that poses can be asked for in.")
    async def frames() -> dict[str, str]:
        return dict(FRAMES)


def _add_maps(app: FastAPI, service: Service, opening: Executor) -> None:
    shelf = service.shelf

    @app.get("/v1/maps", tags=["maps"], summary="The maps that are open.")
    async def maps() -> dict[str, list[dict[str, Any]]]:
        return {"maps": [each.describe() for each in shelf.opened()]}

    @app.get("/v1/maps/{name}/plan", tags=["maps"], summary="A map from above, to draw.")
    async def plan(name: str) -> Response:
        return Response(shelf.chosen([name])[0].plan, media_type="application/json")

    @app.post(
        "/v1/maps/{name}/reload",
        tags=["maps"],
        summary="Open a map again; the old one serves until then.",
    )
    async def reload(name: str) -> dict[str, Any]:
        shelf.claim(name)
        loop = asyncio.get_running_loop()
        try:
            return (await loop.run_in_executor(opening, shelf.reload, name)).describe()
        except HlocLiteError as error:
            reason = f"the map cannot be opened, the old one goes on serving: {error}"
            raise Problem(409, "cannot_open", reason) from None


def _add_system(app: FastAPI, service: Service) -> None:
    @app.head("/health", include_in_schema=False)
    @app.get("/health", tags=["system"], summary="Whether the process is alive.")
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    @app.head("/ready", include_in_schema=False)
    @app.get("/ready", tags=["system"], summary="Whether all maps are open (else 503).")
    async def ready() -> JSONResponse:
        opened = [each.name for each in service.shelf.opened()]
        missing = [name for name in service.shelf.names if name not in opened]
        status = "opening" if missing else "ready"
        body = {"status": status, "maps": opened, "missing": missing}
        return JSONResponse(body, 503 if missing else 200)

    @app.get("/metrics", tags=["system"], summary="Counters in the Prometheus format.")
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=METRICS_TYPE)


def _add_pages(app: FastAPI) -> None:
    main, interface = main_page(), docs_page(app.openapi())

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return _html(main)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return _html(interface)


def _html(page: Page) -> HTMLResponse:
    return HTMLResponse(page.html, headers={"Content-Security-Policy": page.policy})


async def _answer_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    request.scope["state"]["visit"].code = error.code
    return JSONResponse(error.body(), error.status, error.headers)


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    """Starlette's own: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    code = {404: "unknown_path", 405: "bad_method"}.get(error.status_code, "http")
    request.scope["state"]["visit"].code = code
    asked = f"{request.method} {request.url.path[:200]}"
    unknown = f"there is no {asked}; GET /docs lists what there is"
    reason = unknown if error.status_code in (404, 405) else str(error.detail)
    body = problem_body(error.status_code, code, reason)
    return JSONResponse(body, error.status_code, error.headers)
