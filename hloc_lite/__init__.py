"""Visual localization: photos of a place become a map; another photo, a camera pose.

``build_map(images, config) -> Map`` and ``Localizer(map).localize(image) -> LocalizationResult``
are the two verbs. Importing this package loads neither torch nor pycolmap.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())

_EXPORTS = {
    "Camera": "hloc_lite.types",
    "Config": "hloc_lite.config",
    "HlocLiteError": "hloc_lite.errors",
    "LocalizationResult": "hloc_lite.types",
    "Localizer": "hloc_lite.localize.localizer",
    "Map": "hloc_lite.maps.map",
    "Rigid3": "hloc_lite.types",
    "Status": "hloc_lite.types",
    "build_map": "hloc_lite.mapping.build",
    "load_config": "hloc_lite.config",
}
__all__ = [
    "Camera",
    "Config",
    "HlocLiteError",
    "LocalizationResult",
    "Localizer",
    "Map",
    "Rigid3",
    "Status",
    "build_map",
    "load_config",
]

if TYPE_CHECKING:
    from hloc_lite.config import Config, load_config
    from hloc_lite.errors import HlocLiteError
    from hloc_lite.localize.localizer import Localizer
    from hloc_lite.mapping.build import build_map
    from hloc_lite.maps.map import Map
    from hloc_lite.types import Camera, LocalizationResult, Rigid3, Status


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
