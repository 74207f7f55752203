"""Weigh matches by semantic labels and depth: both come from files here, NAME.png each.

python examples/07_labels_and_depth.py IMAGES MODEL MAP_LABELS LABELS DEPTH photo.jpg
"""

import sys
from pathlib import Path

from hloc_lite import Localizer, MapInputs, build_map, load_config
from hloc_lite.formats.colmap import read_model

images, model, output, labels, depth, photo = sys.argv[1:] or (
    "IMAGES", "MODEL", "MAP_LABELS", "LABELS", "DEPTH", "photo.jpg",
)  # fmt: skip

config = load_config(settings=[f"semantics.source=files:{labels}"])
inputs = MapInputs(reference=read_model(Path(model)))
sfm_map = build_map(images, config, inputs=inputs, output=output)

# queries use the labels as the map did; depth is asked for here
config = load_config(base=sfm_map.config, settings=[f"depth.source=files:{depth}"])
result = Localizer(sfm_map, config).localize(photo)

print(result.status, result.reason)
for cue in result.cues:
    lowered = (cue.factors < 1).sum()
    print(f"{cue.name}: known for {cue.touched.sum()} correspondences, lowers {lowered}")
