"""A small VGG16 NetVLAD file with random weights in the authors' layout."""

import numpy as np
import pytest
from scipy.io import savemat

from tests.weights_stores import OneFile

CHANNELS = (4, 4, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8)
NUM_WORDS, OUTPUT_DIM = 3, 6


@pytest.fixture(scope="session")
def pitts30k_arrays():
    """In MATLAB's axes: 13 (kernel, bias), NetVLAD's and the whitening's pair, the mean image."""
    rng = np.random.default_rng(0)
    layers, inputs = [], 3
    for outputs in CHANNELS:
        kernel = rng.normal(size=(3, 3, inputs, outputs), scale=np.sqrt(2 / (9 * inputs)))
        layers.append((kernel, rng.normal(size=(1, outputs), scale=0.1)))
        inputs = outputs
    layers.append((5 * rng.normal(size=(inputs, NUM_WORDS)), rng.normal(size=(inputs, NUM_WORDS))))
    whitening = rng.normal(size=(1, 1, inputs * NUM_WORDS, OUTPUT_DIM))
    layers.append((whitening, rng.normal(size=(OUTPUT_DIM, 1))))
    singles = [(first.astype(np.float32), second.astype(np.float32)) for first, second in layers]
    mean = np.broadcast_to(np.array([123.7, 116.8, 103.9], np.float32), (8, 8, 3))
    return singles, mean


@pytest.fixture(scope="session")
def pitts30k_content(pitts30k_arrays):
    """The variables of the file: layers without weights between those with."""
    layers, mean = pitts30k_arrays
    structs = []
    for index, weights in enumerate(layers):
        cell = np.empty((1, 2), dtype=object)
        cell[0, 0], cell[0, 1] = weights
        structs.append({"name": f"layer{index}", "type": "conv", "weights": cell})
        structs.append({"name": f"relu{index}", "type": "relu"})
        structs.append({"name": f"pool{index}", "weights": np.empty((0, 0), dtype=object)})
    cells = np.empty((1, len(structs)), dtype=object)
    for index, struct in enumerate(structs):
        cells[0, index] = struct
    return {"net": {"layers": cells, "meta": {"normalization": {"averageImage": mean}}}}


@pytest.fixture(scope="session")
def pitts30k_file(pitts30k_content, tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "VGG16-NetVLAD-Pitts30K.mat"
    savemat(file, pitts30k_content)
    return file


@pytest.fixture(scope="session")
def pitts30k_weights(pitts30k_file):
    """A weights store that holds that file only."""
    return OneFile(pitts30k_file)
