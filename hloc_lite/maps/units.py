"""Unit of the lengths in a map: metres where its scale is known, else map units."""

from __future__ import annotations


def length_text(length: float, scale: float | None) -> str:
    """A length in a map with three digits and its unit.

    Args:
        length: map units.
        scale: ``MapData.metres_per_unit`` of the map.
    """
    return f"{length:.3g} map units" if scale is None else f"{length * scale:.3g} m"
