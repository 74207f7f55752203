"""The running page: it serves, answers clicks and uploads, and refuses strangers."""

from __future__ import annotations

import io
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("viser")
import viser
from websockets.exceptions import ConnectionClosed

from hloc_lite.errors import HlocLiteError
from hloc_lite.types import Photo
from hloc_lite.viz.config import ViewConfig
from hloc_lite.viz.guard import is_own_page
from hloc_lite.viz.inspection import NO_SURFACE, Inspector
from hloc_lite.viz.page import Page
from hloc_lite.viz.panel import NO_QUERY
from hloc_lite.viz.scene import build_scene
from hloc_lite.viz.server import page_address, running_server
from tests.viz.scenes import LocalizedScene, localized_scene, result_at
from tests.viz.viser_client import open_page, receive_until, tell_camera, upload

CONFIG = ViewConfig(port=0, max_upload_mb=1)


@pytest.fixture(scope="module")
def localized() -> Iterator[LocalizedScene]:
    with localized_scene() as made:
        yield made


@pytest.fixture()
def server() -> Iterator[viser.ViserServer]:
    with running_server(CONFIG) as running:
        yield running


@pytest.fixture()
def page(localized: LocalizedScene, server: viser.ViserServer) -> Iterator[Page]:
    results = [*localized.results, result_at("lost.png", None, 0.2)]
    scene = build_scene(localized.map, results, localized.truth, title="<wall>")
    made = Page(server, scene, CONFIG, lambda: inspector_of(localized))
    yield made
    made.close()


def inspector_of(localized: LocalizedScene) -> Inspector:
    """Inspector that finds the photos of the two queries, and all map photos."""

    def load_query(name: str) -> Photo | None:
        if not name.startswith("query"):
            return None
        return Photo(name, localized.scene.image(int(name[6])))

    def load_map(name: str) -> Photo:
        return Photo(name, localized.scene.image(int(name[4])))

    cameras = {"query 3.png": localized.scene.camera, "query 5.png": localized.scene.camera}
    return Inspector(localized.localizer, load_query, load_map, cameras, CONFIG)


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_browsers_get_the_viewer_and_the_scene(page: Page, server: viser.ViserServer) -> None:
    with urllib.request.urlopen(page_address(server, ViewConfig())) as answer:
        assert answer.status == 200 and b"<html" in answer.read()
    with open_page(server.get_port(), f"http://127.0.0.1:{server.get_port()}") as browser:
        messages = receive_until(browser, "ReplayDoneMessage")
    nodes = {message.get("name") for message in messages}
    assert {"/points/0", "/map_cameras", "/queries/faces", "/truth/cameras"} <= nodes
    texts = [m["props"].get("content") or "" for m in messages if m["type"] == "GuiHtmlMessage"]
    assert any("3 queries: 2 localized, 1 doubtful" in text for text in texts)


def test_pages_of_other_sites_are_refused(page: Page, server: viser.ViserServer) -> None:
    for origin in ("https://evil.example", f"http://evil.example:{server.get_port()}"):
        with open_page(server.get_port(), origin) as browser:
            with pytest.raises(ConnectionClosed):
                browser.recv(timeout=20)
            assert browser.close_code == 1008


@pytest.mark.parametrize(
    ("origin", "host", "loopback", "expected"),
    [
        (None, "127.0.0.1:8090", True, True),
        ("http://localhost:8090", "localhost:8090", True, True),
        ("http://[::1]:8090", "[::1]:8090", True, True),
        ("http://localhost:8091", "localhost:8090", True, False),
        ("http://rebound.example:8090", "rebound.example:8090", True, False),
        ("http://robot.lan:8090", "robot.lan:8090", False, True),
        ("https://evil.example", "robot.lan:8090", False, False),
        ("null", "127.0.0.1:8090", True, False),
    ],
)
def test_own_pages_are_told_by_origin(
    origin: str | None, host: str, loopback: bool, expected: bool
) -> None:
    assert is_own_page(origin, host, loopback=loopback) is expected


def test_a_selected_query_shows_numbers_matches_and_the_reason(page: Page) -> None:
    panel = page.panel
    page.select("query 3.png")
    assert "localized" in panel.numbers.content and "from the truth" in panel.numbers.content
    assert panel.query.value == "query 3.png" and panel.look_through.visible
    wait_for(lambda: panel.matches.visible)
    assert "data:image/webp;base64" in panel.weights.content
    assert "matches by weight" in panel.weights.content and NO_SURFACE in panel.weights.content
    assert "inliers shared with map image map " in panel.matches.content
    assert "data:image/jpeg;base64" in panel.blended.content and not panel.share.visible
    assert "localized again" not in panel.weights.content  # the same pose as in the results
    page.select(None)
    assert panel.query.value == NO_QUERY and not panel.matches.visible


def test_a_query_without_photo_says_how_to_give_it(page: Page) -> None:
    page.select("lost.png")
    wait_for(lambda: "--images" in page.panel.weights.content)
    assert "doubtful" in page.panel.numbers.content and not page.panel.look_through.visible


def test_choosing_a_name_in_the_panel_selects_it(page: Page) -> None:
    page.panel.query.value = "query 5.png"
    wait_for(lambda: "query 5.png" in page.panel.numbers.content)


def test_queries_are_filtered_by_status_and_confidence(page: Page) -> None:
    statuses = {str(status): box for status, box in page.panel.statuses.items()}
    assert sorted(statuses) == ["doubtful", "localized"]
    assert drawn(page) == (0, 1)  # the third has no pose
    statuses["localized"].value = False
    wait_for(lambda: drawn(page) == ())
    statuses["localized"].value = True
    wait_for(lambda: drawn(page) == (0, 1))
    page.panel.least_confidence.value = 1.0
    wait_for(lambda: drawn(page) == ())


