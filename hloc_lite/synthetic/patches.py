"""Painted texture patches: signs, posters, windows, doors, weathered walls."""

from __future__ import annotations

import cv2
import numpy as np

from hloc_lite.synthetic.atlas import PATCH_NEUTRAL
from hloc_lite.synthetic.paint import (
    FONTS,
    Colour,
    blend,
    random_colour,
    scale_polygon,
    shop_name,
    text_mask,
    to_patch,
    wear,
)
from hloc_lite.synthetic.tiles import fractal_noise, smooth_noise
from hloc_lite.types import Float32, UInt8


def shop_sign(rng: np.random.Generator, width_px: int, height_px: int, text: str) -> UInt8:
    """Paint a shop sign: a board with a frame, lettering and wear."""
    dark_board = rng.random() < 0.6
    board = random_colour(rng, 12, 45, 0.8) if dark_board else random_colour(rng, 75, 95, 0.25)
    ink = random_colour(rng, 85, 100, 0.2) if dark_board else random_colour(rng, 8, 35, 0.9)
    image = np.empty((height_px, width_px, 3), np.float32)
    image[:] = board
    edge = max(2, height_px // 16)
    cv2.rectangle(image, (edge, edge), (width_px - edge - 1, height_px - edge - 1), ink, edge // 2)
    font = FONTS[rng.integers(len(FONTS))]
    inner = (int(height_px * 0.62), int(width_px * 0.84))
    mask = np.zeros((height_px, width_px), np.float32)
    y, x = (height_px - inner[0]) // 2, (width_px - inner[1]) // 2
    mask[y : y + inner[0], x : x + inner[1]] = text_mask(text, font, *inner)
    blend(image, mask, ink)
    return to_patch(image * wear(rng, (height_px, width_px), 0.12))


def poster(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint a poster: shapes, a title, lines of small print."""
    image = np.empty((height_px, width_px, 3), np.float32)
    image[:] = random_colour(rng, 40, 98, 0.35)
    for _ in range(rng.integers(2, 6)):
        colour = random_colour(rng, 10, 95, 0.6)
        centre = tuple(int(v) for v in rng.uniform(0, 1, 2) * (width_px, height_px))
        radius = int(rng.uniform(0.08, 0.35) * width_px)
        if rng.random() < 0.5:
            cv2.circle(image, centre, radius, colour, -1, cv2.LINE_AA)
        else:
            points = np.array(centre) + rng.normal(0, radius, (4, 2))
            cv2.fillPoly(image, [points.astype(np.int32)], colour, cv2.LINE_AA)
    y = int(rng.uniform(0.02, 0.5) * height_px)
    for share in (0.2, 0.1, 0.06, 0.06):
        line = int(share * height_px)
        if y + line >= height_px:
            break
        mask = text_mask(shop_name(rng), FONTS[rng.integers(len(FONTS))], line, width_px - 8)
        blend(image[y : y + line, 4 : width_px - 4], mask, random_colour(rng, 5, 100, 0.7))
        y += int(line * 1.2)
    return to_patch(image * wear(rng, (height_px, width_px), 0.15))


def window(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint a window: frame and bars, dark panes with a reflection, curtains or plants."""
    shape = (height_px, width_px)
    fall = np.linspace(rng.uniform(38, 62), rng.uniform(14, 26), height_px, dtype=np.float32)
    glass = fall[:, None] * (1 + 0.35 * fractal_noise(rng, shape, 3, 3))
    image = glass[..., None] * np.array([0.86, 0.97, 1.08], np.float32)
    kind = rng.integers(0, 5)
    if kind <= 1:  # curtains
        folds = 0.75 + 0.25 * np.sin(np.arange(width_px) * rng.uniform(0.25, 0.5))[None, :]
        cloth = np.array(random_colour(rng, 55, 85, 0.2), np.float32) * folds[..., None]
        cover = np.zeros(shape, np.float32)
        reach = int(rng.uniform(0.12, 0.34) * width_px)
        cover[:, :reach] = cover[:, width_px - reach :] = 0.85
        if kind == 1:
            cover[: int(rng.uniform(0.1, 0.4) * height_px)] = 0.85
        image += cover[..., None] * (cloth - image)
    elif kind == 2:  # blind
        stripes = 58 + 14 * (np.arange(height_px) % 8 < 4)[:, None]
        drop = int(rng.uniform(0.2, 0.9) * height_px)
        image[:drop] = stripes[:drop, :, None]
    elif kind == 3:  # plants
        for _ in range(rng.integers(3, 9)):
            x = int(rng.uniform(0, width_px))
            y = int(height_px * rng.uniform(0.7, 1.0))
            green = (20.0, float(rng.uniform(30, 55)), 18.0)
            cv2.circle(image, (x, y), int(rng.uniform(0.06, 0.14) * width_px), green, -1)
    frame = random_colour(rng, 70, 100, 0.08) if rng.random() < 0.7 else (32.0, 25.0, 18.0)
    bar = max(2, int(0.05 * width_px))
    cv2.rectangle(image, (0, 0), (width_px - 1, height_px - 1), frame, bar * 2)
    style = rng.integers(0, 4)
    if style != 3:
        cv2.line(image, (width_px // 2, 0), (width_px // 2, height_px), frame, bar)
    if style >= 1:
        y = int(height_px * 0.32)
        cv2.line(image, (0, y), (width_px, y), frame, bar)
    if style == 2:
        cv2.line(image, (0, int(height_px * 0.66)), (width_px, int(height_px * 0.66)), frame, bar)
    return to_patch(image)


def shop_window(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint a shop window: shelves of coloured goods, lettering on the pane."""
    image = np.empty((height_px, width_px, 3), np.float32)
    image[:] = random_colour(rng, 22, 45, 0.25)
    image *= np.linspace(1.3, 0.7, height_px, dtype=np.float32)[:, None, None]
    for shelf in range(rng.integers(2, 4)):
        base = int(height_px * (0.45 + 0.25 * shelf))
        cv2.line(image, (0, base), (width_px, base), (60, 50, 40), 4)
        x = int(rng.uniform(2, 30))
        while x < width_px - 10:
            w, h = (int(v) for v in rng.uniform(0.03, 0.12, 2) * height_px + 6)
            colour = random_colour(rng, 15, 90, 0.5)
            cv2.rectangle(image, (x, base - h), (x + w, base), colour, -1)
            x += w + int(rng.uniform(2, 0.08 * width_px + 3))
    band = max(8, int(0.14 * height_px))
    text = text_mask(shop_name(rng), FONTS[rng.integers(len(FONTS))], band, int(width_px * 0.7))
    y, x = int(0.12 * height_px), int(0.15 * width_px)
    blend(image[y : y + band, x : x + text.shape[1]], text, random_colour(rng, 80, 100, 0.3))
    frame = random_colour(rng, 12, 60, 0.6)
    cv2.rectangle(image, (0, 0), (width_px - 1, height_px - 1), frame, max(4, height_px // 25))
    return to_patch(image)


def house_door(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint a door with panels, a handle and a house number."""
    colour = np.array(random_colour(rng, 18, 60, 0.7), np.float32)
    image = np.empty((height_px, width_px, 3), np.float32)
    image[:] = colour
    rows = int(rng.integers(2, 5))
    for row in range(rows):
        for column in range(2):
            x0 = int(width_px * (0.1 + 0.42 * column))
            y0 = int(height_px * (0.06 + 0.9 * row / rows))
            x1, y1 = x0 + int(width_px * 0.36), y0 + int(height_px * 0.74 / rows)
            glass = row == 0 and rows > 2
            shade = (30.0, 34.0, 38.0) if glass else tuple(float(v) for v in colour * 0.78)
            cv2.rectangle(image, (x0, y0), (x1, y1), shade, -1)
            cv2.rectangle(image, (x0, y0), (x1, y1), tuple(float(v) for v in colour * 1.4), 2)
    cv2.circle(image, (int(width_px * 0.9), int(height_px * 0.52)), 4, (95, 85, 40), -1)
    number = text_mask(str(rng.integers(1, 99)), FONTS[0], height_px // 12, width_px // 3)
    y, x = int(height_px * 0.01), width_px // 3
    blend(image[y : y + number.shape[0], x : x + number.shape[1]], number, (98, 98, 90))
    return to_patch(image * wear(rng, (height_px, width_px), 0.12))


def stripes(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint the striped cloth of an awning."""
    count = int(rng.integers(5, 12))
    first, second = random_colour(rng, 20, 60, 0.9), random_colour(rng, 80, 98, 0.15)
    columns = (np.arange(width_px) * count // width_px) % 2
    row = np.where(columns[:, None] == 0, np.array(first), np.array(second)).astype(np.float32)
    image = np.broadcast_to(row, (height_px, width_px, 3))
    return to_patch(image * wear(rng, (height_px, width_px), 0.1))


def traffic_sign(rng: np.random.Generator, size_px: int) -> UInt8:
    """Paint one of four traffic signs."""
    image = np.full((size_px, size_px, 3), 92, np.float32)
    kind, centre = rng.integers(0, 4), (size_px // 2, size_px // 2)
    if kind == 0:
        cv2.circle(image, centre, int(size_px * 0.44), (85, 12, 12), size_px // 9, cv2.LINE_AA)
        _letter(image, str(rng.choice([20, 30, 50])), size_px // 2, (8, 8, 8))
    elif kind == 1:
        image[:] = (15, 30, 78)
        _letter(image, "P", size_px * 3 // 4, (96, 96, 96))
    elif kind == 2:
        image[:] = (82, 14, 14)
        half = size_px // 10
        image[size_px // 2 - half : size_px // 2 + half, size_px // 8 : -size_px // 8] = 95
    else:
        image[:] = (18, 34, 80)
        tip = [
            (0.5, 0.12),
            (0.85, 0.5),
            (0.6, 0.5),
            (0.6, 0.88),
            (0.4, 0.88),
            (0.4, 0.5),
            (0.15, 0.5),
        ]
        cv2.fillPoly(image, [(np.array(tip) * size_px).astype(np.int32)], (96, 96, 96))
    return to_patch(image)


def _letter(image: Float32, text: str, size_px: int, colour: Colour) -> None:
    margin = (image.shape[0] - size_px) // 2
    inner = image[margin : margin + size_px, margin : margin + size_px]
    blend(inner, text_mask(text, FONTS[0], size_px, size_px), colour)


def wall_weathering(
    rng: np.random.Generator, width_m: float, height_m: float, texels_per_m: float
) -> Float32:
    """(h, w, 3) patch values of a wall: stains, streaks, repairs, cracks, base dirt, graffiti."""
    shape = (max(32, int(height_m * texels_per_m)), max(32, int(width_m * texels_per_m)))
    height, width = shape
    side = max(width_m, height_m)
    gray = 1 + 0.24 * fractal_noise(rng, shape, side / 2, 6, 0.72)
    for _ in range(rng.integers(2, 2 + int(width_m * height_m / 9))):  # repairs
        size = rng.uniform(0.25, 1.4, 2) * texels_per_m
        points = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size / 2
        points += rng.uniform(0, 1, 2) * (width, height) + rng.normal(
            0, 0.06 * texels_per_m, (4, 2)
        )
        scale_polygon(gray, points, rng.uniform(0.7, 1.22))
    streaks = rng.random((1, width)).astype(np.float32) ** 6
    gray *= 1 - 0.35 * streaks * np.clip(smooth_noise(rng, shape, 5) + 0.2, 0, 1)
    for _ in range(rng.integers(3, 8)):  # cracks
        steps = rng.normal(0, 0.09 * texels_per_m, (26, 2))
        steps[:, 1] += rng.choice([-1, 1]) * 0.06 * texels_per_m
        path = np.cumsum(steps, axis=0) + rng.uniform(0, 1, 2) * (width, height)
        cv2.polylines(gray, [path.astype(np.int32)], False, 0.47, 1, cv2.LINE_AA)
    foot = gray[-int(2.5 * texels_per_m) :]
    metres_up = np.arange(len(foot), dtype=np.float32)[::-1, None] / texels_per_m
    foot *= 1 - np.exp(-metres_up / 0.7) * (0.35 + 0.25 * smooth_noise(rng, foot.shape, 14))
    image = np.asarray(cv2.merge([gray * PATCH_NEUTRAL] * 3), np.float32)
    for _ in range(rng.poisson(1.3)):
        _graffiti(rng, image, texels_per_m)
    return image


def _graffiti(rng: np.random.Generator, image: Float32, texels_per_m: float) -> None:
    height, width = image.shape[:2]
    tall, wide = (
        int(rng.uniform(0.3, 0.9) * texels_per_m),
        int(rng.uniform(0.8, 2.4) * texels_per_m),
    )
    x = int(rng.uniform(0, max(1, width - wide)))
    y = height - tall - int(rng.uniform(0.5, 1.6) * texels_per_m)
    wide, tall = min(wide, width - x), min(tall, height - max(y, 0))
    region = image[max(y, 0) : max(y, 0) + tall, x : x + wide]
    colour = random_colour(rng, 10, 110, 0.9)
    if rng.random() < 0.5:
        letters = "".join(chr(65 + int(k)) for k in rng.integers(0, 26, rng.integers(3, 6)))
        blend(
            region, text_mask(letters, FONTS[rng.integers(len(FONTS))], *region.shape[:2]), colour
        )
        return
    points = np.cumsum(rng.normal(0, 0.25 * texels_per_m, (14, 2)), axis=0)
    points -= points.min(axis=0)
    points *= (np.array(region.shape[1::-1]) - 1) / np.maximum(points.max(axis=0), 1)
    canvas = np.ascontiguousarray(region)
    thickness = max(1, int(0.04 * texels_per_m))
    cv2.polylines(canvas, [points.astype(np.int32)], False, colour, thickness, cv2.LINE_AA)
    region[:] = canvas
