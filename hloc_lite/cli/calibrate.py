"""``hloc-lite calibrate``: tests a map on its own photos, and stores what it learns."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hloc_lite.cli.options import runtime_options, show_progress, trust_option
from hloc_lite.errors import BusyMapError, ConfigError, HlocLiteError

if TYPE_CHECKING:
    from hloc_lite.maps.calibration import MapCalibration
    from hloc_lite.maps.map import Map

SHOWN_PLACES = 5


@click.command("calibrate")
@click.argument("map_folder", metavar="MAP", type=click.Path(path_type=Path))
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Test no further photo after this time.  [default: until self_test.max_images]",
)
@trust_option
@runtime_options
def command(
    map_folder: Path, seconds: float | None, trust: bool, device: str, offline: bool
) -> None:
    """Test MAP on its own photos, and learn how sure it may be.

    Each photo is localized in the map without itself, which should give its known pose, and in the
    map without all images that share its view, where any pose is wrong. No photo is read: the map
    keeps their features. The confidence of later queries is corrected by what is learned.
    """
    from hloc_lite.maps.map import Map

    if seconds is not None and math.isnan(seconds):
        raise ConfigError("--seconds: expected a number above 0, got nan")
    sfm_map = Map.open(map_folder, trust=trust)
    calibrate(map_folder, sfm_map, seconds, device=device, offline=offline)


def calibrate(
    folder: Path, sfm_map: Map, seconds: float | None, *, device: str, offline: bool
) -> None:
    """Calibrate an open map, store the calibration in its folder, and print a summary.

    Raises:
        BusyMapError: another process writes the map.
        HlocLiteError: the folder cannot be written, or holds another map by now.
    """
    from hloc_lite.io.weights import WeightsStore
    from hloc_lite.localize.calibration import calibrate_map
    from hloc_lite.maps.calibration import write_calibration

    start = time.perf_counter()
    _check_is_there(folder, sfm_map)  # a lock would make a folder that is missing
    with _locked(folder):
        found = calibrate_map(
            sfm_map,
            max_seconds=seconds,
            progress=_progress if show_progress() else None,
            weights=WeightsStore(offline=offline),
            device=device,
        )
        known = sfm_map.calibration
        if known is not None and known.fitted_to == found.fitted_to and not len(found.answers):
            raise HlocLiteError(
                f"no photo was tested, so {folder} keeps the calibration that it has: give more "
                f"--seconds, or lower self_test.min_images_left"
            )
        _check_is_there(folder, sfm_map)
        write_calibration(folder, found, sfm_map.fingerprint)
    for line in describe(found, sfm_map.config.confidence.min_confidence):
        click.echo(line)
    click.echo(f"  time: self-test {time.perf_counter() - start:.1f} s")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from replacing the map."""
    from hloc_lite.io.locks import exclusive_lock
    from hloc_lite.io.staging import LOCK

    def unwritable(error: OSError) -> HlocLiteError:
        return HlocLiteError(f"cannot write into {folder}: {error.strerror or error}")

    busy = f"another process is writing {folder}; wait for it, then calibrate the map"
    with exclusive_lock(folder / LOCK, BusyMapError(busy), unwritable):
        yield


def _check_is_there(folder: Path, sfm_map: Map) -> None:
    """Raise an error if the folder does not hold this map any more."""
    from hloc_lite.maps.georeference import map_identity

    if map_identity(folder)["fingerprint"] != sfm_map.fingerprint:
        raise HlocLiteError(f"{folder} holds another map by now: calibrate that one")


def describe(calibration: MapCalibration, min_confidence: float) -> list[str]:
    """Describe what a map has learned about itself, a line each.

    Args:
        min_confidence: confidence from which a pose is given.
    """
    import numpy as np

    from hloc_lite.maps.calibration import SelfTestKind

    lines = []
    titles = {
        SelfTestKind.SELF_LEFT_OUT: "photos in the map without themselves",
        SelfTestKind.NEIGHBOURHOOD_LEFT_OUT: "photos in the map without their neighbourhood",
    }
    for kind, title in titles.items():
        answers = calibration.answers.of_kind(kind)
        given = answers.has_pose & (answers.confidences >= min_confidence)
        wrong = int((given & answers.is_wrong).sum())
        lines.append(
            f"  self-test: {len(answers)} {title}: {int(given.sum()) - wrong} right, {wrong} given "
            f"but wrong, {len(answers) - int(given.sum())} withheld"
        )
    places = calibration.confused_images
    if places:
        shown = ", ".join(f"{a} and {b} ({c:.2f})" for a, b, c in places[:SHOWN_PLACES])
        more = f", and {len(places) - SHOWN_PLACES} more" if len(places) > SHOWN_PLACES else ""
        lines.append(f"  places that look alike: {shown}{more}")
    known = calibration.repeatability[np.isfinite(calibration.repeatability)]
    if len(known):
        share = f"{100 * float(known.mean()):.0f} %"
        lines.append(f"  landmarks: seen in {share} of the images that should see them")
    return lines


def _progress(rows: Sequence[Any]) -> Any:
    from tqdm import tqdm

    return tqdm(rows, desc="self-test")
