"""Small image files that cost much, and what reading them costs: memory by pixel, and time.

    python -m pipelines.benchmarks.robustness.image_bombs

Each file is read in a child process, under the limits of the service (50 megapixels). It may take
510 MB and 5 s of a processor; files that would take more must be refused. Takes two minutes.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from PIL import Image

from hloc_lite.config import ImagesConfig
from hloc_lite.errors import ImageError
from hloc_lite.io.images import read_photo
from pipelines.benchmarks.robustness.memory_use import peak_bytes
from pipelines.benchmarks.table import Table, results_option

MAX_MB = 510
MAX_SECONDS = 5.0
SIDE = 7000
LIMITS = ImagesConfig(max_megapixels=50)


def encoded(kind: str, mode: str = "RGB", side: int = SIDE, **options: object) -> bytes:
    """A black image in a format of Pillow."""
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    Image.new(mode, (side, side)).save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg_with_scans(count: int, side: int = 16) -> bytes:
    """A JPEG of one channel after another, and then empty scans of the first."""
    whole = encoded("JPEG", side=side)
    start = whole.index(b"\xff\xda")
    scan = b"\xff\xda" + struct.pack(">H", 8) + bytes([1, 1, 0x00, 0, 63, 0]) + b"\0\0"
    return whole[:start] + count * scan + b"\xff\xd9"


def jpeg_with(junk: bytes, side: int = 64) -> bytes:
    """A JPEG with bytes between its first marker and the rest."""
    whole = encoded("JPEG", side=side)
    return whole[:2] + junk + whole[2:]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(chunks: bytes, side: int = 64) -> bytes:
    """A PNG with more chunks behind its header."""
    whole = encoded("PNG", side=side)
    return whole[:33] + chunks + whole[33:]


def png_of_16_bits(side: int = SIDE) -> bytes:
    """A grey PNG of 16 bits."""
    packed = zlib.compress(bytes((2 * side + 1) * side))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")


def tiff_with_tile(tile: int, side: int = 16, *, twice: bool = False) -> bytes:
    """A grey TIFF of one deflated tile.

    Args:
        tile: width and height of the tile, pixels.
        side: width and height of the image, pixels.
        twice: True for a second, harmless width: decoders differ in which counts.
    """
    data = zlib.compress(bytes(tile * tile))
    values = [(256, side), (257, side), (258, 8), (259, 8), (262, 1), (277, 1), (322, tile)]
    values += [(322, 16)] if twice else []
    values += [(323, tile), (324, 0), (325, len(data))]
    first = 10 + 12 * len(values) + 4
    fields = [(tag, first if tag == 324 else value) for tag, value in values]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4) + data


def tiff_with_strips(count: int) -> bytes:
    """A TIFF of 16 x 16 pixels that lists many strips."""
    values = [(256, 1, 16), (257, 1, 16), (258, 1, 8), (259, 1, 1), (262, 1, 1), (273, count, 200),
              (277, 1, 1), (279, count, 200)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, number, at) for tag, number, at in values)
    head = b"II*\0" + struct.pack("<IH", 8, len(values)) + entries
    return head.ljust(200, b"\0") + struct.pack("<I", 8) * count


def bmp_of_runs(side: int = SIDE) -> bytes:
    """A BMP in run lengths, a run and a line end for each row."""
    header = bytearray(encoded("BMP", "P", 4)[:1078])
    header[18:26], header[30:34] = struct.pack("<ii", side, side), struct.pack("<I", 1)
    return bytes(header) + b"\x01\x01\x00\x00" * side


def heif_with_tiles(repeats: int) -> bytes:
    """A HEIF file whose derived image names one tile many times; damaged otherwise."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", 8 + len(body)) + kind + body

    size = box(b"ispe", bytes(4) + struct.pack(">II", 4096, 4096))
    small = box(b"ispe", bytes(4) + struct.pack(">II", 64, 64))
    links = bytes(4) + struct.pack(">I", 2) + b"\0\1\1\2" + b"\0\2\1\1"
    named = struct.pack(">HH", 1, repeats) + b"\0\2" * repeats
    boxes = box(b"pitm", bytes(4) + b"\0\1") + box(b"iref", bytes(4) + box(b"dimg", named))
    boxes += box(b"iprp", box(b"ipco", size + small) + box(b"ipma", links))
    return box(b"ftyp", b"heic" + bytes(4) + b"mif1heic") + box(b"meta", bytes(4) + boxes)


