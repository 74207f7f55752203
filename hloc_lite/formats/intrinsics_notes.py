"""Intrinsics that seem to be for photos of another size than those that they are used for.

Many formats state no image size: theirs is that of the photos as they are now. Scaled copies of
photos then go unseen, and so do focal lengths in other units.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hloc_lite.errors import counted
from hloc_lite.geometry.camera_models import get_camera_model, lens_and_distortion
from hloc_lite.geometry.cameras import focal_lengths, principal_point
from hloc_lite.geometry.lenses import Perspective
from hloc_lite.io.exif import focal_length_px, read_exif
from hloc_lite.io.images import open_image
from hloc_lite.types import Camera

MIN_SIZE_RATIO, MAX_RATIO_DIFFERENCE = 1.3, 0.1
"""Ratio of the principal point to the image centre, or the inverse, from which on intrinsics seem
to be for photos of another size, if both axes agree to 10 %: so exactly are lenses centred (a
HoloLens' are at 1.00 and 0.94), and photos are scaled by 1.5 or 2."""
MIN_VIEW_RATIO, MAX_VIEW_RATIO = 0.35, 3.0
"""Usual focal lengths over the longer side, in the median of all photos: 110 to 19 degrees, lenses
of 13 to 108 mm on 35 mm film."""
MIN_EXIF_RATIO = 1.45
"""Ratio of a focal length to that in EXIF, or the inverse, from which on they contradict. EXIF is
mostly right to 15 % (``intrinsics.exif_focal_sigma``), but one real camera was off by 1.41. Photos
are scaled by 1.5 or 2."""
MAX_EXIF_PHOTOS = 40
"""Photos whose EXIF data are read, spread evenly."""


def size_notes(cameras: Mapping[str, Camera]) -> tuple[str, ...]:
    """Notes on intrinsics that contradict the size of the photos, by the intrinsics alone.

    Args:
        cameras: image name -> intrinsics with the size of the photo.
    """
    with_focal = {
        name: camera for name, camera in cameras.items() if get_camera_model(camera).num_focals
    }
    notes = (_center_note(with_focal), _shared_focal_note(with_focal), _view_note(with_focal))
    return tuple(note for note in notes if note)


def exif_notes(cameras: Mapping[str, Camera], folder: Path) -> tuple[str, ...]:
    """Notes on focal lengths that contradict the EXIF data of the photos.

    Args:
        cameras: image name -> intrinsics with the size of the photo.
        folder: folder of the photos; those that are absent or have no EXIF data say nothing.
    """
    names = sorted(cameras)
    chosen = names[:: -(-len(names) // MAX_EXIF_PHOTOS)] if names else []
    ratios = {}
    for name in chosen:
        expected = _exif_focal(folder / name, cameras[name])
        if expected is not None:
            ratios[name] = _focal(cameras[name]) / expected
    if not ratios:
        return ()
    middle = float(np.median(list(ratios.values())))
    if 1 / MIN_EXIF_RATIO < middle < MIN_EXIF_RATIO:
        return ()
    name = min(ratios, key=lambda each: abs(ratios[each] - middle))
    return (
        f"the focal length of {name!r} is {_focal(cameras[name]):.4g} px, but "
        f"{_focal(cameras[name]) / ratios[name]:.4g} px by its EXIF data (median ratio "
        f"{middle:.2g} of {counted(len(ratios), 'photo')}): the intrinsics may be for photos of "
        f"another size",
    )


def _center_note(cameras: Mapping[str, Camera]) -> str:
    for name, camera in cameras.items():
        across, down = 2 * principal_point(camera) / (camera.width, camera.height)
        is_other = not 1 / MIN_SIZE_RATIO <= across <= MIN_SIZE_RATIO
        if across > 0 and is_other and abs(down / across - 1) < MAX_RATIO_DIFFERENCE:
            return (
                f"the principal point of {name!r} lies at {across:.2g} times the image centre: the "
                f"intrinsics seem to be for photos {across:.2g} times as large as those of "
                f"{camera.width} x {camera.height} pixels"
            )
    return ""


def _shared_focal_note(cameras: Mapping[str, Camera]) -> str:
    """Note if photos of one shape, but of different sizes, have one focal length in pixels."""
    first: dict[tuple[object, ...], tuple[str, Camera]] = {}
    for name, camera in cameras.items():
        key = (camera.model, tuple(focal_lengths(camera)), round(camera.width / camera.height, 2))
        other_name, other = first.setdefault(key, (name, camera))
        ratio = max(camera.width, other.width) / min(camera.width, other.width)
        if ratio >= MIN_SIZE_RATIO:
            return (
                f"{other_name!r} of {other.width} x {other.height} pixels and {name!r} of "
                f"{camera.width} x {camera.height} have the same focal length of "
                f"{_focal(camera):.4g} px: if one is a scaled copy, its focal length is wrong"
            )
    return ""


def _view_note(cameras: Mapping[str, Camera]) -> str:
    """Note on an unusual field of view of formats that state a focal length only."""
    ratios = {
        name: _focal(camera) / max(camera.width, camera.height)
        for name, camera in cameras.items()
        if _is_centred(camera) and isinstance(lens_and_distortion(camera)[0], Perspective)
    }
    middle = float(np.median(list(ratios.values()))) if ratios else 1.0
    if MIN_VIEW_RATIO <= middle <= MAX_VIEW_RATIO:
        return ""
    name = min(ratios, key=lambda each: abs(ratios[each] - middle))
    camera = cameras[name]
    angle_deg = np.degrees(2 * np.arctan(0.5 / middle))
    return (
        f"the focal length of {name!r} is {_focal(camera):.4g} px in a photo of {camera.width} x "
        f"{camera.height}, a view of {angle_deg:.0f} degrees: unless the lens is so, the "
        f"intrinsics are for photos of another size, or not in pixels"
    )


def _is_centred(camera: Camera) -> bool:
    return bool(np.array_equal(2 * principal_point(camera), (camera.width, camera.height)))


def _focal(camera: Camera) -> float:
    return float(np.mean(focal_lengths(camera)))


def _exif_focal(path: Path, camera: Camera) -> float | None:
    """Focal length in EXIF in pixels of the camera's size; None if unknown."""
    if get_camera_model(camera).num_focals == 0:
        return None
    try:
        with open_image(path, with_pixels=False) as image:
            return focal_length_px(read_exif(image), camera.width, camera.height)
    except Exception:  # Pillow raises many kinds; reading the photo itself tells of the damage
        return None
