"""The NetVLAD file of the authors against plain NumPy in float64."""

import numpy as np
import pytest
from scipy.io import savemat
from scipy.signal import correlate

from hloc_lite.config import RetrievalConfig
from hloc_lite.errors import WeightsError
from hloc_lite.networks.vgg16_netvlad import read_netvlad_mat
from hloc_lite.registry import Runtime
from hloc_lite.retrieval.netvlad_vgg16 import NetVladVgg16
from hloc_lite.types import Photo


def describe_by_numpy(pixels, layers, mean):
    """VGG16 up to conv5_3 without its ReLU, NetVLAD, whitening, as Arandjelovic 2016 has them."""
    x = pixels.astype(np.float64) - mean[0, 0]  # H x W x C throughout, as in MATLAB
    for index, (kernel, bias) in enumerate(layers[:13]):
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        maps = [
            correlate(padded, kernel[..., out].astype(np.float64), "valid")[..., 0]
            for out in range(kernel.shape[-1])
        ]
        x = np.stack(maps, axis=-1) + bias.ravel()
        if index < 12:
            x = np.maximum(x, 0)
        if index in (1, 3, 6, 9):
            height, width, channels = x.shape
            x = x[: height // 2 * 2, : width // 2 * 2]
            x = x.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
    local = x.reshape(-1, x.shape[-1])
    local /= np.linalg.norm(local, axis=1, keepdims=True)
    (assignment, negative_centers), (whitening, whitening_bias) = layers[13:]
    scores = np.exp(local @ assignment)
    scores /= scores.sum(axis=1, keepdims=True)
    words = np.stack(
        [
            (scores[:, [k]] * (local + negative_centers[:, k])).sum(axis=0)
            for k in range(scores.shape[1])
        ],
        axis=1,
    )  # D x K
    words /= np.linalg.norm(words, axis=0)
    flat = words.ravel() / np.linalg.norm(words)
    out = flat @ whitening[0, 0] + whitening_bias.ravel()
    return out / np.linalg.norm(out)


@pytest.mark.parametrize("shape", [(48, 64, 3), (37, 51, 3), (16, 16, 3)])
def test_equals_numpy(shape, pitts30k_arrays, pitts30k_weights):
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    descriptor = NetVladVgg16("netvlad-pitts30k", RetrievalConfig(), Runtime(pitts30k_weights))
    (got,) = descriptor.describe([Photo("a.jpg", pixels)])
    np.testing.assert_allclose(got, describe_by_numpy(pixels, *pitts30k_arrays), atol=2e-5)


def damaged(content, change):
    net = dict(content["net"])
    layers = net["layers"].copy()
    change(net, layers)
    return {"net": {**net, "layers": layers}}


def without_a_layer(net, layers):
    layers[0, 0] = {"name": "conv1_1"}


def with_another_shape(net, layers):
    cell = layers[0, 3]["weights"].copy()
    cell[0, 0] = np.zeros((5, 5, 4, 4), np.float32)
    layers[0, 3] = {**layers[0, 3], "weights": cell}


def with_nan(net, layers):
    cell = layers[0, 3]["weights"].copy()
    cell[0, 0] = np.full_like(cell[0, 0], np.nan)
    layers[0, 3] = {**layers[0, 3], "weights": cell}


def without_mean(net, layers):
    del net["meta"]


@pytest.mark.parametrize("change", [without_a_layer, with_another_shape, with_nan, without_mean])
def test_other_networks_are_refused(change, pitts30k_content, tmp_path):
    savemat(tmp_path / "net.mat", damaged(pitts30k_content, change))
    with pytest.raises(WeightsError, match="weights fetch netvlad-pitts30k"):
        read_netvlad_mat(tmp_path / "net.mat")


def test_broken_files_are_refused(pitts30k_file, tmp_path):
    whole = pitts30k_file.read_bytes()
    rng = np.random.default_rng(0)
    for number, size in enumerate((0, 1, 100, 128, 500, len(whole) // 2, len(whole) - 7)):
        file = tmp_path / f"{number}.mat"
        file.write_bytes(whole[:size])
        with pytest.raises(WeightsError):
            read_netvlad_mat(file)
    (tmp_path / "noise.mat").write_bytes(rng.bytes(4000))
    with pytest.raises(WeightsError):
        read_netvlad_mat(tmp_path / "noise.mat")
    with pytest.raises(WeightsError):
        read_netvlad_mat(tmp_path / "absent.mat")
    savemat(tmp_path / "other.mat", {"something": np.eye(3)})
    with pytest.raises(WeightsError):
        read_netvlad_mat(tmp_path / "other.mat")
