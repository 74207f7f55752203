"""Depth images: integer or float images, .npy and .npz arrays, EXR, and COLMAP's dense depth maps.

Values that mean "unknown" (0, negative, NaN, infinite, 65535 of 16 bits) become NaN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hloc_lite.config import DepthConfig
from hloc_lite.errors import FormatError
from hloc_lite.io.array_file import read_npy
from hloc_lite.io.files import atomic_path
from hloc_lite.io.image_names import leads_out
from hloc_lite.io.images import open_image, short_reason
from hloc_lite.io.regular_files import check_regular, is_file
from hloc_lite.optional_dependencies import require_extra
from hloc_lite.types import DepthMap

ENDINGS = (
    ".png", ".npy", ".geometric.bin", ".photometric.bin", ".bin", ".tif", ".tiff", ".exr", ".npz",
)  # fmt: skip
"""Tried in this order, appended to the image's name, then to its name without suffix."""
_COLMAP_HEADER = re.compile(rb"(\d{1,9})&(\d{1,9})&(\d{1,9})&")
_HEADER_BYTES = 64
_NPY_MAGIC = b"\x93NUMPY"
MAX_PIXEL_BYTES = 8
MAX_EXR_VALUES = 1 << 26
"""Values of all channels of an EXR image, which its library reads at once: 256 MB of them."""
"""Bytes of a pixel at most: float64."""
EXR_CHANNELS = ("Z", "DEPTH", "V", "Y", "R")
"""Names of a depth channel, preferred first. Blender writes depth as V, others as R of three."""


@dataclass(frozen=True)
class DepthFolder:
    """Folder of depth images by image name: NAME.png, NAME.npy, NAME.geometric.bin and so on.

    Raises:
        FormatError: no such folder.
    """

    root: Path
    config: DepthConfig

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise FormatError(f"depth folder {self.root} does not exist")

    def path(self, name: str) -> Path | None:
        """Return the path of an image's depth image; None if there is none.

        Raises:
            FormatError: the name leads out of the folder.
        """
        if leads_out(name):
            raise FormatError(f"image name {name!r} leaves the depth folder; names are relative")
        stem = name.removesuffix(Path(name).suffix)
        candidates = (self.root / f"{base}{end}" for base in (name, stem) for end in ENDINGS)
        return next((path for path in candidates if is_file(path)), None)

    def load(self, name: str, image_size: tuple[int, int]) -> DepthMap | None:
        """Return the depths of an image; None if it has no file. Raises as ``read_depth``."""
        path = self.path(name)
        return None if path is None else read_depth(path, image_size, self.config)


def read_depth(path: Path, image_size: tuple[int, int], config: DepthConfig) -> DepthMap:
    """Read a depth image; its suffix tells the format.

    Integers are multiples of ``config.integer_step``; other values are used as they are.

    Args:
        path: depth file.
        image_size: (width, height) of the image that it belongs to, pixels. The depth image may
            have another resolution, but must have the same aspect ratio.
        config: meaning of the values, and size limit.

    Raises:
        FormatError: missing, unreadable, of unknown format, too large, of more than one channel, or
            of another aspect ratio than the image.
    """
    suffix = path.suffix.lower()
    readers = {".npy": _read_npy, ".npz": _read_npz, ".bin": _read_colmap, ".exr": _read_exr}
    readers |= dict.fromkeys((".png", ".tif", ".tiff"), _read_image)
    if suffix not in readers:
        known = ", ".join(sorted(readers))
        raise FormatError(f"{path} is not a depth map of a known format: expected {known}")
    check_regular(path)
    try:
        raw = readers[suffix](path, config)
    except FileNotFoundError:
        raise FormatError(f"depth map {path} does not exist") from None
    except OSError as error:
        raise FormatError(f"cannot read depth map {path}: {error.strerror or error}") from None
    _check_aspect_ratio(path, raw, image_size)
    with np.errstate(over="ignore"):
        depths = raw.astype(np.float32)
    if raw.dtype == np.uint16 and config.values in (
        "auto",
        "metric",
    ):  # no sensor measures the largest number: it marks unknown depths
        depths[raw == np.iinfo(np.uint16).max] = np.nan
    if raw.dtype.kind in "ui" and config.values in ("auto", "metric"):
        depths *= np.float32(config.integer_step)
    with np.errstate(invalid="ignore"):
        depths[~((depths > 0) & np.isfinite(depths))] = np.nan
    inverse = config.values == "inverse"
    return DepthMap(depths, image_size, config.values in ("auto", "metric"), inverse)


def write_colmap_depth(path: Path, depths: npt.NDArray[np.floating]) -> None:
    """Write (H, W) depths as a dense depth map of COLMAP, atomically; NaN becomes 0."""
    height, width = depths.shape
    with atomic_path(path) as partial:
        data = np.nan_to_num(depths, nan=0.0).astype("<f4").tobytes()
        partial.write_bytes(f"{width}&{height}&1&".encode() + data)


def _read_image(path: Path, config: DepthConfig) -> np.ndarray:
    try:
        with open_image(path) as image:
            _check_size(path, image.width, image.height, config)
            image.load()
            values = np.asarray(image)
    except (FileNotFoundError, FormatError):
        raise
    except Exception as error:  # Pillow's decoders raise many kinds of errors on broken files
        raise FormatError(f"cannot read depth map {path}: {short_reason(error)}") from None
    if values.ndim != 2:
        raise FormatError(
            f"depth map {path} has {values.shape[2]} channels, expected one: this looks like a "
            f"visualization of depths, which cannot be converted back"
        )
    if values.dtype.itemsize == 1 and config.values in ("auto", "metric"):
        raise FormatError(
            f"depth map {path} has 8 bits per pixel, too few for metric depths: expected 16. If it "
            f"holds relative or inverse depth, set depth.values=relative or inverse"
        )
    return values


