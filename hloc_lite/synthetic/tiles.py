"""Tiling textures: photographs shipped with scikit-image, and drawn ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from hloc_lite.synthetic.atlas import TILE_PX
from hloc_lite.types import Float32, UInt8

N = TILE_PX
Texture = npt.NDArray[np.floating]
"""(TILE_PX, TILE_PX) or (TILE_PX, TILE_PX, 3), 0 to 255."""


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: float) -> Float32:
    """(h, w) noise in about [-1, 1] with about ``cells`` bumps along the longer side."""
    height, width = shape
    step = max(height, width) / cells
    small = (max(2, round(height / step) + 1), max(2, round(width / step) + 1))
    coarse = rng.uniform(-1, 1, small).astype(np.float32)
    return np.asarray(
        cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32
    )


def fractal_noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: float, octaves: int, gain: float = 0.55
) -> Float32:
    """(h, w) sum of ``smooth_noise`` at doubling frequencies, in about [-1, 1]."""
    if max(shape) >= 256 and octaves > 2 and cells * 8 < max(shape) / 4:
        # coarse octaves do not need the full resolution
        small = (max(8, shape[0] // 4), max(8, shape[1] // 4))
        split = min(octaves, 3)
        part = _octaves(rng, small, cells, range(split), gain)
        smooth = cv2.resize(part, shape[::-1], interpolation=cv2.INTER_LINEAR)
        total = np.asarray(smooth, np.float32)
        total += _octaves(rng, shape, cells, range(split, octaves), gain)
    else:
        total = _octaves(rng, shape, cells, range(octaves), gain)
    return total / np.float32(0.7 * sum(gain**octave for octave in range(octaves)))


def _octaves(
    rng: np.random.Generator, shape: tuple[int, int], cells: float, octaves: range, gain: float
) -> Float32:
    total = np.zeros(shape, np.float32)
    for octave in octaves:
        total += np.float32(gain**octave) * smooth_noise(rng, shape, cells * 2**octave)
    return total


def make_tiles(rng: np.random.Generator) -> Mapping[str, UInt8]:
    """Make all tiles: name -> (TILE_PX, TILE_PX, 3) RGB that repeats without seams."""
    makers: Mapping[str, Callable[[np.random.Generator], Texture]] = {
        "brick": _brick_drawn,
        "brick_photo": _brick_photo,
        "gravel": lambda _: _seamless(_photo("gravel").astype(np.float32)),
        "grass": lambda _: _seamless(_photo("grass").astype(np.float32)),
        "asphalt": _asphalt,
        "plaster": _plaster,
        "stone": _stone,
        "cobbles": _cobbles,
        "paving": _paving,
        "wood": _wood,
        "roof": _roof,
        "bark": _bark,
        "leaf": _leaf,
        "metal": _metal,
        "fabric": _fabric,
    }
    tiles = {}
    for name, make in makers.items():
        image = np.clip(make(rng), 4, 255).astype(np.uint8)
        tiles[name] = np.ascontiguousarray(np.dstack([image] * 3) if image.ndim == 2 else image)
    return tiles


def _photo(name: str) -> UInt8:
    """(512, 512) grey texture photograph shipped with scikit-image."""
    import skimage.data

    return np.asarray(getattr(skimage.data, name)(), np.uint8)


def _gravel() -> Float32:
    """Grain of the gravel photo with zero mean and unit deviation."""
    photo = _seamless(_photo("gravel").astype(np.float32))
    return (photo - photo.mean()) / photo.std()


def _seamless(image: Float32) -> Float32:
    """Make an image periodic: blend a strip at each border with the opposite side."""
    band = 48
    weight = np.linspace(0, 1, band, dtype=np.float32)
    for _ in range(2):
        core = image[:, band:].copy()
        core[:, -band:] = core[:, -band:] * (1 - weight) + image[:, :band] * weight
        image = core.T
    return np.asarray(cv2.resize(image, (N, N), interpolation=cv2.INTER_CUBIC), np.float32)


def periodic_noise(rng: np.random.Generator, cells: float, octaves: int = 4) -> Float32:
    """(N, N) fractal noise in about [-1, 1] that repeats without seams."""
    return _seamless(fractal_noise(rng, (N + 60, N + 60), cells, octaves))


def _courses(
    rng: np.random.Generator, rows: int, columns: int, gap_px: float, spread: float, round_px: int
) -> tuple[Float32, Float32]:
    """Running bond of stones: their (N, N) tone around 0, and a mask (1 on stones, 0 in joints)."""
    tone, mask = np.zeros((N, N), np.float32), np.zeros((N, N), np.float32)
    row_height, width = N / rows, N / columns
    for row in range(rows):
        shift = (row % 2) * width / 2
        for column in range(columns):
            x0, y0 = column * width + shift, row * row_height
            jitter = rng.uniform(-0.35, 0.35, 4) * gap_px
            left, right = x0 + gap_px / 2 + jitter[0], x0 + width - gap_px / 2 + jitter[1]
            top, bottom = y0 + gap_px / 2 + jitter[2], y0 + row_height - gap_px / 2 + jitter[3]
            value = float(np.clip(rng.normal(0, spread), -2.5 * spread, 2.5 * spread))
            for wrap in (0, -N):
                corners = (round(left + wrap), round(top)), (round(right + wrap), round(bottom))
                cv2.rectangle(tone, *corners, value, -1)
                cv2.rectangle(mask, *corners, 1.0, -1)
    if round_px:
        soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), round_px), np.float32)
        mask = np.clip((soft - 0.35) / 0.3, 0, 1)
    return tone, mask


def _brick_drawn(rng: np.random.Generator) -> Float32:
    tone, mask = _courses(rng, 16, 5, 5, 22, 1)
    grain = 7 * _gravel() + 12 * periodic_noise(rng, 40)
    brick = np.stack([168 + tone, 98 + 0.75 * tone, 76 + 0.6 * tone], axis=-1) + grain[..., None]
    mortar = np.array([168, 162, 152], np.float32) + (8 * periodic_noise(rng, 90))[..., None]
    return mask[..., None] * brick + (1 - mask[..., None]) * mortar


def _brick_photo(rng: np.random.Generator) -> Texture:
    # the photo is oblique, its courses converge upwards: rectify them and turn them horizontal
    source = np.array([[90, 0], [360, 0], [435, 512], [15, 512]], np.float32)
    half = N // 2
    target = np.array([[0, 0], [half, 0], [half, half], [0, half]], np.float32)
    homography = cv2.getPerspectiveTransform(source, target)
    flat = cv2.warpPerspective(_photo("brick"), homography, (half, half)).T.astype(np.float32)
    flat = (flat - flat.mean()) / flat.std()
    mirrored = np.hstack([flat, flat[:, ::-1]])
    mirrored = np.vstack([mirrored, mirrored[::-1]])
    uneven = 14 * periodic_noise(rng, 8)
    gray = 118 + 26 * mirrored + uneven
    return gray[..., None] * np.array([1.25, 0.95, 0.8], np.float32)


def _asphalt(rng: np.random.Generator) -> Texture:
    return 150 + 18 * _gravel() + 10 * periodic_noise(rng, 12) + rng.normal(0, 7, (N, N))


def _plaster(rng: np.random.Generator) -> Texture:
    white = rng.normal(0, 1, (N, N)).astype(np.float32)
    rough = np.asarray(cv2.GaussianBlur(white, (0, 0), 1.6), np.float32)
    return 212 + 55 * rough / 2.2 + 9 * periodic_noise(rng, 10) + 3 * _gravel()


def _stone(rng: np.random.Generator) -> Float32:
    tone, mask = _courses(rng, 6, 3, 6, 18, 2)
    face = 188 + tone + 9 * _gravel() + 12 * periodic_noise(rng, 14)
    gray = mask * face + (1 - mask) * 95
    return gray[..., None] * np.array([1.0, 0.97, 0.9], np.float32)


def _cobbles(rng: np.random.Generator) -> Float32:
    tone, mask = _courses(rng, 14, 12, 9, 20, 3)
    gray = mask * (150 + tone + 11 * _gravel()) + (1 - mask) * (62 + 9 * periodic_noise(rng, 60))
    return gray[..., None] * np.array([1.0, 0.99, 0.98], np.float32)


def _paving(rng: np.random.Generator) -> Float32:
    tone, mask = _courses(rng, 4, 4, 5, 9, 1)
    return mask * (182 + tone + 7 * _gravel() + 8 * periodic_noise(rng, 16)) + (1 - mask) * 96


def _wood(rng: np.random.Generator) -> Texture:
    planks = np.repeat(rng.normal(0, 12, 8), N // 8).astype(np.float32)[None, :]
    grain = cv2.resize(rng.normal(0, 1, (10, N)).astype(np.float32), (N, N))
    gray = 165 + planks + 13 * grain + 6 * periodic_noise(rng, 20)
    gray[:, :: N // 8] = gray[:, 1 :: N // 8] = gray[:, 2 :: N // 8] = 60
    return gray


def _roof(rng: np.random.Generator) -> Float32:
    tone, _ = _courses(rng, 12, 16, 0, 17, 0)
    rows = np.arange(N, dtype=np.float32)[:, None] % (N / 12) / (N / 12)
    columns = np.cos(np.arange(N, dtype=np.float32) * 2 * np.pi / (N / 16))[None, :]
    gray = 150 + tone + 35 * (rows - 0.5) + 18 * columns + 8 * _gravel() - 60 * (rows > 0.93)
    return gray[..., None] * np.array([1.05, 0.8, 0.7], np.float32)


def _bark(rng: np.random.Generator) -> Texture:
    streaks = cv2.resize(rng.normal(0, 1, (40, N)).astype(np.float32), (N, N))
    return 115 + 38 * cv2.GaussianBlur(streaks, (0, 0), 2.5) + 12 * _gravel()


def _leaf(rng: np.random.Generator) -> Texture:
    grass = _seamless(_photo("grass").astype(np.float32))
    return 150 + 1.1 * (grass - grass.mean())


def _metal(rng: np.random.Generator) -> Texture:
    return 225 + 5 * periodic_noise(rng, 6) + rng.normal(0, 2, (N, N))


def _fabric(rng: np.random.Generator) -> Texture:
    return 205 + 22 * periodic_noise(rng, 7, 3) + rng.normal(0, 5, (N, N))
