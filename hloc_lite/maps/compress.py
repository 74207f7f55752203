"""Full map -> compact map, of all landmarks or of those that fit into a budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.io.array_folder import write_array_folder
from hloc_lite.maps.compact_arrays import Arrays, compact_arrays
from hloc_lite.maps.folder import COMPACT_SCHEMA
from hloc_lite.maps.georeference import delete_stale_georeference
from hloc_lite.maps.landmark_selection import Selection, observations_of, select_landmarks
from hloc_lite.maps.map import Map
from hloc_lite.maps.mean_descriptors import landmark_descriptors_of
from hloc_lite.maps.quantization import DIMS_A_CODE, Coding, codebook_bytes, row_bytes

LISTED = 128
"""Bytes that the header takes for the size and checksum of a file, and as many for the rest."""
MAX_RETRIEVAL_SHARE = 0.2
"""Of a budget that global descriptors in bytes may take; bits take an eighth of them."""
NPY_HEADER = 128
"""Bytes before an array in its file."""


@dataclass(frozen=True, eq=False)
class Compressed:
    """What became of a map."""

    selection: Selection
    of_landmarks: int
    """How many the map had."""


def compress_map(
    place: Map,
    output: Path,
    *,
    max_bytes: int | None = None,
    coding: Coding | None = None,
    retrieval: Coding | None = None,
    overwrite: bool = False,
) -> Compressed:
    """Write a map's landmarks, with the means of their descriptors, into a folder of their own.

    Args:
        place: a full map, or a compact one to be cut down.
        max_bytes: of all files together; None: all landmarks that an image sees.
        coding: of the landmarks' descriptors; not bits. None: int8, but pq where more landmarks fit
            into the budget so: their number counts for more than how exact their descriptors are.
        retrieval: of the images' global descriptors; not pq. None: int8, but bits where that would
            take more than ``MAX_RETRIEVAL_SHARE`` of the budget.

    Raises:
        HlocLiteError: the budget is too small, or the folder cannot be written to.
    """
    retrieval = retrieval or _retrieval_within(place, max_bytes)
    if coding is Coding.BITS or retrieval is Coding.PQ:
        raise ConfigError(
            f"landmarks are coded as float16, int8 or pq, global descriptors as float16, int8 or "
            f"bits; got {coding} and {retrieval}"
        )
    descriptors = landmark_descriptors_of(place)
    nothing = np.zeros(0, np.int64)
    arrays, header = compact_arrays(place, descriptors, nothing, Coding.FLOAT16, retrieval)
    dim = descriptors.values.shape[1]
    fixed = _total(arrays, header)
    room = np.inf if max_bytes is None else max_bytes - fixed
    others = sum(_item_bytes(arrays, name) for name in arrays if name.startswith("landmarks/"))
    others -= row_bytes(Coding.FLOAT16, dim)
    seen = observations_of(place.model)
    best: tuple[Coding, Selection] | None = None
    for option in _codings(coding, dim):
        selection = select_landmarks(
            seen,
            place.model.errors_px,
            room - codebook_bytes(option, dim),
            others + row_bytes(option, dim),
            arrays["images/landmarks"].itemsize,
        )
        if best is None or len(selection.landmarks) > len(best[1].landmarks):
            best = option, selection
    assert best is not None
    coding, selection = best
    if room < 0 or (room < np.inf and place.model.num_points and not len(selection.landmarks)):
        raise HlocLiteError(
            f"{max_bytes} bytes are too few: {fixed} go to the images, their global descriptors "
            f"and the config, and at least {others + row_bytes(coding, dim)} to each landmark"
        )
    arrays, header = compact_arrays(place, descriptors, selection.landmarks, coding, retrieval)
    header |= {
        "images": len(place.model.images),
        "points": len(selection.landmarks),
        "of_points": place.model.num_points,
        "least": selection.least,
    }
    write_array_folder(output, COMPACT_SCHEMA, arrays, header, overwrite=overwrite)
    delete_stale_georeference(output)
    return Compressed(selection, place.model.num_points)


def _codings(asked: Coding | None, dim: int) -> list[Coding]:
    """What may be chosen, the first of equally good ones."""
    if asked is not None:
        return [asked]
    return [Coding.INT8, Coding.PQ] if dim % DIMS_A_CODE == 0 else [Coding.INT8]


def _retrieval_within(place: Map, max_bytes: int | None) -> Coding:
    taken = place.global_descriptors.size
    crowded = max_bytes is not None and taken > MAX_RETRIEVAL_SHARE * max_bytes
    return Coding.BITS if crowded else Coding.INT8


def _total(arrays: Arrays, header: Mapping[str, Any]) -> int:
    text = json.dumps(header, indent=1, ensure_ascii=False).encode()
    files = sum(LISTED + NPY_HEADER + array.nbytes for array in arrays.values())
    return len(text) + 2 * LISTED + files


def _item_bytes(arrays: Arrays, name: str) -> int:
    return arrays[name].itemsize * int(np.prod(arrays[name].shape[1:]))
