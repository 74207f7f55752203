"""Tiling textures of rooms: painted walls, ceilings, carpets, floors, cork, cloth."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from hloc_lite.synthetic.atlas import TILE_PX, AtlasBuilder
from hloc_lite.synthetic.mesh import Material
from hloc_lite.synthetic.tiles import make_tiles, periodic_noise
from hloc_lite.types import Float32, UInt8

N = TILE_PX
_FROM_TOWN: Mapping[str, float] = {"wood": 0.9, "metal": 1.5, "fabric": 0.5, "leaf": 0.5,
                                   "bark": 0.4, "brick": 1.2}  # fmt: skip
_METRES: Mapping[str, float] = {
    "wall": 1.1, "ceiling": 1.2, "carpet": 1.0, "lino": 1.3, "cork": 0.6, "check": 0.35,
    "melamine": 1.0, "concrete": 2.0,
}  # fmt: skip
"""Width that a tile covers: 1 to 3 mm per texel, about a pixel of a cutout at 3 m."""


def make_materials(seed: int, atlas: AtlasBuilder) -> Mapping[str, Material]:
    """Make the materials of a building; their textures are added to ``atlas``."""
    drawn = _draw_tiles(np.random.default_rng([seed, 410]))
    shared = make_tiles(np.random.default_rng([seed, 411]))
    found = {
        name: Material(atlas.add_tile(shared[name]), size) for name, size in _FROM_TOWN.items()
    }
    found |= {name: Material(atlas.add_tile(drawn[name]), size) for name, size in _METRES.items()}
    return found


def _draw_tiles(rng: np.random.Generator) -> Mapping[str, UInt8]:
    tiles = {
        "wall": _wall(rng),
        "ceiling": _ceiling(rng),
        "carpet": _carpet(rng),
        "lino": _lino(rng),
        "cork": 150 + 26 * _speckle(rng, 1.2) + 12 * periodic_noise(rng, 60),
        "check": _check(rng),
        "melamine": 228 + 3 * periodic_noise(rng, 20) + rng.normal(0, 2.2, (N, N)),
        "concrete": 170 + 16 * periodic_noise(rng, 9) + 6 * _speckle(rng, 1.0),
    }
    found = {}
    for name, tile in tiles.items():
        image = np.clip(tile, 4, 255).astype(np.uint8)
        found[name] = np.ascontiguousarray(np.dstack([image] * 3) if image.ndim == 2 else image)
    return found


def _speckle(rng: np.random.Generator, size_px: float) -> Float32:
    """(N, N) periodic grain of unit deviation."""
    white = np.tile(rng.standard_normal((N, N), np.float32), (1, 1))
    padded = cv2.copyMakeBorder(white, 8, 8, 8, 8, cv2.BORDER_WRAP)
    soft = np.asarray(cv2.GaussianBlur(padded, (0, 0), size_px), np.float32)[8:-8, 8:-8]
    return soft / soft.std()


def _wall(rng: np.random.Generator) -> Float32:
    """Emulsion paint put on with a roller: orange peel, hardly any contrast."""
    return 228 + 3.2 * _speckle(rng, 2.2) + 2 * _speckle(rng, 0.9) + 2.5 * periodic_noise(rng, 8)


def _ceiling(rng: np.random.Generator) -> Float32:
    """Mineral fibre with fissures and pinholes."""
    image = 222 + 3 * periodic_noise(rng, 30)
    image[_speckle(rng, 1.5) > 1.9] -= 62
    image[_speckle(rng, 0.8) > 2.6] -= 50
    return image


def _carpet(rng: np.random.Generator) -> Float32:
    """Ribbed carpet with coloured threads."""
    ribs = 9 * np.sin(np.arange(N) * (2 * np.pi * 84 / N)).astype(np.float32)
    gray = 150 + ribs[None, :] + 15 * _speckle(rng, 1.0) + 10 * periodic_noise(rng, 14)
    image = np.repeat(gray[..., None], 3, axis=2)
    thread = _speckle(rng, 1.3)
    image[thread > 2.1] *= np.array([1.35, 1.15, 0.8], np.float32)
    image[thread < -2.1] *= np.array([0.6, 0.75, 1.1], np.float32)
    return image


def _lino(rng: np.random.Generator) -> Float32:
    """Speckled linoleum: chips of several colours."""
    base = 188 + 7 * periodic_noise(rng, 20) + rng.normal(0, 2, (N, N)).astype(np.float32)
    image = np.repeat(base[..., None], 3, axis=2).astype(np.float32)
    for colour in ((0.55, 0.55, 0.6), (1.2, 1.18, 1.1), (0.8, 0.68, 0.5)):
        image[_speckle(rng, 1.9) > 1.7] *= np.array(colour, np.float32)
    return image


def _check(rng: np.random.Generator) -> Float32:
    """Woven check of a shirt."""
    t = np.arange(N) * (2 * np.pi / N)
    bands = 24 * np.sign(np.sin(8 * t)) + 14 * np.sign(np.sin(24 * t + 0.4))
    return 185 + bands[None, :] + bands[:, None] + 5 * _speckle(rng, 0.8)
