"""Files that are no photos we read: videos, camera RAW and others, and the remedy for each."""

from __future__ import annotations

from PIL import ExifTags, Image

VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".m2ts", ".mpg", ".mpeg", ".3gp",
    ".wmv", ".insv", ".360",
)  # fmt: skip
RAW_SUFFIXES = (
    ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".orf", ".raf", ".rw2", ".pef",
    ".srw", ".x3f", ".3fr", ".raw",
)  # fmt: skip
"""Raw sensor data of cameras."""
OTHER_SUFFIXES = (".jxl", ".jp2", ".j2k", ".gif", ".psd", ".exr", ".hdr", ".insp", ".svg")
"""Other image formats that are not read."""
HEADER_BYTES = 32
"""Bytes at the start of a file that tell its format."""
VIDEO_REMEDY = (
    "videos are not read: extract frames first, for example two a second, with "
    "'hloc-lite video VIDEO -o FRAMES --fps 2', or with ffmpeg"
)
_RAW_REMEDY = (
    "camera RAW is not read: develop it first, for example with 'dcraw -w -T PHOTO' (to TIFF), or "
    "in Python with rawpy, or take the JPEG of the camera"
)
_OTHER_REMEDY = "this format is not read: convert it to JPEG or PNG"
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
_RAW_STARTS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"IIU\0", b"MMOR", b"FOVb")
"""First bytes of Fuji, Olympus, Panasonic and Sigma RAW files."""
_VIDEO_STARTS = (b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"0&\xb2u\x8ef\xcf\x11")
"""First bytes of Matroska and WebM, MPEG streams, and Windows Media."""


def remedy(suffix: str) -> str | None:
    """Sentence on why files of a suffix are not read, and what to do; None if they may be photos.

    Args:
        suffix: with its dot, in any case.
    """
    kind = suffix.lower()
    if kind in VIDEO_SUFFIXES:
        return VIDEO_REMEDY
    if kind in RAW_SUFFIXES:
        return _RAW_REMEDY
    return _OTHER_REMEDY if kind in OTHER_SUFFIXES else None


def remedy_of_content(start: bytes) -> str | None:
    """Sentence like that of ``remedy`` by the first bytes of a file; None if they tell nothing."""
    if start[4:8] == b"ftyp" and start[8:12] not in _HEIF_BRANDS:
        return _RAW_REMEDY if start[8:12] == b"crx " else VIDEO_REMEDY
    if start[:4] == b"II*\0" and start[8:10] == b"CR":  # CR2
        return _RAW_REMEDY
    is_avi = start[:4] == b"RIFF" and start[8:11] == b"AVI"
    if is_avi or start.startswith(_VIDEO_STARTS) or start[4:8] in (b"moov", b"mdat", b"wide"):
        return VIDEO_REMEDY
    return _RAW_REMEDY if start.startswith(_RAW_STARTS) else None


def is_heif(start: bytes) -> bool:
    """Return True if the first bytes of a file are those of HEIF or AVIF."""
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


def is_raw(image: Image.Image) -> bool:
    """Return True for camera RAW in the form of TIFF, of which Pillow opens only a thumbnail.

    DNG states its version. In NEF, ARW, PEF and others the first page is a reduced one.
    """
    if image.format != "TIFF":
        return False
    tags = image.getexif()
    is_reduced = tags.get(ExifTags.Base.NewSubfileType, 0)
    return ExifTags.Base.DNGVersion in tags or bool(isinstance(is_reduced, int) and is_reduced & 1)
