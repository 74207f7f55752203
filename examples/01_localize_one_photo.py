"""Localize one photo in a map.

python examples/01_localize_one_photo.py MAP photo.jpg
"""

import sys

from hloc_lite import Localizer

map_folder, photo = sys.argv[1:] or ("MAP", "photo.jpg")

localizer = Localizer.open(map_folder)  # reads the map and its networks once
result = localizer.localize(photo)  # intrinsics from EXIF, or estimated with the pose

if result.pose is None:
    sys.exit(f"{photo}: {result.status}: {result.reason}")

cam_from_world = result.pose.cam_from_world
print("camera centre in the map:", cam_from_world.center)
print("rotation from world to camera:", *cam_from_world.rotation, sep="\n  ")
print(f"confidence: {result.confidence:.2f}")
print(f"inliers: {result.pose.num_inliers} of {len(result.pose.inlier_mask)} correspondences")
