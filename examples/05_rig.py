"""Localize a rig: the photos that several cameras took at once give one pose.

Here the right camera sits 0.4 m beside the left one and is turned to the right by 20 degrees.

python examples/05_rig.py MAP left.jpg right.jpg
"""

import sys

import numpy as np
from scipy.spatial.transform import Rotation

from hloc_lite import Camera, Localizer, Rig, RigCamera, Rigid3

map_folder, left, right = sys.argv[1:] or ("MAP", "left.jpg", "right.jpg")

camera = Camera("PINHOLE", 320, 240, np.array([240.0, 240.0, 160.0, 120.0]))  # w h fx fy cx cy
right_from_left = Rotation.from_euler("y", -20, degrees=True)
position_of_right = np.array([0.4, 0.0, 0.0])  # in the left camera: x right, y down, z forward
rig = Rig(
    (
        RigCamera(camera, Rigid3.identity()),  # the left camera is the rig's frame
        RigCamera(
            camera,
            Rigid3(right_from_left.as_matrix(), -right_from_left.apply(position_of_right)),
        ),
    )
)

result = Localizer.open(map_folder).localize_rig([left, right], rig)
print(result.status, result.reason)
if result.pose is not None:
    print("rig in the map:", result.pose.rig_from_world.center)
    for name, mask in zip(result.query_names, result.pose.inlier_masks, strict=True):
        print(f"{name}: {mask.sum()} inliers of {len(mask)} correspondences")
