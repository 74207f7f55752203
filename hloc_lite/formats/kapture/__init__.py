"""kapture 1.1: sensors, records, trajectories, features, matches and points of a data set.

Source: kapture_format.adoc of github.com/naver/kapture.
"""

from __future__ import annotations

from hloc_lite.formats.kapture.features import (
    FeatureHeader,
    Features,
    feature_types,
    keypoint_shift_px,
    open_features,
    read_features,
    write_features,
)
from hloc_lite.formats.kapture.kapture import Kapture, read_kapture, write_tables
from hloc_lite.formats.kapture.matches import (
    Matches,
    ScoredPair,
    open_matches,
    read_matches,
    read_pairs_file,
    write_matches,
    write_pairs_file,
)
from hloc_lite.formats.kapture.points import (
    Points3d,
    read_observations,
    read_points3d,
    write_observations,
    write_points3d,
)
from hloc_lite.formats.kapture.posed import posed_images
from hloc_lite.formats.kapture.poses import DevicePose
from hloc_lite.formats.kapture.positions import gnss_positions, image_positions
from hloc_lite.formats.kapture.records import Record, read_depth_map, write_depth_map
from hloc_lite.formats.kapture.sensors import Sensor, sensor_camera, sensor_size
from hloc_lite.formats.kapture.writer import write_kapture

__all__ = [
    "DevicePose",
    "FeatureHeader",
    "Features",
    "Kapture",
    "Matches",
    "Points3d",
    "Record",
    "ScoredPair",
    "Sensor",
    "feature_types",
    "gnss_positions",
    "image_positions",
    "keypoint_shift_px",
    "open_features",
    "open_matches",
    "posed_images",
    "read_depth_map",
    "read_features",
    "read_kapture",
    "read_matches",
    "read_observations",
    "read_pairs_file",
    "read_points3d",
    "sensor_camera",
    "sensor_size",
    "write_depth_map",
    "write_features",
    "write_kapture",
    "write_matches",
    "write_observations",
    "write_pairs_file",
    "write_points3d",
    "write_tables",
]
