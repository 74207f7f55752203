"""Batches of queries: results kept on disk, resumed runs, and runs that start over."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hloc_lite.errors import HlocLiteError, ImageError
from hloc_lite.io.image_sources import MemorySource
from hloc_lite.localize.batch import localize_all
from hloc_lite.localize.confidence import write_calibration
from hloc_lite.localize.localizer import Localizer
from hloc_lite.maps.calibration import CalibrationSet, MapCalibration
from hloc_lite.maps.map import Map
from hloc_lite.types import Camera, LocalizationResult, Photo, Status
from tests.exact_scene import ExactScene
from tests.localize.localizers import make_localizer

QUERIES = {"ü 3.png": 3, "5\u2028x.png": 5, "😀/7.png": 7, "again/7.png": 7}


@dataclass(frozen=True, eq=False)
class Counting(MemorySource):
    """Source that records which photos are decoded, and which are hashed."""

    loaded: list[str] = field(default_factory=list)
    hashed: list[str] = field(default_factory=list)
    broken: frozenset[str] = frozenset()

    def fingerprint(self, name: str) -> str:
        self.hashed.append(name)
        return super().fingerprint(name)

    def load(self, name: str) -> Photo:
        self.loaded.append(name)
        if name in self.broken:
            raise ImageError(f"cannot read image {name}")
        return super().load(name)


def queries(scene: ExactScene, broken: tuple[str, ...] = ()) -> Counting:
    return Counting({n: scene.image(i) for n, i in QUERIES.items()}, broken=frozenset(broken))


@dataclass(frozen=True, eq=False)
class Finished:
    """Progress file, results and cameras of a finished run."""

    path: Path
    results: list[LocalizationResult]
    cameras: dict[str, Camera | None]
    scene: ExactScene
    localizer: Localizer

    def run_again(
        self, cameras: dict[str, Camera | None] | None = None, **options: Any
    ) -> tuple[Counting, list[LocalizationResult]]:
        """Run with the same progress file; the source tells which photos were decoded."""
        source = queries(self.scene)
        asked = self.cameras if cameras is None else cameras
        return source, localize_all(self.localizer, source, asked, self.path, **options)


def poses(results: list[LocalizationResult]) -> list[np.ndarray]:
    return [result.pose.cam_from_world.translation for result in results if result.pose]


@pytest.fixture
def finished(scene: ExactScene, localizer: Localizer, tmp_path: Path) -> Finished:
    """A run that has ended."""
    cameras = dict.fromkeys(QUERIES, scene.camera)
    path = tmp_path / "folder" / ".progress"
    results = localize_all(localizer, queries(scene), cameras, path)
    assert [result.query_name for result in results] == list(QUERIES)
    assert all(result.status is Status.LOCALIZED for result in results)
    return Finished(path, results, cameras, scene, localizer)


def test_a_finished_run_is_read_from_its_progress_file(finished: Finished) -> None:
    source, repeated = finished.run_again()
    assert source.loaded == []
    assert np.array_equal(poses(repeated), poses(finished.results))


def test_a_progress_file_cut_anywhere_resumes(finished: Finished) -> None:
    whole = finished.path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    assert len(ends) == 1 + len(QUERIES)
    for cut in [0, 1, ends[0] - 1, *ends, *(end + 40 for end in ends[:-1]), ends[-1] - 1]:
        finished.path.write_bytes(whole[:cut])
        source, repeated = finished.run_again()
        done = max(sum(end <= cut for end in ends) - 1, 0)
        assert source.loaded == list(QUERIES)[done:], cut
        assert np.array_equal(poses(repeated), poses(finished.results))
        assert len(finished.path.read_text().split("\n")) == 2 + len(QUERIES)


def test_a_cut_inside_a_letter_resumes(finished: Finished) -> None:
    whole = finished.path.read_bytes()
    finished.path.write_bytes(whole[: whole.index("ü".encode()) + 1])
    source, _ = finished.run_again()
    assert source.loaded == list(QUERIES)


def test_other_options_images_or_intrinsics_start_over(finished: Finished, caplog) -> None:
    source, _ = finished.run_again(fallback=True)
    assert source.loaded == list(QUERIES) and "starting over" in caplog.text
    fewer = {name: camera for name, camera in finished.cameras.items() if name != "ü 3.png"}
    source, results = finished.run_again(fewer, fallback=True)
    assert source.loaded == list(fewer) and len(results) == len(fewer)
    source, _ = finished.run_again({**fewer, "again/7.png": None}, fallback=True)
    assert source.loaded == list(fewer)


def test_other_coefficients_of_confidence_start_over(finished: Finished, tmp_path: Path) -> None:
    """Also if the file of coefficients keeps its name."""
    file = tmp_path / "confidence.toml"
    loaded = []
    for intercept in (finished.localizer.calibration.intercept, 9.0):
        calibration = finished.localizer.calibration.model_copy(update={"intercept": intercept})
        write_calibration(file, calibration)
        localizer = make_localizer(finished.localizer.map, f"confidence.file={file}")
        source = queries(finished.scene)
        localize_all(localizer, source, finished.cameras, finished.path)
        loaded.append(source.loaded)
    assert loaded == [list(QUERIES), list(QUERIES)]


@pytest.mark.parametrize("change", ["calibration", "scale"])
def test_a_map_that_learned_meanwhile_starts_over(
    finished: Finished, sfm_map: Map, change: str
) -> None:
    """By ``hloc-lite calibrate`` or ``georeference`` between the runs."""
    nothing = np.zeros(0)
    known = MapCalibration(CalibrationSet(nothing, nothing, nothing, nothing), nothing)
    changed = replace(
        sfm_map,
        calibration=known if change == "calibration" else None,
        report={**sfm_map.report, "metric": change == "scale"},
    )
    assert change == "calibration" or changed.metres_per_unit != sfm_map.metres_per_unit
    source, _ = replace(finished, localizer=make_localizer(changed)).run_again()
    assert source.loaded == list(QUERIES)


def test_other_depth_maps_in_the_same_folder_start_over(
    scene: ExactScene, sfm_map: Map, tmp_path: Path
) -> None:
    """The folder may have been corrected since; label files are treated alike."""
    (tmp_path / "depth").mkdir()
    localizer = make_localizer(sfm_map, f"depth.source=files:{tmp_path / 'depth'}")
    cameras = dict.fromkeys(("ü 3.png", "5\u2028x.png"), scene.camera)
    width, height = scene.camera.width, scene.camera.height

    def loaded() -> list[str]:
        source = queries(scene)
        localize_all(localizer, source, cameras, tmp_path / ".progress")
        return source.loaded

    assert loaded() == list(cameras)
    np.save(tmp_path / "depth/ü 3.npy", np.ones((height, width)))
    assert loaded() == list(cameras)
    assert loaded() == []
    np.save(tmp_path / "depth/ü 3.npy", np.full((height, width), 2.0))
    assert loaded() == list(cameras)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\0\1\2\xff\n", b"[]\n", b"null\n", b'{"run": 5}\n', b"{}\nx\n", b'"text"\n'],
)
def test_files_of_another_kind_start_over(finished: Finished, content: bytes) -> None:
    finished.path.write_bytes(content)
    source, results = finished.run_again()
    assert source.loaded == list(QUERIES) and len(results) == len(QUERIES)


@pytest.mark.parametrize("line", [b"[]\n", b"3\n", b"{}\n", b"garbage\n", b"\xff\n", b"\n"])
def test_a_broken_line_in_the_middle_starts_over(finished: Finished, line: bytes) -> None:
    head, rest = finished.path.read_bytes().split(b"\n", 1)
    finished.path.write_bytes(head + b"\n" + line + rest)
    source, _ = finished.run_again()
    assert source.loaded == list(QUERIES)
    assert len(finished.path.read_text().split("\n")) == 2 + len(QUERIES)


def test_an_unwritable_progress_file_is_an_error(
    scene: ExactScene, localizer: Localizer, tmp_path: Path
) -> None:
    cameras = dict.fromkeys(QUERIES, scene.camera)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "below", tmp_path / "folder"):
        with pytest.raises(HlocLiteError, match="cannot write"):
            localize_all(localizer, queries(scene), cameras, path)


def test_unreadable_queries_have_results(
    scene: ExactScene, localizer: Localizer, tmp_path: Path
) -> None:
    cameras = dict.fromkeys([*QUERIES, "missing.png"], scene.camera)
    source = queries(scene, broken=("ü 3.png", "missing.png"))
    path = tmp_path / "progress"
    results = {r.query_name: r for r in localize_all(localizer, source, cameras, path)}
    for name in ("ü 3.png", "missing.png"):
        assert results[name].status is Status.UNREADABLE and results[name].pose is None
        assert name in results[name].reason
    assert results["😀/7.png"].status is Status.LOCALIZED
    assert sum(json.loads(x)["status"] == "unreadable" for x in path.open().readlines()[1:]) == 2


def test_without_a_progress_file_images_are_read_once(
    scene: ExactScene, localizer: Localizer
) -> None:
    source = queries(scene)
    results = localize_all(localizer, source, dict.fromkeys(QUERIES, scene.camera))
    assert all(result.pose for result in results)
    assert source.loaded == list(QUERIES) and source.hashed == []


def test_results_carry_neither_features_nor_correspondences(finished: Finished) -> None:
    results = finished.results
    assert all(r.features is None and r.correspondences is None for r in results)
    assert all(r.pose.num_inliers > 12 for r in results)
