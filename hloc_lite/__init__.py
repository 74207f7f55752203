"""Visual localization: photos become a map; another photo becomes a camera pose in it.

    sfm_map = build_map("photos/")
    result = Localizer(sfm_map).localize("photo.jpg")

Names are imported at first use: importing this package loads neither torch nor pycolmap.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())

_EXPORTS = {
    "Camera": "hloc_lite.types",
    "Config": "hloc_lite.config",
    "Frame": "hloc_lite.localize.sequence",
    "HlocLiteError": "hloc_lite.errors",
    "LocalizationResult": "hloc_lite.types",
    "Localizer": "hloc_lite.localize.localizer",
    "Map": "hloc_lite.maps.map",
    "MapInputs": "hloc_lite.mapping.run",
    "Photo": "hloc_lite.types",
    "Prior": "hloc_lite.types",
    "Rig": "hloc_lite.types",
    "RigCamera": "hloc_lite.types",
    "Rigid3": "hloc_lite.types",
    "Status": "hloc_lite.types",
    "build_map": "hloc_lite.mapping.build",
    "load_config": "hloc_lite.config",
    "result_to_json": "hloc_lite.io.results",
}
__all__ = [
    "Camera",
    "Config",
    "Frame",
    "HlocLiteError",
    "LocalizationResult",
    "Localizer",
    "Map",
    "MapInputs",
    "Photo",
    "Prior",
    "Rig",
    "RigCamera",
    "Rigid3",
    "Status",
    "build_map",
    "load_config",
    "result_to_json",
]

if TYPE_CHECKING:
    from hloc_lite.config import Config, load_config
    from hloc_lite.errors import HlocLiteError
    from hloc_lite.io.results import result_to_json
    from hloc_lite.localize.localizer import Localizer
    from hloc_lite.localize.sequence import Frame
    from hloc_lite.mapping.build import build_map
    from hloc_lite.mapping.run import MapInputs
    from hloc_lite.maps.map import Map
    from hloc_lite.types import (
        Camera,
        LocalizationResult,
        Photo,
        Prior,
        Rig,
        RigCamera,
        Rigid3,
        Status,
    )


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
