"""The GeoPoseProtocol: both versions, axes, accuracy, priors, refused requests, negotiation."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request

from hloc_lite.geometry.rotations import exp_so3, rotation_from_quat_wxyz
from hloc_lite.geometry.similarity import Similarity3
from hloc_lite.maps.georeference import FitQuality, Georeference
from hloc_lite.serve.app import create_app
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.geopose_messages import GeoPoseResponse
from hloc_lite.serve.problems import Problem
from hloc_lite.serve.uploads import UploadReceiver
from hloc_lite.types import LocalizationResult, Photo, Rigid3, Status
from tests.serve.conftest import Connect
from tests.serve.stand_ins import COVARIANCE, FakeLocalizer, photo_bytes, pool_of

JPEG = photo_bytes()
HALF = np.sqrt(0.5)
TOKEN = "a-long-enough-token"
PRIVACY: dict[str, list[str]] = {
    "dataRetention": [],
    "dataAcceptableUse": [],
    "dataSanitizationApplied": [],
    "dataSanitizationRequested": [],
}
QUALITY = FitQuality(9, 9, 0.5, 0.5, 0.5, 0.01, 0.1, 0.1, "positions", (1.0, 3.0))
Body = dict[str, Any]


def some_georeference() -> Georeference:
    """Georeference of a map with axes of its own, 2.5 m per unit."""
    enu_from_map = Similarity3(2.5, exp_so3([0.4, -1.1, 0.7]), np.array([300.0, -400, 20]))
    return Georeference(47.61, -122.34, 50.0, enu_from_map, QUALITY)


class PosedLocalizer(FakeLocalizer):
    """Localizes every photo at a given pose."""

    def __init__(self, pose: Rigid3, covariance: np.ndarray | None = COVARIANCE) -> None:
        super().__init__(georeference=some_georeference())
        self.pose, self.covariance = pose, covariance

    def localize(self, image: Photo, *args: Any, **options: Any) -> LocalizationResult:
        result = super().localize(image, *args, **options)
        assert result.pose is not None
        pose = replace(result.pose, cam_from_world=self.pose, covariance=self.covariance)
        return replace(result, pose=pose)


def placed(**options: Any) -> FakeLocalizer:
    return FakeLocalizer(georeference=some_georeference(), **options)


def version_2(**photo: Any) -> Body:
    """A request with every part that version 2 has; ``photo`` changes the camera reading."""
    head = {"timestamp": 1700000000123, "privacy": PRIVACY}
    camera = {
        **head,
        "sensorId": "cam",
        "sequenceNumber": 1,
        "imageFormat": "JPG",
        "size": [64, 48],
        "imageBytes": base64.b64encode(JPEG).decode(),
        "imageOrientation": {"mirrored": False, "rotation": 0},
        "params": {"model": "OPENCV", "modelParams": [50, 51, 31.5, 24, 0.1, 0.01, 0, 0]},
    }
    vector = {**head, "x": 0.0, "y": 9.8, "z": 0.1}
    position = {"latitude": 47.61, "longitude": -122.34, "altitude": 0, "accuracy": 0}
    wifi = {"BSSID": "02:00:00:00:00:00", "frequency": 2412, "RSSI": -60, "SSID": "a"}
    scan = {"scanTimeStart": 1700000000000, "scanTimeEnd": 1700000000100}
    return {
        "id": "8a3d5c1e",
        "timestamp": 1700000000124,
        "type": "geopose",
        "sensors": [
            {"id": "cam", "type": "camera", "name": "back", "rigIdentifier": "phone",
             "rigRotation": {"x": 0, "y": 0, "z": 0, "w": 1},
             "rigTranslation": {"x": 0, "y": 0, "z": 0}},
            {"id": "gps", "type": "geolocation"},
            {"id": "wifi", "type": "wifi"},
            {"id": "acc", "type": "accelerometer"},
        ],
        "sensorReadings": {
            "cameraReadings": [{**camera, **photo}],
            "geolocationReadings": [
                {**head, "sensorId": "gps", **position, "altitudeAccuracy": 0, "heading": None,
                 "speed": 0}
            ],
            "wiFiReadings": [{**head, "sensorId": "wifi", **wifi, **scan}],
            "bluetoothReadings": [],
            "accelerometerReadings": [{"sensorId": "acc", **vector}],
        },
        "priorPoses": [],
    }  # fmt: skip


def version_1() -> Body:
    """The same request in version 1."""
    body = version_2()
    readings = body["sensorReadings"]
    (camera,), (position,) = readings["cameraReadings"], readings["geolocationReadings"]
    outer = ("timestamp", "sensorId", "privacy")
    body["sensors"][0]["params"] = camera.pop("params")
    body["sensorReadings"] = [
        {
            **{name: each[name] for name in outer},
            "reading": {name: value for name, value in each.items() if name not in outer},
        }
        for each in (camera, position, readings["accelerometerReadings"][0])
    ]
    return body


def post(client: TestClient, body: Body, **options: Any) -> httpx.Response:
    return client.post("/geopose", json=body, **options)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["status"] == answer.status_code and len(error["reason"]) > 10
    return answer.status_code, error["code"]


@pytest.mark.parametrize("make_body", [version_1, version_2])
def test_a_full_request_of_each_version(connect: Connect, make_body: Callable[[], Body]) -> None:
    localizer = placed()
    answer = post(connect(localizer), make_body())
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"id", "timestamp", "accuracy", "type", "geopose"}
    assert (body["id"], body["timestamp"], body["type"]) == ("8a3d5c1e", 1700000000124, "geopose")
    assert body["accuracy"].keys() == {"position", "orientation"}
    assert body["geopose"]["position"].keys() == {"lat", "lon", "h"}
    assert body["geopose"]["quaternion"].keys() == {"x", "y", "z", "w"}
    # a prior pose of a later request is such a response
    assert GeoPoseResponse.model_validate(body).model_dump() == body
    (photo,), (camera,), (prior,) = localizer.photos, localizer.cameras, localizer.priors
    assert (photo.width, photo.height) == (64, 48)
    assert camera is not None and camera.model == "OPENCV"
    assert camera.params.tolist() == [50, 51, 31.5, 24, 0.1, 0.01, 0, 0]
    assert prior is None  # accuracy 0 is unknown


def ecef(latitude_deg: float, longitude_deg: float, height_m: float) -> tuple[np.ndarray, ...]:
    """WGS-84 position, and the (3, 3) rotation from east, north, up there; written for the test."""
    lat, lon = np.radians([latitude_deg, longitude_deg])
    radius, flattening = 6378137.0, 1 / 298.257223563
    squared = flattening * (2 - flattening)
    normal = radius / np.sqrt(1 - squared * np.sin(lat) ** 2)
    up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    east = np.array([-np.sin(lon), np.cos(lon), 0])
    position = normal * up + height_m * up - np.array([0, 0, normal * squared * np.sin(lat)])
    return position, np.column_stack([east, np.cross(up, east), up])


def camera_at(
    georeference: Georeference, position: list[float], forward: np.ndarray, up: np.ndarray
) -> Rigid3:
    """Pose in the map of a camera on Earth; ``forward`` and ``up`` in east, north, up there."""
    where, earth_from_here = ecef(*position)
    origin, earth_from_enu = ecef(
        georeference.latitude_deg, georeference.longitude_deg, georeference.height_m
    )
    here_from_camera = np.column_stack([np.cross(forward, up), -up, forward])
    similarity = georeference.enu_from_map
    map_from_earth = similarity.rotation.T @ earth_from_enu.T
    center = similarity.rotation.T @ (earth_from_enu.T @ (where - origin) - similarity.translation)
    rotation = (map_from_earth @ earth_from_here @ here_from_camera).T
    return Rigid3(rotation, -rotation @ (center / similarity.scale))


@pytest.mark.parametrize(
    ("forward", "up", "quat_xyzw"),
    [
        ([1, 0, 0], [0, 0, 1], [0, 0, 0, 1]),  # looks east: the identity
        ([0, 1, 0], [0, 0, 1], [0, 0, HALF, HALF]),  # north: a quarter turn about up
        ([-1, 0, 0], [0, 0, 1], [0, 0, 1, 0]),
        ([0, 0, -1], [1, 0, 0], [0, HALF, 0, HALF]),  # nadir: pitched down about the left axis
        ([1, 0, 0], [0, -1, 0], [HALF, 0, 0, HALF]),  # rolled clockwise about the view
    ],
)
def test_axes_of_the_camera(
    connect: Connect, forward: list[float], up: list[float], quat_xyzw: list[float]
) -> None:
    position = [47.6139, -122.3311, 81.25]  # 700 m from the origin, so up differs
    pose = camera_at(some_georeference(), position, np.array(forward, float), np.array(up, float))
    found = post(connect(PosedLocalizer(pose)), version_2()).json()["geopose"]
    got = np.array([found["quaternion"][name] for name in "xyzw"])
    assert abs(got @ quat_xyzw) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(got * np.sign(got @ quat_xyzw), quat_xyzw, atol=1e-9)
    np.testing.assert_allclose(
        [found["position"][name] for name in ("lat", "lon")], position[:2], rtol=0, atol=1e-11
    )
    assert found["position"]["h"] == pytest.approx(position[2], abs=1e-6)


def test_any_orientation_is_exact(connect: Connect) -> None:
    random = np.random.default_rng(3)
    for quaternion in random.normal(size=(5, 4)):
        w, x, y, z = quaternion / np.linalg.norm(quaternion)
        rotation = rotation_from_quat_wxyz([w, x, y, z])
        position = [47.61 + 0.01 * random.normal(), -122.34 + 0.01 * random.normal(), 30.0]
        # the columns are the camera's forward, left and up
        pose = camera_at(some_georeference(), position, rotation[:, 0], rotation[:, 2])
        found = post(connect(PosedLocalizer(pose)), version_2()).json()["geopose"]
        got = np.array([found["quaternion"][name] for name in "xyzw"])
        assert abs(got @ [x, y, z, w]) == pytest.approx(1, abs=1e-12)
        assert found["position"] == pytest.approx(
            dict(zip(("lat", "lon", "h"), position, strict=True)), rel=0, abs=1e-6
        )


def test_the_example_response_of_the_protocol_is_a_camera_without_roll() -> None:
    """Independent support for the axes: its photo is level, so the left axis must be level."""
    axes = rotation_from_quat_wxyz([-0.77732, 0.08266, 0.10515, 0.61472])
    assert axes[2, 1] == pytest.approx(0, abs=0.002)  # left axis, up component
    assert axes[2, 2] > 0.95 and axes[2, 0] == pytest.approx(0.26, abs=0.02)


def test_accuracy_is_the_mean_over_three_components(connect: Connect) -> None:
    position, north, up = [47.61, -122.34, 50.0], np.array([0.0, 1, 0]), np.array([0.0, 0, 1])
    pose = camera_at(some_georeference(), position, north, up)
    covariance = np.diag([0.01, 0.02, 0.03, 0.4, 0.8, 1.2]) ** 2  # axes right, down, forward
    body = post(connect(PosedLocalizer(pose, covariance)), version_2()).json()
    assert body["accuracy"]["position"] == pytest.approx(2.5 * 0.8, rel=1e-5)
    assert body["accuracy"]["orientation"] == pytest.approx(np.degrees(0.02), rel=1e-5)
    body = post(connect(PosedLocalizer(pose, None)), version_2()).json()
    assert body["accuracy"] == {"position": sys.float_info.max, "orientation": sys.float_info.max}


def test_the_most_accurate_position_is_the_prior(connect: Connect) -> None:
    localizer = placed()
    georeference = some_georeference()
    body = version_2()
    far = {"latitude": 47.7, "longitude": -122.34, "accuracy": 40}
    near = {"latitude": 47.61, "longitude": -122.34, "altitude": 999, "accuracy": 5}
    body["sensorReadings"]["geolocationReadings"] = [far, near, {**far, "accuracy": 0}]
    assert post(connect(localizer), body).status_code == 200
    # the JavaScript client's spelling
    body["sensorReadings"]["geoLocationReadings"] = body["sensorReadings"].pop(
        "geolocationReadings"
    )
    assert post(connect(localizer), body).status_code == 200
    for prior in localizer.priors:
        assert prior is not None and prior.position is not None
        found = georeference.enu_from_map.apply(prior.position)
        # midway between the lowest and the highest camera: the height of a phone is not used
        np.testing.assert_allclose(found, [0, 0, 2], atol=1e-6)
        assert prior.radius == pytest.approx(np.hypot(3 * 5 + 0.5, 1) / 2.5)


@pytest.mark.parametrize(
    "photo",
    [
        {"params": None},
        {"params": {}},
        {"params": {"model": "UNKNOWN_CAMERA"}, "size": [0, 0]},
        {"params": {"model": "UNKNOWN", "modelParams": []}},
        {"params": None, "size": None, "privacy": None, "imageOrientation": None},
    ],
)
def test_unknown_intrinsics_are_left_to_the_service(connect: Connect, photo: Body) -> None:
    localizer = placed()
    assert post(connect(localizer), version_2(**photo)).status_code == 200
    assert localizer.cameras == [None]


def test_intrinsics_refer_to_the_stated_size(connect: Connect) -> None:
    localizer = placed()
    params = {"model": "pinhole", "modelParams": [100, 100, 64, 48]}
    body = version_2(size=["128", "96"], params=params, imageFormat="RGBA32")
    assert post(connect(localizer), body).status_code == 200
    (camera,) = localizer.cameras
    assert camera is not None and (camera.width, camera.height) == (64, 48)
    np.testing.assert_allclose(camera.params, [50, 50, 32, 24])


def test_depth_readings_are_left_out(connect: Connect) -> None:
    body = version_2()
    (photo,) = body["sensorReadings"]["cameraReadings"]
    depth = {**photo, "imageFormat": "DEPTH", "imageBytes": "AAAA"}
    body["sensorReadings"]["cameraReadings"] = [depth, photo]
    assert post(connect(placed()), body).status_code == 200
    body["sensorReadings"]["cameraReadings"] = [depth]
    assert refusal(post(connect(placed()), body)) == (422, "no_image")


def test_base64_with_line_breaks(connect: Connect) -> None:
    localizer = placed()
    body = version_2(imageBytes=base64.encodebytes(JPEG).decode())
    assert post(connect(localizer), body).status_code == 200
    assert len(localizer.photos) == 1


@pytest.mark.parametrize("timestamp", [1, 1.5, "2026-01-02T03:04:05.678Z"])
def test_the_timestamp_is_returned_as_it_came(connect: Connect, timestamp: Any) -> None:
    found = post(connect(placed()), {**version_2(), "timestamp": timestamp}).json()["timestamp"]
    assert found == timestamp and type(found) is type(timestamp)


def test_a_photo_that_cannot_be_localized_is_answered_404(connect: Connect) -> None:
    client = connect(placed(confidence=None, status=Status.NO_POSE))
    answer = post(client, version_2())
    assert refusal(answer) == (404, "not_localized")
    assert answer.json()["error"]["reason"] == "no_pose: stand-in result"
    turned = version_2(imageOrientation={"mirrored": False, "rotation": 90})
    assert "upright" in post(client, turned).json()["error"]["reason"]
    metrics = client.get("/metrics").text
    assert 'hloc_lite_requests_total{route="/geopose",status="404"} 2.0' in metrics
    assert 'hloc_lite_results_total{map="a",status="no_pose"} 2.0' in metrics
    assert "hloc_lite_refused_total{" not in metrics


def test_only_georeferenced_maps_are_tried(connect: Connect) -> None:
    local, one, other = FakeLocalizer(0.99), placed(confidence=0.8), placed(confidence=0.9)
    client = connect(local, one, other)
    assert post(client, version_2()).status_code == 200
    assert (len(local.photos), len(one.photos), len(other.photos)) == (0, 1, 1)
    assert post(client, version_2(), params={"maps": "b"}).status_code == 200
    assert (len(one.photos), len(other.photos)) == (2, 1)
    answer = post(client, version_2(), params={"maps": "a, b"})
    assert refusal(answer) == (409, "not_georeferenced")
    assert "hloc-lite georeference" in answer.json()["error"]["reason"]
    unknown = post(client, version_2(), params={"maps": "cellar"})
    assert refusal(unknown) == (404, "unknown_map")
    assert refusal(post(connect(FakeLocalizer()), version_2())) == (409, "not_georeferenced")
    many = connect(placed(), placed(), max_maps_a_query=1)
    assert refusal(post(many, version_2())) == (422, "too_many_maps")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/vnd.oscp+json; version=2.0;", "application/vnd.oscp+json; version=2.0"),
        ("application/vnd.oscp+json;version=2", "application/vnd.oscp+json; version=2.0"),
        ("application/vnd.oscp+json; version=1.0;", "application/vnd.oscp+json; version=1.0"),
        ("Application/vnd.OSCP+json", "application/vnd.oscp+json; version=2.0"),
        ("text/html, application/vnd.oscp+json; version=9, application/vnd.oscp+json; version=1",
         "application/vnd.oscp+json; version=1.0"),
        ("application/vnd.oscp+json; version=3.0, */*;q=0.1", "application/json"),
        ("application/vnd.oscp+json; version=3.0; q=0, text/html", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/json, text/plain", "application/json"),
        (";;,,;", "application/json"),
    ],
)  # fmt: skip
def test_accepted_versions(connect: Connect, accept: str, expected: str) -> None:
    answer = post(connect(placed()), version_2(), headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, expected)


@pytest.mark.parametrize("version", ["3.0", "2.1", "0", "two", "2.0.0"])
def test_other_versions_are_refused(connect: Connect, version: str) -> None:
    localizer = placed()
    headers = {"Accept": f"application/vnd.oscp+json; version={version}"}
    answer = post(connect(localizer), version_2(), headers=headers)
    assert refusal(answer) == (406, "unknown_version")
    assert version in answer.json()["error"]["reason"] and not localizer.photos


def test_a_version_without_number_is_that_of_the_request(connect: Connect) -> None:
    headers = {"Accept": "application/vnd.oscp+json"}
    answer = post(connect(placed()), version_1(), headers=headers)
    assert answer.headers["content-type"] == "application/vnd.oscp+json; version=1.0"


def changed(path: str, value: Any, body: Body) -> Body:
    """The body with another value, or without a field if the value is ``...``."""
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    target: Any = body
    for part in parents:
        target = target[part]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return body


PHOTO = "sensorReadings.cameraReadings.0"
POSITION = "sensorReadings.geolocationReadings.0"


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("id", ..., "bad_field"),
        ("id", 5, "bad_field"),
        ("id", "x" * 1000, "bad_field"),
        ("timestamp", ..., "bad_field"),
        ("timestamp", True, "bad_field"),
        ("timestamp", 10**30, "bad_field"),
        ("type", "slam", "bad_field"),
        ("sensors", ..., "bad_field"),
        ("sensors", [{}] * 101, "bad_field"),
        ("sensorReadings", ..., "bad_field"),
        ("sensorReadings", None, "bad_field"),
        ("sensorReadings", {}, "no_image"),
        ("sensorReadings.cameraReadings", [], "no_image"),
        ("sensorReadings.cameraReadings", [{}] * 2000, "bad_field"),
        (f"{PHOTO}.imageBytes", ..., "bad_field"),
        (f"{PHOTO}.imageBytes", None, "bad_field"),
        (f"{PHOTO}.imageBytes", "", "no_image"),
        (f"{PHOTO}.imageBytes", "AAA", "bad_base64"),
        (f"{PHOTO}.imageBytes", "not base64!", "bad_base64"),
        (f"{PHOTO}.imageBytes", "ÿØÿà", "bad_base64"),
        (f"{PHOTO}.imageBytes", "data:image/jpeg;base64,/9j/", "bad_base64"),
        (f"{PHOTO}.imageBytes", base64.b64encode(JPEG[:300]).decode(), "broken_image"),
        (f"{PHOTO}.size", [64], "bad_field"),
        (f"{PHOTO}.size", ["a", "b"], "bad_field"),
        (f"{PHOTO}.size", [64.5, 48], "bad_field"),
        (f"{PHOTO}.size", None, "bad_intrinsics"),
        (f"{PHOTO}.size", [0, 0], "bad_intrinsics"),
        (f"{PHOTO}.size", [-64, -48], "bad_intrinsics"),
        (f"{PHOTO}.size", [48, 64], "bad_intrinsics"),
        (f"{PHOTO}.size", [10**9, 10**9], "bad_intrinsics"),
        (f"{PHOTO}.params.model", "NOKIA", "bad_intrinsics"),
        (f"{PHOTO}.params.model", "PINHOLE 1 1", "bad_field"),
        (f"{PHOTO}.params.model", "PINHOLE", "bad_intrinsics"),
        (f"{PHOTO}.params.modelParams", None, "bad_intrinsics"),
        (f"{PHOTO}.params.modelParams", [], "bad_intrinsics"),
        (f"{PHOTO}.params.modelParams", [50, 50, 32], "bad_intrinsics"),
        (f"{PHOTO}.params.modelParams", [-50, 50, 32, 24, 0, 0, 0, 0], "bad_intrinsics"),
        (f"{PHOTO}.params.modelParams", [0] * 13, "bad_field"),
        (f"{PHOTO}.params.modelParams", ["f"], "bad_field"),
        (f"{POSITION}.latitude", 95, "bad_field"),
        (f"{POSITION}.latitude", ..., "bad_field"),
        (f"{POSITION}.longitude", "west", "bad_field"),
        (f"{POSITION}.accuracy", -1, "bad_field"),
    ],
)
def test_bad_fields(connect: Connect, path: str, value: Any, code: str) -> None:
    localizer = placed()
    answer = post(connect(localizer), changed(path, value, version_2()))
    assert refusal(answer) == (422, code), answer.text
    assert len(answer.text) < 1000 and not localizer.photos


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("sensors.0.id", "other", "bad_field"),
        ("sensors.0.type", "wifi", "no_image"),
        ("sensors.0.params", "PINHOLE", "bad_field"),
        ("sensorReadings", [], "no_image"),
        ("sensorReadings", [1], "bad_field"),
        ("sensorReadings.0.sensorId", ..., "bad_field"),
        ("sensorReadings.0.reading", None, "no_image"),
        ("sensorReadings.0.reading", [], "bad_field"),
        ("sensorReadings.0.reading.imageBytes", "%", "bad_base64"),
        ("sensorReadings.1.reading.latitude", 95, "bad_field"),
    ],
)
def test_bad_fields_of_version_1(connect: Connect, path: str, value: Any, code: str) -> None:
    answer = post(connect(placed()), changed(path, value, version_1()))
    assert refusal(answer) == (422, code), answer.text


@pytest.mark.parametrize("make_body", [version_1, version_2])
def test_two_photos_are_refused(connect: Connect, make_body: Callable[[], Body]) -> None:
    body = make_body()
    readings = body["sensorReadings"]
    photos = readings if isinstance(readings, list) else readings["cameraReadings"]
    photos.append(photos[0])
    assert refusal(post(connect(placed()), body)) == (422, "several_images")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "bad_json")),
        (b"{", (400, "bad_json")),
        (b"[]", (400, "bad_json")),
        (b"\xff\xfe", (400, "bad_json")),
        (b'{"id": NaN}', (400, "bad_json")),
        (b"[" * 50_000, (400, "bad_json")),
        (b"[" + b"[]," * 60_000, (422, "bad_field")),
        (b'{"id": ' + b"9" * 100_000 + b"}", (400, "bad_json")),
        (json.dumps(version_2()).encode()[:-5], (400, "bad_json")),
        (json.dumps(version_2()).replace("50, 51", "1e400, 51").encode(), (422, "bad_field")),
    ],
)
def test_bad_json(connect: Connect, body: bytes, expected: tuple[int, str]) -> None:
    client = connect(placed())
    answer = client.post("/geopose", content=body, headers={"Content-Type": "application/json"})
    assert refusal(answer) == expected


def test_content_types(connect: Connect) -> None:
    client = connect(placed())
    body = json.dumps(version_2()).encode()
    for kind in ("application/json; charset=utf-8", "application/vnd.oscp+json; version=2.0"):
        answer = client.post("/geopose", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 200
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = client.post("/geopose", content=body, headers={"Content-Type": kind})
        assert refusal(answer) == (415, "not_json")
    assert refusal(client.post("/geopose", content=body)) == (415, "not_json")
    assert refusal(client.post("/geopose", files={"image": JPEG})) == (415, "not_json")
    assert refusal(client.get("/geopose")) == (405, "bad_method")


def test_limits_are_those_of_the_service(connect: Connect) -> None:
    localizer = placed()
    small = connect(localizer, max_upload_mb=0.001)
    assert refusal(post(small, version_2())) == (413, "body_too_large")
    pixels = connect(localizer, max_megapixels=0.001)
    assert refusal(post(pixels, version_2())) == (413, "image_too_large")
    raw = version_2(imageBytes=base64.b64encode(bytes(64 * 48 * 4)).decode(), imageFormat="RGBA32")
    assert refusal(post(connect(localizer), raw)) == (415, "not_an_image")
    held = placed()
    held.gate.clear()
    busy = connect(held, job_timeout_s=0.2, queue_size=0)
    assert refusal(post(busy, version_2())) == (503, "timed_out")
    answer = post(busy, version_2())
    held.gate.set()
    assert refusal(answer) == (429, "queue_full") and int(answer.headers["retry-after"]) >= 1
    assert not localizer.photos


def test_a_large_content_length_is_refused_before_the_body_is_read() -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was read")

    headers = [(b"content-length", b"999999999"), (b"content-type", b"application/json")]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    with pytest.raises(Problem) as caught:
        asyncio.run(UploadReceiver(ServeConfig()).receive_json(request, bytes))
    assert (caught.value.status, caught.value.code) == (413, "body_too_large")


def test_a_chunked_body_is_limited_too(connect: Connect) -> None:
    client = connect(placed(), max_upload_mb=0.2)
    chunks = (b" " * 50_000 for _ in range(100))
    answer = client.post("/geopose", content=chunks, headers={"Content-Type": "application/json"})
    assert refusal(answer) == (413, "body_too_large")


def test_token_origin_and_request_id(connect: Connect) -> None:
    client = connect(placed(), token=TOKEN, allowed_origins=("https://ar.example",))
    assert refusal(post(client, version_2())) == (401, "bad_token")
    right = {"Authorization": f"Bearer {TOKEN}"}
    evil = {**right, "Origin": "https://evil.example"}
    assert refusal(post(client, version_2(), headers=evil)) == (403, "other_origin")
    page = {**right, "Origin": "https://ar.example", "X-Request-Id": "mine-7"}
    answer = post(client, version_2(), headers=page)
    assert answer.status_code == 200 and answer.headers["x-request-id"] == "mine-7"
    assert answer.headers["access-control-allow-origin"] == "https://ar.example"
    preflight = {
        "Origin": "https://ar.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,accept",
    }
    assert client.options("/geopose", headers=preflight).status_code == 200


def test_maps_that_are_not_open_yet_are_answered_503() -> None:
    pool = pool_of(placed())
    pool._maps.clear()
    pool.open_all = lambda: None  # type: ignore[method-assign]
    with TestClient(create_app(pool, ServeConfig()), "http://localhost") as client:
        assert refusal(post(client, version_2())) == (503, "not_ready")


def test_the_description_resolves_and_its_examples_are_valid(connect: Connect) -> None:
    client = connect(placed())
    route = client.get("/openapi.json").json()["paths"]["/geopose"]["post"]
    (described,) = route["requestBody"]["content"].values()
    assert "$ref" not in json.dumps(described["schema"])
    readings = described["schema"]["properties"]["sensorReadings"]["properties"]
    assert "cameraReadings" in readings
    assert len(described["examples"]) == 2
    for example in described["examples"].values():
        # complete but for the bytes of the photo
        assert refusal(post(client, example["value"]))[1] == "bad_base64"
    page = client.get("/docs").text
    assert "/geopose" in page and "cameraReadings" in page and "not_georeferenced" in page
