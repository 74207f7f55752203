"""Localize with two kinds of local features at once: where one fails, the other may succeed.

python examples/04_several_features.py MAP IMAGES MAP_ROOTSIFT photo.jpg
"""

import sys

from hloc_lite import Localizer, Map, MapInputs, build_map, load_config

first_folder, images, second_folder, photo = sys.argv[1:] or (
    "MAP", "IMAGES", "MAP_ROOTSIFT", "photo.jpg",
)  # fmt: skip

first = Map.open(first_folder)
second = build_map(
    images,
    load_config(overrides={"features": {"name": "rootsift"}}),
    inputs=MapInputs(reference=first.model),  # the same images at the same poses
    output=second_folder,
)

result = Localizer(first, extra_maps=[second]).localize(photo)
print(result.status, result.reason)
for name in (first.config.features.name, second.config.features.name):
    found, inliers = result.counts[f"{name}_correspondences"], result.counts[f"{name}_inliers"]
    print(f"{name}: {inliers} inliers of {found} correspondences")
