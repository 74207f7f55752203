"""Localize a walk: odometry tells where each frame must be, and weak frames help each other.

odometry.txt has a line per frame but the first: NAME qw qx qy qz tx ty tz, which is
cam_from_last_cam in map units.

python examples/06_sequence.py MAP FRAMES odometry.txt
"""

import sys
from pathlib import Path

import numpy as np

from hloc_lite import Camera, Frame, Localizer
from hloc_lite.formats.hloc_lists import read_poses

map_folder, folder, odometry_file = sys.argv[1:] or ("MAP", "FRAMES", "odometry.txt")

camera = Camera("PINHOLE", 320, 240, np.array([240.0, 240.0, 160.0, 120.0]))  # w h fx fy cx cy
odometry = read_poses(Path(odometry_file))
frames = (
    Frame(photo, camera, from_last=odometry.get(photo.name))
    for photo in sorted(Path(folder).glob("*.jpg"))
)

localizer = Localizer.open(map_folder)
for result in localizer.localize_sequence(frames):  # one result per frame, as it comes
    center = None if result.pose is None else result.pose.cam_from_world.center.round(2)
    print(result.query_name, result.status, center)
