"""Label images (PNG): Cityscapes train ids, or other classes with a table that maps them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from hloc_lite.config import ImagesConfig, SemanticClass
from hloc_lite.errors import FormatError, ImageError
from hloc_lite.io.image_names import path_inside
from hloc_lite.io.images import check_file_size, check_pixels, open_image, short_reason
from hloc_lite.io.regular_files import check_regular, is_file
from hloc_lite.types import UNKNOWN_LABEL, LabelMap, UInt8

TRAIN_IDS: Mapping[str, int] = {
    **{name: number for number, name in enumerate(get_args(SemanticClass))},
    "unknown": UNKNOWN_LABEL,
}
"""Class name -> Cityscapes train id."""
READY_TABLES = ("cityscapes-label-ids", "cityscapes-colours", "ade20k", "coco-stuff")
_MAX_ID = 65535
_MAX_TABLE_BYTES = 1_000_000
_ID_MODES = ("L", "P", "I", "I;16", "I;16B", "I;16L")
"""Pillow's modes with one integer per pixel."""


@dataclass(frozen=True)
class LabelTable:
    """Maps the ids or the colours of label images to train ids."""

    name: str
    """Shown in messages."""
    ids: Mapping[int, int] = field(default_factory=dict)
    colours: Mapping[tuple[int, int, int], int] = field(default_factory=dict)
    """RGB -> train id; images are read as colours if this is not empty."""
    others: int | None = None
    """Train id of unlisted values; None: unlisted values are an error."""


CITYSCAPES_TRAIN_IDS = LabelTable("Cityscapes train ids", {i: i for i in TRAIN_IDS.values()})


@dataclass(frozen=True)
class LabelFolder:
    """Folder of label images by image name: NAME.png as COLMAP names masks, or STEM.png.

    Raises:
        FormatError: no such folder.
    """

    root: Path
    table: LabelTable = CITYSCAPES_TRAIN_IDS
    config: ImagesConfig = field(default_factory=ImagesConfig)

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise FormatError(f"label folder {self.root} does not exist")

    def path(self, name: str) -> Path | None:
        """Return the path of an image's label image; None if there is none.

        Raises:
            ImageError: the name leads out of the folder.
        """
        if not name:
            return None
        path = path_inside(self.root, name)
        candidates = (self.root / f"{name}.png", path.with_suffix(".png"))
        return next((path for path in candidates if is_file(path)), None)

    def load(self, name: str, image_size: tuple[int, int]) -> LabelMap | None:
        """Return the labels of an image; None if it has no file.

        Raises as ``read_label_map``.
        """
        path = self.path(name)
        return None if path is None else read_label_map(path, image_size, self.table, self.config)


def read_label_map(
    path: Path,
    image_size: tuple[int, int],
    table: LabelTable = CITYSCAPES_TRAIN_IDS,
    config: ImagesConfig | None = None,
) -> LabelMap:
    """Read a label image.

    Args:
        path: PNG file.
        image_size: (width, height) of the image that it labels, pixels. The label image may have
            another resolution, but must have the same aspect ratio.
        table: maps its ids or colours to train ids.
        config: size limits; None: the defaults.

    Raises:
        ImageError: missing or too large.
        FormatError: not a PNG file, truncated, of another pixel format than the table needs, of
            another aspect ratio than the image, or with ids or colours that the table lacks.
    """
    limits = config or ImagesConfig()
    check_file_size(path, "label map", limits)
    try:
        with open_image(path) as image:
            if image.format != "PNG":
                raise FormatError(
                    f"label map {path} is a {image.format} file, expected PNG: other formats may "
                    f"change labels by compression"
                )
            check_pixels(image, f"label map {path}", limits)
            _check_shape(path, (image.width, image.height), image_size)
            pixels = _colours_of(path, image, table) if table.colours else _ids_of(path, image)
    except (FormatError, ImageError):
        raise
    except Exception as error:  # Pillow's decoders raise many kinds of errors on broken files
        raise FormatError(f"cannot read label map {path}: {short_reason(error)}") from None
    mapping = table.ids
    if table.colours:
        mapping = {_packed(colour): label for colour, label in table.colours.items()}
    return LabelMap(_apply_table(path, pixels, mapping, table), image_size)


def read_label_table(source: str | Path) -> LabelTable:
    """Read a label table: one of ``READY_TABLES`` by name, or a TOML file.

    A file has a table ``[ids]`` (``7 = "road"``) or ``[colours]`` (``"128,64,128" = "road"``). The
    values are Cityscapes class names, "unknown", or train ids. ``others`` is the class of all
    unlisted values; without it, these are an error.

    Raises:
        FormatError: no such file, not TOML, or other content than described.
    """
    name = str(source)
    if name in READY_TABLES:
        text = files("hloc_lite.formats").joinpath(f"label_tables/{name}.toml").read_text("utf-8")
    else:
        text = _read_table_text(Path(source))
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"label table {name} is not readable TOML: {short_reason(error)}"
        ) from None
    return _table_of(name, values)


