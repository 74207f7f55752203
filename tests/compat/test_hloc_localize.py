"""``compat.hloc.localize_sfm`` on hand-written files of hloc: half pixel, names, failures, log."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pycolmap
import pytest

from hloc_lite.compat.hloc import localize_sfm
from hloc_lite.errors import FormatError
from hloc_lite.formats.hloc.logs import read_log
from hloc_lite.formats.hloc_lists import read_poses
from hloc_lite.geometry.rotations import pose_errors
from hloc_lite.types import Rigid3
from tests.compat.hloc_files import HALF_PIXEL, write_hloc_folder
from tests.exact_scene import ExactScene, make_scene

MAPPED = {"db/a.jpg": 0, "db/b.jpg": 3, "db/c.jpg": 6}
QUERIES = {"query/night/q.jpg": 4}


@pytest.fixture(scope="module")
def scene() -> ExactScene:
    return make_scene()


def localize(folder: Path, **options: object) -> dict[str, Rigid3]:
    """Poses that ``localize_sfm.main`` writes for a folder of ``write_hloc_folder``."""
    localize_sfm.main(
        folder / "sfm",
        folder / "queries.txt",
        folder / "retrieval.txt",
        folder / "feats-exact.h5",
        folder / "matches.h5",
        folder / "results.txt",
        **options,  # type: ignore[arg-type]
    )
    return read_poses(folder / "results.txt")


def worst_error(found: Mapping[str, Rigid3], scene: ExactScene) -> tuple[float, float]:
    errors = [
        pose_errors(pose, scene.poses[QUERIES["query/night/q.jpg"]]) for pose in found.values()
    ]
    return max(error[0] for error in errors), max(error[1] for error in errors)


def test_the_pose_is_exact(tmp_path: Path, scene: ExactScene) -> None:
    write_hloc_folder(tmp_path, scene, MAPPED, QUERIES)
    found = localize(tmp_path)
    assert list(found) == ["q.jpg"]
    distance, angle_deg = worst_error(found, scene)
    assert distance < 1e-6 and np.radians(angle_deg) < 1e-6


def test_without_half_a_pixel_the_pose_is_another(tmp_path: Path, scene: ExactScene) -> None:
    """Files with COLMAP's pixels are read half a pixel off, as hloc would read them."""
    write_hloc_folder(tmp_path, scene, MAPPED, QUERIES, shift=0.0)
    _, angle_deg = worst_error(localize(tmp_path), scene)
    expected = np.degrees(np.hypot(HALF_PIXEL, HALF_PIXEL) / scene.camera.params[0])
    assert 0.2 * expected < angle_deg < 3 * expected


def test_pose_from_cluster_takes_pycolmap_objects(tmp_path: Path, scene: ExactScene) -> None:
    write_hloc_folder(tmp_path, scene, MAPPED, QUERIES)
    model = pycolmap.Reconstruction(str(tmp_path / "sfm"))
    camera = pycolmap.Camera(
        model="SIMPLE_RADIAL", width=320, height=240, params=scene.camera.params, camera_id=1
    )
    config = {"estimation": {"ransac": {"max_error": 12}}, "refinement": {}}
    localizer = localize_sfm.QueryLocalizer(model, config)
    ids = [model.find_image_with_name(name).image_id for name in MAPPED]
    answer, log = localize_sfm.pose_from_cluster(
        localizer, "query/night/q.jpg", camera, ids,
        tmp_path / "feats-exact.h5", tmp_path / "matches.h5",
    )  # fmt: skip
    assert answer is not None
    assert answer["num_inliers"] == answer["inlier_mask"].sum() == len(log["points3D_ids"])
    true = scene.poses[4]
    found = answer["cam_from_world"].matrix()
    np.testing.assert_allclose(found, true.matrix[:3], atol=1e-6)
    assert localize_sfm.do_covisibility_clustering(ids, model) == [ids]


