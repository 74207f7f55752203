"""What the routes share: the maps, the workers, the uploads, the counters."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from starlette.requests import Request

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import FormatError, ImageError, ShapeError
from hloc_lite.geometry.cameras import rescaled
from hloc_lite.io.images import ImageTooLargeError, UnknownFormatError, photo_from_bytes
from hloc_lite.serve.answers import Answer, answer_of
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.intrinsics import Intrinsics
from hloc_lite.serve.localization import Located, locate
from hloc_lite.serve.map_pool import ServedMap, Shelf
from hloc_lite.serve.metrics import Metrics
from hloc_lite.serve.middleware import Visit
from hloc_lite.serve.prior import check_prior, prior_for
from hloc_lite.serve.problems import Problem
from hloc_lite.serve.query import Query, parse_query
from hloc_lite.serve.uploads import Uploads
from hloc_lite.serve.workers import Workers
from hloc_lite.types import Camera, Photo

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Service:
    """One server's parts."""

    config: ServeConfig
    shelf: Shelf
    workers: Workers
    uploads: Uploads
    metrics: Metrics

    async def localize(self, request: Request) -> Answer:
        """The answer to a request. Raises Problem."""
        visit: Visit = request.scope["state"]["visit"]
        self.workers.check_room()  # before the body is read
        data, fields = await self.uploads.form(request)
        upload_ms = _ms_since(visit.start)
        query = parse_query(fields)
        camera = query.intrinsics()
        maps = self.shelf.chosen(query.maps)
        if len(maps) > self.config.max_maps_a_query:
            most = self.config.max_maps_a_query
            raise Problem(422, "too_many_maps", f"at most {most} maps a query: name some in maps")
        check_prior(query, maps)
        queued = time.perf_counter()

        def job() -> Answer:
            times = {"upload": upload_ms, "queue": _ms_since(queued)}
            return self._answer(data, query, camera, maps, times, visit)

        answer = await self.workers.run(
            job, self.config.job_timeout_s, lambda: _disconnected(request)
        )
        visit.notes |= {"map": answer.map, "result": answer.status}
        return answer

    def _answer(
        self,
        data: bytes,
        query: Query,
        camera: Camera | Intrinsics | None,
        maps: list[ServedMap],
        times: dict[str, float],
        visit: Visit,
    ) -> Answer:
        """In a worker's thread."""
        begin = time.perf_counter()
        photo = self._photo(data, visit.request_id)
        intrinsics = _camera_of(photo, camera)
        times["decode"] = _ms_since(begin)
        found = locate(
            maps, photo, intrinsics, lambda place: prior_for(query, place), query.budget_ms
        )
        self._count(found)
        times["total"] = _ms_since(visit.start)
        return answer_of(found, query, times, visit.request_id, self.config)

    def _photo(self, data: bytes, request_id: str) -> Photo:
        limits = ImagesConfig(
            max_megapixels=self.config.max_megapixels, max_file_mb=self.config.max_upload_mb
        )
        try:
            # no map image is called so: one of this name would be taken for the photo itself
            return photo_from_bytes(data, f"\0upload {request_id}", limits)
        except UnknownFormatError as error:
            raise Problem(415, "not_an_image", str(error)) from None
        except ImageTooLargeError as error:
            raise Problem(413, "image_too_large", str(error)) from None
        except ImageError as error:
            raise Problem(422, "broken_image", str(error)) from None

    def _count(self, found: Located) -> None:
        for name, result in found.results.items():
            self.metrics.results.labels(name, str(result.status)).inc()
            for stage, spent_ms in result.timings_ms.items():
                self.metrics.stages.labels(stage).observe(spent_ms / 1000)


def _camera_of(photo: Photo, camera: Camera | Intrinsics | None) -> Camera | None:
    if camera is None:
        return None
    try:
        given = camera.camera(photo) if isinstance(camera, Intrinsics) else camera
        return rescaled(given, photo.width, photo.height)
    except (FormatError, ShapeError) as error:
        raise Problem(422, "bad_intrinsics", str(error)) from None


async def _disconnected(request: Request) -> None:
    """Returns when the client has gone; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _ms_since(start: float) -> float:
    return round(1000 * (time.perf_counter() - start), 3)
