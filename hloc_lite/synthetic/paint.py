"""Painting primitives of texture patches: text, colours, polygons, wear.

Values are patch values of the atlas: 100 leaves the material below unchanged.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hloc_lite.synthetic.tiles import fractal_noise
from hloc_lite.types import Float32, UInt8

FONTS = ("DejaVuSans-Bold", "DejaVuSerif-Bold", "DejaVuSansMono-Bold", "STIXGeneralBol", "cmb10")
SHOP_KINDS = (
    "CAFÉ BÄCKEREI BLUMEN APOTHEKE HOTEL FRISEUR BUCHLADEN OPTIK TABAK PIZZERIA ANTIK MODE SCHUHE"
    " BAR FOTO RADIO MUSIK KÄSE FISCH WEIN GALERIE BISTRO KIOSK UHREN SPIELE"
)
SHOP_NAMES = (
    "LUNA KRAUSE am Markt MÜLLER ROSSI & Söhne NORD Nº 7 OPAL HANSA VEGA LINDE BAUM 1898 VIOLA"
    " PETERS EULE ORION ADLER FINK SONNE HUBER LANG WEISS"
)
Colour = tuple[float, float, float]


@lru_cache(maxsize=256)
def load_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Font of ``FONTS`` at a size in pixels."""
    resource = files("matplotlib") / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf"
    with as_file(resource) as path:
        return ImageFont.truetype(str(path), size)


def spawn_rng(rng: np.random.Generator) -> np.random.Generator:
    """Make a generator for one painting, so that its draws do not affect those of ``rng``."""
    return np.random.default_rng(int(rng.integers(2**62)))


def text_mask(text: str, font: str, height_px: int, width_px: int) -> Float32:
    """(height_px, width_px) coverage in [0, 1] of a line of text scaled to fill the rectangle."""
    face = load_font(font, 64)
    left, top, right, bottom = face.getbbox(text)
    canvas = Image.new("L", (max(1, int(right - left)) + 8, max(1, int(bottom - top)) + 8))
    ImageDraw.Draw(canvas).text((4 - left, 4 - top), text, fill=255, font=face)
    drawn: Float32 = np.asarray(canvas, np.float32) / np.float32(255)
    scale = min(width_px / drawn.shape[1], height_px / drawn.shape[0])
    size = (max(1, int(drawn.shape[1] * scale)), max(1, int(drawn.shape[0] * scale)))
    drawn = np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), np.float32)
    mask = np.zeros((height_px, width_px), np.float32)
    y, x = (height_px - size[1]) // 2, (width_px - size[0]) // 2
    mask[y : y + size[1], x : x + size[0]] = drawn
    return mask


def blend(image: Float32, mask: Float32, colour: Colour) -> None:
    """Paint ``colour`` over ``image`` where ``mask`` is 1, in place."""
    image += mask[..., None] * (np.array(colour, np.float32) - image)


def random_colour(rng: np.random.Generator, low: float, high: float, saturation: float) -> Colour:
    """Draw a colour of brightness low..high (patch values); saturation 0 is grey."""
    base = rng.uniform(low, high)
    shift = rng.uniform(-1, 1, 3) * saturation
    red, green, blue = np.clip(base * (1 + shift), 3, 250)
    return float(red), float(green), float(blue)


def shop_name(rng: np.random.Generator) -> str:
    """Draw the name of a shop."""
    kinds, names = SHOP_KINDS.split(), SHOP_NAMES.split()
    kind, name = kinds[rng.integers(len(kinds))], names[rng.integers(len(names))]
    return f"{kind} {name}" if rng.random() < 0.7 else kind


def to_patch(image: Float32) -> UInt8:
    """Clip patch values and convert them to 8 bit."""
    return np.clip(image, 0, 255).astype(np.uint8)


def scale_polygon(image: Float32, points: np.ndarray, factor: float) -> None:
    """Multiply an (h, w) image by a factor inside an (n, 2) polygon of pixels, in place."""
    corners = np.round(points).astype(np.int32)
    x0, y0 = np.maximum(corners.min(axis=0), 0)
    x1, y1 = np.minimum(corners.max(axis=0) + 1, image.shape[1::-1])
    if x1 <= x0 or y1 <= y0:
        return
    mask = np.zeros((y1 - y0, x1 - x0), np.float32)
    cv2.fillPoly(mask, [corners - (x0, y0)], 1.0)
    image[y0:y1, x0:x1] *= 1 + mask * (factor - 1)


def wear(rng: np.random.Generator, shape: tuple[int, int], strength: float) -> Float32:
    """(h, w, 1) factors that make a painting look worn."""
    return (1 + strength * fractal_noise(rng, shape, 5, 4))[..., None]
