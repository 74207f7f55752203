"""Pose priors in a request, converted to the axes and units of each map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hloc_lite.errors import HlocLiteError
from hloc_lite.geometry.frames import camera_vectors_from_frame, points_from_frame
from hloc_lite.localize.prior import GPS_RADIUS_FACTOR, prior_from_gps
from hloc_lite.serve.map_pool import ServedMap
from hloc_lite.serve.problems import Problem
from hloc_lite.serve.query import Query
from hloc_lite.types import Prior


def check_prior(query: Query, maps: Sequence[ServedMap]) -> None:
    """Refuse priors that are inconsistent or cannot be expressed in these maps.

    Raises:
        Problem: an inconsistent or inapplicable prior (422).
    """
    positions = [value for value in (query.prior_position, query.prior_geo) if value is not None]
    if len(positions) == 2:
        raise _bad("give either prior_position or prior_geo, not both")
    if query.prior_accuracy is not None and (query.prior_geo is None or query.prior_radius):
        raise _bad("prior_accuracy goes with prior_geo, and replaces prior_radius")
    radii = [value for value in (query.prior_radius, query.prior_accuracy) if value is not None]
    if bool(positions) != bool(radii):
        raise _bad(
            "give prior_position together with prior_radius, or prior_geo together with "
            "prior_radius or prior_accuracy"
        )
    if query.gravity is not None and math.hypot(*query.gravity) < 1e-9:
        raise _bad("gravity has length 0, expected a direction")
    if query.prior_heights is not None and query.prior_heights[0] > query.prior_heights[1]:
        raise _bad("prior_heights: expected the lowest height first")
    if query.world == "map" and query.prior_position is not None and len(maps) > 1:
        raise _bad("prior_position is in the coordinates of a single map: name that map in maps")
    if query.world == "enu" or query.prior_geo is not None:
        local = [served_map.name for served_map in maps if served_map.georeference is None]
        if local:
            raise _bad(
                f"world=enu and prior_geo need geo-referenced maps, which these are not: "
                f"{', '.join(local)}"
            )


def prior_for(query: Query, served_map: ServedMap) -> Prior | None:
    """Return the prior in the axes and units of a map, or None if the request has none.

    Raises:
        Problem: invalid values (422).
    """
    given = (query.prior_position, query.prior_geo, query.gravity, query.prior_heights)
    if all(value is None for value in given):
        return None
    georeference, gravity = served_map.georeference, query.gravity
    try:
        return replace(
            _position_prior(query, served_map) or Prior(),
            gravity_in_cam=None
            if gravity is None
            else camera_vectors_from_frame(np.array(gravity), query.frame),
            gravity_in_world=None if georeference is None else georeference.down_in_map,
            gravity_tolerance_deg=query.gravity_tolerance_deg,
            heights=query.prior_heights,
        )
    except HlocLiteError as error:
        raise _bad(str(error)) from None


def _position_prior(query: Query, served_map: ServedMap) -> Prior | None:
    georeference, radius = served_map.georeference, query.prior_radius
    if query.prior_geo is not None and georeference is not None:
        accuracy_m = query.prior_accuracy or (radius or 0.0) / GPS_RADIUS_FACTOR
        latitude, longitude, *height = query.prior_geo
        return prior_from_gps(georeference, latitude, longitude, accuracy_m, *height)
    if query.prior_position is None or radius is None:
        return None
    position = points_from_frame(np.array(query.prior_position), query.frame, query.world)
    if query.world == "enu" and georeference is not None:
        position = georeference.enu_from_map.inverse().apply(position)
        radius = radius / georeference.metres_per_unit
    return Prior(position=position, radius=radius)


def _bad(reason: str) -> Problem:
    return Problem(422, "bad_prior", reason)
