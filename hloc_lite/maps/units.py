"""Unit of the lengths in a map: metres where its scale is known, else map units."""

from __future__ import annotations

from hloc_lite.maps.map import Map


def metres_per_unit(sfm_map: Map) -> float | None:
    """Metres per map unit; None if the scale of the map is unknown.

    Nothing else may call a length in a map metres.
    """
    return None if sfm_map.georeference is None else sfm_map.georeference.metres_per_unit


def length_text(length: float, scale: float | None) -> str:
    """A length in a map with three digits and its unit.

    Args:
        length: map units.
        scale: ``metres_per_unit`` of the map.
    """
    return f"{length:.3g} map units" if scale is None else f"{length * scale:.3g} m"
