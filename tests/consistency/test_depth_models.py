"""Depth of photos from a folder, and from a tiny network with random weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from hloc_lite.config import DepthConfig
from hloc_lite.consistency.depth_maps import depths_at, kind_of
from hloc_lite.consistency.depth_models import DepthFiles, depth_model
from hloc_lite.errors import (
    ConfigError,
    FormatError,
    MissingDependencyError,
    UnknownNameError,
    WeightsError,
)
from hloc_lite.io.weights import WeightsStore
from hloc_lite.registry import DEPTH_MODELS, Runtime, create
from hloc_lite.types import Photo

SIDE = 56


@pytest.fixture(scope="module")
def cpu() -> Runtime:
    return Runtime(WeightsStore(offline=True))


def photo(name: str = "a.jpg", width: int = 96, height: int = 64, seed: int = 0) -> Photo:
    rng = np.random.default_rng(seed)
    return Photo(name, rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_files_are_found_by_name_and_have_no_edges(tmp_path: Path, cpu: Runtime) -> None:
    depths = np.full((64, 96), 5.0)
    depths[:, 48:] = 9.0
    (tmp_path / "query").mkdir()
    np.save(tmp_path / "query" / "a.jpg.npy", depths)
    model = create(DEPTH_MODELS, f"files:{tmp_path}", DepthConfig(), cpu)
    found, missing = model.predict([photo("query/a.jpg"), photo("query/b.jpg")])
    assert missing is None and kind_of(found) == "metric"
    at = depths_at(found, np.array([[20.0, 30.0], [48.0, 30.0], [70.0, 30.0]]))
    np.testing.assert_array_equal(at, [5, np.nan, 9])


def test_files_of_another_shape_are_an_error(tmp_path: Path, cpu: Runtime) -> None:
    np.save(tmp_path / "a.jpg.npy", np.ones((96, 64)))
    model = create(DEPTH_MODELS, f"files:{tmp_path}", DepthConfig(), cpu)
    with pytest.raises(FormatError, match="64 x 96 pixels, its image 96 x 64"):
        model.predict([photo()])


def test_depth_source_selects_the_model(tmp_path: Path, cpu: Runtime) -> None:
    assert depth_model(DepthConfig(), cpu) is None
    assert isinstance(depth_model(DepthConfig(source=f"files:{tmp_path}"), cpu), DepthFiles)


def test_missing_transformers_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, cpu: Runtime
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"hloc-lite\[hf\]"):
        create(DEPTH_MODELS, "hf:a/b", DepthConfig(), cpu)


@pytest.mark.parametrize("name", ["none-such", "hf", "file:x"])
def test_unknown_names_are_errors(name: str, cpu: Runtime) -> None:
    with pytest.raises(UnknownNameError, match="files:, hf:"):
        create(DEPTH_MODELS, name, DepthConfig(), cpu)


@pytest.mark.parametrize("name", ["files: ", "hf: ", "files:", "hf:"])
def test_empty_names_are_errors(name: str, cpu: Runtime) -> None:
    with pytest.raises(ConfigError, match="after the colon"):
        create(DEPTH_MODELS, name, DepthConfig(), cpu)


def backbone() -> object:
    from transformers import Dinov2Config

    return Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=SIDE, patch_size=14,
        out_indices=[1, 2, 3, 4], apply_layernorm=True, reshape_hidden_states=False,
    )  # fmt: skip


def save_depth_anything(folder: Path, depth_type: str, *, safetensors: bool = True) -> Path:
    """A Depth Anything of 4 layers with random weights, and its processor."""
    import torch
    from transformers import (
        DepthAnythingConfig,
        DepthAnythingForDepthEstimation,
        DPTImageProcessor,
    )

    torch.manual_seed(0)
    config = DepthAnythingConfig(
        backbone_config=backbone(), patch_size=14, reassemble_hidden_size=16,
        neck_hidden_sizes=[4, 8, 8, 8], fusion_hidden_size=8, head_hidden_size=8,
        depth_estimation_type=depth_type, max_depth=20,
    )  # fmt: skip
    network = DepthAnythingForDepthEstimation(config)
    for parameter in network.head.parameters():  # random heads are nearly constant
        torch.nn.init.uniform_(parameter, 0.0, 0.5)
    network.save_pretrained(folder)
    if not safetensors:
        (folder / "model.safetensors").unlink()
        torch.save(network.state_dict(), folder / "pytorch_model.bin")
    DPTImageProcessor(
        size={"height": SIDE, "width": SIDE}, ensure_multiple_of=14, keep_aspect_ratio=True
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def relative_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers", reason="the extra hf is not installed")
    return save_depth_anything(tmp_path_factory.mktemp("relative"), "relative")


def test_network_depths_have_the_shape_of_the_photo(relative_model: Path, cpu: Runtime) -> None:
    config = DepthConfig(max_side_px=48, max_relative_gradient=10)
    model = create(DEPTH_MODELS, f"hf:{relative_model}", config, cpu)
    wide, tall = model.predict([photo(), photo(width=50, height=90, seed=1)])
    assert wide.depths.shape == (32, 48) and wide.image_size == (96, 64)
    assert tall.depths.shape == (48, 27) and tall.image_size == (50, 90)
    assert kind_of(wide) == "inverse"
    assert np.isfinite(wide.depths).all() and np.ptp(wide.depths) > 0


def test_network_is_deterministic_and_removes_edges(relative_model: Path, cpu: Runtime) -> None:
    model = create(DEPTH_MODELS, f"hf:{relative_model}", DepthConfig(), cpu)
    steep = create(
        DEPTH_MODELS, f"hf:{relative_model}", DepthConfig(max_relative_gradient=1e-4), cpu
    )
    (first,), (second,), (fewer,) = (m.predict([photo()]) for m in (model, model, steep))
    np.testing.assert_array_equal(first.depths, second.depths)
    assert np.isnan(fewer.depths).sum() > np.isnan(first.depths).sum()


def test_kind_comes_from_the_network_config(
    tmp_path: Path, relative_model: Path, cpu: Runtime
) -> None:
    metric = save_depth_anything(tmp_path / "metric", "metric")
    (found,) = create(DEPTH_MODELS, f"hf:{metric}", DepthConfig(), cpu).predict([photo()])
    assert kind_of(found) == "metric"
    config = DepthConfig(values="relative")
    (found,) = create(DEPTH_MODELS, f"hf:{relative_model}", config, cpu).predict([photo()])
    assert kind_of(found) == "relative"


def test_dpt_on_dinov2_does_not_declare_its_kind(tmp_path: Path, cpu: Runtime) -> None:
    transformers = pytest.importorskip("transformers", reason="the extra hf is not installed")
    config = transformers.DPTConfig(
        backbone_config=backbone(), neck_hidden_sizes=[4, 8, 8, 8], fusion_hidden_size=8,
        is_hybrid=False, add_projection=False, use_auxiliary_head=False, hidden_size=16,
        reassemble_factors=[4, 2, 1, 0.5], head_in_index=-1,
    )  # fmt: skip
    transformers.DPTForDepthEstimation(config).save_pretrained(tmp_path)
    transformers.DPTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"depth\.values"):
        create(DEPTH_MODELS, f"hf:{tmp_path}", DepthConfig(), cpu)
    model = create(DEPTH_MODELS, f"hf:{tmp_path}", DepthConfig(values="metric"), cpu)
    assert kind_of(model.predict([photo()])[0]) == "metric"


def test_pickled_weights_are_refused(tmp_path: Path, cpu: Runtime) -> None:
    pytest.importorskip("transformers", reason="the extra hf is not installed")
    folder = save_depth_anything(tmp_path, "relative", safetensors=False)
    with pytest.raises(WeightsError, match="safetensors"):
        create(DEPTH_MODELS, f"hf:{folder}", DepthConfig(), cpu)


def test_folders_without_a_depth_model_are_refused(tmp_path: Path, cpu: Runtime) -> None:
    pytest.importorskip("transformers", reason="the extra hf is not installed")
    with pytest.raises(WeightsError, match="cannot load depth model"):
        create(DEPTH_MODELS, f"hf:{tmp_path}", DepthConfig(), cpu)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "DPTImageProcessor"})
    )
    with pytest.raises(WeightsError, match="cannot load depth model"):
        create(DEPTH_MODELS, f"hf:{tmp_path}", DepthConfig(), cpu)
    with pytest.raises(WeightsError, match="cannot load depth model"):
        create(DEPTH_MODELS, "hf:nobody/no-such-model", DepthConfig(), cpu)
