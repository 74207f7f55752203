"""LightGlue: checkpoints in kornia's network, fused attention, invalid input."""

import dataclasses

import numpy as np
import pytest
import torch
from kornia.feature import LightGlue
from kornia.feature.lightglue import CrossBlock

from hloc_lite.config import MatchingConfig
from hloc_lite.errors import ShapeError, WeightsError
from hloc_lite.matching.lightglue import LightGlueMatcher
from hloc_lite.matching.lightglue_network import FusedCrossBlock, kornia_state, load_lightglue
from hloc_lite.registry import Runtime
from hloc_lite.types import LocalFeatures
from tests.weights_stores import OneFile

ADAPTIVE = {"min_score": 0.1, "depth_confidence": 0.95, "width_confidence": 0.99, "device": "cpu"}


@pytest.fixture(scope="module")
def small():
    """A network of LightGlue's kind with random weights."""
    torch.manual_seed(0)
    return LightGlue(features=None, input_dim=8, descriptor_dim=16, num_heads=2, n_layers=3).eval()


def parameters_of(network):
    return {k: v for k, v in network.state_dict().items() if k != "confidence_thresholds"}


@pytest.fixture
def small_file(small, tmp_path):
    torch.save(parameters_of(small), tmp_path / "small.pth")
    return tmp_path / "small.pth"


def features(count, dim=8, size=(200, 100)):
    rng = np.random.default_rng(count)
    descriptors = rng.normal(size=(count, dim))
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    return LocalFeatures(rng.uniform(0, 1, (count, 2)) * size, descriptors, np.ones(count), size)


@pytest.mark.parametrize("counts", [(1, 1), (1, 7), (40, 25)])
def test_fused_attention_equals_kornias(counts):
    torch.manual_seed(1)
    plain = CrossBlock(32, 4).eval()
    fused = FusedCrossBlock(32, 4).eval()
    fused.load_state_dict(plain.state_dict())
    x0, x1 = torch.randn(2, counts[0], 32), torch.randn(2, counts[1], 32)
    with torch.inference_mode():
        for got, expected in zip(fused(x0, x1), plain(x0, x1), strict=True):
            torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_architecture_follows_from_the_file(small, small_file):
    network = load_lightglue(small_file, **ADAPTIVE)
    assert (network.conf.input_dim, network.conf.descriptor_dim) == (8, 16)
    assert (network.conf.num_heads, network.conf.n_layers) == (2, 3)
    assert network.conf.filter_threshold == 0.1
    for name, value in small.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)


def test_parameter_names_of_all_files():
    assert kornia_state(
        {
            "transformers.2.self_attn.Wqkv.bias": 0,  # ALIKED
            "self_attn.1.out_proj.bias": 1,  # DISK
            "cross_attn.11.to_v.weight": 2,
            "log_assignment.0.r": 3,
            "matcher.posenc.Wr.weight": 4,  # LighterGlue
            "extractor.model.net.block1.0.layer.0.weight": 5,
        }
    ) == {
        "transformers.2.self_attn.Wqkv.bias": 0,
        "transformers.1.self_attn.out_proj.bias": 1,
        "transformers.11.cross_attn.to_v.weight": 2,
        "posenc.Wr.weight": 4,
    }


def remove_one(parameters):
    parameters.pop("transformers.1.cross_attn.to_v.bias")


def add_one(parameters):
    parameters["surprise"] = torch.zeros(1)


def reshape_one(parameters):
    parameters["transformers.1.cross_attn.to_v.bias"] = torch.zeros(3)


def empty(parameters):
    parameters.clear()


@pytest.mark.parametrize("change", [remove_one, add_one, reshape_one, empty])
def test_other_checkpoints_are_refused(change, small, tmp_path):
    parameters = parameters_of(small)
    change(parameters)
    torch.save(parameters, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="fetch it again"):
        load_lightglue(tmp_path / "other.pth", **ADAPTIVE)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04" + bytes(100)])
def test_broken_files_are_refused(content, tmp_path):
    (tmp_path / "broken.pth").write_bytes(content)
    with pytest.raises(WeightsError, match="fetch it again"):
        load_lightglue(tmp_path / "broken.pth", **ADAPTIVE)
    with pytest.raises(WeightsError, match="fetch it again"):
        load_lightglue(tmp_path / "absent.pth", **ADAPTIVE)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "was run"), "w"))

    torch.save({"input_proj.weight": Payload()}, tmp_path / "bad.pth")
    with pytest.raises(WeightsError):
        load_lightglue(tmp_path / "bad.pth", **ADAPTIVE)
    assert not (tmp_path / "was run").exists()


def test_keypoints_outside_their_image_are_refused(small_file):
    matcher = LightGlueMatcher("lightglue-aliked", MatchingConfig(), Runtime(OneFile(small_file)))
    good = features(20)
    matcher.match([(good, good)])
    edge = dataclasses.replace(good, keypoints=np.clip(good.keypoints, 0.4, None) - 0.5)
    matcher.match([(edge, good)])  # within rounding
    with pytest.raises(ShapeError, match="200 x 100"):
        matcher.match([(dataclasses.replace(good, keypoints=2 * good.keypoints), good)])


def test_batches_hold_pairs_of_equal_counts(small_file, monkeypatch):
    config = MatchingConfig(batch_size=3)
    matcher = LightGlueMatcher("lightglue-aliked", config, Runtime(OneFile(small_file)))
    shapes = []
    forward = LightGlue.forward

    def recording(self, data):
        shapes.append(
            (*data["image0"]["keypoints"].shape[:2], data["image1"]["keypoints"].shape[1])
        )
        return forward(self, data)

    monkeypatch.setattr(LightGlue, "forward", recording)
    pairs = [(features(a), features(b)) for a, b in [(5, 6), (6, 5), (5, 6), (0, 6)] + 2 * [(5, 6)]]
    assert len(matcher.match(pairs)) == 6
    assert sorted(shapes) == [(1, 5, 6), (1, 6, 5), (3, 5, 6)]
