"""Descriptors ``pooled:POOLING+BACKBONE`` and ``local:POOLING+FEATURES``.

``pooled:crow+lite1`` pools the feature map of a network, ``local:vlad+rootsift`` the descriptors of
local features, which are a map of one column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hloc_lite.config import FeaturesConfig, RetrievalConfig
from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.protocols import FeatureExtractor
from hloc_lite.registry import (
    BACKBONES,
    FEATURES,
    POOLINGS,
    Runtime,
    create,
    load_factory,
    lookup,
)
from hloc_lite.retrieval.aggregation import l2_normalized
from hloc_lite.retrieval.backbone import Backbone
from hloc_lite.retrieval.pixels import rgb_tensor
from hloc_lite.retrieval.pooling import FeatureMaps, MapKind, Pooling
from hloc_lite.retrieval.whitening import Whitening, learn_whitening
from hloc_lite.types import Float32, Photo

MAX_WHITENING_IMAGES = 10_000
"""Images from which whitening is learned: enough for a few thousand dimensions."""


class _PoolingDescriptor:
    """A pooling, L2-normalized, and whitened if there are enough images to learn it from."""

    def __init__(self, name: str, pooling: str, config: RetrievalConfig) -> None:
        self._name, self._config = name, config
        self._pooling: Pooling = load_factory(lookup(POOLINGS, pooling).factory)(config)
        self._whitening: Whitening | None = None

    def feature_maps(self, photo: Photo) -> FeatureMaps:
        """Feature maps of a photo, to be implemented."""
        raise NotImplementedError

    def fit(self, photos: Sequence[Photo]) -> None:
        """Learn what the pooling learns, and the whitening from enough photos.

        Raises:
            HlocLiteError: there are no photos.
        """
        if len(photos) == 0:
            raise HlocLiteError(f"{self._name} learns from map images, but got none; give some")
        rng = np.random.default_rng(self._config.seed)
        sample = _sample(rng, len(photos), self._config.vocabulary_images)
        if type(self._pooling).fit is not Pooling.fit:
            self._pooling.fit([self.feature_maps(photos[index]) for index in sample])
        self._whitening = None
        if len(photos) >= self._config.whiten_min_images:
            sample = _sample(rng, len(photos), MAX_WHITENING_IMAGES)
            rows = np.concatenate([self.describe([photos[index]]) for index in sample])
            self._whitening = learn_whitening(rows, self._config.output_dim)

    def state(self) -> dict[str, Any]:
        """Arrays of the pooling, and ``mean`` and ``projection`` if whitened."""
        arrays = self._pooling.state()
        if self._whitening is None:
            return arrays
        return arrays | {"mean": self._whitening.mean, "projection": self._whitening.projection}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the ``state`` of another instance.

        Raises:
            HlocLiteError: what the pooling learned is missing.
        """
        self._pooling.load_state(state)
        self._whitening = None
        if "projection" in state:
            self._whitening = Whitening(state["mean"], state["projection"])

    def describe(self, photos: Sequence[Photo]) -> Float32:
        """(B, D) unit rows.

        Raises:
            HlocLiteError: the pooling has learned nothing yet.
        """
        if not photos:  # the number of dimensions is known from a description only
            return self.describe([Photo("blank", np.zeros((64, 64, 3), np.uint8))])[:0]
        rows = [self._pooling.pool(self.feature_maps(photo)) for photo in photos]
        vectors = l2_normalized(np.array(rows, np.float32))
        return self._whitening.apply(vectors) if self._whitening else vectors


class FeatureMapDescriptor(_PoolingDescriptor):
    """``pooled:POOLING+BACKBONE``: a pooling of the feature maps of a network.

    With several ``config.scales``, the photo is described at each, as the pooling combines them.

    Raises:
        ConfigError: a name without ``+``.
        UnknownNameError: no such pooling or backbone.
    """

    def __init__(self, name: str, config: RetrievalConfig, runtime: Runtime) -> None:
        pooling, backbone = _parts(name, "pooled:gem+lite0")
        super().__init__(name, pooling, config)
        factory = load_factory(lookup(BACKBONES, backbone).factory)
        self._backbone: Backbone = factory(backbone, runtime)
        self._device = runtime.device

    def feature_maps(self, photo: Photo) -> FeatureMaps:
        """Maps of the photo at each scale, and turned if the pooling asks for it."""
        import torch

        views = []
        with torch.inference_mode():
            for scale in self._config.scales:
                side = max(1, round(scale * self._config.max_side_px))
                rgb = rgb_tensor(photo, side, self._device)
                for turns in range(self._pooling.quarter_turns):
                    turned = torch.rot90(rgb, turns, dims=(-2, -1))
                    feature_map = self._backbone.feature_map(turned, self._pooling.map_kind)
                    views.append(feature_map[0].contiguous().cpu().numpy())
        classes = self._backbone.class_weights if self._pooling.needs_classes else None
        return FeatureMaps(tuple(views), classes)


class LocalFeaturesDescriptor(_PoolingDescriptor):
    """``local:POOLING+FEATURES``: a pooling of the descriptors of local features.

    The features have the defaults of their name, at ``config.max_side_px``. A photo without any
    gets the vector of one descriptor of zeros.

    Raises:
        ConfigError: a name without ``+``, or a pooling that needs a whole feature map.
        UnknownNameError: no such pooling or features.
    """

    def __init__(self, name: str, config: RetrievalConfig, runtime: Runtime) -> None:
        pooling, features = _parts(name, "local:vlad+rootsift")
        super().__init__(name, pooling, config)
        if self._pooling.map_kind is not MapKind.LOCAL:
            raise ConfigError(
                f"{name!r}: {pooling} pools responses of a network, not descriptors; use vlad, "
                f"fisher, bow or netvlad, or pooled:{pooling}+lite0"
            )
        tuned = lookup(FEATURES, features).defaults.get("features", {})
        settings = FeaturesConfig(name=features, max_side_px=config.max_side_px, **tuned)
        self._extractor: FeatureExtractor = create(FEATURES, features, settings, runtime)

    def feature_maps(self, photo: Photo) -> FeatureMaps:
        """(D, N, 1) descriptors of the photo's N features; of none, one of zeros."""
        descriptors = self._extractor.extract([photo])[0].descriptors.astype(np.float32)
        if len(descriptors) == 0:
            descriptors = np.zeros((1, self._extractor.descriptor_dim), np.float32)
        return FeatureMaps((descriptors.T[:, :, None],))


def _parts(name: str, example: str) -> tuple[str, str]:
    """Pooling and network of a name. Raises ConfigError if it has not two parts."""
    pooling, plus, network = name.partition(":")[2].partition("+")
    if not plus or not pooling or not network:
        raise ConfigError(f"unknown name {name!r}: expected two parts, such as {example}")
    return pooling, network


def _sample(rng: np.random.Generator, count: int, max_size: int) -> np.ndarray:
    """At most ``max_size`` random indices below ``count``, ascending."""
    return np.sort(rng.choice(count, min(count, max_size), replace=False))
