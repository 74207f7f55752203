"""The service behind the routes: from a localization request to its answer."""

from __future__ import annotations

import time
from dataclasses import dataclass

from starlette.requests import Request

from hloc_lite.errors import ConfigError, FormatError, ShapeError
from hloc_lite.geometry.cameras import rescaled
from hloc_lite.serve.answers import Answer, make_answer
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.decoding import PhotoDecoder
from hloc_lite.serve.intrinsics import Intrinsics
from hloc_lite.serve.localization import MultiMapResult, localize_in_maps
from hloc_lite.serve.map_pool import MapPool, ServedMap
from hloc_lite.serve.metrics import Metrics
from hloc_lite.serve.middleware import RequestContext
from hloc_lite.serve.prior import check_prior, prior_for
from hloc_lite.serve.problems import Problem
from hloc_lite.serve.query import Query, parse_query
from hloc_lite.serve.uploads import UploadReceiver
from hloc_lite.serve.workers import WorkerPool
from hloc_lite.types import Camera, Photo


@dataclass(frozen=True, eq=False)
class Service:
    """Components of one server, shared by its routes."""

    config: ServeConfig
    map_pool: MapPool
    workers: WorkerPool
    decoder: PhotoDecoder
    uploads: UploadReceiver
    metrics: Metrics

    async def localize(self, request: Request) -> Answer:
        """Answer a localization request. Raises Problem."""
        self.workers.check_capacity()  # before the body is read
        data, fields = await self.uploads.receive(request)
        return await self.answer(request, data, parse_query(fields))

    async def answer(self, request: Request, data: bytes, query: Query) -> Answer:
        """Localize an uploaded photo in a worker thread. Raises Problem.

        Args:
            request: its body must have been read.
            data: the image file.
        """
        context: RequestContext = request.state.context
        upload_ms = _ms_since(context.start)
        intrinsics = query.intrinsics()
        maps = self.map_pool.select(query.maps)
        if len(maps) > self.config.max_maps_a_query:
            limit = self.config.max_maps_a_query
            raise Problem(
                422, "too_many_maps", f"at most {limit} maps per query: name them in maps"
            )
        check_prior(query, maps)
        queued = time.perf_counter()

        def job() -> Answer:
            times_ms = {"upload": upload_ms, "queue": _ms_since(queued)}
            return self._localize(data, query, intrinsics, maps, times_ms, context)

        answer = await self.workers.run(
            job, self.config.job_timeout_s, lambda: _wait_for_disconnect(request)
        )
        context.log_fields |= {"map": answer.map, "result": answer.status}
        return answer

    def _localize(
        self,
        data: bytes,
        query: Query,
        intrinsics: Camera | Intrinsics | None,
        maps: list[ServedMap],
        times_ms: dict[str, float],
        context: RequestContext,
    ) -> Answer:
        """Decode and localize a photo; runs in a worker thread."""
        start = time.perf_counter()
        # at most half of the time, so that a photo that waits behind a costly one has the other
        left_s = min(
            self.config.job_timeout_s / 2, self.config.job_timeout_s - times_ms["queue"] / 1000
        )
        # a map image of the same name would be taken for the photo; none contains \0
        name = f"\0upload {context.request_id}"
        with self.decoder.photo(data, name, left_s) as photo:
            camera = _camera_for(photo, intrinsics)
            times_ms["decode"] = _ms_since(start)
            try:
                result = localize_in_maps(
                    maps,
                    photo,
                    camera,
                    lambda served_map: prior_for(query, served_map),
                    query.budget_ms,
                    query.max_wrong,
                    query.recalibrate,
                )
            except ConfigError as error:
                raise Problem(422, "bad_field", str(error)) from None
        self._count(result)
        times_ms["total"] = _ms_since(context.start)
        return make_answer(result, query, times_ms, context.request_id, self.config)

    def _count(self, localization: MultiMapResult) -> None:
        for name, result in localization.results.items():
            self.metrics.results.labels(name, str(result.status)).inc()
            for stage, spent_ms in result.timings_ms.items():
                self.metrics.stages.labels(stage).observe(spent_ms / 1000)


def _camera_for(photo: Photo, intrinsics: Camera | Intrinsics | None) -> Camera | None:
    """Return the camera at the resolution of the photo, or None if no intrinsics were given."""
    if intrinsics is None:
        return None
    try:
        given = intrinsics.camera_for(photo) if isinstance(intrinsics, Intrinsics) else intrinsics
        return rescaled(given, photo.width, photo.height)
    except (FormatError, ShapeError) as error:
        raise Problem(422, "bad_intrinsics", str(error)) from None


async def _wait_for_disconnect(request: Request) -> None:
    """Return once the client has disconnected. Its body must have been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _ms_since(start: float) -> float:
    return round(1000 * (time.perf_counter() - start), 3)
