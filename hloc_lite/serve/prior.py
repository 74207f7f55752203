"""What a request knows of its camera beforehand, turned to the axes of each map."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.frames import camera_vectors_from_frame, points_from_frame
from hloc_lite.serve.maps import ServedMap
from hloc_lite.serve.problems import Problem
from hloc_lite.serve.query import Query
from hloc_lite.types import Float64, Prior


def check_prior(query: Query, maps: Sequence[ServedMap]) -> None:
    """Refuse what contradicts itself, or cannot be said of these maps.

    Raises:
        Problem: 422, with what to do.
    """
    places = [place for place in (query.prior_position, query.prior_geo) if place is not None]
    if len(places) == 2:
        raise _bad("give either prior_position or prior_geo, not both")
    if bool(places) != (query.prior_radius is not None):
        raise _bad("a prior_position or prior_geo goes together with a prior_radius")
    if query.gravity is not None and math.hypot(*query.gravity) < 1e-9:
        raise _bad("gravity has no direction: its length is 0")
    if query.prior_heights is not None and query.prior_heights[0] > query.prior_heights[1]:
        raise _bad("prior_heights: the least height comes first")
    in_map = query.world == "map" and query.prior_position is not None
    if in_map and len(maps) > 1:
        raise _bad("prior_position is in the coordinates of one map: name it in maps")
    earthly = query.world == "enu" or query.prior_geo is not None
    unplaced = [each.name for each in maps if earthly and each.georeference is None]
    if unplaced:
        raise _bad(
            f"not geo-referenced, so that world=enu and prior_geo cannot be used: "
            f"{', '.join(unplaced)}"
        )


def prior_for(query: Query, place: ServedMap) -> Prior | None:
    """The prior in the axes and units of a map; None if nothing is known.

    Raises:
        Problem: values that make no sense (422).
    """
    known = (query.prior_position, query.prior_geo, query.gravity, query.prior_heights)
    if all(value is None for value in known):
        return None
    georeference = place.georeference
    to_units = 1.0
    if georeference is not None and (query.world == "enu" or query.prior_geo is not None):
        to_units = 1 / georeference.metres_per_unit
    try:
        gravity = query.gravity
        return Prior(
            position=_position(query, place),
            radius=(query.prior_radius or 0.0) * to_units,
            gravity_in_cam=None
            if gravity is None
            else camera_vectors_from_frame(np.array(gravity), query.frame),
            gravity_in_world=None if georeference is None else georeference.down_in_map,
            gravity_tolerance_deg=query.gravity_tolerance_deg,
            heights=query.prior_heights,
        )
    except HlocLiteError as error:
        raise _bad(str(error)) from None


def _position(query: Query, place: ServedMap) -> Float64 | None:
    georeference = place.georeference
    if query.prior_geo is not None and georeference is not None:
        return georeference.map_from_geodetic(*query.prior_geo)
    if query.prior_position is None:
        return None
    position = points_from_frame(np.array(query.prior_position), query.frame, query.world)
    if query.world == "enu" and georeference is not None:
        return georeference.enu_from_map.inverse().apply(position)
    return position


def _bad(reason: str) -> Problem:
    return Problem(422, "bad_prior", reason)