def _read_npy(path: Path, config: DepthConfig) -> np.ndarray:
    with path.open("rb") as file:
        if file.read(len(_NPY_MAGIC)) != _NPY_MAGIC:
            raise FormatError(f"depth map {path} is not a .npy array: its first bytes are others")
    try:
        values = read_npy(path)
    except FormatError as error:
        raise FormatError(f"depth map {path} is not a .npy array: {error}") from None
    return _checked_array(path, values, config)


def _read_npz(path: Path, config: DepthConfig) -> np.ndarray:
    """The array ``depth`` of an archive, or its only one."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = list(archive.files)
            name = "depth" if "depth" in names else names[0] if len(names) == 1 else None
            if name is None:
                raise FormatError(
                    f"depth map {path} holds {len(names)} arrays ({', '.join(names[:4])}): "
                    f"expected one, or one called 'depth'"
                )
            size = archive.zip.getinfo(f"{name}.npy").file_size
            if size > MAX_PIXEL_BYTES * config.max_megapixels * 1e6:
                raise FormatError(
                    f"depth map {path} has {size / 1e6:.0f} MB, more than depth.max_megapixels "
                    f"({config.max_megapixels:g}) allows"
                )
            values = archive[name]
    except (FormatError, FileNotFoundError):
        raise
    except Exception as error:  # zip files break in many ways
        raise FormatError(f"depth map {path} is not a .npz archive: {error}") from None
    return _checked_array(path, values, config)


def _read_exr(path: Path, config: DepthConfig) -> np.ndarray:
    """The depth channel of an OpenEXR image: Z, depth, V, Y or R, or its only one."""
    require_extra("exr", "a depth image in EXR")
    import OpenEXR as exr

    try:
        with exr.File(str(path), header_only=True) as file:
            header = file.header()
            low, high = (np.asarray(corner, np.int64) for corner in header["dataWindow"])
            width, height = int(high[0] - low[0] + 1), int(high[1] - low[1] + 1)
            _check_size(path, width, height, config)
            count = len(header["channels"])
        if count * width * height > max(MAX_EXR_VALUES, config.max_megapixels * 1e6):
            raise FormatError(
                f"depth map {path} has {count} channels of {width} x {height} pixels: expected one"
            )
        with exr.File(str(path), separate_channels=True) as file:
            channels = {name: np.array(each.pixels) for name, each in file.channels().items()}
    except FormatError:
        raise
    except Exception as error:  # the library raises several kinds
        raise FormatError(f"cannot read depth map {path}: {short_reason(error)}") from None
    named = [name for name in channels if name.split(".")[-1].upper() in EXR_CHANNELS]
    if len(channels) == 1:
        return next(iter(channels.values()))
    if not named:
        raise FormatError(
            f"depth map {path} has the channels {', '.join(sorted(channels)[:6])}: expected one, "
            f"or one of {', '.join(EXR_CHANNELS)}"
        )
    return channels[min(named, key=lambda n: EXR_CHANNELS.index(n.split(".")[-1].upper()))]


def _checked_array(path: Path, values: np.ndarray, config: DepthConfig) -> np.ndarray:
    if values.dtype.kind not in "fui":
        raise FormatError(f"depth map {path} does not hold an array of numbers")
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        values = values[0] if values.shape[0] == 1 else values[:, :, 0]
    if values.ndim != 2:
        raise FormatError(f"depth map {path} has shape {values.shape}, expected (height, width)")
    _check_size(path, values.shape[1], values.shape[0], config)
    return np.array(values)


def _read_colmap(path: Path, config: DepthConfig) -> np.ndarray:
    with path.open("rb") as file:
        head = _COLMAP_HEADER.match(file.read(_HEADER_BYTES))
        if head is None:
            raise FormatError(
                f"depth map {path} is not COLMAP's: it must start with width&height&channels&"
            )
        width, height, channels = (int(number) for number in head.groups())
        if channels != 1:
            raise FormatError(
                f"depth map {path} has {channels} channels, expected one (3 is a normal map)"
            )
        _check_size(path, width, height, config)
        size, wanted = path.stat().st_size - head.end(), 4 * width * height
        if size != wanted:
            raise FormatError(
                f"depth map {path} is damaged: {width} x {height} pixels take {wanted} bytes, "
                f"it has {size}"
            )
        file.seek(head.end())
        return np.frombuffer(file.read(wanted), "<f4").reshape(height, width)


def _check_size(path: Path, width: int, height: int, config: DepthConfig) -> None:
    if width < 2 or height < 2:
        raise FormatError(f"depth map {path} has {width} x {height} pixels, expected at least 2")
    megapixels = width * height / 1e6
    if megapixels > config.max_megapixels:
        raise FormatError(
            f"depth map {path} has {megapixels:.0f} megapixels, the limit is "
            f"{config.max_megapixels:g} (depth.max_megapixels)"
        )


def _check_aspect_ratio(path: Path, values: np.ndarray, image_size: tuple[int, int]) -> None:
    """Refuse another aspect ratio than the image's, beyond the rounding of a smaller size."""
    (height, width), (image_width, image_height) = values.shape, image_size
    off = min(
        abs(width - image_width * height / image_height),
        abs(height - image_height * width / image_width),
    )
    if off > 1:
        raise FormatError(
            f"depth map {path} has {width} x {height} pixels, its image {image_width} x "
            f"{image_height}: it must cover the whole image (is it of an undistorted one?)"
        )
