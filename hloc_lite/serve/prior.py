"""What a request knows of its camera beforehand, turned to the axes of each map."""

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
    """Refuse what contradicts itself, or cannot be said of these maps.

    Raises:
        Problem: 422, with what to do.
    """
    places = [place for place in (query.prior_position, query.prior_geo) if place is not None]
    if len(places) == 2:
        raise _bad("give either prior_position or prior_geo, not both")
    if query.prior_accuracy is not None and (query.prior_geo is None or query.prior_radius):
        raise _bad("prior_accuracy goes with prior_geo, instead of prior_radius")
    sizes = [size for size in (query.prior_radius, query.prior_accuracy) if size is not None]
    if bool(places) != bool(sizes):
        raise _bad(
            "prior_position goes together with prior_radius, prior_geo with prior_radius or "
            "prior_accuracy"
        )
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
    georeference, gravity = place.georeference, query.gravity
    try:
        about = _about_where(query, place) or Prior()
        return replace(
            about,
            gravity_in_cam=None
            if gravity is None
            else camera_vectors_from_frame(np.array(gravity), query.frame),
            gravity_in_world=None if georeference is None else georeference.down_in_map,
            gravity_tolerance_deg=query.gravity_tolerance_deg,
            heights=query.prior_heights,
        )
    except HlocLiteError as error:
        raise _bad(str(error)) from None


def _about_where(query: Query, place: ServedMap) -> Prior | None:
    georeference, radius = place.georeference, query.prior_radius
    if query.prior_geo is not None and georeference is not None:
        accuracy = query.prior_accuracy or (radius or 0.0) / GPS_RADIUS_FACTOR
        latitude, longitude, *height = query.prior_geo
        return prior_from_gps(georeference, latitude, longitude, accuracy, *height)
    if query.prior_position is None or radius is None:
        return None
    position = points_from_frame(np.array(query.prior_position), query.frame, query.world)
    if query.world == "enu" and georeference is not None:
        position = georeference.enu_from_map.inverse().apply(position)
        radius = radius / georeference.metres_per_unit
    return Prior(position=position, radius=radius)


def _bad(reason: str) -> Problem:
    return Problem(422, "bad_prior", reason)
