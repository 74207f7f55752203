"""Calibration of a map in its folder: tested on its own photos, and stored with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hloc_lite.errors import BusyMapError, HlocLiteError
from hloc_lite.io.locks import exclusive_lock
from hloc_lite.io.staging import LOCK
from hloc_lite.localize.calibration import calibrate_map
from hloc_lite.maps.calibration import MapCalibration, write_calibration
from hloc_lite.maps.georeference import map_identity
from hloc_lite.maps.map import Map


def can_test_itself(sfm_map: Map) -> bool:
    """True for a new map that shall be tested on its own photos, with enough of them."""
    config = sfm_map.config
    return (
        config.self_test.enabled
        and config.confidence.enabled
        and sfm_map.calibration is None
        and len(sfm_map.model.images) > config.self_test.min_images_left
        # keypoints that a matcher of photos found have no descriptors to test with
        and sfm_map.features[sfm_map.model.images[0].name].descriptors.shape[1] > 0
    )


def seconds_for_test(sfm_map: Map) -> float:
    """Share of the mapping time that the test of a new map may take."""
    mapping_s = sum(sfm_map.report["timings_s"].values())
    return float(sfm_map.config.self_test.max_time_share * mapping_s)


def calibrate_stored_map(
    folder: Path,
    sfm_map: Map,
    seconds: float | None,
    **options: Any,
) -> MapCalibration:
    """Calibrate an open map, and store the calibration in its folder.

    Args:
        seconds: no further photo is tested after this time; None for no limit.
        options: progress, networks and device, as for ``calibrate_map``.

    Raises:
        BusyMapError: another process writes the map.
        HlocLiteError: the folder cannot be written, holds another map by now, or keeps the
            calibration that it has because no photo was tested.
    """
    _check_is_there(folder, sfm_map)  # a lock would make a folder that is missing
    with _locked(folder):
        found = calibrate_map(sfm_map, max_seconds=seconds, **options)
        known = sfm_map.calibration
        if known is not None and known.fitted_to == found.fitted_to and not len(found.answers):
            raise HlocLiteError(
                f"no photo was tested, so {folder} keeps the calibration that it has: give more "
                f"--seconds, or lower self_test.min_images_left"
            )
        _check_is_there(folder, sfm_map)
        write_calibration(folder, found, sfm_map.fingerprint)
    return found


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from replacing the map."""

    def unwritable(error: OSError) -> HlocLiteError:
        return HlocLiteError(f"cannot write into {folder}: {error.strerror or error}")

    busy = f"another process is writing {folder}; wait for it, then calibrate the map"
    with exclusive_lock(folder / LOCK, BusyMapError(busy), unwritable):
        yield


def _check_is_there(folder: Path, sfm_map: Map) -> None:
    """Raise an error if the folder does not hold this map any more."""
    if map_identity(folder)["fingerprint"] != sfm_map.fingerprint:
        raise HlocLiteError(f"{folder} holds another map by now: calibrate that one")