BOMBS: Mapping[str, Callable[[], bytes]] = {
    "JPEG, 5,000 empty scans": lambda: jpeg_with_scans(5000),
    "JPEG, 500,000 comments": lambda: jpeg_with(b"\xff\xfe\x00\x02" * 500_000),
    "JPEG, 2 MB of padding": lambda: jpeg_with(b"\xff" * 2_000_000),
    "PNG, 200,000 chunks": lambda: png_with(png_chunk(b"abCd", b"") * 200_000),
    "PNG, 200,000 chunks of pixels": lambda: png_with(png_chunk(b"IDAT", b"") * 200_000),
    "TIFF 16 x 16, tile of 16384 x 16384": lambda: tiff_with_tile(16384),
    "TIFF 16 x 16, two sizes of a tile": lambda: tiff_with_tile(16384, twice=True),
    "TIFF, 2 million strips": lambda: tiff_with_strips(2_000_000),
    "BMP, run lengths": bmp_of_runs,
    "PPM, maximum of 254": lambda: b"P6 2000 1500 254\n" + bytes(9_000_000),
    "HEIF, 60,000 times one tile": lambda: heif_with_tiles(60_000),
    "WebP, animated": lambda: encoded(
        "WEBP", side=5000, save_all=True, lossless=True,
        append_images=[Image.new("RGB", (5000, 5000), "red")],
    ),
    "JPEG, CMYK, progressive": lambda: encoded("JPEG", "CMYK", progressive=True),
}  # fmt: skip
"""Files that must be refused: name -> maker."""
LARGE: Mapping[str, Callable[[], bytes]] = {
    "JPEG": lambda: encoded("JPEG"),
    "JPEG, turned": lambda: encoded("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0"
                                    b"\x01\0\0\0\x06\0\0\0\0\0\0\0"),
    "JPEG, CMYK": lambda: encoded("JPEG", "CMYK"),
    "JPEG, progressive": lambda: encoded("JPEG", progressive=True, subsampling=0),
    "PNG": lambda: encoded("PNG", compress_level=1),
    "PNG, RGBA": lambda: encoded("PNG", "RGBA", compress_level=1),
    "PNG, palette": lambda: encoded("PNG", "P", transparency=0, compress_level=1),
    "PNG, 16 bits": png_of_16_bits,
    "WebP": lambda: encoded("WEBP"),
    "WebP, lossless": lambda: encoded("WEBP", "RGBA", lossless=True),
    "TIFF, RGBA": lambda: encoded("TIFF", "RGBA", compression="tiff_adobe_deflate"),
    "TIFF, 16 bits": lambda: encoded("TIFF", "I;16", compression="tiff_adobe_deflate"),
    "HEIF": lambda: encoded("HEIF"),
    "AVIF": lambda: encoded("AVIF", speed=10),
    "BMP": lambda: encoded("BMP"),
    "PPM": lambda: encoded("PPM"),
}  # fmt: skip
"""Photos of 49 megapixels that may be read: format -> maker."""


def read_cost(path: Path) -> tuple[str, float, float]:
    """Outcome of reading a file in a child process, its MB beyond the idle process, and seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders print there
            resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
            before, start = peak_bytes(), time.process_time()
            try:
                read_photo(path, "photo", LIMITS)
                outcome = "read"
            except ImageError:
                outcome = "refused"
            spent = time.process_time() - start
            os.write(writing, f"{outcome} {(peak_bytes() - before) / 2**20} {spent}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        words = pipe.read().split()
    os.waitpid(child, 0)
    return (words[0], float(words[1]), float(words[2])) if words else ("CRASH", 0.0, 0.0)


@click.command(help=__doc__)
@results_option
def main(results: Path | None) -> None:
    import cv2
    import pillow_heif

    cv2.setNumThreads(1)
    pillow_heif.register_heif_opener()  # so that its memory is not counted
    Image.init()
    table = Table("Costly images", ["file", "bytes", "outcome", "MB", "bytes per pixel", "s"])
    faults = []
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "image"
        for name, make in {**BOMBS, **LARGE}.items():
            _write_in_child(path, make)
            outcome, megabytes, seconds = read_cost(path)
            by_pixel = megabytes * 2**20 / SIDE**2 if name in LARGE else float("nan")
            wanted = "refused" if name in BOMBS else "read"
            if outcome != wanted or megabytes > MAX_MB or seconds > MAX_SECONDS:
                faults.append(name)
            cells = path.stat().st_size, outcome, round(megabytes), round(by_pixel, 1)
            table.add(name, *cells, round(seconds, 2))
    table.write(results)
    if faults:
        sys.exit(f"faults: {', '.join(faults)}")


def _write_in_child(path: Path, make: Callable[[], bytes]) -> None:
    """Write a file without growing this process, whose memory its children inherit."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            path.write_bytes(make())
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError("the file could not be made")


if __name__ == "__main__":
    main()
