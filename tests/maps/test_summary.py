"""Summary of map folders."""

from __future__ import annotations

from pathlib import Path

from hloc_lite.maps.compress import compress_map
from hloc_lite.maps.folder import LANDMARK_DESCRIPTORS
from hloc_lite.maps.map import Map
from hloc_lite.maps.summary import summarize_map
from tests.exact_scene import DIM, MAP_NAMES


def test_full_and_compact_map(labelled_map: Map, tmp_path: Path) -> None:
    labelled_map.save(tmp_path / "full")
    compress_map(labelled_map, tmp_path / "compact", max_bytes=25000)
    full, compact = (summarize_map(tmp_path / name) for name in ("full", "compact"))
    assert not full.is_compact and compact.is_compact
    assert full.fingerprint == compact.fingerprint == labelled_map.fingerprint
    assert full.num_images == compact.num_images == len(MAP_NAMES)
    assert compact.num_landmarks < compact.num_landmarks_before == full.num_landmarks
    assert full.num_landmarks_before == full.num_landmarks == labelled_map.model.num_points
    assert 0 < compact.min_landmarks_per_image < full.min_landmarks_per_image
    assert full.num_observations <= full.num_keypoints
    assert full.descriptor_dim == compact.descriptor_dim == DIM
    assert (full.coding, compact.coding) == ("float16", "int8")
    assert full.labelled_share == compact.labelled_share == 1.0
    descriptors_bytes = full.bytes_by_file[LANDMARK_DESCRIPTORS]
    assert descriptors_bytes == (tmp_path / "full" / LANDMARK_DESCRIPTORS).stat().st_size
    assert descriptors_bytes >= 2 * full.num_landmarks * DIM


def test_json_keys_of_version_0_1_stay(exact_map, tmp_path: Path) -> None:
    exact_map[1].save(tmp_path / "map")
    (tmp_path / "map/work").mkdir()
    for other in ("work/features", ".lock"):
        (tmp_path / "map" / other).write_text("not part of the map")
    values = summarize_map(tmp_path / "map").to_json()
    assert list(values) == [
        "is_compact", "schema", "fingerprint", "num_images", "num_landmarks", "of_landmarks",
        "num_observations", "num_keypoints", "least_landmarks", "features", "descriptor_dim",
        "coding", "retrieval", "retrieval_dim", "retrieval_coding", "labelled_share", "weights",
        "bytes_of", "metres_per_unit", "total_bytes",
    ]  # fmt: skip
    assert values["labelled_share"] is None
    assert sorted(values["bytes_of"]) == [
        "features.h5", "landmark_descriptors.npy", "landmarks.h5", "map.json", "report.json",
        "retrieval.h5", "sfm/cameras.bin", "sfm/frames.bin", "sfm/images.bin",
        "sfm/points3D.bin", "sfm/rigs.bin",
    ]  # fmt: skip
    assert values["total_bytes"] == sum(values["bytes_of"].values())
