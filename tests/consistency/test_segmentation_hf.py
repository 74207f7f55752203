"""Hugging Face segmenters with tiny models that have random weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hloc_lite import registry
from hloc_lite.config import SemanticsConfig
from hloc_lite.errors import ConfigError, WeightsError
from hloc_lite.registry import SEGMENTERS, Runtime
from hloc_lite.types import Photo
from tests.weights_stores import NoWeights

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

NAMES = ["wall", "building, edifice", "sky", "bed", "tree", "house"]
LABELS = [3, 2, 10, 255, 8, 2]


class Offline(NoWeights):
    offline = True


RUNTIME = Runtime(Offline())


def save_segformer(folder, names=NAMES, winner=None, **options):
    """A SegFormer with random weights; always predicts the class ``winner`` if given."""
    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16],
        patch_sizes=[7, 3], strides=[4, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2],
        decoder_hidden_size=16, id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
    )  # fmt: skip
    model = transformers.SegformerForSemanticSegmentation(config).eval()
    if winner is not None:
        torch.nn.init.zeros_(model.decode_head.classifier.weight)
        torch.nn.init.zeros_(model.decode_head.classifier.bias)
        model.decode_head.classifier.bias.data[winner] = 1
    model.save_pretrained(folder, **options)
    processor = transformers.SegformerImageProcessor(size={"height": 64, "width": 64})
    processor.save_pretrained(folder)
    return model, processor


def photo(width=90, height=60, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Photo(f"{seed}.jpg", pixels)


def create(folder, **settings):
    return registry.create(SEGMENTERS, f"hf:{folder}", SemanticsConfig(**settings), RUNTIME)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("segformer")
    save_segformer(path)
    return path


def test_classes_are_mapped_by_name(folder):
    assert list(create(folder).classes.items()) == list(zip(NAMES, LABELS, strict=True))


def test_labels_are_those_of_the_model(folder):
    model, processor = save_segformer(folder)
    picture = photo()
    label_map = create(folder).segment([picture])[0]
    inputs = processor(images=[picture.pixels], return_tensors="pt")
    with torch.inference_mode():
        logits = model(**inputs).logits[0]
    # logits are not interpolated at the centres of the model's cells
    own = np.array(LABELS)[logits.argmax(dim=0).numpy()]
    rows = ((np.arange(own.shape[0]) + 0.5) * 60 / own.shape[0]).astype(int)
    columns = ((np.arange(own.shape[1]) + 0.5) * 90 / own.shape[1]).astype(int)
    assert label_map.labels.shape == (60, 90) and label_map.image_size == (90, 60)
    assert (label_map.labels[np.ix_(rows, columns)] == own).mean() > 0.9
    assert len(np.unique(own)) > 1


@pytest.mark.parametrize("winner", range(len(NAMES)))
def test_each_class_becomes_its_train_id(tmp_path, winner):
    save_segformer(tmp_path, winner=winner)
    assert (create(tmp_path).segment([photo()])[0].labels == LABELS[winner]).all()


def test_large_photos_are_shrunk_and_order_is_kept(folder):
    photos = [photo(300, 150, 1), photo(64, 128, 2), photo(20, 10, 3)]
    segmenter = create(folder, max_side_px=100)
    maps = segmenter.segment(photos)
    assert [m.labels.shape for m in maps] == [(50, 100), (100, 50), (10, 20)]
    assert [m.image_size for m in maps] == [(300, 150), (64, 128), (20, 10)]
    assert np.array_equal(maps[1].labels, segmenter.segment(photos[1:2])[0].labels)
    assert segmenter.segment([]) == []


def test_universal_models(tmp_path):
    names = ["road", "sky", "person"]
    swin = transformers.SwinConfig(
        image_size=64, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = transformers.MaskFormerConfig(
        backbone_config=swin, mask_feature_size=32, fpn_feature_size=32, num_labels=3,
        decoder_config=transformers.DetrConfig(
            d_model=32, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16, decoder_ffn_dim=16,
            encoder_attention_heads=2, decoder_attention_heads=2, num_queries=4,
        ),
        id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)},
    )  # fmt: skip
    transformers.MaskFormerForInstanceSegmentation(config).save_pretrained(tmp_path)
    size = {"height": 64, "width": 64}
    transformers.MaskFormerImageProcessor(size=size).save_pretrained(tmp_path)
    label_map = create(tmp_path).segment([photo()])[0]
    assert label_map.labels.shape == (60, 90)
    assert set(np.unique(label_map.labels)) <= {0, 10, 11}


def test_models_without_known_names_are_refused(tmp_path):
    save_segformer(tmp_path, ["LABEL_0", "LABEL_1"])
    with pytest.raises(ConfigError, match=r"none of the 2 classes .*LABEL_0.*id2label"):
        create(tmp_path)


def test_pickled_weights_are_refused(tmp_path):
    model, _ = save_segformer(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="safetensors"):
        create(tmp_path)


def test_a_backbone_without_its_head_is_refused(tmp_path):
    model, _ = save_segformer(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    model.segformer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"lack .* tensors .*decode_head"):
        create(tmp_path)


def test_broken_files_are_errors(tmp_path):
    save_segformer(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(WeightsError, match="cannot load"):
        create(tmp_path)


def test_models_that_do_not_segment_are_refused(tmp_path):
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="bert"):
        create(tmp_path)


def test_nothing_is_fetched_offline(tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match="offline"):
        create("nobody/no-such-model", revision="0123abc")
    with pytest.raises(WeightsError, match="cannot load"):
        create(tmp_path / "none")
