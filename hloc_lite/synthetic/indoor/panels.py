"""Painted fronts of furniture and doors: door leaves, books, screens, whiteboards, cabinets."""

from __future__ import annotations

import cv2
import numpy as np

from hloc_lite.synthetic.paint import FONTS, blend, random_colour, text_mask, to_patch, wear
from hloc_lite.synthetic.tiles import fractal_noise
from hloc_lite.types import Float32, UInt8


def door_leaf(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint a plain office door: veneer, a kick plate, hinges; the handle is a body of its own."""
    shape = (height_px, width_px)
    tone = np.array(random_colour(rng, 42, 78, 0.15)) * np.array([1.15, 0.95, 0.75])
    stretched = fractal_noise(rng, (max(8, height_px // 16), width_px), 30, 4)
    grain = cv2.resize(stretched, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    image = tone.astype(np.float32) * (1 + 0.1 * np.asarray(grain, np.float32))[..., None]
    kick = int(height_px * 0.09)
    image[-kick:] = 62 + 4 * fractal_noise(rng, (kick, width_px), 8, 3)[..., None]
    for share in (0.1, 0.5, 0.88):
        y = int(height_px * share)
        image[y : y + height_px // 28, : max(2, width_px // 60)] = 35
    return to_patch(image * wear(rng, shape, 0.03))


def book_row(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint the spines of a row of books and folders with lettering."""
    image = np.full((height_px, width_px, 3), 9, np.float32)
    x = 0
    while x < width_px - 4:
        if rng.random() < 0.06:
            x += int(rng.uniform(0.05, 0.2) * height_px)
            continue
        wide = max(3, int(rng.uniform(0.06, 0.24) * height_px))
        tall = int(rng.uniform(0.62, 0.95) * height_px)
        end = min(x + wide, width_px)
        light = rng.random() < 0.4
        colour = random_colour(rng, 65, 97, 0.2) if light else random_colour(rng, 8, 60, 0.9)
        part = image[height_px - tall :, x:end]
        part[:] = colour
        part[:, 0] = part[:, -1] = 4
        if end - x > 7:
            ink = (10.0, 10.0, 12.0) if light else random_colour(rng, 75, 98, 0.3)
            words = "".join(chr(65 + int(k)) for k in rng.integers(0, 26, rng.integers(5, 14)))
            mask = text_mask(words, FONTS[rng.integers(len(FONTS))], end - x - 4, int(tall * 0.7))
            turned = np.ascontiguousarray(np.rot90(mask, -1))
            top = int(tall * rng.uniform(0.05, 0.25))
            blend(part[top : top + turned.shape[0], 2 : 2 + turned.shape[1]], turned, ink)
        if rng.random() < 0.4:
            y = int(tall * rng.uniform(0.75, 0.92))
            part[y : y + max(2, tall // 25)] = random_colour(rng, 30, 95, 0.8)
        x = end
    return to_patch(image)


def screen(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint a monitor that shows windows with lines of text, or that is off."""
    image = np.full((height_px, width_px, 3), 5, np.float32)
    edge = max(2, height_px // 24)
    inner = image[edge:-edge, edge:-edge]
    if rng.random() < 0.35:
        return to_patch(image)
    inner[:] = random_colour(rng, 12, 50, 0.6)
    for _ in range(rng.integers(1, 4)):
        w, h = (int(rng.uniform(0.35, 0.8) * n) for n in (inner.shape[1], inner.shape[0]))
        x, y = (int(rng.integers(0, n)) for n in (inner.shape[1] - w, inner.shape[0] - h))
        dark = rng.random() < 0.5
        inner[y : y + h, x : x + w] = 14 if dark else 92
        inner[y : y + max(2, h // 14), x : x + w] = random_colour(rng, 30, 70, 0.4)
        step = max(4, h // 16)
        for row in range(y + 2 * step, y + h - step, step):
            left = x + step + int(rng.integers(0, 4)) * step
            right = min(x + w - step, left + int(rng.uniform(0.1, 0.7) * w))
            inner[row : row + max(1, step // 2), left:right] = random_colour(rng, 30, 80, 0.8)
    return to_patch(image)


def whiteboard(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint a whiteboard with words, formulas, boxes and arrows in four colours."""
    image = np.full((height_px, width_px, 3), 97, np.float32)
    smear = np.clip(fractal_noise(rng, (height_px, width_px), 5, 4), 0, 1)
    image -= 7 * smear[..., None]
    inks = ((10.0, 10.0, 12.0), (8.0, 16.0, 70.0), (70.0, 8.0, 8.0), (6.0, 45.0, 14.0))
    for _ in range(rng.integers(7, 16)):
        ink = inks[rng.integers(4)]
        x, y = int(rng.uniform(0.03, 0.75) * width_px), int(rng.uniform(0.05, 0.8) * height_px)
        wide, tall = int(rng.uniform(0.1, 0.3) * width_px), int(rng.uniform(0.05, 0.16) * height_px)
        kind = rng.integers(4)
        thick = max(1, height_px // 160)
        if kind == 0:
            cv2.rectangle(image, (x, y), (x + wide, y + tall), ink, thick)
        elif kind == 1:
            tip = (x + wide, y + int(rng.normal(0, tall)))
            cv2.arrowedLine(image, (x, y), tip, ink, thick, cv2.LINE_AA)
        elif kind == 2:
            steps = np.cumsum(rng.normal(0, 0.25, (24, 2)) * tall + (wide / 24, 0), axis=0)
            cv2.polylines(
                image, [(steps + np.array([x, y])).astype(np.int32)], False, ink, thick, cv2.LINE_AA
            )
        else:
            letters = "".join(rng.choice(list("abcdefxyzRTKLP=+-()∑λ012"), rng.integers(4, 12)))
            part = image[y : y + tall, x : x + wide]
            blend(part, text_mask(letters, FONTS[3], *part.shape[:2]), ink)
    return to_patch(image)


def cabinet_front(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint doors or drawers with gaps, handles and a few labels."""
    image = np.empty((height_px, width_px, 3), np.float32)
    image[:] = random_colour(rng, 45, 92, 0.08)
    columns, rows = (2, 1) if rng.random() < 0.6 else (1, int(rng.integers(3, 6)))
    wide, tall = width_px // columns, height_px // rows
    for row in range(rows):
        for column in range(columns):
            x, y = column * wide, row * tall
            cv2.rectangle(image, (x, y), (x + wide - 1, y + tall - 1), (16, 16, 16), 2)
            handle = _handle(x, y, wide, tall, columns, column)
            cv2.rectangle(image, handle[:2], handle[2:], (22, 22, 24), -1)
            if rng.random() < 0.45:
                lx, ly = x + wide // 3, y + max(4, tall // 12)
                lw, lh = max(6, wide // 4), max(4, width_px // 18)
                image[ly : ly + lh, lx : lx + lw] = 95
                text = str(rng.integers(100, 99999))
                part = image[ly : ly + lh, lx : lx + lw]
                blend(part, text_mask(text, FONTS[0], *part.shape[:2]), (8.0, 8.0, 8.0))
    return to_patch(image * wear(rng, (height_px, width_px), 0.04))


def _handle(
    x: int, y: int, wide: int, tall: int, columns: int, column: int
) -> tuple[int, int, int, int]:
    """Corners of a handle on one door or drawer."""
    if columns == 1:
        return (
            x + wide * 2 // 5,
            y + tall // 4,
            x + wide * 3 // 5,
            y + tall // 4 + max(2, wide // 40),
        )
    left = x + (wide * 9 // 10 if column == 0 else wide // 12)
    return left, y + tall * 9 // 20, left + max(2, wide // 30), y + tall * 11 // 20


def keyboard(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint a keyboard from above."""
    image = np.full((height_px, width_px, 3), 12, np.float32)
    key = max(3, height_px // 6)
    for y in range(2, height_px - key + 2, key):
        for x in range(2, width_px - key + 2, key):
            image[y : y + key - 1, x : x + key - 1] = 20 + rng.uniform(0, 8)
            image[y + key // 3 : y + key // 2, x + key // 3 : x + key // 2] = 80
    return to_patch(image)


def wall_marks(rng: np.random.Generator, width_m: float, height_m: float, px_per_m: float) -> UInt8:
    """Paint what makes a white wall a little less plain: shade, scuffs, holes, filled spots."""
    shape = (max(32, int(height_m * px_per_m)), max(32, int(width_m * px_per_m)))
    gray: Float32 = 100 + 1.6 * fractal_noise(rng, shape, max(width_m, height_m) / 1.2, 4)
    for _ in range(rng.poisson(1.1 * width_m)):  # scuffs of chairs and trolleys
        y = shape[0] - int(rng.gamma(2.0, 0.22) * px_per_m)
        x, reach = int(rng.uniform(0, shape[1])), int(rng.uniform(0.02, 0.3) * px_per_m)
        tip = (x + reach, y + int(rng.normal(0, 0.02) * px_per_m))
        cv2.line(gray, (x, y), tip, float(rng.uniform(76, 94)), 1, cv2.LINE_AA)
    for _ in range(rng.poisson(1.6 * width_m)):  # holes of nails, filled spots
        spot = int(rng.uniform(0, shape[1])), int(rng.uniform(0.1, 0.9) * shape[0])
        cv2.circle(gray, spot, int(rng.random() < 0.15), float(rng.choice([70, 88, 106])), -1)
    return to_patch(np.repeat(gray[..., None], 3, axis=2))


def facade(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint the building across the street: rows of windows, a line of sky above."""
    image = np.empty((height_px, width_px, 3), np.float32)
    image[:] = random_colour(rng, 50, 85, 0.25)
    rows, columns = max(2, height_px // 60), max(3, width_px // 48)
    tall, wide = height_px // rows, width_px // columns
    for row in range(rows):
        for column in range(columns):
            x, y = column * wide + wide // 5, row * tall + tall // 5
            glass = random_colour(rng, 14, 55, 0.25)
            cv2.rectangle(image, (x, y), (x + wide * 3 // 5, y + tall * 3 // 5), glass, -1)
            cv2.rectangle(image, (x, y), (x + wide * 3 // 5, y + tall * 3 // 5), (88, 88, 86), 2)
            if rng.random() < 0.4:
                drop = int(tall * rng.uniform(0.1, 0.5))
                image[y : y + drop, x : x + wide * 3 // 5] *= 0.6
                image[y : y + drop, x : x + wide * 3 // 5] += 30
    return to_patch(image * wear(rng, (height_px, width_px), 0.1))
