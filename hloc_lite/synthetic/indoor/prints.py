"""Printed things on walls: posters with text, plots and photos; notice boards; pictures; plates.

Values are patch values of the atlas: 100 leaves the material below unchanged.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw

from hloc_lite.synthetic.paint import FONTS, load_font, random_colour, to_patch, wear
from hloc_lite.synthetic.tiles import fractal_noise
from hloc_lite.types import Float32, UInt8

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "retina",
          "immunohistochemistry", "camera", "coins", "moon")  # fmt: skip
"""Photographs that scikit-image ships."""
WORDS = (
    "camera pose of rooms with depth from many views a robust map the query image features and "
    "matches sparse dense scan laser floor model error median result figure table method data "
    "network training test light change scale point cloud door window corridor meeting seminar "
    "lecture please notice exam room office today monday thesis award poster session workshop"
)
TITLES = (
    "Robust Estimation;Seminar Series;Open Positions;Winter School;Materials Lab;Neural Fields;"
    "Fire Safety;Library Hours;Career Fair;Bike Repair;Concert;Choir;Language Course;Graph Theory;"
    "Energy Saving;Quantum Optics;Student Council;Soil Mechanics;Chess Club;Field Trip"
)
PAPER = 94
"""Patch value of white paper."""


def _draw(rng: np.random.Generator, listed: str, separator: str = " ") -> str:
    """Draw one of the words of a text."""
    words = listed.split(separator)
    return words[rng.integers(len(words))]


@lru_cache(maxsize=len(PHOTOS))
def _photo(name: str) -> UInt8:
    """(h, w, 3) RGB photograph, longer side at most 512 pixels."""
    import skimage.data

    image = np.asarray(getattr(skimage.data, name)(), np.uint8)
    image = np.dstack([image] * 3) if image.ndim == 2 else image[..., :3]
    scale = min(1.0, 512 / max(image.shape))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def picture(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """(height_px, width_px, 3) part of a photograph, or a random painting, in patch values."""
    if rng.random() < 0.7:
        image = _photo(PHOTOS[rng.integers(len(PHOTOS))])
        share = rng.uniform(0.5, 1.0)
        aspect = width_px / height_px
        tall = int(min(image.shape[0], image.shape[1] / aspect) * share)
        wide = max(1, int(tall * aspect))
        y = int(rng.integers(image.shape[0] - tall + 1))
        x = int(rng.integers(max(1, image.shape[1] - wide + 1)))
        part = image[y : y + tall, x : x + wide]
        part = part[:, ::-1] if rng.random() < 0.5 else part
        part = np.ascontiguousarray(part[..., rng.permutation(3)] if rng.random() < 0.3 else part)
        size = (width_px, height_px)
        return to_patch(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR) * np.float32(0.39))
    waves = [fractal_noise(rng, (height_px, width_px), rng.uniform(2, 9), 4) for _ in range(2)]
    hues = rng.uniform(0, 2 * np.pi, 3)
    steps = np.floor(4 * (waves[0] + 1))[..., None] + 0.6 * waves[1][..., None]
    painting = 50 + 45 * np.sin(steps * rng.uniform(0.5, 1.1) + hues)
    return to_patch(painting.astype(np.float32))


class _Sheet:
    """Sheet of paper that is printed on from top to bottom."""

    def __init__(self, width_px: int, height_px: int, colour: tuple[float, ...]) -> None:
        self.image = Image.new("RGB", (width_px, height_px), tuple(int(v) for v in colour))
        self.draw = ImageDraw.Draw(self.image)
        self.width, self.height = width_px, height_px

    def text(self, rng: np.random.Generator, box: tuple[int, int, int, int], size: int,
             font: str, ink: tuple[int, ...]) -> None:  # fmt: skip
        """Fill a box (left, top, right, bottom) with lines of words."""
        face = load_font(font, max(6, size))
        left, top, right, bottom = box
        y = top
        while y + size <= bottom:
            line = ""
            while face.getlength(line) < (right - left) * 0.95 and len(line) < 200:
                line += ("" if not line else " ") + _draw(rng, WORDS)
            words = line.split()[: None if face.getlength(line) <= right - left else -1]
            if rng.random() < 0.12:  # end of a paragraph
                words = words[: max(1, len(words) // 2)]
            self.draw.text((left, y), " ".join(words), fill=ink, font=face)
            y += int(size * 1.35)

    def paste(self, part: UInt8, left: int, top: int) -> None:
        """Put a painted part at a place."""
        self.image.paste(Image.fromarray(part), (left, top))

    def plot(self, rng: np.random.Generator, box: tuple[int, int, int, int]) -> None:
        """Draw curves, bars or a grid into a box."""
        left, top, right, bottom = box
        self.draw.rectangle(box, fill=(97, 97, 97), outline=(10, 10, 10))
        wide, tall = right - left, bottom - top
        if rng.random() < 0.4:
            count = int(rng.integers(4, 12))
            for k in range(count):
                x, high = left + int((k + 0.2) * wide / count), int(tall * rng.uniform(0.1, 0.95))
                colour = tuple(int(v) for v in random_colour(rng, 15, 85, 0.7))
                self.draw.rectangle((x, bottom - high, x + int(0.6 * wide / count), bottom), colour)
            return
        for _ in range(rng.integers(2, 5)):
            values = np.cumsum(rng.normal(0, 1, 16))
            values = (values - values.min()) / max(float(np.ptp(values)), 1e-6)
            points = [
                (left + k * wide / 15, bottom - 4 - float(v) * (tall - 8))
                for k, v in enumerate(values)
            ]
            colour = tuple(int(v) for v in random_colour(rng, 10, 70, 0.8))
            self.draw.line(points, fill=colour, width=max(1, wide // 80))

    def patch(self, rng: np.random.Generator, strength: float = 0.05) -> UInt8:
        """Patch of the finished sheet, a little worn."""
        image: Float32 = np.asarray(self.image, np.float32)
        return to_patch(image * wear(rng, image.shape[:2], strength))


def _ints(colour: tuple[float, float, float]) -> tuple[int, int, int]:
    return int(colour[0]), int(colour[1]), int(colour[2])


def research_poster(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint a poster of a conference: title, columns of text, plots and photos."""
    sheet = _Sheet(width_px, height_px, (PAPER, PAPER, PAPER))
    colour = _ints(random_colour(rng, 12, 60, 0.9))
    band = int(height_px * rng.uniform(0.1, 0.16))
    sheet.draw.rectangle((0, 0, width_px, band), fill=colour)
    title = f"{_draw(rng, TITLES, ';')} {rng.integers(2, 99)}"
    font = FONTS[rng.integers(len(FONTS))]
    size = int(min(band * 0.5, 1.6 * width_px / len(title)))
    sheet.draw.text(
        (width_px // 40, band // 6), title, fill=(97, 97, 97), font=load_font(font, size)
    )
    names = " ".join(_draw(rng, WORDS).title() for _ in range(4))
    sheet.draw.text((width_px // 40, band * 2 // 3), names, fill=(90, 90, 90),
                    font=load_font(FONTS[0], max(6, band // 5)))  # fmt: skip
    columns = int(rng.integers(2, 4))
    gap = width_px // 40
    wide = (width_px - gap * (columns + 1)) // columns
    for column in range(columns):
        left, y = gap + column * (wide + gap), band + gap
        while y < height_px - gap - 20:
            tall = int(rng.uniform(0.1, 0.22) * height_px)
            bottom = min(y + tall, height_px - gap)
            kind = rng.random()
            if kind < 0.3 and bottom - y > 24:
                sheet.paste(picture(rng, wide, bottom - y), left, y)
            elif kind < 0.55 and bottom - y > 24:
                sheet.plot(rng, (left, y, left + wide, bottom))
            else:
                head = max(8, height_px // 45)
                sheet.draw.rectangle((left, y, left + wide, y + head), fill=colour)
                box = (left, y + head + 3, left + wide, bottom)
                sheet.text(rng, box, max(7, height_px // 70), FONTS[rng.integers(2)], (14, 14, 14))
            y = bottom + gap
    return sheet.patch(rng)


def event_poster(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint a poster of an event: a picture, large letters, a few lines."""
    back = random_colour(rng, 20, 92, 0.6)
    sheet = _Sheet(width_px, height_px, back)
    top = int(rng.uniform(0.05, 0.35) * height_px)
    tall = int(rng.uniform(0.35, 0.5) * height_px)
    sheet.paste(picture(rng, int(width_px * 0.88), tall), int(width_px * 0.06), top)
    dark = sum(back) < 150
    ink = (96, 96, 90) if dark else _ints(random_colour(rng, 5, 30, 0.8))
    y = top + tall + height_px // 40 if top < height_px // 5 else height_px // 40
    for word in _draw(rng, TITLES, ";").split():
        size = int(min(0.12 * height_px, 1.45 * width_px / len(word)))
        sheet.draw.text(
            (width_px // 14, y), word, fill=ink, font=load_font(FONTS[rng.integers(2)], size)
        )
        y += int(size * 1.15)
    low = max(y, top + tall) + height_px // 40
    box = (width_px // 14, low, width_px * 13 // 14, height_px - 6)
    sheet.text(rng, box, max(7, height_px // 40), FONTS[rng.integers(3)], ink)
    return sheet.patch(rng)


def note(rng: np.random.Generator, width_px: int, height_px: int) -> UInt8:
    """Paint a sheet of a notice board: text, at times with a picture or a colour."""
    paper = (PAPER, PAPER, PAPER) if rng.random() < 0.65 else random_colour(rng, 60, 95, 0.35)
    sheet = _Sheet(width_px, height_px, paper)
    head = max(8, height_px // 9)
    title = _draw(rng, TITLES, ";")
    size = int(min(head, 1.5 * width_px / len(title)))
    sheet.draw.text((width_px // 12, height_px // 20), title, fill=(12, 12, 16),
                    font=load_font(FONTS[rng.integers(2)], max(7, size)))  # fmt: skip
    y = height_px // 20 + int(head * 1.3)
    if rng.random() < 0.4:
        tall = int(height_px * 0.35)
        sheet.paste(picture(rng, width_px * 5 // 6, tall), width_px // 12, y)
        y += tall + 4
    box = (width_px // 12, y, width_px * 11 // 12, height_px - height_px // 16)
    sheet.text(rng, box, max(6, height_px // 26), FONTS[rng.integers(3)], (18, 18, 20))
    return sheet.patch(rng, 0.03)


def notice_board(rng: np.random.Generator, width_px: int, height_px: int, px_per_m: float) -> UInt8:
    """Paint a board of cork with many overlapping sheets and pins."""
    cork = np.empty((height_px, width_px, 3), np.float32)
    cork[:] = random_colour(rng, 45, 70, 0.1) * np.array([1.15, 0.95, 0.7])
    cork += (7 * rng.standard_normal((height_px, width_px, 1))).astype(np.float32)
    board = Image.fromarray(to_patch(cork))
    draw = ImageDraw.Draw(board)
    for _ in range(int(rng.uniform(6, 11) * width_px * height_px / px_per_m**2)):
        wide, tall = (0.21, 0.297) if rng.random() < 0.7 else (0.148, 0.21)
        if rng.random() < 0.25:
            wide, tall = tall, wide
        size = max(12, int(wide * px_per_m)), max(12, int(tall * px_per_m))
        sheet = Image.fromarray(note(rng, *size)).convert("RGBA")
        turned = sheet.rotate(float(rng.normal(0, 2.5)), Image.Resampling.BILINEAR, expand=True)
        x = int(rng.integers(0, max(1, width_px - size[0])))
        y = int(rng.integers(0, max(1, height_px - size[1])))
        board.paste(turned, (x, y), turned)
        pin = (x + size[0] // 2, y + max(2, int(0.015 * px_per_m)))
        radius = max(1, int(0.005 * px_per_m))
        colour = _ints(random_colour(rng, 20, 80, 0.9))
        draw.ellipse((pin[0] - radius, pin[1] - radius, pin[0] + radius, pin[1] + radius), colour)
    return np.asarray(board, np.uint8)


def plate(text: str, below: str, width_px: int, height_px: int) -> UInt8:
    """Paint the plate beside a door: its number in large letters, and a name below."""
    sheet = _Sheet(width_px, height_px, (88, 90, 92))
    sheet.draw.rectangle((0, 0, width_px - 1, height_px - 1), outline=(30, 34, 40), width=2)
    size = int(min(height_px * 0.45, 1.2 * width_px / len(text)))
    place = (width_px // 12, height_px // 10)
    sheet.draw.text(place, text, fill=(8, 12, 30), font=load_font(FONTS[0], max(6, size)))
    small = load_font(FONTS[0], max(6, height_px // 8))
    sheet.draw.text((width_px // 12, int(height_px * 0.66)), below, fill=(20, 20, 24), font=small)
    return np.asarray(sheet.image, np.uint8)


def sign(rng: np.random.Generator, kind: str, width_px: int, height_px: int) -> UInt8:
    """Paint a safety sign: ``exit`` (green) or ``fire`` (red)."""
    colour = (8, 62, 30) if kind == "exit" else (80, 8, 8)
    sheet = _Sheet(width_px, height_px, colour)
    white = (97, 97, 97)
    w, h = width_px, height_px
    if kind == "exit":
        sheet.draw.polygon([(w * 0.62, h * 0.5), (w * 0.8, h * 0.2), (w * 0.8, h * 0.8)], white)
        sheet.draw.rectangle((w * 0.8, h * 0.4, w * 0.94, h * 0.6), white)
        sheet.draw.rectangle((w * 0.08, h * 0.15, w * 0.3, h * 0.85), outline=white, width=3)
        sheet.draw.line([(w * 0.2, h * 0.8), (w * 0.4, h * 0.3), (w * 0.5, h * 0.75)], white, 4)
    else:
        sheet.draw.ellipse((w * 0.3, h * 0.25, w * 0.62, h * 0.9), white)
        sheet.draw.line([(w * 0.45, h * 0.25), (w * 0.7, h * 0.1), (w * 0.85, h * 0.4)], white, 4)
    return sheet.patch(rng, 0.03)