def test_controls_change_what_is_drawn(page: Page, server: viser.ViserServer) -> None:
    panel, node = page.panel, server.scene.get_handle_by_name
    size = page.scene.points.size
    panel.point_size.value = 3.0
    wait_for(lambda: node("/points/0").point_size == pytest.approx(3 * size))
    panel.map_cameras.value = False
    wait_for(lambda: not node("/map_cameras").visible)
    before = np.ptp(node("/map_cameras").points)
    panel.frustum_size.value = 5.0
    wait_for(lambda: np.ptp(node("/map_cameras").points) > before)
    assert not node("/map_cameras").visible  # still hidden
    radii = node("/queries/ellipsoids").batched_scales
    panel.ellipsoid_size.value = 10
    wait_for(lambda: np.allclose(node("/queries/ellipsoids").batched_scales, 10 * radii))
    panel.ellipsoid_size.value = 0
    wait_for(lambda: node("/queries/ellipsoids") is None)
    panel.truth.value = False
    wait_for(lambda: node("/truth/cameras") is None)
    panel.up.value = "-x"
    wait_for(lambda: server.initial_camera.up is not None and server.initial_camera.up[0] == -1)


def drawn(page: Page) -> tuple[int, ...]:
    layer = page._drawn._layer
    assert layer is not None
    return layer.rows


def test_a_photo_sent_by_a_browser_is_localized_in_the_scene(
    page: Page, server: viser.ViserServer, localized: LocalizedScene
) -> None:
    button = page.panel.upload._impl.uuid
    with open_page(server.get_port()) as browser:
        receive_until(browser, "ReplayDoneMessage")
        tell_camera(browser)
        wait_for(lambda: bool(server.get_clients()))
        upload(browser, button, png(localized.scene.image(7)), "<b>.png")
        wait_for(lambda: len(page.scene.queries) == 4)
    wait_for(lambda: page.panel.matches.visible)
    (added,) = [q for q in page.scene.queries if q.name.startswith("photo ")]
    assert added.result.pose is not None
    error = added.result.pose.cam_from_world.center - localized.scene.poses[7].center
    assert np.linalg.norm(error) < 0.05
    assert "Localized, confidence" in page.panel.upload_state.content
    assert "&lt;b&gt;.png" in page.panel.numbers.content
    assert "<b>.png" not in page.panel.numbers.content


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the file is empty"),
        (b"no image", "none of JPEG"),
        (png(np.zeros((300, 300, 3), np.uint8))[:-40], "cannot read"),
    ],
)
def test_what_is_no_photo_is_said_to_people(page: Page, data: bytes, sentence: str) -> None:
    page.localize_upload(data, "x.png")
    assert sentence in page.panel.upload_state.content
    assert len(page.scene.queries) == 3
    page.localize_upload(png(np.zeros((240, 320, 3), np.uint8)), "black.png")  # it still works
    assert len(page.scene.queries) == 4


def test_an_unexpected_error_is_logged_and_the_page_goes_on(
    page: Page, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken driver")

    with monkeypatch.context() as patch:
        patch.setattr(Inspector, "pictures", fail)
        page.select("query 3.png")
        wait_for(lambda: "failed unexpectedly" in page.panel.weights.content)
        wait_for(lambda: "broken driver" in caplog.text)
    page.select("query 5.png")
    wait_for(lambda: page.panel.matches.visible)


def test_images_with_too_many_pixels_are_refused(localized: LocalizedScene) -> None:
    small = CONFIG.model_copy(update={"max_megapixels": 0.05})
    inspector = Inspector(localized.localizer, lambda _: None, lambda _: None, {}, small)
    with pytest.raises(HlocLiteError, match="pixels"):
        inspector.localize_upload(png(localized.scene.image(1)), "large.png")


@pytest.mark.parametrize("stated", [1_100_000, 10])
def test_uploads_above_the_limit_are_dropped(
    page: Page, server: viser.ViserServer, stated: int
) -> None:
    transfers = server.gui._current_file_upload_states
    button = page.panel.upload._impl.uuid
    with open_page(server.get_port()) as browser:
        receive_until(browser, "ReplayDoneMessage")
        # a second part is announced, for which viser would keep the first one
        upload(browser, button, bytes(1_100_000), "large.png", stated, num_parts=2)
        (ack,) = [
            message
            for message in receive_until(browser, "FileTransferPartAck")
            if message["type"] == "FileTransferPartAck"
        ][-1:]
        assert ack["total_bytes"] == stated  # so that the progress bar ends
        wait_for(lambda: not transfers)
    if stated > 10:
        assert "1.1 MB; this page takes photos up to 1 MB" in page.panel.upload_state.content
    assert len(page.scene.queries) == 3


def test_the_oldest_photos_of_visitors_leave_the_scene(
    page: Page, localized: LocalizedScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hloc_lite.viz.page.MAX_UPLOADS", 2)
    data = png(localized.scene.image(1))
    for _ in range(3):
        page.localize_upload(data, "same.png")
    names = [query.name for query in page.scene.queries]
    assert names[3:] == ["photo 2: same.png", "photo 3: same.png"]
    assert page.panel.query.options == (NO_QUERY, *names)


def test_a_port_in_use_is_an_error(server: viser.ViserServer) -> None:
    with (
        pytest.raises(HlocLiteError, match="cannot listen on 127"),
        running_server(ViewConfig(port=server.get_port())),
    ):
        pass


def test_an_address_of_another_machine_is_an_error() -> None:
    with (
        pytest.raises(HlocLiteError, match="--host"),
        running_server(ViewConfig(host="192.0.2.1", port=0)),
    ):
        pass


def test_the_port_is_free_again_after_the_block() -> None:
    with running_server(CONFIG) as first:
        port = first.get_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
