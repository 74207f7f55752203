"""Build a map from a folder of photos: structure from motion from scratch.

python examples/02_map_a_folder.py IMAGES MAP
"""

import sys

from hloc_lite import build_map, load_config

images, output = sys.argv[1:] or ("IMAGES", "MAP")

config = load_config("fast", settings=["features.max_keypoints=2048"])
sfm_map = build_map(images, config, output=output, progress=True)

registered, given = sfm_map.report["registered"], sfm_map.report["images_given"]
print(f"{registered} of {given} images registered, {sfm_map.model.num_points} points")
for name, image in sfm_map.report["images"].items():
    if "reason" in image:
        print(f"left out: {name}: {image['reason']}")
