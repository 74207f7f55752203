"""What a request is answered: poses in frames, confidence, maps, what is known beforehand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient

from hloc_lite.geometry.rotations import rotation_from_quat_wxyz
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.maps.georeference import FitQuality, Georeference
from hloc_lite.types import Camera, Status
from tests.serve.conftest import Connect
from tests.serve.stand_ins import COVARIANCE, QUARTER_TURN, FakeLocalizer, photo_bytes

IMAGE = {"image": ("photo.jpg", photo_bytes(), "image/jpeg")}


def test_a_photo_alone_is_answered_with_everything(connect: Connect) -> None:
    answer = connect().post("/v1/localize", files=IMAGE)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["found"], body["status"], body["map"]) == (True, "localized", "a")
    assert (body["confidence"], body["confidence_class"]) == (0.9, "GOOD")
    np.testing.assert_allclose(body["pose"]["position"], QUARTER_TURN.center)
    np.testing.assert_allclose(body["pose"]["translation"], QUARTER_TURN.translation)
    x, y, z, w = body["pose"]["rotation_xyzw"]
    np.testing.assert_allclose(
        rotation_from_quat_wxyz([w, x, y, z]), QUARTER_TURN.rotation, atol=1e-12
    )
    np.testing.assert_allclose(body["covariance"]["camera_matrix"], COVARIANCE)
    assert body["counts"] == {"inliers": 2}
    assert {"upload", "queue", "decode", "pose", "total"} <= body["times_ms"].keys()
    assert body["request_id"] == answer.headers["x-request-id"]


def test_the_standard_deviation_is_along_the_axes_of_the_map(connect: Connect) -> None:
    body = connect().post("/v1/localize", files=IMAGE).json()
    # the camera's x axis is the map's -y, its y axis the map's x
    np.testing.assert_allclose(body["covariance"]["position_std"], [0.2, 0.1, 0.3])
    assert body["covariance"]["rotation_std_deg"] == pytest.approx(np.degrees(np.sqrt(3e-4)))


def test_a_photo_not_found_is_an_answer_too(connect: Connect) -> None:
    answer = connect(FakeLocalizer(None, Status.NO_POSE)).post("/v1/localize", files=IMAGE)
    body = answer.json()
    assert answer.status_code == 200
    assert (body["found"], body["status"], body["pose"]) == (False, "no_pose", None)
    assert (body["reason"], body["confidence_class"]) == ("as arranged", None)


@pytest.mark.parametrize(
    ("confidence", "word"),
    [(0.1, "POOR"), (0.5, "FAIR"), (0.79, "FAIR"), (0.8, "GOOD"), (0.95, "EXCELLENT")],
)
def test_classes_of_confidence(connect: Connect, confidence: float, word: str) -> None:
    body = connect(FakeLocalizer(confidence)).post("/v1/localize", files=IMAGE).json()
    assert body["confidence_class"] == word


def test_the_frame_asked_for(connect: Connect) -> None:
    client = connect()
    frames = client.get("/v1/frames").json()
    assert {"colmap", "opencv", "opengl", "unity", "ros"} <= frames.keys()
    body = client.post("/v1/localize", files=IMAGE, data={"frame": "unity"}).json()
    x, y, z = QUARTER_TURN.center
    np.testing.assert_allclose(body["pose"]["position"], [x, -y, z])
    assert "left-handed" in body["pose"]["convention"]
    np.testing.assert_allclose(body["in_map"]["center"], QUARTER_TURN.center)


def test_the_most_confident_map_counts_and_all_are_told(connect: Connect) -> None:
    client = connect(FakeLocalizer(0.6), FakeLocalizer(0.97), FakeLocalizer(0.99, Status.DOUBTFUL))
    body = client.post("/v1/localize", files=IMAGE).json()
    assert (body["map"], body["confidence"]) == ("b", 0.97)
    told = [(each["map"], each["status"]) for each in body["maps"]]
    assert told == [("a", "localized"), ("b", "localized"), ("c", "doubtful")]
    body = client.post("/v1/localize", files=IMAGE, data={"maps": "c,a"}).json()
    assert (body["map"], len(body["maps"])) == ("a", 2)


def test_a_budget_is_shared_and_what_it_leaves_out_is_told(connect: Connect) -> None:
    first, second = FakeLocalizer(), FakeLocalizer()
    body = connect(first, second).post("/v1/localize", files=IMAGE, data={"budget_ms": "1e-6"})
    assert body.json()["skipped"] == ["map b"]
    assert (len(first.photos), len(second.photos)) == (1, 0)


@pytest.mark.parametrize(
    ("fields", "model", "size", "params"),
    [
        ({"camera": "SIMPLE_PINHOLE 64 48 50 32 24"}, "SIMPLE_PINHOLE", (64, 48), [50, 32, 24]),
        ({"camera": "SIMPLE_PINHOLE 128 96 100 64 48"}, "SIMPLE_PINHOLE", (64, 48), [50, 32, 24]),
        ({"fx": "50"}, "PINHOLE", (64, 48), [50, 50, 32, 24]),
        (
            {"fx": "50", "fy": "51", "cx": "31", "cy": "23", "distortion": "0.1 0.01"},
            "OPENCV", (64, 48), [50, 51, 31, 23, 0.1, 0.01, 0, 0],
        ),
        (
            {"fx": "100", "width": "128", "height": "96"},
            "PINHOLE", (64, 48), [50, 50, 32, 24],
        ),
        (
            {"query": '{"fx": 50, "distortion": [0.1, 0.01, 0, 0, 0.001]}'},
            "FULL_OPENCV", (64, 48), [50, 50, 32, 24, 0.1, 0.01, 0, 0, 0.001, 0, 0, 0],
        ),
    ],
)  # fmt: skip
def test_intrinsics(
    connect: Connect, fields: dict, model: str, size: tuple[int, int], params: list[float]
) -> None:
    localizer = FakeLocalizer()
    assert connect(localizer).post("/v1/localize", files=IMAGE, data=fields).status_code == 200
    (camera,) = localizer.cameras
    assert isinstance(camera, Camera)
    assert (camera.model, (camera.width, camera.height)) == (model, size)
    np.testing.assert_allclose(camera.params, params)


def test_a_prior_is_turned_from_the_frame_it_is_given_in(connect: Connect) -> None:
    localizer = FakeLocalizer()
    query = {"prior_position": [1, 2, 3], "prior_radius": 5, "gravity": [0, -1, 0],
             "frame": "unity"}  # fmt: skip
    fields = {"query": json.dumps(query)}
    assert connect(localizer).post("/v1/localize", files=IMAGE, data=fields).status_code == 200
    (prior,) = localizer.priors
    assert prior is not None and prior.position is not None and prior.gravity_in_cam is not None
    np.testing.assert_allclose(prior.position, [1, -2, 3])
    np.testing.assert_allclose(prior.gravity_in_cam, [0, 1, 0])
    assert prior.radius == 5


def test_the_photo_is_never_taken_for_a_map_image_of_its_name(connect: Connect) -> None:
    localizer = FakeLocalizer()
    image = {"image": ("0.jpg", photo_bytes("PNG"), "image/png")}
    assert connect(localizer).post("/v1/localize", files=image).status_code == 200
    assert localizer.photos[0].name not in {each.name for each in localizer.map.model.images}


def test_maps_and_their_plan(connect: Connect) -> None:
    client = connect(FakeLocalizer(), FakeLocalizer(), plan_points=20)
    maps = client.get("/v1/maps").json()["maps"]
    assert [(each["name"], each["images"], each["points"]) for each in maps] == [
        ("a", 3, 50), ("b", 3, 50),
    ]  # fmt: skip
    plan = client.get("/v1/maps/a/plan").json()
    assert (len(plan["cameras"]), len(plan["points"])) == (3, 20)
    (left, bottom), (right, top) = plan["limits"]
    assert all(left <= x <= right and bottom <= y <= top for x, y, *_ in plan["cameras"])
    axes = np.array(plan["axes"])
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)


def test_the_pages_load_nothing_from_elsewhere(connect: Connect) -> None:
    client = connect()
    for path in ("/", "/docs"):
        page = client.get(path)
        assert page.status_code == 200
        assert "http://" not in page.text.replace("http://HOST:PORT", "")
        assert "https://" not in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "prior_radius" in client.get("/docs").text
    assert "/v1/localize" in client.get("/openapi.json").json()["paths"]


def place_on_earth(client: TestClient, scale: float) -> Georeference:
    """Give map a a georeference: a quarter turn, and ``scale`` metres a unit."""
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    quality = FitQuality(3, 3, 0.1, 0.1, 0.1, 0.01, 0.1, 0.1, "positions", (1.0, 2.0))
    made = Georeference(55.7, 13.2, 60.0, Similarity3(scale, turn, np.array([5.0, 6, 7])), quality)
    (served,) = client.app.state.shelf.opened()
    served.localizer.map.georeference = made
    return made


def test_a_georeferenced_map(connect: Connect) -> None:
    localizer = FakeLocalizer()
    client = connect(localizer)
    made = place_on_earth(client, 2.0)
    fields = {"world": "enu", "frame": "ros", "prior_geo": "55.7 13.2 67", "prior_radius": "10",
              "gravity": "0 0 -1"}  # fmt: skip
    body = client.post("/v1/localize", files=IMAGE, data=fields).json()
    center = made.enu_from_map.apply(QUARTER_TURN.center)
    np.testing.assert_allclose(body["pose"]["position"], center)
    expected = made.geodetic_from_map(QUARTER_TURN.center)
    found = body["geopose"]["position"]
    np.testing.assert_allclose([found["lat"], found["lon"], found["h"]], expected, rtol=1e-12)
    # 0.1, 0.2, 0.3 map units along the camera's axes
    np.testing.assert_allclose(sorted(body["covariance"]["position_std"]), [0.2, 0.4, 0.6])
    assert body["covariance"]["position_std_m"] == pytest.approx(2 * np.sqrt(0.14))
    (prior,) = localizer.priors
    assert prior is not None and prior.position is not None and prior.gravity_in_cam is not None
    # map units; and what the georeference itself is off
    assert prior.radius == pytest.approx((10 + 0.1) / 2)
    np.testing.assert_allclose(made.enu_from_map.apply(prior.position), [0, 0, 7], atol=1e-6)
    np.testing.assert_allclose(prior.gravity_in_cam, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(prior.gravity_in_world, [0, 0, -1], atol=1e-12)


def test_uncertainty_in_metres_needs_no_frame_on_earth(connect: Connect) -> None:
    client = connect()
    place_on_earth(client, 2.0)
    body = client.post("/v1/localize", files=IMAGE).json()
    assert body["covariance"]["position_std"] == pytest.approx([0.2, 0.1, 0.3])
    assert body["covariance"]["position_std_m"] == pytest.approx(2 * np.sqrt(0.14))


def test_a_phones_position_without_height(connect: Connect) -> None:
    localizer = FakeLocalizer()
    client = connect(localizer)
    made = place_on_earth(client, 2.0)
    fields = {"prior_geo": "55.7 13.2", "prior_accuracy": "5"}
    assert client.post("/v1/localize", files=IMAGE, data=fields).status_code == 200
    (prior,) = localizer.priors
    assert prior is not None and prior.position is not None
    # between the lowest and the highest camera of the map, 1 and 2 m
    np.testing.assert_allclose(made.enu_from_map.apply(prior.position), [0, 0, 1.5], atol=1e-6)
    assert prior.radius > 3 * 5 / 2
    latitude = {"prior_geo": "95 13.2", "prior_accuracy": "5"}
    refused = client.post("/v1/localize", files=IMAGE, data=latitude)
    assert refused.status_code == 422 and "latitude" in refused.text.lower()