@pytest.mark.parametrize("clusters", [False, True])
def test_the_log_has_plain_values_that_readers_know(
    tmp_path: Path, scene: ExactScene, clusters: bool
) -> None:
    views = write_hloc_folder(tmp_path, scene, MAPPED, QUERIES)
    localize(tmp_path, covisibility_clustering=clusters)
    path = tmp_path / "results.txt_logs.pkl"
    raw = pickle.loads(path.read_bytes())  # made by this test
    assert {type(value) for value in raw.values()} <= {str, dict}
    entry = raw["loc"]["query/night/q.jpg"]
    assert entry["db"] == [1, 2, 3]
    logged = read_log(path).queries["query/night/q.jpg"]
    assert logged.estimate is not None and logged.estimate.cam_from_world is not None
    assert logged.estimate.num_inliers == len(logged.estimate.keypoints)
    assert logged.estimate.point3D_ids is not None
    row, rest = divmod(int(logged.estimate.point3D_ids[0]) - 7, 3)
    assert rest == 0
    view = views["query/night/q.jpg"]
    expected = view.xy[np.flatnonzero(view.points == row)[0]]
    np.testing.assert_allclose(logged.estimate.keypoints[0], expected, atol=1e-4)


def test_names_of_results_stay_different(
    tmp_path: Path, scene: ExactScene, caplog: pytest.LogCaptureFixture
) -> None:
    queries = {"one/day/q.jpg": 4, "two/day/q.jpg": 5}
    write_hloc_folder(tmp_path, scene, MAPPED, queries)
    assert list(localize(tmp_path)) == list(queries)
    assert "stand for several queries" in caplog.text
    write_hloc_folder(tmp_path, scene, MAPPED, {"one/rear/q.jpg": 4})
    assert list(localize(tmp_path, prepend_camera_name=True)) == ["rear/q.jpg"]


def test_odd_names(tmp_path: Path, scene: ExactScene) -> None:
    mapped = {"Straße 1/löwe №2.jpg": 0, "a/b/c/d e.jpg": 3, "x.jpg": 6}
    queries = {"nacht/ein foto (1).jpg": 4}
    write_hloc_folder(tmp_path, scene, mapped, queries)
    found = localize(tmp_path)
    assert list(found) == ["ein foto (1).jpg"]
    assert pose_errors(found["ein foto (1).jpg"], scene.poses[4])[0] < 1e-6


def test_a_failed_query_gets_the_pose_of_the_best_image(
    tmp_path: Path, scene: ExactScene, caplog: pytest.LogCaptureFixture
) -> None:
    write_hloc_folder(tmp_path, scene, MAPPED, QUERIES)
    with h5py.File(tmp_path / "matches.h5", "r+") as file:
        for name in MAPPED:
            file[f"query-night-q.jpg/{name.replace('/', '-')}/matches0"][...] = -1
    found = localize(tmp_path)
    np.testing.assert_allclose(found["q.jpg"].matrix, scene.poses[0].matrix, atol=1e-12)
    assert "best retrieved image" in caplog.text
    log = read_log(tmp_path / "results.txt_logs.pkl")
    assert log.queries["query/night/q.jpg"].estimate.cam_from_world is None  # type: ignore[union-attr]
    assert localize(tmp_path, covisibility_clustering=True) == {}


def test_retrieved_images_that_the_model_lacks_are_left_out(
    tmp_path: Path, scene: ExactScene, caplog: pytest.LogCaptureFixture
) -> None:
    write_hloc_folder(tmp_path, scene, MAPPED, QUERIES)
    # a query that is in the list, but not in the model
    (tmp_path / "retrieval.txt").write_text("query/night/q.jpg query/night/q.jpg\n", "utf-8")
    assert localize(tmp_path) == {}
    assert "not in the model" in caplog.text


def test_intrinsics_of_another_size_are_rescaled(tmp_path: Path, scene: ExactScene) -> None:
    write_hloc_folder(tmp_path, scene, MAPPED, QUERIES)
    focal, cx, cy, k = scene.camera.params
    line = f"query/night/q.jpg SIMPLE_RADIAL 640 480 {2 * focal} {2 * cx} {2 * cy} {k}\n"
    (tmp_path / "queries.txt").write_text(line, encoding="utf-8")
    assert worst_error(localize(tmp_path), scene)[0] < 1e-6


def test_an_unmatched_pair_is_an_error(tmp_path: Path, scene: ExactScene) -> None:
    write_hloc_folder(tmp_path, scene, MAPPED, QUERIES)
    with h5py.File(tmp_path / "matches.h5", "r+") as file:
        del file["query-night-q.jpg/db-b.jpg"]
    with pytest.raises(FormatError, match=r"no matches of 'query/night/q.jpg' and 'db/b.jpg'"):
        localize(tmp_path)
