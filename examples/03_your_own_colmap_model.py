"""Build a map on the poses of your own COLMAP model: points are triangulated, poses stay.

The model's image names must be those of the files in IMAGES. Points in the model are not needed.

python examples/03_your_own_colmap_model.py IMAGES MODEL MAP
"""

import sys
from pathlib import Path

from hloc_lite import MapInputs, build_map
from hloc_lite.formats.colmap import read_model

images, model_folder, output = sys.argv[1:] or ("IMAGES", "MODEL", "MAP")

model = read_model(Path(model_folder))  # .bin or .txt
print(f"{len(model.images)} images with known poses, {len(model.cameras)} cameras")

sfm_map = build_map(images, inputs=MapInputs(reference=model), output=output, progress=True)
print(f"{sfm_map.model.num_points} points triangulated, in the units of the model")
