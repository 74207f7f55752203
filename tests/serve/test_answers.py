"""Answers of the service: pose frames, confidence, several maps, intrinsics, priors, pages."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hloc_lite.geometry.rotations import rotation_from_quat_wxyz
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.maps.georeference import FitQuality, Georeference
from hloc_lite.types import Camera, Status
from tests.serve.conftest import Connect
from tests.serve.stand_ins import COVARIANCE, QUARTER_TURN, FakeLocalizer, photo_bytes

IMAGE = {"image": ("photo.jpg", photo_bytes(), "image/jpeg")}


def test_answer_to_a_photo_without_options(connect: Connect) -> None:
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


def test_position_std_is_along_the_map_axes(connect: Connect) -> None:
    body = connect().post("/v1/localize", files=IMAGE).json()
    # the camera's x axis is the map's -y, its y axis the map's x
    np.testing.assert_allclose(body["covariance"]["position_std"], [0.2, 0.1, 0.3])
    assert body["covariance"]["rotation_std_deg"] == pytest.approx(np.degrees(np.sqrt(3e-4)))


def test_a_photo_that_cannot_be_localized_is_answered_200(connect: Connect) -> None:
    answer = connect(FakeLocalizer(None, Status.NO_POSE)).post("/v1/localize", files=IMAGE)
    body = answer.json()
    assert answer.status_code == 200
    assert (body["found"], body["status"], body["pose"]) == (False, "no_pose", None)
    assert (body["reason"], body["confidence_class"]) == ("stand-in result", None)


@pytest.mark.parametrize(
    ("confidence", "expected"),
    [(0.1, "POOR"), (0.5, "FAIR"), (0.79, "FAIR"), (0.8, "GOOD"), (0.95, "EXCELLENT")],
)
def test_confidence_classes(connect: Connect, confidence: float, expected: str) -> None:
    body = connect(FakeLocalizer(confidence)).post("/v1/localize", files=IMAGE).json()
    assert body["confidence_class"] == expected


def test_pose_in_the_requested_frame(connect: Connect) -> None:
    client = connect()
    frames = client.get("/v1/frames").json()
    assert {"colmap", "opencv", "opengl", "unity", "ros"} <= frames.keys()
    body = client.post("/v1/localize", files=IMAGE, data={"frame": "unity"}).json()
    x, y, z = QUARTER_TURN.center
    np.testing.assert_allclose(body["pose"]["position"], [x, -y, z])
    assert "left-handed" in body["pose"]["convention"]
    np.testing.assert_allclose(body["in_map"]["center"], QUARTER_TURN.center)


def test_the_most_confident_map_is_returned_and_all_are_listed(connect: Connect) -> None:
    client = connect(FakeLocalizer(0.6), FakeLocalizer(0.97), FakeLocalizer(0.99, Status.DOUBTFUL))
    body = client.post("/v1/localize", files=IMAGE).json()
    assert (body["map"], body["confidence"]) == ("b", 0.97)
    tried = [(each["map"], each["status"]) for each in body["maps"]]
    assert tried == [("a", "localized"), ("b", "localized"), ("c", "doubtful")]
    body = client.post("/v1/localize", files=IMAGE, data={"maps": "c,a"}).json()
    assert (body["map"], len(body["maps"])) == ("a", 2)


def test_maps_share_the_time_budget_and_skipped_ones_are_listed(connect: Connect) -> None:
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


def test_priors_are_converted_from_their_frame(connect: Connect) -> None:
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


def test_a_photo_named_like_a_map_image_is_not_taken_for_it(connect: Connect) -> None:
    localizer = FakeLocalizer()
    image = {"image": ("0.jpg", photo_bytes("PNG"), "image/png")}
    assert connect(localizer).post("/v1/localize", files=image).status_code == 200
    assert localizer.photos[0].name not in {each.name for each in localizer.map.model.images}


def test_map_list_and_plan(connect: Connect) -> None:
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


def test_pages_load_no_external_resources(connect: Connect) -> None:
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


def make_georeference(metres_per_unit: float) -> Georeference:
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    quality = FitQuality(3, 3, 0.1, 0.1, 0.1, 0.01, 0.1, 0.1, "positions", (1.0, 2.0))
    enu_from_map = Similarity3(metres_per_unit, turn, np.array([5.0, 6, 7]))
    return Georeference(55.7, 13.2, 60.0, enu_from_map, quality)


def test_a_georeferenced_map(connect: Connect) -> None:
    georeference = make_georeference(2.0)
    localizer = FakeLocalizer(georeference=georeference)
    client = connect(localizer)
    fields = {"world": "enu", "frame": "ros", "prior_geo": "55.7 13.2 67", "prior_radius": "10",
              "gravity": "0 0 -1"}  # fmt: skip
    body = client.post("/v1/localize", files=IMAGE, data=fields).json()
    center = georeference.enu_from_map.apply(QUARTER_TURN.center)
    np.testing.assert_allclose(body["pose"]["position"], center)
    expected = georeference.geodetic_from_map(QUARTER_TURN.center)
    found = body["geopose"]["position"]
    np.testing.assert_allclose([found["lat"], found["lon"], found["h"]], expected, rtol=1e-12)
    # 0.1, 0.2, 0.3 map units along the camera's axes
    np.testing.assert_allclose(sorted(body["covariance"]["position_std"]), [0.2, 0.4, 0.6])
    assert body["covariance"]["position_std_m"] == pytest.approx(2 * np.sqrt(0.14))
    (prior,) = localizer.priors
    assert prior is not None and prior.position is not None and prior.gravity_in_cam is not None
    # in map units, enlarged by the error of the georeference
    assert prior.radius == pytest.approx((10 + 0.1) / 2)
    np.testing.assert_allclose(
        georeference.enu_from_map.apply(prior.position), [0, 0, 7], atol=1e-6
    )
    np.testing.assert_allclose(prior.gravity_in_cam, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(prior.gravity_in_world, [0, 0, -1], atol=1e-12)


def test_uncertainty_in_metres_is_given_in_map_coordinates_too(connect: Connect) -> None:
    client = connect(FakeLocalizer(georeference=make_georeference(2.0)))
    body = client.post("/v1/localize", files=IMAGE).json()
    assert body["covariance"]["position_std"] == pytest.approx([0.2, 0.1, 0.3])
    assert body["covariance"]["position_std_m"] == pytest.approx(2 * np.sqrt(0.14))


def test_gps_prior_without_height(connect: Connect) -> None:
    georeference = make_georeference(2.0)
    localizer = FakeLocalizer(georeference=georeference)
    client = connect(localizer)
    fields = {"prior_geo": "55.7 13.2", "prior_accuracy": "5"}
    assert client.post("/v1/localize", files=IMAGE, data=fields).status_code == 200
    (prior,) = localizer.priors
    assert prior is not None and prior.position is not None
    # midway between the lowest and the highest camera of the map, 1 and 2 m
    np.testing.assert_allclose(
        georeference.enu_from_map.apply(prior.position), [0, 0, 1.5], atol=1e-6
    )
    assert prior.radius > 3 * 5 / 2
    latitude = {"prior_geo": "95 13.2", "prior_accuracy": "5"}
    refused = client.post("/v1/localize", files=IMAGE, data=latitude)
    assert refused.status_code == 422 and "latitude" in refused.text.lower()


def test_a_promise_is_passed_on_and_shown(connect: Connect) -> None:
    client = connect()
    body = client.post("/v1/localize", files=IMAGE, data={"max_wrong": "0.01"}).json()
    assert (body["max_wrong"], body["min_confidence"]) == (0.01, 0.75)
    assert body["promise"] == "few are wrong"
    body = client.post("/v1/localize", files=IMAGE).json()
    assert (body["max_wrong"], body["promise"]) == (None, "")
    refused = client.post("/v1/localize", files=IMAGE, data={"max_wrong": "1.5"})
    assert refused.status_code == 422 and "max_wrong" in refused.json()["error"]["reason"]


def test_recalibration_is_asked_for_by_request(connect: Connect) -> None:
    localizer = FakeLocalizer()
    client = connect(localizer)
    for data in ({}, {"recalibrate": "true"}, {"recalibrate": "false"}):
        assert client.post("/v1/localize", files=IMAGE, data=data).status_code == 200
    assert localizer.recalibrations == [None, True, False]
    refused = client.post("/v1/localize", files=IMAGE, data={"recalibrate": "maybe"})
    assert refused.status_code == 422 and "recalibrate" in refused.json()["error"]["reason"]
