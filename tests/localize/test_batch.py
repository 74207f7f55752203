"""Many queries: what is kept, what resumes, and what is computed again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.config import load_config
from hloc_lite.errors import HlocLiteError, ImageError
from hloc_lite.io.image_sources import MemorySource
from hloc_lite.localize.batch import localize_all
from hloc_lite.localize.localizer import Localizer
from hloc_lite.types import LocalizationResult, Photo, Status
from tests.exact_scene import NoWeights, mapped_scene

QUERIES = {"ü 3.png": 3, "5\u2028x.png": 5, "😀/7.png": 7, "again/7.png": 7}


@dataclass(frozen=True, eq=False)
class Counting(MemorySource):
    """Knows which photos were decoded."""

    loaded: list[str] = field(default_factory=list)
    broken: frozenset[str] = frozenset()

    def load(self, name: str) -> Photo:
        self.loaded.append(name)
        if name in self.broken:
            raise ImageError(f"cannot read image {name}")
        return super().load(name)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A localizer of the exact scene, and its queries."""
    with mapped_scene() as (scene, built):
        yield scene, Localizer(built, weights=NoWeights())


def queries(scene, broken: tuple[str, ...] = ()) -> Counting:
    return Counting({n: scene.image(i) for n, i in QUERIES.items()}, broken=frozenset(broken))


def poses(results: list[LocalizationResult]) -> list[np.ndarray]:
    return [result.pose.cam_from_world.translation for result in results if result.pose]


@pytest.fixture
def finished(place, tmp_path: Path):
    """A progress file of a whole run, and that run's results."""
    scene, localizer = place
    cameras = dict.fromkeys(QUERIES, scene.camera)
    path = tmp_path / "folder" / ".progress"
    results = localize_all(localizer, queries(scene), cameras, path)
    assert [result.query_name for result in results] == list(QUERIES)
    assert all(result.status is Status.LOCALIZED for result in results)
    return path, results, cameras


def again(place, cameras, path: Path, **options):
    source = queries(place[0])
    return source, localize_all(place[1], source, cameras, path, **options)


def test_a_finished_run_is_taken_from_its_progress_file(place, finished) -> None:
    path, results, cameras = finished
    source, repeated = again(place, cameras, path)
    assert source.loaded == []
    assert np.array_equal(poses(repeated), poses(results))


def test_every_cut_of_the_progress_file_resumes(place, finished) -> None:
    path, results, cameras = finished
    whole = path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    assert len(ends) == 1 + len(QUERIES)
    for cut in [0, 1, ends[0] - 1, *ends, *(end + 40 for end in ends[:-1]), ends[-1] - 1]:
        path.write_bytes(whole[:cut])
        source, repeated = again(place, cameras, path)
        done = max(sum(end <= cut for end in ends) - 1, 0)
        assert source.loaded == list(QUERIES)[done:], cut
        assert np.array_equal(poses(repeated), poses(results))
        assert len(path.read_text().split("\n")) == 2 + len(QUERIES)


def test_a_cut_inside_a_letter_resumes(place, finished) -> None:
    path, _, cameras = finished
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index("ü".encode()) + 1])
    source, _ = again(place, cameras, path)
    assert source.loaded == list(QUERIES)


def test_other_settings_images_or_intrinsics_begin_anew(place, finished, caplog) -> None:
    path, _, cameras = finished
    source, _ = again(place, cameras, path, fallback=True)
    assert source.loaded == list(QUERIES) and "starting anew" in caplog.text
    fewer = {name: camera for name, camera in cameras.items() if name != "ü 3.png"}
    source, results = again(place, fewer, path, fallback=True)
    assert source.loaded == list(fewer) and len(results) == len(fewer)
    source, _ = again(place, {**fewer, "again/7.png": None}, path, fallback=True)
    assert source.loaded == list(fewer)


def test_other_coefficients_of_confidence_begin_anew(place, finished, monkeypatch) -> None:
    path, _, cameras = finished
    other = place[1].calibration.model_copy(update={"intercept": 9.0})
    monkeypatch.setattr(place[1], "calibration", other)
    source, _ = again(place, cameras, path)
    assert source.loaded == list(QUERIES)


def test_other_depths_in_the_same_folder_begin_anew(place, tmp_path: Path) -> None:
    """As those of a folder that was mended, and labels by the same way."""
    scene, localizer = place
    (tmp_path / "depth").mkdir()
    config = load_config(
        base=localizer.config, settings=[f"depth.source=files:{tmp_path / 'depth'}"]
    )
    with_depth = Localizer(localizer.map, config, weights=NoWeights())
    cameras = dict.fromkeys(("ü 3.png", "5\u2028x.png"), scene.camera)
    width, height = scene.camera.width, scene.camera.height

    def loaded() -> list[str]:
        source = queries(scene)
        localize_all(with_depth, source, cameras, tmp_path / ".progress")
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
def test_other_files_begin_anew(place, finished, content: bytes) -> None:
    path, _, cameras = finished
    path.write_bytes(content)
    source, results = again(place, cameras, path)
    assert source.loaded == list(QUERIES) and len(results) == len(QUERIES)


@pytest.mark.parametrize("line", [b"[]\n", b"3\n", b"{}\n", b"garbage\n", b"\xff\n", b"\n"])
def test_a_broken_line_in_the_middle_begins_anew(place, finished, line: bytes) -> None:
    path, _, cameras = finished
    head, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(head + b"\n" + line + rest)
    source, _ = again(place, cameras, path)
    assert source.loaded == list(QUERIES)
    assert len(path.read_text().split("\n")) == 2 + len(QUERIES)


def test_what_cannot_be_written_is_an_error_for_people(place, tmp_path: Path) -> None:
    cameras = dict.fromkeys(QUERIES, place[0].camera)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "below", tmp_path / "folder"):
        with pytest.raises(HlocLiteError, match="cannot write"):
            again(place, cameras, path)


def test_unreadable_queries_are_results(place, tmp_path: Path) -> None:
    scene, localizer = place
    cameras = dict.fromkeys([*QUERIES, "missing.png"], scene.camera)
    source = queries(scene, broken=("ü 3.png", "missing.png"))
    path = tmp_path / "progress"
    results = {r.query_name: r for r in localize_all(localizer, source, cameras, path)}
    for name in ("ü 3.png", "missing.png"):
        assert results[name].status is Status.UNREADABLE and results[name].pose is None
        assert name in results[name].reason
    assert results["😀/7.png"].status is Status.LOCALIZED
    assert sum(json.loads(x)["status"] == "unreadable" for x in path.open().readlines()[1:]) == 2


def test_without_a_progress_file_images_are_read_once(place, monkeypatch) -> None:
    scene, localizer = place
    source = queries(scene)
    hashed = []
    monkeypatch.setattr(Counting, "fingerprint", lambda self, name: hashed.append(name) or "0")
    results = localize_all(localizer, source, dict.fromkeys(QUERIES, scene.camera))
    assert all(result.pose for result in results)
    assert source.loaded == list(QUERIES) and hashed == []


def test_results_carry_neither_features_nor_correspondences(place, finished) -> None:
    _, results, _ = finished
    assert all(r.features is None and r.correspondences is None for r in results)
    assert all(r.pose.num_inliers > 12 for r in results)
