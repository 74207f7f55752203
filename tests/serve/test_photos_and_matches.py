"""Photos of map images, matches in answers, and web pages of other origins."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import ConfigError, ImageError
from hloc_lite.serve.app import create_app
from hloc_lite.serve.config import ServeConfig
from hloc_lite.serve.map_photos import map_photo_source, parse_photo_arguments
from hloc_lite.serve.map_pool import MapPool
from hloc_lite.types import Correspondences, LocalizationResult, Photo, RetrievalHits
from tests.serve.conftest import Connect
from tests.serve.stand_ins import FakeLocalizer, model, photo_bytes

IMAGE = {"image": ("photo.jpg", photo_bytes(), "image/jpeg")}
PAGE = {"origin": "https://example.org"}


class MatchingLocalizer(FakeLocalizer):
    """Returns three correspondences; image 1.jpg sees the points of the two inliers, 0.jpg one."""

    def __init__(self) -> None:
        super().__init__()
        plain = model()
        seen = ([7], [5, 6, 9], [])
        images = tuple(
            replace(image, keypoints=10.0 * np.array([points, points]).T, point3D_idxs=points)
            for image, points in zip(plain.images, map(np.int64, seen), strict=True)
        )
        self.map.model = replace(plain, images=images)

    def localize(self, image: Photo, *args: object, **options: object) -> LocalizationResult:
        result = super().localize(image, *args, **options)  # type: ignore[arg-type]
        pixels = np.array([[1.0, 2], [3, 4], [5, 6]])
        pairs = Correspondences(
            pixels, np.zeros((3, 3)), np.arange(3), np.array([5, 6, 7]), np.ones(3)
        )
        hits = RetrievalHits(("0.jpg", "1.jpg"), np.float32([0.9, 0.8]))
        return replace(result, correspondences=pairs, hits=hits)


def test_matches_are_those_with_the_image_that_sees_most_inliers(connect: Connect) -> None:
    client = connect(MatchingLocalizer())
    assert client.post("/v1/localize", files=IMAGE).json()["matches"] is None
    found = client.post("/v1/localize", files=IMAGE, data={"matches": "true"}).json()["matches"]
    assert (found["image"], found["rank"], found["num_shared"]) == ("1.jpg", 2, 2)
    assert (found["width"], found["height"], found["are_inliers"]) == (64, 48, True)
    assert found["query_points"] == [[1.0, 2.0], [3.0, 4.0]]
    assert found["map_points"] == [[50.0, 50.0], [60.0, 60.0]]


def test_covariance_of_the_centre_is_in_map_axes(connect: Connect) -> None:
    in_map = connect().post("/v1/localize", files=IMAGE).json()["in_map"]
    # the camera's x axis is the map's -y, its y axis the map's x
    np.testing.assert_allclose(np.diag(in_map["covariance"]), [0.04, 0.01, 0.09])


@pytest.fixture
def with_photos(tmp_path: Path) -> TestClient:
    for name in ("0.jpg", "other.jpg"):
        Image.new("RGB", (3000, 1000), "red").save(tmp_path / name)
    localizer = FakeLocalizer()
    localizer.map.config.images = ImagesConfig()
    pool = MapPool({"a": Path("/nowhere")}, lambda _: localizer, 10, {"a": tmp_path})
    pool.open_all()
    return TestClient(create_app(pool, ServeConfig()), "http://localhost")


def test_photos_of_map_images_are_sent_reduced(with_photos: TestClient) -> None:
    reply = with_photos.get("/v1/maps/a/photos/0.jpg")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(reply.content)).size == (1024, 341)
    assert with_photos.get("/v1/maps").json()["maps"][0]["photos"] is True


@pytest.mark.parametrize("name", ["other.jpg", "1.jpg", "..%2F0.jpg", "%2Fetc%2Fpasswd"])
def test_other_files_of_the_folder_are_not_sent(with_photos: TestClient, name: str) -> None:
    reply = with_photos.get(f"/v1/maps/a/photos/{name}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "no_photo")


def test_without_the_option_no_photo_is_sent(connect: Connect) -> None:
    reply = connect().get("/v1/maps/a/photos/0.jpg")
    assert reply.status_code == 404 and "--photos" in reply.json()["error"]["reason"]


def test_a_map_whose_image_names_leave_the_folder_gets_no_photos(tmp_path: Path) -> None:
    plain = model()
    hostile = replace(plain.images[0], name="../secret.jpg")
    bad = replace(plain, images=(hostile,))
    with pytest.raises(ImageError, match="leaves the image folder"):
        map_photo_source(tmp_path, bad, ImagesConfig())


def test_photo_folders_are_named_like_maps(tmp_path: Path) -> None:
    maps = {"town": Path("m1"), "cellar": Path("m2")}
    assert parse_photo_arguments([f"cellar={tmp_path}"], maps) == {"cellar": tmp_path}
    assert parse_photo_arguments([str(tmp_path)], {"town": Path("m1")}) == {"town": tmp_path}
    for arguments, message in (
        ([str(tmp_path)], "NAME=FOLDER"),
        ([f"attic={tmp_path}"], "town, cellar"),
        ([f"town={tmp_path}", f"town={tmp_path}"], "twice"),
        (["town=/does/not/exist"], "does not exist"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_photo_arguments(arguments, maps)


def test_pages_of_other_origins_need_to_be_allowed(connect: Connect) -> None:
    refused = connect().post("/v1/localize", files=IMAGE, headers=PAGE)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "other_origin")
    client = connect(allowed_origins=["https://example.org"], token="t" * 16)
    token = {"authorization": "Bearer " + "t" * 16}
    allowed = client.post("/v1/localize", files=IMAGE, headers=PAGE | token)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://example.org"
    other = {"origin": "https://evil.example"} | token
    assert client.post("/v1/localize", files=IMAGE, headers=other).status_code == 403
    no_token = client.post("/v1/localize", files=IMAGE, headers=PAGE)
    assert (no_token.status_code, "access-control-allow-origin" in no_token.headers) == (401, True)
    ask = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    assert client.options("/v1/localize", headers=PAGE | ask).status_code == 200


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "https://a b", ""])
def test_origins_are_scheme_and_host(origin: str) -> None:
    with pytest.raises(ValueError, match="SCHEME"):
        ServeConfig(allowed_origins=(origin,))