def _read_table_text(path: Path) -> str:
    check_regular(path)
    try:
        if path.stat().st_size > _MAX_TABLE_BYTES:
            raise FormatError(
                f"label table {path} is larger than 1 MB: this is not a table of classes"
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FormatError(
            f"label table {path} does not exist; ready ones are {', '.join(READY_TABLES)}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"cannot read label table {path}: {short_reason(error)}") from None


def _table_of(name: str, values: Mapping[str, Any]) -> LabelTable:
    strange = sorted(set(values) - {"ids", "colours", "others"})
    parts = [key for key in ("ids", "colours") if isinstance(values.get(key), dict)]
    if strange or len(parts) != 1 or not values[parts[0]]:
        found = ", ".join(values) or "nothing"
        raise FormatError(
            f"label table {name}: expected one table [ids] or [colours] with entries, and perhaps "
            f"`others`, got {found}"
        )
    others = _train_id(name, values["others"]) if "others" in values else None
    entries = values[parts[0]]
    if parts[0] == "ids":
        ids = {_file_id(name, key): _train_id(name, value) for key, value in entries.items()}
        return LabelTable(name, ids=ids, others=others)
    colours = {_colour(name, key): _train_id(name, value) for key, value in entries.items()}
    return LabelTable(name, colours=colours, others=others)


def _file_id(name: str, key: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", key) or int(key) > _MAX_ID:
        raise FormatError(f"label table {name}: ids are 0 to {_MAX_ID}, got {key!r}")
    return int(key)


def _colour(name: str, key: str) -> tuple[int, int, int]:
    parts = [part.strip() for part in key.split(",")]
    if len(parts) != 3 or not all(re.fullmatch(r"[0-9]{1,3}", p) and int(p) < 256 for p in parts):
        raise FormatError(f'label table {name}: colours are "R,G,B" of 0 to 255, got {key!r}')
    red, green, blue = (int(part) for part in parts)
    return red, green, blue


def _train_id(name: str, value: object) -> int:
    if isinstance(value, str) and value in TRAIN_IDS:
        return TRAIN_IDS[value]
    if isinstance(value, int) and not isinstance(value, bool) and value in TRAIN_IDS.values():
        return value
    raise FormatError(
        f"label table {name}: {value!r} is neither a train id (0 to 18, 255) nor one of "
        f"{', '.join(TRAIN_IDS)}"
    )


def _check_shape(path: Path, size: tuple[int, int], image_size: tuple[int, int]) -> None:
    (width, height), (image_width, image_height) = size, image_size
    # both sides may have been rounded to whole pixels
    allowed = 1 / image_width + 1 / image_height
    if abs(width / image_width - height / image_height) > allowed:
        turned = " (turned by EXIF?)" if (width > height) != (image_width > image_height) else ""
        raise FormatError(
            f"label map {path} has {width} x {height} pixels, its image {image_width} x "
            f"{image_height}{turned}: expected the same size, or one in the same proportion"
        )


def _ids_of(path: Path, image: Image.Image) -> npt.NDArray[np.int64]:
    if image.mode not in _ID_MODES:
        raise FormatError(
            f"label map {path} has pixels of mode {image.mode}, expected one integer of 8 or 16 "
            f"bits a pixel. For colours, give a label table with [colours]"
        )
    return np.asarray(image).astype(np.int64)


def _colours_of(path: Path, image: Image.Image, table: LabelTable) -> npt.NDArray[np.int64]:
    if image.mode not in ("RGB", "RGBA", "P"):
        raise FormatError(
            f"label map {path} has pixels of mode {image.mode}, but the label table {table.name} "
            f"maps colours: expected 8-bit RGB"
        )
    rgb = np.asarray(image.convert("RGB")).astype(np.int64)
    return (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]


def _packed(colour: tuple[int, int, int]) -> int:
    return (colour[0] << 16) | (colour[1] << 8) | colour[2]


def _apply_table(
    path: Path, pixels: npt.NDArray[np.int64], mapping: Mapping[int, int], table: LabelTable
) -> UInt8:
    values, inverse = _distinct(pixels)
    missing = [int(value) for value in values if int(value) not in mapping]
    if missing and table.others is None:
        shown = ", ".join(_format_value(value, bool(table.colours)) for value in missing[:8])
        ids_like = table is CITYSCAPES_TRAIN_IDS and max(missing) <= 33
        hint = " They look like Cityscapes label ids: set the table to that." if ids_like else ""
        raise FormatError(
            f"label map {path} has {len(missing)} values that are not in {table.name}: {shown}."
            f"{hint} A label table maps them (`others` for all values that it does not list)"
        )
    labels = [mapping.get(int(value), table.others) for value in values]
    return np.array(labels, np.uint8)[inverse]


def _distinct(
    pixels: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The values that occur, ascending, and which of them each pixel has."""
    if pixels.size == 0 or pixels.min() < 0 or pixels.max() >= 1 << 16:
        values, inverse = np.unique(pixels, return_inverse=True)
        return values, inverse.reshape(pixels.shape)
    # ids are few and small: counting them takes a hundredth of the time of np.unique's sorting
    values = np.flatnonzero(np.bincount(pixels.ravel()))
    position = np.zeros(int(pixels.max()) + 1, np.int64)
    position[values] = np.arange(len(values))
    return values, position[pixels]


def _format_value(value: int, is_colour: bool) -> str:
    return f"{value >> 16},{value >> 8 & 255},{value & 255}" if is_colour else str(value)
