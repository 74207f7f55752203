"""Use a local feature of your own, from mapping to localization: plain SIFT here.

python examples/09_your_own_extractor.py IMAGES MODEL MAP_SIFT photo.jpg
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from hloc_lite import Localizer, MapInputs, build_map, load_config
from hloc_lite.features.candidates import Candidates, extract_with
from hloc_lite.formats.colmap import read_model
from hloc_lite.registry import register

images, model, output, photo = sys.argv[1:] or ("IMAGES", "MODEL", "MAP_SIFT", "photo.jpg")


def detect(picture):  # finds all keypoints; extract_with keeps the best
    points, descriptors = cv2.SIFT.create().detectAndCompute(picture, None)
    table = np.array([(*point.pt, point.response) for point in points], np.float32).reshape(-1, 3)
    return Candidates(table[:, :2], table[:, 2], lambda rows: descriptors[rows])


class SiftExtractor:
    descriptor_dim = 128

    def __init__(self, name, config, runtime):
        self.config = config

    def extract(self, photos):
        return extract_with(lambda some: map(detect, some), 128, photos, self.config)


with register("features", "sift", SiftExtractor):  # an installed package adds an entry point
    inputs = MapInputs(reference=read_model(Path(model)))
    config = load_config(overrides={"features": {"name": "sift"}})
    result = Localizer(build_map(images, config, inputs=inputs, output=output)).localize(photo)
    print(result.status, result.reason)
