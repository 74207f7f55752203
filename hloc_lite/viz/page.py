"""The interactive page: a scene, its panel, and what happens when something is clicked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import RLock
from typing import Any

import numpy as np
import viser

from hloc_lite.errors import HlocLiteError
from hloc_lite.viz.config import ViewConfig
from hloc_lite.viz.drawing import DrawnScene, set_start_view
from hloc_lite.viz.frusta import half_slopes
from hloc_lite.viz.guard import limit_uploads
from hloc_lite.viz.inspection import THUMBNAIL_PX, Inspector, QueryPictures, shrink
from hloc_lite.viz.panel import (
    MAP_UP,
    NO_QUERY,
    UP_DIRECTIONS,
    make_panel,
    refresh_panel,
)
from hloc_lite.viz.picture_panel import hide_pictures, show_pictures, show_view
from hloc_lite.viz.queries import QueryMark, chosen_rows
from hloc_lite.viz.scene import Scene, StartView, start_view
from hloc_lite.viz.text import lines_html, query_html

logger = logging.getLogger(__name__)
MAX_UPLOADS = 20
"""Photos of visitors that stay in the scene; the oldest leave it."""
MAX_WAITING = 8
"""Photos that may wait; at 1 s a photo, the last one waits as long as a visitor would."""
MAX_NAME_CHARS = 60
"""Characters kept of the file name of an upload."""


class Page:
    """Shows a scene and answers clicks. All who open the page see the same.

    Args:
        server: running server.
        scene: what is shown at first; photos that are sent in are added.
        config: limits of uploads.
        open_inspector: makes the inspector at its first use, since networks take seconds to load;
            None: queries have no pictures, and no photos are taken.
    """

    def __init__(
        self,
        server: viser.ViserServer,
        scene: Scene,
        config: ViewConfig,
        open_inspector: Callable[[], Inspector] | None = None,
    ) -> None:
        self._server, self.scene, self._config = server, scene, config
        self._open_inspector = open_inspector
        self._inspector: Inspector | None = None
        self._lock = RLock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="localize")
        self._selected: str | None = None
        self._pictures: QueryPictures | None = None
        self._uploads: list[str] = []
        self._num_uploads = 0
        self._num_waiting = 0
        self._drawn = DrawnScene(server, scene, self._pick)
        self.panel = make_panel(server, scene, can_localize=open_inspector is not None)
        self._connect()
        self._filter()

    def close(self) -> None:
        """Drop waiting jobs and wait for the running one."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def select(self, name: str | None) -> None:
        """Show a query's numbers, then its pictures once they are drawn; None for none."""
        with self._lock:
            if name == self._selected:
                return
            self._selected = name
            self.panel.query.value = NO_QUERY if name is None else name
            self._show_numbers()
            if name is not None and self._open_inspector is not None:
                self._worker.submit(self._draw_pictures, name).add_done_callback(_report)

    def localize_upload(self, data: bytes, file_name: str) -> None:
        """Localize a photo that was sent in, and select it; errors are shown in the panel."""
        with self._lock:
            self._num_uploads += 1
            name = f"photo {self._num_uploads}: {file_name[-MAX_NAME_CHARS:]}"
        self._say(f"Localizing {name} ...")
        outcome = f"{name}: it failed unexpectedly; the terminal says why."
        try:
            result = self._ready_inspector().localize_upload(data, name)
            verdict = "Localized" if result.pose else "Not localized"
            sure = "" if result.confidence is None else f", confidence {result.confidence:.2f}"
            outcome = f"{verdict}{sure}: {name}"
            self._add_query(QueryMark(result))
        except HlocLiteError as error:
            outcome = f"{name}: {error}"
        finally:
            self._say(outcome)

    def _say(self, sentence: str) -> None:
        """Show a sentence under the upload button."""
        self.panel.upload_state.content = lines_html([sentence])

    def _add_query(self, query: QueryMark) -> None:
        with self._lock:
            self._uploads.append(query.name)
            dropped = self._uploads[:-MAX_UPLOADS]
            self._uploads = self._uploads[-MAX_UPLOADS:]
            self.scene = self.scene.with_query(query).without_queries(dropped)
            for box in refresh_panel(self._server, self.panel, self.scene):
                box.on_update(lambda _: self._filter())
            self._filter()
            self.select(query.name)

    def _connect(self) -> None:
        panel, drawn = self.panel, self._drawn
        for box in (*panel.statuses.values(), panel.least_confidence):
            box.on_update(lambda _: self._filter())
        panel.point_size.on_update(lambda _: drawn.set_point_size(panel.point_size.value))
        panel.frustum_size.on_update(lambda _: self._resize_frusta())
        panel.ellipsoid_size.on_update(
            lambda _: drawn.set_ellipsoid_size(panel.ellipsoid_size.value)
        )
        panel.map_cameras.on_update(lambda _: drawn.show_map_cameras(panel.map_cameras.value))
        panel.truth.on_update(lambda _: drawn.show_truth(panel.truth.value))
        panel.up.on_update(lambda _: self._turn_up())
        panel.share.on_update(lambda _: self._blend())
        panel.query.on_update(lambda _: self._choose())
        panel.look_through.on_click(lambda event: self._look_through(event.client))
        panel.reset_view.on_click(lambda event: _move(event.client, self._start_view()))
        panel.upload.on_upload(self._upload)
        limit_uploads(self._server, self._config, self._say)

    def _upload(self, event: Any) -> None:
        data, name = event.target.value.content, event.target.value.name
        with self._lock:
            if self._num_waiting >= MAX_WAITING:
                self._say(f"{MAX_WAITING} photos are already waiting; try again later.")
                return
            self._num_waiting += 1
        job = self._worker.submit(self.localize_upload, data, name)
        job.add_done_callback(self._release)
        job.add_done_callback(_report)

    def _release(self, _: Any) -> None:
        with self._lock:
            self._num_waiting -= 1

    def _pick(self, row: int) -> None:
        self.select(self.scene.queries[row].name)

    def _choose(self) -> None:
        value = self.panel.query.value
        self.select(None if value == NO_QUERY else value)

    def _filter(self) -> None:
        with self._lock:
            statuses = frozenset(status for status, box in self.panel.statuses.items() if box.value)
            rows = chosen_rows(self.scene.queries, statuses, self.panel.least_confidence.value)
            self._drawn.draw_queries(self.scene, rows)
            self._highlight()

    def _resize_frusta(self) -> None:
        with self._lock:
            self._drawn.set_frustum_size(self.panel.frustum_size.value)
            self._highlight()

    def _highlight(self) -> None:
        photo = None if self._pictures is None else shrink(self._pictures.photo, THUMBNAIL_PX)
        self._drawn.select(self._row_of(self._selected), photo)

    def _row_of(self, name: str | None) -> int | None:
        names = [query.name for query in self.scene.queries]
        return names.index(name) if name in names else None

    def _selected_query(self) -> QueryMark | None:
        row = self._row_of(self._selected)
        return None if row is None else self.scene.queries[row]

    def _show_numbers(self) -> None:
        panel, query = self.panel, self._selected_query()
        self._pictures = None
        hide_pictures(panel)
        panel.look_through.visible = query is not None and query.shown_pose is not None
        if query is None:
            panel.numbers.content = lines_html(["Click a frustum, or choose a name."])
        else:
            panel.numbers.content = query_html(query, self.scene.metres_per_unit)
        self._highlight()

    def _draw_pictures(self, name: str) -> None:
        """Draw the pictures of a query, unless another one was selected since."""
        query = self._selected_query()
        if query is None or query.name != name:
            return
        panel = self.panel
        panel.weights.content, panel.weights.visible = lines_html(["Matching the photo ..."]), True
        message, pictures = "Its pictures failed unexpectedly; the terminal says why.", None
        try:
            pictures = self._ready_inspector().pictures(query)
            message = "Its photo is not at hand: give the folder with --images."
        except HlocLiteError as error:
            message = str(error)
        finally:
            self._show_outcome(name, pictures, message)

    def _show_outcome(self, name: str, pictures: QueryPictures | None, message: str) -> None:
        """Show pictures of a query, or a message without them, if it is still selected."""
        with self._lock:
            if self._selected != name:
                return
            self._pictures = pictures
            if pictures is None:
                self.panel.weights.content = lines_html([message])
                return
            show_pictures(self.panel, pictures)
            self._highlight()

    def _blend(self) -> None:
        with self._lock:
            if self._pictures is not None:
                show_view(self.panel, self._pictures)

    def _look_through(self, client: viser.ClientHandle | None) -> None:
        query = self._selected_query()
        pose = None if query is None else query.shown_pose
        if client is None or query is None or pose is None:
            return
        found = query.result.pose
        camera = self.scene.typical_camera if found is None else found.camera
        self._drawn.select(None)  # its photo would hide the map
        center = self.scene.frame.from_world(pose.center).astype(np.float64)
        with client.atomic():
            client.camera.up_direction = -pose.rotation[1]
            client.camera.position = center
            client.camera.look_at = center + pose.rotation[2]
            client.camera.fov = 2 * float(np.arctan(half_slopes(camera)[1]))

    def _start_view(self) -> StartView:
        value = self.panel.up.value
        up = self.scene.frame.up if value == MAP_UP else np.array(UP_DIRECTIONS[value], float)
        return start_view(self.scene, up)

    def _turn_up(self) -> None:
        view = self._start_view()
        self._server.scene.set_up_direction(view.up)
        set_start_view(self._server, view)
        for client in self._server.get_clients().values():
            _move(client, view)

    def _ready_inspector(self) -> Inspector:
        if self._inspector is None:
            assert self._open_inspector is not None
            self._inspector = self._open_inspector()
        return self._inspector


def _move(client: viser.ClientHandle | None, view: StartView) -> None:
    if client is None:
        return
    with client.atomic():
        client.camera.up_direction = view.up
        client.camera.position = view.position
        client.camera.look_at = view.look_at
        client.camera.fov = np.radians(75)


def _report(job: Any) -> None:
    """Log the unexpected error of a job."""
    error = None if job.cancelled() else job.exception()
    if error is not None:
        logger.error("unexpected error on the page", exc_info=error)
