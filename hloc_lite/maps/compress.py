"""Makes a compact map from a full one: all landmarks, or those that fit into a byte budget."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hloc_lite.errors import ConfigError, HlocLiteError
from hloc_lite.io.array_folder import write_array_folder
from hloc_lite.maps.calibration import calibration_bytes, replace_calibration
from hloc_lite.maps.compact_arrays import Arrays, compact_arrays
from hloc_lite.maps.folder import COMPACT_SCHEMA
from hloc_lite.maps.georeference import delete_stale_georeference, replaced_header
from hloc_lite.maps.landmark_selection import Selection, collect_observations, select_landmarks
from hloc_lite.maps.map import Map
from hloc_lite.maps.mean_descriptors import landmark_descriptors_of
from hloc_lite.maps.quantization import DIMS_PER_CODE, Coding, codebook_bytes, row_bytes
from hloc_lite.maps.surface_saving import replace_surface

HEADER_ENTRY_BYTES = 128
"""Upper bound of a file's entry (size and checksum) in the header."""
NPY_HEADER_BYTES = 128
"""Bytes before the array in its file."""
MAX_RETRIEVAL_SHARE = 0.2
"""Share of the budget that int8 global descriptors may take; otherwise they become bits."""


@dataclass(frozen=True)
class _Sizes:
    """Bytes of the parts of a compact map."""

    fixed: int
    """Images, global descriptors and header, without any landmark."""
    per_landmark: int
    """One landmark without its descriptor."""
    per_observation: int


def compress_map(
    sfm_map: Map,
    output: Path,
    *,
    max_bytes: int | None = None,
    coding: Coding | None = None,
    retrieval: Coding | None = None,
    overwrite: bool = False,
    keep_surface: bool = False,
) -> Selection:
    """Write a compact map: landmarks with one descriptor each, in a folder of its own.

    Args:
        sfm_map: a full map, or a compact one to reduce further.
        max_bytes: budget for all files together; None keeps all landmarks that an image observes.
        coding: float16, int8 or pq, for landmark descriptors. None: int8, or pq if more landmarks
            then fit into the budget, because their number matters more than exact descriptors.
        retrieval: float16, int8 or bits, for global descriptors. None: int8, or bits if int8 would
            take more than ``MAX_RETRIEVAL_SHARE`` of the budget.
        overwrite: replace a compact map that is there.
        keep_surface: copy the surface of the map, too; it comes on top of the budget.

    Returns:
        The landmarks that were kept.

    Raises:
        ConfigError: an encoding that the descriptors cannot have, or landmarks without any.
        HlocLiteError: the budget is too small, or the folder cannot be written.
    """
    retrieval = retrieval or _default_retrieval(sfm_map, max_bytes)
    if coding is Coding.BITS or retrieval is Coding.PQ:
        raise ConfigError(
            f"landmark descriptors can be float16, int8 or pq, global descriptors float16, int8 or "
            f"bits; got {coding} and {retrieval}"
        )
    descriptors = landmark_descriptors_of(sfm_map)
    if descriptors.values.shape[1] == 0:
        raise ConfigError(
            "a matcher of photos made the map, so its landmarks have no descriptors, and a compact "
            "map would have nothing to match queries with: keep the full map and its photos, or "
            "build a map with features"
        )
    no_landmarks = np.zeros(0, np.int64)
    arrays, header = compact_arrays(sfm_map, descriptors, no_landmarks, Coding.FLOAT16, retrieval)
    dim = descriptors.values.shape[1]
    known = sfm_map.calibration
    kept = None if known is None else known.without_landmarks()
    sizes = _sizes(arrays, header, dim, calibration_bytes(kept, sfm_map.fingerprint))
    codings = _allowed_codings(dim) if coding is None else [coding]
    coding, selection = _select_within(sfm_map, max_bytes, sizes, codings, dim)
    arrays, header = compact_arrays(
        sfm_map, descriptors, selection.landmark_idxs, coding, retrieval
    )
    header |= {
        "images": len(sfm_map.model.images),
        "points": len(selection.landmark_idxs),
        "of_points": sfm_map.model.num_points,
        "least": selection.min_per_image,
        **replaced_header(output),
    }
    write_array_folder(output, COMPACT_SCHEMA, arrays, header, overwrite=overwrite)
    try:
        delete_stale_georeference(output)
        replace_calibration(output, kept, sfm_map.fingerprint)
        replace_surface(output, sfm_map.surface if keep_surface else None, sfm_map.fingerprint)
    except OSError as error:
        raise HlocLiteError(f"cannot write {output}: {error}") from error
    return selection


def _select_within(
    sfm_map: Map, max_bytes: int | None, sizes: _Sizes, codings: Sequence[Coding], dim: int
) -> tuple[Coding, Selection]:
    """Select the landmarks, with the first of the encodings that keeps most of them.

    Raises:
        HlocLiteError: no landmark fits into ``max_bytes``.
    """
    model = sfm_map.model
    room = np.inf if max_bytes is None else max_bytes - sizes.fixed
    observations = collect_observations(model)
    selections = {
        coding: select_landmarks(
            observations,
            model.errors_px,
            room - codebook_bytes(coding, dim),
            sizes.per_landmark + row_bytes(coding, dim),
            sizes.per_observation,
        )
        for coding in codings
    }
    coding, selection = max(selections.items(), key=lambda item: len(item[1].landmark_idxs))
    if room < 0 or (room < np.inf and model.num_points and not len(selection.landmark_idxs)):
        raise HlocLiteError(
            f"{max_bytes} bytes are too few: {sizes.fixed} go to the images, their global "
            f"descriptors and the config, and at least "
            f"{sizes.per_landmark + row_bytes(coding, dim)} to each landmark"
        )
    return coding, selection


def _sizes(arrays: Arrays, header: Mapping[str, Any], dim: int, other_bytes: int) -> _Sizes:
    """Sizes of a compact map, from the arrays and the header of one without landmarks.

    Args:
        other_bytes: bytes of its other files.
    """
    text = json.dumps(header, indent=1, ensure_ascii=False).encode()
    files = sum(HEADER_ENTRY_BYTES + NPY_HEADER_BYTES + array.nbytes for array in arrays.values())
    landmark = sum(
        array.itemsize * int(np.prod(array.shape[1:]))
        for name, array in arrays.items()
        if name.startswith("landmarks/")
    )
    return _Sizes(
        len(text) + 2 * HEADER_ENTRY_BYTES + files + other_bytes,
        landmark - row_bytes(Coding.FLOAT16, dim),
        arrays["images/landmarks"].itemsize,
    )


def _allowed_codings(dim: int) -> list[Coding]:
    """Encodings of landmark descriptors that may be chosen automatically, preferred ones first."""
    return [Coding.INT8, Coding.PQ] if dim % DIMS_PER_CODE == 0 else [Coding.INT8]


def _default_retrieval(sfm_map: Map, max_bytes: int | None) -> Coding:
    int8_bytes = sfm_map.global_descriptors.size
    is_tight = max_bytes is not None and int8_bytes > MAX_RETRIEVAL_SHARE * max_bytes
    return Coding.BITS if is_tight else Coding.INT8
